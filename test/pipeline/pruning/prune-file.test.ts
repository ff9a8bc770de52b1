// Whole pruning runs on ONNX Runtime, on digits and on a small net without labels: budgets, the search, gates, what is refused,
// and that runs repeat byte by byte.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { openModel } from '../../../src/onnx/open.js';
import { pruneFile } from '../../../src/pipeline/pruning/prune-file.js';
import type { PruneOutcome } from '../../../src/pipeline/pruning/outcome.js';
import { netData, writeNet } from '../quantization/net.js';
import { digits, finished, MNIST, pruneRequest } from './run.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-prune-file-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = root;
beforeEach(() => void (folder = mkdtempSync(join(root, 'run-'))));

const mnist = (changes: Parameters<typeof pruneRequest>[2] = {}) =>
  pruneRequest(MNIST, join(folder, 'mnist.onnx'), changes);

/** Without labels or classes; its layers are small. */
const net = (changes: Parameters<typeof pruneRequest>[2] = {}) =>
  pruneRequest(writeNet(folder), join(folder, 'out.onnx'), {
    openData: () => Promise.resolve(netData(60)),
    ...changes,
    settings: { samples: 30, ...changes.settings },
  });

/** Nothing that takes time on digits. */
const CHEAP = { repair: 'off', score: 'dropnet-minimum' } as const;

const lost = ({ groups }: PruneOutcome): number =>
  groups.reduce((sum, { width }) => sum + width.before - width.after, 0);

describe('a share of the units', () => {
  it('leaves, the rest is refitted, and the model is as good as before', { timeout: 300_000 }, async () => {
    const { outcome, bytes } = await finished(mnist({ limit: 150, settings: { ratio: 0.25 } }));
    expect(outcome).toMatchObject({ kept: 'pruned', score: 'obs', budget: 'met', gate: undefined, dataFree: false });
    expect(outcome.samples).toEqual({ fitted: 75, selected: 19, reported: 56 });
    expect(outcome.units.before - outcome.units.after).toBe(lost(outcome));
    expect(lost(outcome)).toBe(Math.floor(outcome.units.before * 0.25));
    expect(outcome.refitted).toBeGreaterThan(0);
    expect(outcome.removalError).toBeLessThan(1e-4);
    expect(outcome.loss).toMatchObject({ measure: 'top-1 lost', unit: 'points' });
    expect(outcome.loss?.value).toBeLessThan(3);
    expect(outcome.after.figures.cost.parameters).toBeLessThan(outcome.before.figures.cost.parameters);
    expect(outcome.after.file.bytes).toBe(bytes.length);
    expect(outcome.measurement).toBe(undefined);
    // What the report says of widths is what is in the model.
    const { model } = await openModel(join(folder, 'mnist.onnx'));
    const widths = new Map(findChannelGroups(model, createFacts(model)).map(({ name, width }) => [name, width]));
    for (const { name, width } of outcome.groups) expect([name, widths.get(name)]).toEqual([name, width.after]);
  });

  it('gives the same bytes again, and others with another seed of the random control', async () => {
    const random = { settings: { ratio: 0.3, score: 'random', repair: 'off' } } as const;
    const first = await finished(mnist(random));
    expect((await finished(mnist(random))).bytes.equals(first.bytes)).toBe(true);
    expect((await finished(mnist({ ...random, seed: 1 }))).bytes.equals(first.bytes)).toBe(false);
    expect(first.outcome.refitted).toBe(0);
  });

  it('is better off with a refit than without', async () => {
    const settings = { ratio: 0.3, score: 'l1' } as const;
    const on = await finished(net({ settings }));
    const off = await finished(net({ settings: { ...settings, repair: 'off' } }));
    expect(on.outcome.loss).toMatchObject({ measure: 'relative error', unit: 'percent' });
    expect(on.outcome.loss?.value ?? 100).toBeLessThan(off.outcome.loss?.value ?? 0);
    expect(on.outcome.groups.flatMap(({ error }) => error ?? []).length).toBeGreaterThan(0);
    expect(off.outcome.groups.flatMap(({ error }) => error ?? [])).toEqual([]);
  });

  it('of layers that share a constant leave apart from each other', async () => {
    const text = `<ir_version: 8, opset_import: ["" : 17]>
      g (float[1,3,24,24] x) => (float[1,4,24,24] y)
      <float[8,3,1,1] w1 = random(1), float[8,8,1,1] w2 = random(2), float[4,8,1,1] w3 = random(3), float[8] b = random(4)>
      { c1 = Conv (x, w1, b) r1 = Relu (c1) c2 = Conv (r1, w2, b) r2 = Relu (c2) y = Conv (r2, w3) }`;
    const path = join(folder, 'shared.onnx');
    writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(text))));
    const openData = () => Promise.resolve(netData(20));
    const settings = { ratio: 0.25, score: 'l1', repair: 'off', samples: 8 } as const;
    const { outcome } = await finished(pruneRequest(path, join(folder, 'out.onnx'), { openData, settings }));
    expect(outcome.groups.map(({ name, width }) => [name, width.before])).toEqual([
      ['c1', 8],
      ['c2', 8],
      ['y', 4],
    ]);
    expect(outcome.groups.slice(0, 2).map(({ width }) => width.after)).toEqual([6, 6]);
  });

  it('that ruin a model miss a gate, unless a limit was set or nothing is lost', async () => {
    const ruin = { ratio: 0.9, score: 'l1', repair: 'off' } as const;
    const said = expect.stringMatching(/^the budget costs .* taken for broken/);
    const ruined = (await finished(net({ settings: ruin }))).outcome;
    expect(ruined).toMatchObject({ gate: 'missed', budget: 'met' });
    expect(ruined.warnings).toContainEqual(said);
    const allowed = (await finished(net({ settings: { ...ruin, maxDrop: 100 } }))).outcome;
    expect(allowed.gate).toBe('met');
    expect(allowed.warnings).not.toContainEqual(said);
    const sound = (await finished(mnist({ settings: { ...CHEAP, ratio: 0.05 } }))).outcome;
    expect(sound.gate).toBeUndefined();
    expect(sound.warnings).not.toContainEqual(said);
  });

  it('says of every group that lost nothing why', async () => {
    const { outcome } = await finished(mnist({ settings: { ...CHEAP, ratio: 0.25 } }));
    for (const { width, reason } of outcome.groups) expect(reason === undefined).toBe(width.after < width.before);
    expect(outcome.groups.map(({ reason }) => reason)).toContain('graph-output');
  });
});

