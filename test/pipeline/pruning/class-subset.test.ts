// Models of some classes: the head is cut through what stands behind the last layer, scores of the classes that stay are those of
// the original, and statistics, labels and losses are those of samples of these classes alone.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { checkModel } from '../../../src/ir/check.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { openModel } from '../../../src/onnx/open.js';
import { CLASSES_KEY, cutHead } from '../../../src/pipeline/pruning/class-subset.js';
import { pruneFile } from '../../../src/pipeline/pruning/prune-file.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { feedsFor, runModel } from '../../passes/run-model.js';
import { netData, writeNet } from '../quantization/net.js';
import { digits, finished, MNIST, pruneRequest } from './run.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-class-subset-'));
let host: RuntimeHost;
beforeAll(() => void (host = new RuntimeHost()));
afterAll(async () => {
  await host.dispose();
  rmSync(root, { recursive: true });
});
let folder = root;
beforeEach(() => void (folder = mkdtempSync(join(root, 'run-'))));

/** Nothing that takes time. */
const CHEAP = { repair: 'off', score: 'dropnet-minimum' } as const;

const head = (text: string): string => `<ir_version: 8, opset_import: ["" : 17]> ${text}`;

const HEADS = {
  'a Gemm': head(`g (float[2,3] x) => (float[2,4] y)
    <float[4,3] w = {1, 2, 3, -4, 5, 6, 7, 8, -9, 1, 0, 1}, float[4] b = {1, -2, 3, 4}>
    { y = Gemm <transB = 1> (x, w, b) }`),
  'a MatMul with a bias behind it, and Softmax': head(`g (float[2,3] x) => (float[2,4] y)
    <float[3,4] w = {1, 2, 3, -4, 5, 6, 7, 8, -9, 1, 0, 1}, float[4] b = {1, -2, 3, 4}>
    { p = MatMul (x, w) s = Add (p, b) y = Softmax <axis = 1> (s) }`),
  'a 1x1 Conv, averaged and flattened': head(`g (float[1,2,3,3] x) => (float[1,4] y)
    <float[4,2,1,1] w = {1, 2, 3, -4, 5, 6, 7, 8}, float[4] b = {1, -2, 3, 4}>
    { c = Conv (x, w, b) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p) y = LogSoftmax <axis = 1> (f) }`),
  'a Reshape to the number of classes': head(`g (float[1,2,1,1] x) => (float[1,4] y)
    <float[4,2,1,1] w = {1, 2, 3, -4, 5, 6, 7, 8}, int64[2] to = {1, 4}>
    { c = Conv (x, w) y = Reshape (c, to) }`),
};

const NORMALIZED: Readonly<Record<string, (scores: readonly number[]) => number[]>> = {
  none: (scores) => [...scores],
  Softmax: (scores) => scores.map((score) => score / scores.reduce((sum, one) => sum + one, 0)),
  LogSoftmax: (scores) => scores.map((score) => score - Math.log(scores.reduce((sum, one) => sum + Math.exp(one), 0))),
};

describe('a head', () => {
  it.each(Object.entries(HEADS))('that is %s', async (_, text) => {
    const kept = [1, 3];
    const [before, after] = [parseModel(text), parseModel(text)];
    const { output, normalized } = cutHead(after, createFacts(after), { kept, of: 4 });
    expect(output).toBe('y');
    expect(checkModel(after)).toEqual([]);
    const feeds = feedsFor(before, 0);
    const rows = (await runModel(host, before, feeds)).get('y')?.toFloat64() ?? [];
    const cut = (await runModel(host, after, feeds)).get('y');
    expect(cut?.dims.at(-1)).toBe(2);
    const expected = Array.from({ length: rows.length / 4 }, (_row, at) =>
      NORMALIZED[normalized]?.(kept.map((index) => rows[at * 4 + index] ?? 0)),
    ).flat();
    cut?.toFloat64().forEach((score, at) => expect(score).toBeCloseTo(expected[at] ?? Number.NaN, 4));
  });

  it('is refused where it cannot be cut: what stands behind it, another number of classes, weights that are computed', () => {
    const refusedBy = (text: string, of = 4): void => {
      const model = parseModel(text);
      expect(() => cutHead(model, createFacts(model), { kept: [0], of })).toThrowError(
        expect.objectContaining({ code: 'unsupported' }),
      );
    };
    refusedBy(
      head(`g (float[2,3] x) => (float[2,4] y) <float[3,4] w = {1, 2, 3, -4, 5, 6, 7, 8, -9, 1, 0, 1}>
        { p = MatMul (x, w) y = CumSum_ (p) }`).replace('CumSum_ (p)', 'LpNormalization <axis = 1> (p)'),
    );
    refusedBy(HEADS['a Gemm'], 5);
    refusedBy(head('g (float[2,4] x) => (float[2,4] y) { y = Relu (x) }'));
    refusedBy(head('g (float[2,3] x, float[3,4] w) => (float[2,4] y) { y = MatMul (x, w) }'));
  });
});

