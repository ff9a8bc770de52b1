// Whole quantization runs on ONNX Runtime: what comes out on a trained model, which nodes return to float when the loss
// must stay within bounds, what is refused, and that runs repeat byte by byte.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { openModel } from '../../../src/onnx/open.js';
import { writeModel } from '../../../src/onnx/write.js';
import { openData } from '../../../src/data/open-data.js';
import { parsePreprocess } from '../../../src/data/preprocess.js';
import type { QuantizeOutcome, QuantizeRequest } from '../../../src/pipeline/quantization/outcome.js';
import { quantizeFile } from '../../../src/pipeline/quantization/quantize-file.js';
import { assetModel, fixture, haveCifar } from '../evaluation/fake-data.js';
import { netData, requestFor, writeNet } from './net.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-quantize-file-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = root;
beforeEach(() => void (folder = mkdtempSync(join(root, 'run-'))));

interface Finished {
  readonly outcome: QuantizeOutcome;
  readonly bytes: Buffer;
}

/** Runs and publishes. */
async function finished(request: QuantizeRequest): Promise<Finished> {
  const outcome = await quantizeFile(request);
  const to = request.output ?? join(folder, 'out.onnx');
  await outcome.publish(to);
  await outcome.dispose();
  return { outcome, bytes: readFileSync(to) };
}

const cifarTest = assetModel('../cifar10/test_1000.bin.gz');
const MNIST = fixture('mnist-bn-as-exported.onnx');
const digits: QuantizeRequest['openData'] = (inputs, signal) =>
  openData(fixture('mnist-300/images-idx3-ubyte'), { inputs, preprocess: parsePreprocess('raw'), signal });
const mnist = (changes: Partial<QuantizeRequest> = {}): QuantizeRequest =>
  requestFor(MNIST, { output: join(folder, 'mnist.onnx'), openData: digits, calibrationSamples: 50, ...changes });

const net = (changes: Partial<QuantizeRequest> = {}): QuantizeRequest => requestFor(writeNet(folder), changes);

const inForm = ({ nodes }: QuantizeOutcome, form: 'int8' | 'float'): string[] =>
  nodes.filter((row) => row.form === form).map(({ node }) => node);