describe('budgets', () => {
  it('of multiplications and parameters are met', async () => {
    const macs = await finished(net({ settings: { macs: '0.7x' } }));
    expect(macs.outcome.budget).toBe('met');
    const { before, after } = macs.outcome;
    expect(after.figures.cost.macs / before.figures.cost.macs).toBeLessThanOrEqual(0.7);
    expect(after.figures.cost.macs / before.figures.cost.macs).toBeGreaterThan(0.5);
    const params = await finished(net({ settings: { params: '0.8x', repair: 'off', score: 'l2' } }));
    expect(params.outcome.after.figures.cost.parameters / before.figures.cost.parameters).toBeLessThanOrEqual(0.8);
  });

  it('of memory are met by the groups that are alive where most is needed, and by no others', async () => {
    const { outcome } = await finished(net({ settings: { memory: '0.7x', repair: 'off', score: 'l2' } }));
    const { before, after, groups } = outcome;
    expect(outcome).toMatchObject({ kept: 'pruned', budget: 'met' });
    expect(after.figures.peakActivationBytes / before.figures.peakActivationBytes).toBeLessThanOrEqual(0.7);
    expect(after.figures.peakActivationBytes / before.figures.peakActivationBytes).toBeGreaterThan(0.6);
    expect(groups.some(({ width }) => width.after < width.before)).toBe(true);
    for (const { reason } of groups) expect(['worth', 'no-gain', 'graph-output', undefined]).toContain(reason);
  });

  it('of memory that is needed where no channel can leave name the node, and the normalization that keeps them', async () => {
    const text = `<ir_version: 8, opset_import: ["" : 17]>
      g (float[1,3,24,24] x) => (float[1,4,24,24] y) < float[16,3,1,1] a = random(1), float[4,16,1,1] b = random(2) >
      { h = Conv (x, a) n = LRN <size = 3> (h) y = Conv (n, b) }`;
    const path = join(folder, 'normalized.onnx');
    writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(text))));
    const request = pruneRequest(path, join(folder, 'out.onnx'), {
      openData: () => Promise.resolve(netData(60)),
      settings: { samples: 30, score: 'l2', memory: '0.6x' },
    });
    await expect(pruneFile(request)).rejects.toMatchObject({
      code: 'gate',
      message: expect.stringContaining('1.00x is the least') as string,
      at: { node: 'LRN' },
      fix: expect.stringContaining('expand-lrn') as string,
    });
  });

  it('that slimming alone meets need no pruning', async () => {
    const { outcome } = await finished(mnist({ settings: { ...CHEAP, params: '0.999x' } }));
    expect(outcome).toMatchObject({ kept: 'original', budget: 'met' });
    expect(outcome.groups.map(({ reason }) => reason)).toContain('met');
  });

  it('that no width reaches are a missed gate', async () => {
    await expect(pruneFile(net({ settings: { macs: '0.0001x', score: 'l2' } }))).rejects.toMatchObject({
      code: 'gate',
      exitCode: 1,
    });
  });

  it('with a loss that cannot be held beside them: the result is there, and the gate missed', async () => {
    const { outcome } = await finished(mnist({ settings: { ratio: 0.9, score: 'random', repair: 'off', maxDrop: 1 } }));
    expect(outcome).toMatchObject({ kept: 'pruned', gate: 'missed' });
  });
});