describe('digits of three kinds', () => {
  it('are told apart as before, by a smaller model that says which they are', async () => {
    const to = join(folder, 'three.onnx');
    const settings = { ...CHEAP, classes: ['7', '1', '4', '1'], ratio: 0.25 };
    const { outcome } = await finished(pruneRequest(MNIST, to, { settings }));
    const { subset, samples } = outcome;
    expect(subset).toMatchObject({ kept: [1, 4, 7], of: 10, by: 'labels' });
    // Only samples of these classes are there.
    const { fitted, selected, reported } = samples;
    expect(fitted + selected + reported).toBeLessThan(150);
    expect(outcome.comparison?.samples).toBe(reported);
    expect(subset?.accuracy?.original.top1.total).toBe(reported);
    expect(subset?.accuracy?.original.top1.value).toBeGreaterThan(0.95);
    expect(outcome.loss).toMatchObject({ measure: 'top-1 lost' });
    expect(outcome.loss?.value).toBeLessThan(5);
    expect(subset?.restricted.macs).toBeLessThan(outcome.before.figures.cost.macs);
    expect(outcome.after.figures.cost.macs).toBeLessThan(subset?.restricted.macs ?? 0);
    const { document, model } = await openModel(to);
    expect(JSON.parse(document.header.metadata.get(CLASSES_KEY) ?? '')).toMatchObject({ of: 10, kept: [1, 4, 7] });
    const [output] = model.graph.outputs;
    expect(output?.type).toMatchObject({ shape: [expect.anything(), 3] });
  });

  it('without a budget only the head is cut, and nothing is lost', async () => {
    const settings = { ...CHEAP, classes: ['0', '9'] };
    const { outcome } = await finished(pruneRequest(MNIST, join(folder, 'two.onnx'), { settings }));
    expect(outcome).toMatchObject({ kept: 'pruned', budget: undefined });
    expect(outcome.loss?.value).toBe(0);
    expect(outcome.groups.every(({ width }) => width.before === width.after)).toBe(true);
  });

  it('the predictions of the model take the place of labels', async () => {
    const openData: typeof digits = async (inputs, signal) => {
      const data = await digits(inputs, signal);
      return {
        ...data,
        labelled: false,
        classes: undefined,
        async *samples(options) {
          for await (const sample of data.samples(options)) yield { ...sample, label: undefined };
        },
        digest: () => data.digest(),
        warnings: () => [],
      };
    };
    const settings = { ...CHEAP, classes: ['1', '4', '7'], ratio: 0.2 };
    const { outcome } = await finished(pruneRequest(MNIST, join(folder, 'o.onnx'), { openData, settings }));
    expect(outcome.subset).toMatchObject({ by: 'predictions', accuracy: undefined });
    expect(outcome.loss).toMatchObject({ measure: 'top-1 disagreement' });
  });

  it('classes that are not there, all of them, and a model that does not classify are refused', async () => {
    const run = (classes: readonly string[]) =>
      pruneFile(pruneRequest(MNIST, join(folder, 'o.onnx'), { settings: { classes } }));
    await expect(run(['1', '10'])).rejects.toMatchObject({ code: 'bad-value' });
    await expect(run(['cat'])).rejects.toMatchObject({ code: 'bad-value' });
    await expect(run(Array.from({ length: 10 }, (_, at) => String(at)))).rejects.toMatchObject({ code: 'bad-value' });
    await expect(
      pruneFile(
        pruneRequest(writeNet(folder), join(folder, 'o.onnx'), {
          openData: () => Promise.resolve(netData(30)),
          settings: { classes: ['1'] },
        }),
      ),
    ).rejects.toMatchObject({ code: 'unsupported' });
  });
});
