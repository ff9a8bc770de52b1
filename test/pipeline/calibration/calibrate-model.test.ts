// Calibration on ONNX Runtime: against running the model and looking at every value, whole and in shards, with open sizes,
// in groups, and without data.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import type { DataSet, Sample } from '../../../src/data/data-set.js';
import { Histogram } from '../../../src/fit/histogram.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { printModel } from '../../../src/ir/text/print.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { openModel } from '../../../src/onnx/open.js';
import {
  calibrateModel,
  type CalibrateOutcome,
  type CalibrateRequest,
} from '../../../src/pipeline/calibration/calibrate-model.js';
import { calibratedValues } from '../../../src/pipeline/calibration/calibrated-values.js';
import { mergeCalibrations, writeCalibration } from '../../../src/pipeline/calibration/cache.js';
import { observeRanges } from '../../../src/pipeline/calibration/observe-ranges.js';
import { instrument } from '../../../src/pipeline/instrument.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { digits, fakeData, fixture, sampleOf } from '../evaluation/fake-data.js';

const host = new RuntimeHost();
const workspace = await Workspace.create(undefined);
const folder = mkdtempSync(join(tmpdir(), 'mcompress-calibrate-'));
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
  rmSync(folder, { recursive: true });
});

const MNIST = fixture('mnist-bn-as-exported.onnx');
const HEAD = '<ir_version: 8, opset_import: ["" : 17]>';

async function calibrated(
  path: string,
  data: DataSet | undefined,
  changes: Partial<CalibrateRequest> = {},
): Promise<CalibrateOutcome> {
  return calibrateModel({
    decoded: await openModel(path, { keepOverridable: false }),
    path,
    data,
    limit: undefined,
    shard: undefined,
    seed: 0,
    threads: 1,
    shapes: new Map(),
    signal: new AbortController().signal,
    ...changes,
  });
}

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(`${HEAD}\n${text}`))));
  return path;
}

const valuesOf = (text: string): string[] => {
  const model = parseModel(`${HEAD}\n${text}`);
  return calibratedValues(model, createFacts(model)).map(({ name }) => name);
};

describe('calibratedValues', () => {
  it('leaves out what only an activation or a normalization reads', () => {
    const text = `g (float[1,2,4,4] x, float[2,2,1,1] w, float[2] s) => (float[1,2,4,4] y, float[1,2,4,4] c2) {
      c1 = Conv (x, w)\n n1 = BatchNormalization (c1, s, s, s, s)\n r1 = Relu (n1)
      c2 = Conv (r1, w)\n r2 = Relu (c2)\n c3 = Conv (r2, w)\n r3 = Relu (c3)\n a = Add (c3, r3)\n y = Sigmoid (a)
    }`;
    // c2 is an output of the model, c3 has two readers; w and s are fed here.
    expect(valuesOf(text)).toEqual(['x', 'w', 's', 'r1', 'c2', 'r2', 'c3', 'r3', 'a', 'y']);
  });

  it('leaves out constants, shapes, other types, unused values, and what stands inside If', () => {
    const text = `g (float[N,4] x, bool c, int64[3] i) => (float[N,4] y, int64[2] s) <float[4] w = {1, 2, 3, 4}> {
      w2 = Neg (w)\n unused = Neg (x)\n s = Shape (x)\n f = Cast <to = 1> (i)\n h = Cast <to = 10> (x)
      k = Cast <to = 1> (h)\n g = Gather <axis = 1> (x, i)\n m = ReduceMean (g)\n a = Add (x, w2)\n b = Mul (a, m)
      z = If (c) <then_branch = t () => (float[N,4] u) { u = Add (x, w) }, else_branch = e () => (float[N,4] v) { v = Neg (x) }>
      d = Add (b, k)\n y = Add (d, z)
    }`;
    expect(valuesOf(text)).toEqual(['x', 'h', 'k', 'g', 'm', 'a', 'b', 'z', 'd', 'y']);
  });
});

