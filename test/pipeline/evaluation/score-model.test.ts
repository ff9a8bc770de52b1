// Scores of models on ONNX Runtime: against figures of onnxruntime in Python, and on tiny models made for one trap each.
import { afterAll, describe, expect, it } from 'vitest';
import type { Sample } from '../../../src/data/data-set.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { accuracyOf, compareAnswers, lossOf } from '../../../src/pipeline/evaluation/compare-answers.js';
import { createStore } from '../../../src/pipeline/evaluation/output-store.js';
import { decideTask } from '../../../src/pipeline/evaluation/output-task.js';
import { chooseClass, scoreModel } from '../../../src/pipeline/evaluation/score-model.js';
import type { Answers } from '../../../src/pipeline/evaluation/answers.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import {
  assetModel,
  cifar,
  CIFAR_CLASSES,
  digits,
  fakeData,
  fixture,
  haveCifar,
  sampleOf,
  type FakeData,
} from './fake-data.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const mnist = fixture('mnist-bn-as-exported.onnx');

function tiny(text: string): Uint8Array {
  return Buffer.concat(encodeModel(undefined, parseModel(`<ir_version: 8, opset_import: ["" : 13]>\n${text}`)));
}

async function score(model: string | Uint8Array, samples: readonly Sample[], facts?: FakeData): Promise<Answers> {
  const data = fakeData(samples, facts);
  return scoreModel(host, model, data, { task: await decideTask(host, model, data) });
}

/** Rows of three numbers for the input "x". */
const rows = (values: readonly (readonly number[])[], labels: readonly (number | undefined)[] = []): Sample[] =>
  values.map((row, at) => sampleOf(`row#${at}`, labels[at], 'x', [1, row.length], row));

const IDENTITY = 'net (float[n,3] x) => (float[n,3] y) { y = Identity (x) }';

describe('digits of the fixtures', () => {
  it('gives the figures of onnxruntime in Python, in batches', async () => {
    const answers = await score(mnist, digits());
    const accuracy = accuracyOf(answers);
    expect(answers.task).toMatchObject({
      kind: 'classify',
      output: 'logits',
      classes: 10,
      scores: 'logits',
      labelOffset: 0,
    });
    expect([accuracy?.top1.count, accuracy?.top5?.count]).toEqual([299, 300]);
    expect(accuracy?.crossEntropy).toBeCloseTo(0.0206501, 6);
    expect(answers.batching).toEqual({ size: 41, reason: undefined });
    expect(answers.samples[18]).toMatchObject({ name: 'digit#18', label: 3, choice: { predicted: 8 } });
  });

  it('takes a part of the data', async () => {
    const data = fakeData(digits());
    const task = await decideTask(host, mnist, data);
    const answers = await scoreModel(host, mnist, data, { task, part: { from: 10, to: 20 } });
    expect(answers.samples.map(({ name }) => name)).toEqual(Array.from({ length: 10 }, (_, at) => `digit#${at + 10}`));
  });

  it('counts disagreement where there are no labels', async () => {
    const data = fakeData(digits().map(({ name, feeds }) => ({ name, feeds, label: undefined })));
    const task = await decideTask(host, mnist, data);
    const answers = await scoreModel(host, mnist, data, { task });
    const loss = lossOf(compareAnswers(answers, answers));
    expect(loss).toMatchObject({ measure: 'top-1 disagreement', unit: 'points', value: 0 });
    expect(loss.interval?.high).toBeCloseTo(1.2643, 3);
  });
});

describe.skipIf(!haveCifar)('CIFAR-10, the first 1000 test images (shared assets)', () => {
  it('ResNet-20 after ResNet-56: figures of onnxruntime in Python', async () => {
    const data = fakeData(cifar('normalized', 'input'), { classes: CIFAR_CLASSES });
    const [big, small] = [assetModel('resnet56-cifar10.onnx'), assetModel('resnet20-cifar10.onnx')];
    const store = createStore();
    const task = await decideTask(host, big, data);
    const before = await scoreModel(host, big, data, { task, keep: store });
    const after = await scoreModel(host, small, data, { task, against: { model: big, task, store } });
    store.dispose();
    expect(accuracyOf(before)?.top1.count).toBe(926);
    expect(accuracyOf(after)).toMatchObject({ top1: { count: 915, total: 1000 }, top5: { count: 998 } });
    expect(accuracyOf(after)?.crossEntropy).toBeCloseTo(0.3842049, 5);
    const comparison = compareAnswers(before, after);
    expect(comparison.paired).toMatchObject({ lost: 38, gained: 27, verdict: 'not-significant' });
    expect(comparison.agreement?.count).toBe(925);
    expect(comparison.outputs[0]?.relative).toBeCloseTo(0.2507353, 5);
    expect(lossOf(comparison)).toMatchObject({ measure: 'top-1 lost', unit: 'points', value: expect.closeTo(1.1, 9) });
  });

  it('ResNet8 of MLPerf Tiny: probabilities, channel last, raw pixels', async () => {
    const answers = await score(assetModel('resnet8-cifar10.onnx'), cifar('raw-nhwc', 'input'));
    expect(answers.task).toMatchObject({ scores: 'probabilities' });
    expect(accuracyOf(answers)?.top1.count).toBe(881);
    expect(accuracyOf(answers)?.crossEntropy).toBeCloseTo(0.399005, 5);
  });
});

