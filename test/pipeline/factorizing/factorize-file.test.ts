// Whole factorization runs on ONNX Runtime, on digits: budgets, rules, the search, schedules, what is refused, and what is never
// returned.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { GateError } from '../../../src/base/errors.js';
import { openModel } from '../../../src/onnx/open.js';
import type { FactorizeOutcome } from '../../../src/pipeline/factorizing/outcome.js';
import type { SpeedFinding } from '../../../src/pipeline/quantization/speed.js';
import { MNIST, THIN } from '../pruning/run.js';
import { netData, writeNet } from '../quantization/net.js';
import { factorizeRequest, finished } from './run.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-factorize-file-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = root;
beforeEach(() => void (folder = mkdtempSync(join(root, 'run-'))));

type Changes = Parameters<typeof factorizeRequest>[2];

const mnist = (changes: Changes = {}, path = MNIST) =>
  factorizeRequest(path, join(folder, 'mnist.onnx'), { limit: 120, ...changes });

/** Where what is done counts, not how well. */
const thin = (changes: Changes = {}) => mnist(changes, THIN);

/** Random weights, of which no rank can be left out. */
const net = (changes: Changes = {}) =>
  factorizeRequest(writeNet(folder), join(folder, 'out.onnx'), {
    openData: () => Promise.resolve(netData(60)),
    ...changes,
    settings: { samples: 30, ...changes?.settings },
  });

const partLeft = ({ before, after }: FactorizeOutcome, key: 'macs' | 'parameters'): number =>
  after.figures.cost[key] / before.figures.cost[key];

const USUAL = ['svd', 'channel-svd', 'spatial-svd', 'tucker-2'];

const chains = ({ layers }: FactorizeOutcome) => layers.filter(({ chain }) => chain);

describe('a budget', { timeout: 300_000 }, () => {
  it('of multiplications and parameters is kept, and the model is as good as before', async () => {
    const { outcome, bytes } = await finished(mnist({ settings: { macs: '0.6x', params: '0.5x' } }));
    expect(outcome).toMatchObject({ kept: 'factorized', budget: 'met', gate: undefined, aim: 'macs', dataFree: false });
    expect(partLeft(outcome, 'macs')).toBeLessThanOrEqual(0.6);
    expect(partLeft(outcome, 'parameters')).toBeLessThanOrEqual(0.5);
    expect(outcome.loss?.value).toBeLessThan(3);
    expect(outcome.refitted).toBeGreaterThan(0);
    expect(outcome.after.file.bytes).toBe(bytes.length);
    // What the report says of chains is what is in the model.
    const { model } = await openModel(join(folder, 'mnist.onnx'));
    const labels = model.graph.nodes().map(({ label }) => label);
    expect(chains(outcome).length).toBeGreaterThan(1);
    for (const { name, reason } of chains(outcome)) {
      expect(labels.some((label) => label.startsWith(`${name}_factor_`))).toBe(true);
      expect(reason).toBe(undefined);
    }
    for (const { chain, reason } of outcome.layers)
      expect([chain === undefined, reason !== undefined]).toContain(chain === undefined);
  });

  it('of the size of the file is kept', async () => {
    const { outcome } = await finished(thin({ settings: { size: '0.9x', layers: 'dense', maxDrop: 99 } }));
    expect(outcome).toMatchObject({ kept: 'factorized', budget: 'met', aim: 'size' });
    expect(outcome.after.file.bytes).toBeLessThan(0.9 * outcome.before.file.bytes);
    expect(chains(outcome).every(({ opType }) => ['Gemm', 'MatMul'].includes(opType))).toBe(true);
    expect(outcome.layers.filter(({ opType }) => opType === 'Conv').map(({ reason }) => reason)).toContain('not-asked');
  });

  it('out of reach is refused with what can be had', async () => {
    await expect(finished(thin({ settings: { macs: '0.01x' } }))).rejects.toThrow(GateError);
    await expect(finished(thin({ settings: { macs: '0.01x' } }))).rejects.toThrow(/is the least/);
  });

  it('gives the same bytes again, from a journal as well, and better ones with a repair', async () => {
    const settings = { macs: '0.5x' } as const;
    const journal = join(folder, 'run.jsonl');
    const first = await finished(thin({ settings, journal }));
    expect((await finished(thin({ settings, journal }))).bytes.equals(first.bytes)).toBe(true);
    expect((await finished(thin({ settings }))).bytes.equals(first.bytes)).toBe(true);
    const off = await finished(thin({ settings: { ...settings, repair: 'off' } }));
    expect(off.outcome.refitted).toBe(0);
    expect(off.bytes.equals(first.bytes)).toBe(false);
  });

  it('that breaks the model misses a gate, and says so, unless that is allowed', async () => {
    const { outcome } = await finished(net({ settings: { macs: '0.4x' } }));
    expect(outcome).toMatchObject({ kept: 'factorized', budget: 'met', gate: 'missed' });
    expect(outcome.loss?.value).toBeGreaterThan(5);
    expect(outcome.warnings).toContainEqual(expect.stringMatching(/^the budget costs .* taken for broken/));
    const allowed = await finished(net({ settings: { macs: '0.4x', maxDrop: 99 } }));
    expect(allowed.outcome).toMatchObject({ kept: 'factorized', budget: 'met', gate: 'met' });
    expect(allowed.outcome.warnings.join()).not.toMatch(/taken for broken/);
  });
});