describe('on the digits of the fixtures', () => {
  const samples = digits().slice(0, 24);

  it('sees what running the model gives, for every value', async () => {
    const decoded = await openModel(MNIST, { keepOverridable: false });
    const values = calibratedValues(decoded.model, createFacts(decoded.model));
    const { path, names } = await instrument(decoded, values, workspace);
    const expected = new Map(values.map((value) => [value.name, new Histogram()]));
    const extrema = new Map(values.map((value) => [value.name, { min: Infinity, max: -Infinity }]));
    for (const { feeds } of samples) {
      const outputs = await host.run(path, feeds);
      for (const name of names.values()) {
        const tensor = outputs.get(name) ?? feeds.get(name);
        const data = Float32Array.from(tensor?.toFloat64() ?? []);
        const { min, max } = expected.get(name)?.add(data) ?? { min: 0, max: 0 };
        const before = extrema.get(name) ?? { min: 0, max: 0 };
        extrema.set(name, { min: Math.min(before.min, min), max: Math.max(before.max, max) });
      }
    }
    const { cache, warnings, normalization } = await calibrated(MNIST, fakeData(samples));
    expect([...cache.values.keys()]).toEqual([...expected.keys()]);
    expect(cache.values.size).toBeGreaterThan(8);
    for (const [name, state] of cache.values) {
      expect(state.histogram).toEqual(expected.get(name)?.state());
      expect({ min: state.min, max: state.max }).toEqual(extrema.get(name));
      expect(state.batches).toBe(24);
    }
    expect(warnings).toEqual([]);
    expect(normalization?.nodes).toHaveLength(5);
    expect(cache).toMatchObject({ samples: 24, parts: [{ from: 0, to: 24 }], data: { kind: 'samples', total: 24 } });
  });

  it('in shards gives the bytes of one run', async () => {
    const data = fakeData(samples);
    const whole = await calibrated(MNIST, data);
    const shards = [1, 2, 3].map(
      async (index) => (await calibrated(MNIST, data, { shard: { index, count: 3 } })).cache,
    );
    const caches = (await Promise.all(shards)).map((cache, at) => ({ file: `${at}`, cache }));
    expect(caches.map(({ cache }) => cache.parts)).toEqual([
      [{ from: 0, to: 8 }],
      [{ from: 8, to: 16 }],
      [{ from: 16, to: 24 }],
    ]);
    expect(writeCalibration(mergeCalibrations(caches.toReversed()))).toBe(writeCalibration(whole.cache));
  });

  it('warns where the samples are not what the model was trained on', async () => {
    const scaled = samples.map((sample, at) => {
      const numbers =
        sample.feeds
          .get('image')
          ?.toNumbers()
          .map((x) => x / 255) ?? [];
      return sampleOf(`scaled#${at}`, sample.label, 'image', [1, 1, 28, 28], numbers);
    });
    const { warnings } = await calibrated(MNIST, fakeData(scaled));
    expect(warnings).toEqual([expect.stringMatching(/not what the model was trained on.*check --preprocess/)]);
  });

  it('refuses shards that cannot be, and data without a sample', async () => {
    const data = fakeData(samples.slice(0, 2));
    await expect(calibrated(MNIST, data, { shard: { index: 1, count: 3 } })).rejects.toMatchObject({
      code: 'bad-value',
    });
    await expect(
      calibrated(MNIST, { ...data, size: undefined }, { shard: { index: 1, count: 2 } }),
    ).rejects.toMatchObject({ code: 'not-available' });
    await expect(calibrated(MNIST, fakeData([]))).rejects.toMatchObject({ code: 'bad-data' });
  });
});

describe('sizes', () => {
  const SCALED = 'net (float[N,3,H,W] x) => (float[N,3,H,W] y) { a = Neg (x)\n b = Sin (a)\n y = Tanh (b) }';
  const sized = (...sizes: readonly number[]): Sample[] =>
    sizes.map((size, at) =>
      sampleOf(
        `s${at}`,
        undefined,
        'x',
        [1, 3, size, size],
        Array.from({ length: 3 * size * size }, (_, i) => -i / 100),
      ),
    );

  it('may differ from sample to sample', async () => {
    const { cache } = await calibrated(written('open.onnx', SCALED), fakeData(sized(2, 5, 3)));
    expect(cache.values.get('a')).toMatchObject({ batches: 3, elements: 3 * (4 + 25 + 9), min: 0 });
    expect(cache.values.get('a')?.max).toBeCloseTo(0.74, 6);
  });

  it('are looked at in groups where they are large, with the same outcome', async () => {
    // 1 x 3 x 1600 x 1600 float32 values take 31 MB each: three to a group.
    const large = sized(1600);
    const decoded = await openModel(written('large.onnx', SCALED), { keepOverridable: false });
    const values = calibratedValues(decoded.model, createFacts(decoded.model));
    const seen: string[] = [];
    const ranges = await observeRanges(host, workspace, decoded, {
      values,
      async *feeds() {
        for (const { feeds } of large) yield await Promise.resolve(feeds);
      },
      onProgress: ({ samples, group, groups }) => seen.push(`${samples} ${group}/${groups}`),
    });
    expect(seen).toEqual(['1 1/2', '1 2/2']);
    expect([...ranges.values()].map(({ elements }) => elements)).toEqual(Array.from({ length: 4 }, () => 7_680_000));
  });
});