describe('a run on a trained model', () => {
  it('gives a model on integers that agrees, is proved, and a third of the size', async () => {
    const { outcome, bytes } = await finished(mnist());
    const { proof, nodes, values, comparison, loss, scored } = outcome;
    expect(outcome.kept).toBe('int8');
    expect(proof.nodes.length).toBeGreaterThan(4);
    expect(proof.nodes.filter(({ fused }) => !fused)).toEqual([]);
    expect(scored).toBe(250);
    expect(comparison?.agreement?.value).toBeGreaterThan(0.99);
    expect(loss).toMatchObject({ measure: 'top-1 lost', unit: 'points' });
    expect(outcome.after.file.bytes).toBe(bytes.length);
    expect(bytes.length).toBeLessThan(outcome.before.file.bytes / 2.5);
    const onIntegers = nodes.filter(({ form }) => form === 'int8');
    expect(onIntegers.filter(({ fused }) => !fused)).toEqual([]);
    expect(onIntegers.filter(({ signalToNoise = 0 }) => signalToNoise < 20)).toEqual([]);
    for (const { range, observed, scale } of values) {
      expect(scale).toBeGreaterThan(0);
      expect(range.min).toBeGreaterThanOrEqual(Math.min(0, observed.min) - 1e-6);
    }
    expect(outcome).toMatchObject({ measurement: undefined, speedMeasured: false, gate: undefined, warnings: [] });
    const opsets = (await openModel(join(folder, 'mnist.onnx'))).model.opset;
    expect(opsets).toBeGreaterThanOrEqual(13);
  });

  it('warns where the samples are not what the model was trained on', async () => {
    const openUnit: QuantizeRequest['openData'] = (inputs, signal) =>
      openData(fixture('mnist-300/images-idx3-ubyte'), { inputs, preprocess: parsePreprocess('unit'), signal });
    const quick = { rounding: 'nearest', refineRanges: 'off', correctBiases: 'off', equalize: 'off' } as const;
    const { outcome } = await finished(mnist({ ...quick, openData: openUnit }));
    expect(outcome.warnings).toEqual([expect.stringMatching(/not what the model was trained on.*check --preprocess/)]);
  });

  it('leaves nodes in float that the user names, and names what it does not know', async () => {
    const { outcome } = await finished(net({ float: ['c2', 'no such node'] }));
    expect(outcome.nodes.find(({ node }) => node === 'c2')).toMatchObject({ form: 'float', reason: 'asked' });
    expect(inForm(outcome, 'int8')).toContain('c1');
    expect(outcome.warnings.join()).toContain('no such node');
  });

  it('makes a model for Arm, whose speed is not measured here', async () => {
    if (process.arch === 'arm64') return;
    const { outcome } = await finished(net({ target: 'arm64', measure: 'on' }));
    expect(outcome).toMatchObject({ kept: 'int8', speedMeasured: false, measurement: undefined });
    expect(outcome.proof.nodes.filter(({ fused }) => !fused)).toEqual([]);
    expect(outcome.loss?.value).toBeLessThan(5);
  });

  it('feeds a model of a fixed batch with batches', async () => {
    const path = join(folder, 'batch.onnx');
    const { document, model } = await openModel(writeNet(folder));
    for (const value of [...model.graph.inputs, ...model.graph.outputs])
      if (value.type?.kind === 'tensor')
        model.graph.setType(value, { ...value.type, shape: [4, ...(value.type.shape ?? []).slice(1)] });
    await writeModel(document, model, path);
    const { outcome } = await finished(requestFor(path, { calibrationSamples: 18 }));
    expect(outcome).toMatchObject({ kept: 'int8', calibration: { samples: 18 }, scored: 42 });
    expect(outcome.loss?.value).toBeLessThan(1);
  });

  it('takes random inputs where there is no data, and warns', async () => {
    const { outcome } = await finished(net({ openData: undefined }));
    expect(outcome.calibration.dataFree).toBe(true);
    expect(outcome.warnings.join()).toContain('NO DATA');
    expect(inForm(outcome, 'int8').length).toBeGreaterThan(0);
  });

  it('says so when the same samples calibrate and score', async () => {
    const few = await finished(net({ calibrationSamples: 1000 }));
    expect(few.outcome.warnings.join()).toContain('the same ones score');
    expect(few.outcome).toMatchObject({ scored: 60, calibration: { samples: 60 } });
    const little = await finished(net({ calibrationSamples: 50 }));
    expect(little.outcome.warnings.join()).toContain('only 10 samples');
  });
});

describe.skipIf(!haveCifar)('runs on nets of the shared assets', () => {
  it.each([
    ['resnet8-cifar10.onnx', 'raw'],
    ['resnet20-cifar10.onnx', 'imagenet'],
  ])('%s loses next to nothing, and all that was planned is fused', { timeout: 300_000 }, async (name, preprocess) => {
    const request = requestFor(assetModel(name), {
      output: join(folder, name),
      openData: (inputs, signal) => openData(cifarTest, { inputs, preprocess: parsePreprocess(preprocess), signal }),
      calibrationSamples: 100,
    });
    const { outcome } = await finished(request);
    expect(outcome.proof.nodes.filter(({ fused }) => !fused)).toEqual([]);
    expect(inForm(outcome, 'float').length).toBeLessThan(3);
    expect(outcome.scored).toBe(900);
    expect(outcome.loss?.value).toBeLessThan(0.8);
    expect(outcome.comparison?.agreement?.value).toBeGreaterThan(0.98);
  });
});