describe('scores of classes', () => {
  it('takes softmax of logits, and of probabilities the logarithm', () => {
    // softmax (ln 6, ln 3, ln 1) = (0.6, 0.3, 0.1)
    const logits = chooseClass(Float64Array.from([6, 3, 1], Math.log), 1, { scores: 'logits' });
    const shares = chooseClass(Float64Array.of(0.6, 0.3, 0.1), 1, { scores: 'probabilities' });
    for (const answer of [logits, shares]) {
      expect(answer).toMatchObject({ predicted: 0, best: [0, 1, 2] });
      expect(answer.loss).toBeCloseTo(-Math.log(0.3), 12);
      expect(answer.margin).toBeCloseTo(0.3, 12);
    }
    expect(chooseClass(Float64Array.of(1, 0), 1, { scores: 'probabilities' }).loss).toBeCloseTo(27.631, 3);
    expect(chooseClass(Float64Array.of(900, -900), 1, { scores: 'logits' }).loss).toBeCloseTo(27.631, 3);
  });

  it('takes the first of equal scores, and no class where a score is not a number', () => {
    expect(chooseClass(Float64Array.of(1, 7, 7), 2, { scores: 'integers' })).toEqual({
      predicted: 1,
      best: [1, 2, 0],
      loss: undefined,
      margin: 0,
    });
    expect(chooseClass(Float64Array.of(1, Number.NaN, 7), 2, { scores: 'logits' })).toMatchObject({
      predicted: -1,
      best: [],
    });
  });

  it('moves labels by one for a model with a class more than the data, where the answers fit better', async () => {
    const values = [0, 1, 0, 1, 1].map((label) => [0, 1, 2].map((at) => (at === label + 1 ? 1 : 0)));
    const answers = await score(tiny(IDENTITY), rows(values, [0, 1, 0, 1, 1]), { classes: ['cat', 'dog'] });
    expect(answers.task).toMatchObject({ labelOffset: 1 });
    expect(accuracyOf(answers)?.top1.count).toBe(5);
    const plain = await score(
      tiny(IDENTITY),
      rows(
        [
          [1, 0, 0],
          [0, 1, 0],
        ],
        [0, 1],
      ),
      { classes: ['cat', 'dog'] },
    );
    expect(plain.task).toMatchObject({ labelOffset: 0 });
  });

  it('names the sample whose label is no class', async () => {
    await expect(
      score(
        tiny(IDENTITY),
        rows(
          [
            [1, 0, 0],
            [0, 1, 0],
          ],
          [0, 3],
        ),
      ),
    ).rejects.toMatchObject({
      code: 'bad-data',
      message: 'the label of row#1 is 3, and output "y" has the classes 0 to 2',
      fix: 'labels that begin with 1 need --label-offset -1',
    });
  });
});