it('leaves out what is not finite, and says so', async () => {
  const path = written('log.onnx', 'net (float[1,4] x) => (float[1,4] y) { l = Log (x)\n y = Neg (l) }');
  const samples = [
    [1, Math.E, 1, 1],
    [1, -1, 0, Math.E],
  ].map((row, at) => sampleOf(`${at}`, undefined, 'x', [1, 4], row));
  const { cache, warnings } = await calibrated(path, fakeData(samples));
  expect(cache.values.get('x')).toMatchObject({ elements: 8, nonFinite: 0, min: -1 });
  expect(cache.values.get('l')).toMatchObject({ elements: 6, nonFinite: 2, min: 0, max: 1, histogram: { zeros: 4 } });
  expect(warnings).toEqual([expect.stringContaining('were left out: in "l" and 1 more')]);
});

describe('without data', () => {
  it('warns loudly, and gives the same every time', async () => {
    const { cache, warnings } = await calibrated(MNIST, undefined, { seed: 3 });
    expect(warnings).toEqual([expect.stringMatching(/^NO DATA: .*5 BatchNormalization nodes/)]);
    expect(cache.data).toMatchObject({ kind: 'none', digest: '', seed: 3 });
    expect(writeCalibration((await calibrated(MNIST, undefined, { seed: 3 })).cache)).toBe(writeCalibration(cache));
    expect(writeCalibration((await calibrated(MNIST, undefined, { seed: 4 })).cache)).not.toBe(writeCalibration(cache));
  });

  it('lets the normalization say the range: mean and deviation of a channel are those that it gives', async () => {
    // Channel 0 comes out around 100 with deviation 2, channel 1 around -50 with 1, whatever goes in.
    const path = written(
      'normal.onnx',
      `net (float[N,2,H,W] x) => (float[N,2,H,W] y)
      <float[2] s = {2, 1}, float[2] b = {100, -50}, float[2] m = {3000, -9}, float[2] v = {1000000, 4}> {
        n = BatchNormalization (x, s, b, m, v)\n y = Neg (n)
      }`,
    );
    const decoded = await openModel(path, { keepOverridable: false });
    const before = printModel(decoded.model, { weights: 'full' });
    const { cache } = await calibrated(path, undefined, { decoded, shapes: new Map([['x', [1, 2, 32, 32]]]) });
    const state = cache.values.get('n');
    expect(state?.max).toBeGreaterThan(104);
    expect(state?.max).toBeLessThan(112);
    expect(state?.min).toBeLessThan(-52);
    expect(state?.min).toBeGreaterThan(-56);
    expect(printModel(decoded.model, { weights: 'full' })).toBe(before);
  });

  it('gives one size to what has one name: batches 1, other open sizes 64', async () => {
    const path = written(
      'named.onnx',
      'net (float[N,W] x, float[2,N] h) => (float[N,W] y) { m = Transpose (h)\n s = ReduceMean <axes = [1]> (m)\n y = Add (x, s) }',
    );
    const { cache } = await calibrated(path, undefined);
    expect([...cache.values].map(([name, { elements }]) => [name, elements / 16])).toEqual([
      ['x', 64],
      ['h', 2],
      ['m', 2],
      ['s', 1],
      ['y', 64],
    ]);
  });

  it('says so where nothing in the model tells what to expect', async () => {
    const path = written('bare.onnx', 'net (float[1,4] x) => (float[1,4] y) { y = Neg (x) }');
    const { warnings, cache } = await calibrated(path, undefined);
    expect(warnings).toEqual([expect.stringMatching(/nothing in the model says/)]);
    expect(cache.values.get('y')?.elements).toBe(64);
  });
});