describe('what is not quantized', () => {
  it.each(['small/qdq-net.onnx', 'small/qlinear-net.onnx'])('refuses %s, and says what to do', async (name) => {
    await expect(quantizeFile(mnist({ input: { path: fixture(name) } }))).rejects.toMatchObject({
      exitCode: 3,
      code: 'unsupported',
      fix: expect.stringContaining('float model') as string,
    });
  });

  it('keeps a model in float that has nothing to quantize', async () => {
    const path = join(folder, 'exp.onnx');
    const text =
      '<ir_version: 8, opset_import: ["" : 17]> g (float[1, 3, 4, 4] x) => (float[1, 3, 4, 4] y) { y = Exp (x) }';
    writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(text))));
    const { outcome } = await finished(requestFor(path, { openData: undefined, maxDrop: 0 }));
    expect(outcome).toMatchObject({ kept: 'original', values: [], gate: 'met', loss: { value: 0 } });
    expect(outcome.nodes).toMatchObject([{ opType: 'Exp', form: 'float', reason: 'no-int8-kernel' }]);
    expect(outcome.warnings.join()).toContain('nothing was quantized');
  });

  it('never replaces its input', async () => {
    await expect(quantizeFile(mnist({ output: MNIST }))).rejects.toMatchObject({ code: 'would-overwrite' });
  });

  it('gives the same bytes under every name', async () => {
    const request = net();
    const { bytes } = await finished(request);
    for (const name of ['float.onnx', 'trial.onnx'])
      expect((await finished({ ...request, output: join(folder, name) })).bytes).toEqual(bytes);
  });

  it('takes a model from memory', async () => {
    const request = net();
    const { bytes } = await finished(request);
    const input = { bytes: readFileSync(join(folder, 'net.onnx')), name: 'stdin.onnx' };
    expect((await finished({ ...request, input })).bytes).toEqual(bytes);
  });
});

describe('a bound on the loss', () => {
  it('returns the layer that makes the noise to float, and no more than needed', async () => {
    const all = await finished(net());
    const whole = all.outcome.loss?.value ?? 0;
    expect(all.outcome.loss?.measure).toBe('relative error');
    const maxDrop = whole / 2;
    const { outcome, bytes } = await finished(net({ maxDrop }));
    expect(outcome).toMatchObject({ kept: 'mixed', gate: 'met' });
    expect(outcome.loss?.value).toBeLessThanOrEqual(maxDrop);
    expect(outcome.steps[0]).toMatchObject({ float: [], loss: { value: whole } });
    expect(outcome.steps.length).toBeGreaterThan(1);
    const returned = outcome.nodes.filter(({ reason }) => reason === 'loss').map(({ node }) => node);
    expect(returned.length).toBeGreaterThan(0);
    for (const { measured } of outcome.nodes.filter(({ reason }) => reason === 'loss'))
      expect(measured).toEqual({ outputsDb: expect.closeTo(25, -1.5) as number });
    expect(inForm(outcome, 'int8').length).toBeGreaterThan(0);
    expect(bytes.length).toBeGreaterThan(all.bytes.length);
    expect(existsSync(join(folder, 'net.int8.onnx.best.onnx'))).toBe(false);
  });

  it('gives the model that a run gives which is told these nodes, whatever it tried before', async () => {
    const all = await finished(net());
    const { outcome, bytes } = await finished(net({ maxDrop: (all.outcome.loss?.value ?? 0) / 2 }));
    const step = outcome.steps.findLast(({ loss }) => loss.value === outcome.loss?.value);
    const told = await finished(net({ float: step?.float ?? [] }));
    expect(told.bytes.equals(bytes)).toBe(true);
    expect(told.outcome.loss).toEqual(outcome.loss);
  });

  it('changes nothing where the loss holds already', async () => {
    const all = await finished(net());
    const { outcome, bytes } = await finished(net({ maxDrop: 50 }));
    expect(outcome).toMatchObject({ kept: 'int8', gate: 'met' });
    expect(outcome.steps).toHaveLength(1);
    expect(bytes).toEqual(all.bytes);
  });

  it('keeps the model in float where nothing else holds', async () => {
    const { outcome } = await finished(net({ maxDrop: 0 }));
    expect(outcome).toMatchObject({ kept: 'original', gate: 'met' });
    expect(outcome.loss?.value).toBeLessThan(1e-6);
    expect(outcome.nodes.filter(({ form }) => form === 'int8')).toEqual([]);
  });

  it('is set where the user set none and the model would be broken', async () => {
    const request = requestFor(writeNet(folder, { spread: 1000 }), { equalize: 'off' });
    const { outcome } = await finished(request);
    expect(outcome.steps[0]?.loss.value).toBeGreaterThan(10);
    expect(outcome.loss?.value).toBeLessThanOrEqual(5);
    expect(outcome.kept).not.toBe('int8');
    expect(outcome.gate).toBeUndefined();
    expect(outcome.warnings.join()).toContain('layers went back to float');
    const asked = await finished({ ...request, maxDrop: 1000 });
    expect(asked.outcome).toMatchObject({ kept: 'int8', gate: 'met' });
  });

  it('leaves the best so far beside the output when it is ended', async () => {
    const stop = new AbortController();
    const stages: string[] = [];
    const onStage = (text: string): void => {
      stages.push(text);
      if (text.startsWith('measuring sensitivity, 3')) stop.abort();
    };
    await expect(quantizeFile(net({ maxDrop: 0, signal: stop.signal, onStage }))).rejects.toMatchObject({
      code: 'interrupted',
    });
    expect((await openModel(join(folder, 'net.int8.onnx.best.onnx'))).model.graph.nodes().length).toBeGreaterThan(5);
  });
});