describe('batches', () => {
  const values = Array.from({ length: 10 }, (_, at) => [at, 10 - at, 3]);

  it('goes back to single samples where a batch gives other answers', async () => {
    // The largest value of the whole batch is in every answer.
    const model = tiny('net (float[n,3] x) => (float[n,3] y) { m = ReduceMax <keepdims: int = 0> (x) y = Div (x, m) }');
    const answers = await score(
      model,
      rows(
        values,
        values.map(() => 0),
      ),
    );
    expect(answers.batching).toEqual({ size: 1, reason: 'the model answers otherwise in a batch' });
    expect(answers.outputs[0]).toMatchObject({ high: 1 });
  });

  it('goes back where the model does not run on a batch', async () => {
    const model = tiny('net (float[n,3] x) => (float[1,3] y) < int64[2] shape = {1, 3} > { y = Reshape (x, shape) }');
    const answers = await score(
      model,
      rows(
        values,
        values.map(() => 0),
      ),
    );
    expect(answers.batching).toEqual({ size: 1, reason: 'the model does not run on a batch' });
    expect(answers.samples).toHaveLength(10);
  });

  it('fills up the last run of a model with a fixed batch', async () => {
    const model = tiny('net (float[4,3] x) => (float[4,3] y) { y = Identity (x) }');
    const answers = await score(
      model,
      rows(
        values,
        values.map(() => 1),
      ),
    );
    expect(answers.batching.size).toBe(4);
    expect(answers.samples.map(({ choice }) => choice?.predicted)).toEqual([1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
  });
});

describe('the task', () => {
  const decide = (text: string, samples: Sample[], request = {}): ReturnType<typeof decideTask> =>
    decideTask(host, tiny(text), fakeData(samples), request);
  const labelled = rows([[3, 1, 2]], [0]);
  const plain = rows([[3, 1, 2]]);
  const TWO = 'net (float[n,3] x) => (float[n,3] y, float[n,3] z) { y = Identity (x) z = Neg (x) }';

  it('is classification for one row of scores, whatever the ones around it', async () => {
    const squeezed = 'net (float[n,3] x) => (float[n,3,1,1] y) < int64[2] a = {2, 3} > { y = Unsqueeze (x, a) }';
    expect(await decide(squeezed, labelled)).toMatchObject({ kind: 'classify', classes: 3 });
    expect(await decide(IDENTITY, plain)).toMatchObject({ kind: 'classify' });
  });

  it('is comparison of values for maps, embeddings, and several outputs without labels', async () => {
    const map =
      'net (float[n,3] x) => (float[n,3,2] y) < int64[1] a = {2} > { u = Unsqueeze (x, a) y = Concat <axis: int = 2> (u, u) }';
    expect(await decide(map, labelled)).toMatchObject({ kind: 'regress', outputs: ['y'] });
    expect(await decide(IDENTITY, rows([[0.6, -0.8, 0]]))).toMatchObject({ kind: 'regress' });
    expect(await decide(TWO, plain)).toMatchObject({ kind: 'regress', outputs: ['y', 'z'] });
  });

  it('is what the user says', async () => {
    expect(await decide(TWO, labelled, { output: 'z' })).toMatchObject({ kind: 'classify', output: 'z' });
    expect(await decide(IDENTITY, labelled, { task: 'regress' })).toMatchObject({ kind: 'regress' });
    expect(await decide(IDENTITY, labelled, { labelOffset: 2 })).toMatchObject({ labelOffset: 2 });
    await expect(decide(TWO, labelled)).rejects.toMatchObject({
      code: 'bad-value',
      fix: expect.stringContaining('--output'),
    });
    await expect(decide(TWO, labelled, { output: 'w' })).rejects.toMatchObject({ code: 'bad-value' });
  });
});

describe('outputs that are no classes', () => {
  /** A map of twice the two inputs, times `factor`. */
  const map = (factor: string): string => `net (float[n,2] x) => (float[n,2,1,2] y)
    < int64[2] a = {2, 3}, float k = {${factor}} >
    { u = Unsqueeze (x, a) v = Concat <axis: int = 3> (u, u) y = Mul (v, k) }`;
  const [MAP, OFF] = [map('1'), map('0.9')];

  it('relates the error to the energy of the output, with the reference kept or beside it', async () => {
    const data = fakeData([...rows([[3, 4]]), ...rows([[0, 10]])]);
    const [reference, candidate] = [tiny(MAP), tiny(OFF)];
    const task = await decideTask(host, reference, data);
    const store = createStore();
    const before = await scoreModel(host, reference, data, { task, keep: store });
    for (const kept of [{ store }, {}]) {
      const after = await scoreModel(host, candidate, data, { task, against: { model: reference, task, ...kept } });
      const loss = lossOf(compareAnswers(before, after));
      expect(loss).toMatchObject({ measure: 'relative error', unit: 'percent', interval: undefined });
      expect(loss.value).toBeCloseTo(1, 5);
    }
    store.dispose();
  });

  it('keeps no more than the limit, and reruns the rest', async () => {
    const data = fakeData([...rows([[3, 4]]), ...rows([[0, 10]])]);
    const model = tiny(MAP);
    const task = await decideTask(host, model, data);
    const store = createStore({ limit: 16 });
    await scoreModel(host, model, data, { task, keep: store });
    expect([store.get(0)?.get('y')?.toNumbers(), store.get(1)]).toEqual([[3, 3, 4, 4], undefined]);
    const after = await scoreModel(host, model, data, { task, against: { model, task, store } });
    expect(after.errors[0]).toMatchObject({ signal: 250, noise: 0, broken: 0 });
    store.dispose();
  });

  it('counts a value that is no longer finite as lost', async () => {
    const model = tiny(MAP);
    const broken = tiny(map('inf'));
    const data = fakeData(rows([[3, 4]]));
    const task = await decideTask(host, model, data);
    const before = await scoreModel(host, model, data, { task });
    const after = await scoreModel(host, broken, data, { task, against: { model, task } });
    expect(compareAnswers(before, after).outputs[0]).toMatchObject({ relative: 1, broken: 1 });
    expect(after.outputs[0]).toMatchObject({ nonFinite: 1 });
  });
});