describe('a rule for every layer', { timeout: 300_000 }, () => {
  it('of multiplications: no chain has more, each is the most exact of its layer', async () => {
    const { outcome } = await finished(thin({ settings: { ratio: 0.5, for: 'macs', maxDrop: 99 } }));
    expect(outcome).toMatchObject({ kept: 'factorized', budget: undefined });
    for (const { macs, chain, curves } of chains(outcome)) {
      const limit = 0.5 * (macs?.before ?? 0);
      expect(macs?.after).toBeLessThanOrEqual(limit);
      const better = curves
        .flatMap(({ points }) => points)
        .filter((point) => point.macs <= limit && point.error < (chain?.error ?? 0));
      expect(better).toEqual([]);
    }
  });

  it('of energy: every chain keeps it', async () => {
    const { outcome } = await finished(thin({ settings: { energy: 0.9, for: 'params' } }));
    expect(chains(outcome).length).toBeGreaterThan(0);
    for (const { chain } of chains(outcome)) expect(chain?.error).toBeLessThanOrEqual(0.1 + 1e-9);
  });

  it('by EVBMF runs, and may leave all as it is', async () => {
    const { outcome } = await finished(thin({ settings: { ranks: 'evbmf', for: 'macs' } }));
    expect(outcome.layers.length).toBeGreaterThan(2);
    expect(outcome.gate).toBe(undefined);
  });
});

describe('schedules, metrics and schemes', { timeout: 300_000 }, () => {
  it.each([
    ['one convolution at a time', { groupSize: 1 }],
    ['CP', { schemes: ['svd', 'cp'], metric: 'diagonal' }],
    ['Tucker-2 with CP on the core', { schemes: ['tucker-cp'], metric: 'diagonal' }],
    ['plain', { metric: 'plain' }],
    ['diagonal', { metric: 'diagonal' }],
    ['sensitivity', { ranks: 'sensitivity' }],
  ] as const)('%s: the budget is kept and the model works', async (_, settings) => {
    const { outcome } = await finished(thin({ settings: { macs: '0.75x', ...settings } }));
    expect(outcome).toMatchObject({ kept: 'factorized', budget: 'met' });
    expect(outcome.loss?.value).toBeLessThan(5);
    const asked: readonly string[] = { schemes: undefined, ...settings }.schemes ?? USUAL;
    for (const { chain } of chains(outcome)) expect(asked).toContain(chain?.scheme);
  });

  it('without data weights alone decide', async () => {
    const { outcome } = await finished(thin({ openData: undefined, settings: { macs: '0.8x' } }));
    expect(outcome).toMatchObject({ dataFree: true, refitted: 0 });
  });
});

describe('a loss that is allowed', { timeout: 300_000 }, () => {
  it('says how much goes: the search ends within it', async () => {
    const { outcome } = await finished(thin({ settings: { maxDrop: 1 } }));
    expect(outcome.gate).toBe('met');
    expect(outcome.aim).toBe('macs');
    expect(outcome.steps.length).toBeGreaterThan(2);
    expect(outcome.loss?.value).toBeLessThanOrEqual(1);
    expect(partLeft(outcome, 'macs')).toBeLessThan(1);
  });

  it('of nothing leaves random weights as they are', async () => {
    const { outcome } = await finished(net({ settings: { maxDrop: 0.001 } }));
    expect(outcome).toMatchObject({ kept: 'original', gate: 'met' });
    expect(outcome.layers.map(({ reason }) => reason)).toContain('loss');
  });
});

interface Line {
  readonly step?: string;
  readonly value?: SpeedFinding;
}

/** Runs, then runs again with other timings in the journal: of all models but the slimmed one as `verdict` says. */
async function withVerdict(
  verdict: 'faster' | 'slower' | 'no-difference',
  changes: Changes,
): Promise<FactorizeOutcome> {
  const journal = join(folder, 'timed.jsonl');
  const request = mnist({ ...changes, journal, measure: 'on', timingMs: 400 });
  await finished(request);
  const lines = readFileSync(journal, 'utf8').trim().split('\n');
  const changed = lines.flatMap((text) => {
    const line = JSON.parse(text) as Line;
    if (line.step?.startsWith('second time of')) return [];
    if (line.step?.startsWith('chains that do not pay')) return [JSON.stringify({ ...line, value: [] })];
    if (!line.step?.startsWith('time of') || line.step.endsWith('the slimmed model') || !line.value) return [text];
    const { original, slimmed } = line.value;
    const value = {
      original: { ...original, latency: { ...original.latency, verdict } },
      slimmed: { ...slimmed, verdict },
    };
    return [line.step, `second ${line.step}`].map((step) => JSON.stringify({ step, value }));
  });
  writeFileSync(journal, `${changed.join('\n')}\n`);
  return (await finished(request)).outcome;
}

describe('time', { timeout: 300_000 }, () => {
  const settings = { energy: 0.8, for: 'latency' } as const;

  it('a model that is not measured faster is not returned', async () => {
    const outcome = await withVerdict('no-difference', { settings });
    expect(outcome.kept).toBe('original');
    expect(outcome.measurement?.latency.verdict).not.toBe('slower');
  });

  it('unless something else was asked for: then its timing says slower', async () => {
    const outcome = await withVerdict('slower', { settings: { macs: '0.7x' } });
    expect(outcome).toMatchObject({ kept: 'factorized', budget: 'met' });
    expect(outcome.measurement?.latency.verdict).toBe('slower');
  });
});