describe('runs repeat', () => {
  it('byte by byte with the same seed', async () => {
    const [one, other] = [await finished(net()), await finished(net())];
    expect(one.bytes).toEqual(other.bytes);
  });

  it('without scoring again what the journal knows', async () => {
    const journal = join(folder, 'journal.jsonl');
    const request = requestFor(writeNet(folder), { maxDrop: 0.02, journal });
    const first = await finished(request);
    const kept = readFileSync(journal, 'utf8');
    expect(kept.split('\n').filter((line) => line.includes('"score of')).length).toBeGreaterThan(1);
    const stages: string[] = [];
    const again = await finished({ ...request, onStage: (text) => stages.push(text) });
    expect(again.bytes).toEqual(first.bytes);
    expect(readFileSync(journal, 'utf8')).toBe(kept);
    expect(stages.filter((text) => text.includes('scoring') || text.includes('sensitivity'))).toEqual([]);
    expect(again.outcome.loss).toEqual(first.outcome.loss);
    expect(again.outcome.warnings.join()).toContain('journal of an earlier run');
  });

  it('begins the journal anew for other data', async () => {
    const journal = join(folder, 'journal.jsonl');
    const request = requestFor(writeNet(folder), { journal });
    await finished(request);
    const other = { ...netData(60), digest: () => Promise.resolve('other') };
    const { outcome } = await finished({ ...request, openData: () => Promise.resolve(other) });
    expect(outcome.warnings.join()).toContain('begun anew');
  });

  it('takes a journal that was copied half way', async () => {
    const journal = join(folder, 'journal.jsonl');
    const request = requestFor(writeNet(folder), { maxDrop: 0.02, journal });
    const first = await finished(request);
    const lines = readFileSync(journal, 'utf8').split('\n');
    cpSync(journal, `${journal}.whole`);
    writeFileSync(journal, `${lines.slice(0, lines.length >> 1).join('\n')}\n{"step": "score of`);
    expect((await finished(request)).bytes).toEqual(first.bytes);
    expect(readFileSync(journal)).toEqual(readFileSync(`${journal}.whole`));
  });
});
