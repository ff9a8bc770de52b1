// A model against a reference: names that differ, gates, interruption.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DataSet } from '../../../src/data/data-set.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { openModel } from '../../../src/onnx/open.js';
import type { ComparedFile } from '../../../src/pipeline/compare-models.js';
import { evaluateModel, gateVerdict, type EvaluateRequest } from '../../../src/pipeline/evaluation/evaluate-model.js';
import { fakeData, sampleOf } from './fake-data.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-evaluate-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function file(name: string, text: string): Promise<ComparedFile> {
  const path = join(folder, `${name}.onnx`);
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 13]>\n${text}`);
  writeFileSync(path, Buffer.concat(encodeModel(undefined, model)));
  return { path, decoded: await openModel(path) };
}

/** Rows whose largest number is at their label, for the first eight of ten. */
const rows: DataSet = fakeData(
  Array.from({ length: 10 }, (_, at) => {
    const shown = at < 8 ? at % 3 : (at + 1) % 3;
    return sampleOf(
      `row#${at}`,
      at % 3,
      'x',
      [1, 3],
      [0, 1, 2].map((i) => (i === shown ? 2 : i / 10)),
    );
  }),
);

const request = (model: ComparedFile, more: Partial<EvaluateRequest> = {}): EvaluateRequest => ({
  model,
  reference: undefined,
  data: rows,
  limit: undefined,
  seed: 0,
  task: 'auto',
  output: undefined,
  labelOffset: undefined,
  maxDrop: undefined,
  threads: 1,
  signal: new AbortController().signal,
  ...more,
});

const SAME = 'net (float[n,3] x) => (float[n,3] y) { y = Identity (x) }';
const OTHER_NAMES = 'net (float[n,3] image) => (float[n,3] probabilities) { probabilities = Softmax (image) }';
/** Class 2 loses. */
const WORSE = 'net (float[n,3] x) => (float[n,3] y) < float[3] k = {1, 1, 0} > { y = Mul (x, k) }';

describe('a model against a reference', () => {
  it('loses what the reference has right', async () => {
    const [model, reference] = [await file('worse', WORSE), await file('same', SAME)];
    const outcome = await evaluateModel(request(model, { reference, maxDrop: 20 }));
    // Rows 2 and 5 of class 2 are lost.
    expect(outcome.reference?.accuracy?.top1.count).toBe(8);
    expect(outcome.model.accuracy?.top1.count).toBe(6);
    expect(outcome.comparison?.paired).toMatchObject({ lost: 2, gained: 0, verdict: 'not-significant' });
    expect(outcome.loss).toMatchObject({ measure: 'top-1 lost', unit: 'points' });
    expect(outcome.loss?.value).toBeCloseTo(20, 9);
    expect(outcome.gate).toEqual({ maxDrop: 20, verdict: 'met' });
    const missed = await evaluateModel(request(model, { reference, maxDrop: 19.9 }));
    expect(missed.gate?.verdict).toBe('missed');
  });

  it('matches inputs and outputs of other names', async () => {
    const [model, reference] = [await file('same', SAME), await file('renamed', OTHER_NAMES)];
    const outcome = await evaluateModel(request(model, { reference }));
    expect(outcome.comparison).toMatchObject({ samples: 10, agreement: { count: 10 }, paired: { lost: 0, gained: 0 } });
    expect(outcome.reference?.answers.task).toMatchObject({ output: 'probabilities', scores: 'probabilities' });
  });

  it.each([
    ['inputs', 'net (float[n,3] a, float[n,3] b) => (float[n,3] y) { y = Add (a, b) }'],
    ['classes', 'net (float[n,3] x) => (float[n,6] y) { y = Concat <axis: int = 1> (x, x) }'],
  ])('refuses a reference with other %s', async (what, text) => {
    const [model, reference] = [await file('same', SAME), await file(what, text)];
    await expect(evaluateModel(request(model, { reference }))).rejects.toMatchObject({ code: 'conflict' });
  });

  it('has no gate without a reference', async () => {
    await expect(evaluateModel(request(await file('same', SAME), { maxDrop: 1 }))).rejects.toMatchObject({
      code: 'conflict',
    });
  });
});

it('ends when it is interrupted, and leaves no process behind', async () => {
  const controller = new AbortController();
  const data = fakeData([]);
  const slow: DataSet = {
    ...data,
    labelled: true,
    async *samples(options) {
      for await (const sample of rows.samples(options)) {
        if (options?.to === undefined) controller.abort();
        yield sample;
      }
    },
  };
  const model = await file('same', SAME);
  await expect(evaluateModel(request(model, { data: slow, signal: controller.signal }))).rejects.toMatchObject({
    code: 'interrupted',
  });
});

it('compares the loss with the gate as measured', () => {
  const loss = (value: number) =>
    ({ measure: 'relative error', unit: 'percent', value, interval: undefined, verdict: undefined }) as const;
  expect([0.99, 1, 1.01, Infinity, -3].map((value) => gateVerdict(loss(value), 1))).toEqual([
    'met',
    'met',
    'missed',
    'missed',
    'met',
  ]);
});