describe('a loss alone', () => {
  it('lets as much leave as it allows, judged on samples apart from those reported', async () => {
    const { outcome } = await finished(net({ settings: { maxDrop: 10 } }));
    expect(outcome).toMatchObject({ kept: 'pruned', gate: 'met', budget: undefined });
    expect(outcome.steps.length).toBeGreaterThan(2);
    expect(outcome.loss?.value).toBeLessThanOrEqual(10);
    expect(outcome.after.figures.cost.macs).toBeLessThan(outcome.before.figures.cost.macs);
    // The best on the way lies beside the output only until there is one.
    expect(existsSync(join(folder, 'out.onnx.best.onnx'))).toBe(false);
  });

  it('of nothing at all on outputs that are no classes: nothing leaves', async () => {
    const { outcome } = await finished(net({ settings: { maxDrop: 1e-9, score: 'l2', repair: 'off' } }));
    expect(outcome).toMatchObject({ kept: 'original', gate: 'met' });
    expect(outcome.steps.length).toBeGreaterThan(0);
    expect(new Set(outcome.groups.map(({ reason }) => reason))).toContain('loss');
    expect(lost(outcome)).toBe(0);
  });
});

describe('the loop of DropNet', () => {
  it('drops a share per cycle until accuracy falls under kappa times that at the start', async () => {
    const settings = { ...CHEAP, schedule: 'dropnet', share: 0.04, kappa: 0.9 } as const;
    const { outcome } = await finished(mnist({ settings }));
    const { steps } = outcome;
    expect(outcome.kept).toBe('pruned');
    expect(steps.length).toBeGreaterThan(2);
    const units = steps.map((step) => step.units);
    expect(units.toSorted((a, b) => b - a)).toEqual(units);
    // The share is that of what remains.
    expect(units[0]).toBe(outcome.units.before - Math.floor(outcome.units.before * 0.04));
    expect(outcome.units.after).toBe(units.at(-2));
    expect(steps.at(-1)?.loss.value).toBeGreaterThan(5);
  });

  it('ends where the budget is met, by the least share that meets it', async () => {
    const settings = { ...CHEAP, schedule: 'dropnet', share: 0.2, kappa: 0.01, ratio: 0.3 } as const;
    const { outcome } = await finished(mnist({ settings }));
    expect(outcome.budget).toBe('met');
    expect(outcome.units.after).toBe(outcome.units.before - Math.ceil(outcome.units.before * 0.3));
    expect(outcome.steps.length).toBe(2);
  });
});

describe('without data', () => {
  it('weights decide, nothing is refitted, and the loss is that of random inputs', async () => {
    const { outcome } = await finished(mnist({ openData: undefined, settings: { ratio: 0.2 } }));
    expect(outcome).toMatchObject({ kept: 'pruned', dataFree: true, score: 'folding' });
    expect(outcome.loss).toMatchObject({ measure: expect.stringMatching(/disagreement|error/) });
    expect(lost(outcome)).toBeGreaterThan(0);
  });

  it('a score that needs samples says so of every group', async () => {
    const { outcome } = await finished(mnist({ settings: { ...CHEAP, ratio: 0.2, score: 'gamma' } }));
    // Slimming has folded the normalizations.
    expect(outcome).toMatchObject({ kept: 'original', budget: 'missed' });
    expect(outcome.groups.map(({ reason }) => reason)).toContain('no-normalization');
  });
});

describe('few samples', () => {
  it('do everything, and the report says what that is worth', async () => {
    const { outcome } = await finished(mnist({ limit: 6, settings: { ...CHEAP, ratio: 0.2 } }));
    expect(outcome.samples).toEqual({ fitted: 6, selected: 6, reported: 6 });
    expect(outcome.warnings).toEqual(expect.arrayContaining([expect.stringMatching(/^all 6 samples fit the model/)]));
  });
});

describe('what is refused', () => {
  it('a model that is quantized already, an output that is the input, classes without data', async () => {
    const quantized = join(folder, 'q.onnx');
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>
      g (float[1,2] x) => (float[1,2] y) <float s = {0.1}, uint8 z = {0}> {
        q = QuantizeLinear (x, s, z)
        y = DequantizeLinear (q, s, z)
      }`);
    await writeFile(quantized, Buffer.concat(encodeModel(undefined, model)));
    await expect(pruneFile(pruneRequest(quantized, join(folder, 'o.onnx')))).rejects.toMatchObject({
      code: 'unsupported',
    });
    await expect(pruneFile(mnist({ settings: { latency: '0.8x' } }))).rejects.toMatchObject({ code: 'conflict' });
    await expect(pruneFile(pruneRequest(MNIST, MNIST))).rejects.toMatchObject({ code: 'would-overwrite' });
    await expect(pruneFile(mnist({ openData: undefined, settings: { classes: ['1', '2'] } }))).rejects.toMatchObject({
      code: 'conflict',
    });
    const empty: typeof digits = async (inputs, signal) => ({ ...(await digits(inputs, signal)), size: 0 });
    await expect(pruneFile(mnist({ openData: empty }))).rejects.toMatchObject({ code: 'bad-data' });
  });
});
