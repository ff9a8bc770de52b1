// Moments of patches and refits from them against ONNX Runtime: what it computed with known weights gives these weights back.
import { afterAll, describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import type { AccumulatorSpec, StreamedBatch, StreamedValue } from '../../src/fit/accumulator.js';
import { ACCUMULATORS } from '../../src/fit/accumulators.js';
import type { ChannelStatisticsSpec } from '../../src/fit/channel-statistics.js';
import { refitHeldOut } from '../../src/fit/held-out-refit.js';
import {
  layerSizes,
  storedWeights,
  weightRows,
  type LinearLayer,
  type WindowLayer,
} from '../../src/fit/patch-geometry.js';
import { momentBytes, PATCH_MOMENTS, patchMomentsSpec, type PatchMomentsSpec } from '../../src/fit/patch-moments.js';
import type { SignalErrorSpec } from '../../src/fit/signal-error.js';
import { packedRow } from '../../src/linalg/matrix.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { observe } from '../../src/runtime/observe.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { float32s, tinyModel, TYPE } from '../runtime/tiny-model.js';
import { floats, randomGemm, randomMatMul, randomWindow, runLayer, sizeOf, type LayerCase } from './linear-layers.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const batchOf = (values: Readonly<Record<string, StreamedValue>>): StreamedBatch => new Map(Object.entries(values));

/** Samples [from, to) of a value, in memory of their own. */
function slice({ data, dims }: StreamedValue, from: number, to: number): StreamedValue {
  const size = sizeOf(dims.slice(1));
  return { data: data.slice(from * size, to * size), dims: [to - from, ...dims.slice(1)] };
}

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - (b[i] ?? Number.NaN))));

/** What a fit from random weights did not bring back; undefined when all came back. */
async function misfit(layer: LayerCase, seed: string): Promise<string | undefined> {
  const rng = createRng(seed);
  const { layer: linear } = layer;
  const { patch } = layerSizes(linear);
  const data = await runLayer(host, rng, layer, 24 + 2 * patch);
  const spec: PatchMomentsSpec = {
    kind: 'patch-moments',
    values: ['x', 'y'],
    layer: linear,
    positions: Infinity,
    seed: 1,
  };
  const moments = PATCH_MOMENTS.create(spec);
  const samples = data.x.dims[0] ?? 0;
  const half = samples >> 1;
  moments.add(batchOf({ x: slice(data.x, 0, half), y: slice(data.y, 0, half) }));
  moments.add(batchOf({ x: slice(data.x, half, samples), y: slice(data.y, half, samples) }));
  const old = data.weights.map((w) => w + rng.normal());
  const sums = moments.state();
  const before = { weights: old, bias: new Float64Array(data.bias.length) };
  const fit = refitHeldOut(linear, before, { fit: sums, held: sums }, 1e-9);
  if (!fit?.layer) throw new Error('no fit');
  const { weights, bias } = fit.layer;
  // Without a bias in the operator the fit still has one; what it should be is 0.
  const wrong = [
    fit.errorAfter < 1e-9 ? [] : [`error ${fit.errorAfter}`],
    fit.errorBefore > fit.errorAfter ? [] : ['no better than random weights'],
    largest(weights, data.weights) < 1e-4 ? [] : [`weights ${largest(weights, data.weights)}`],
    largest(bias, data.bias) < 1e-4 ? [] : [`bias ${largest(bias, data.bias)}`],
  ].flat();
  return wrong.length === 0 ? undefined : `${wrong.join(', ')}: ${JSON.stringify(layer)}`;
}

describe('weights come back from what ONNX Runtime computed with them', () => {
  const makers: readonly [string, (seed: string) => LayerCase][] = [
    ['Conv', (seed) => randomWindow(createRng(seed), 'conv')],
    ['ConvTranspose', (seed) => randomWindow(createRng(seed), 'conv-transpose')],
    ['Gemm', (seed) => randomGemm(createRng(seed))],
    ['MatMul', (seed) => randomMatMul(createRng(seed))],
  ];
  for (const [name, make] of makers) {
    it(`${name}, random geometry`, async () => {
      const count = name.startsWith('Conv') ? 25 : 6;
      for (let i = 0; i < count; i++) expect(await misfit(make(`${name}/${i}`), `${name}/data/${i}`)).toBeUndefined();
    });
  }
});

/** A Conv with every kind of irregularity. */
const CONV: WindowLayer = {
  kind: 'conv',
  inputs: 4,
  outputs: 6,
  groups: 2,
  kernel: [3, 2],
  strides: [2, 1],
  dilations: [1, 2],
  begins: [1, 0],
  ends: [0, 1],
};

describe('moments', () => {
  it('of a worked case: a 2 x 1 kernel over three numbers, one of padding before', () => {
    const layer: LinearLayer = {
      kind: 'conv',
      inputs: 1,
      outputs: 1,
      groups: 1,
      kernel: [2],
      strides: [1],
      dilations: [1],
      begins: [1],
      ends: [0],
    };
    const moments = PATCH_MOMENTS.create({ kind: 'patch-moments', values: ['x', 'y'], layer, positions: 9, seed: 0 });
    moments.add(
      batchOf({
        x: { data: Float32Array.of(1, 2, 5), dims: [1, 1, 3] },
        y: { data: Float32Array.of(10, 20, 30), dims: [1, 1, 3] },
      }),
    );
    // Rows (0, 1, 1), (1, 2, 1), (2, 5, 1) with targets 10, 20, 30.
    expect(moments.state().parts).toEqual([
      {
        columns: 3,
        outputs: 1,
        rows: 3,
        gram: Float64Array.of(5, 12, 3, 30, 8, 3),
        cross: Float64Array.of(80, 200, 60),
        energy: Float64Array.of(1400),
      },
    ]);
  });

  it('of shards add up to those of the whole, sampled positions included', () => {
    const rng = createRng('shards');
    const dims = [9, 4, 7, 8];
    const x = { data: floats(rng, sizeOf(dims)), dims };
    const spec: PatchMomentsSpec = { kind: 'patch-moments', values: ['x'], layer: CONV, positions: 3, seed: 5 };
    const over = (from: number, to: number) => {
      const moments = PATCH_MOMENTS.create(spec);
      for (let i = from; i < to; i++) moments.add(batchOf({ x: slice(x, i, i + 1) }));
      return moments.state();
    };
    const whole = PATCH_MOMENTS.create(spec);
    whole.add(batchOf({ x }));
    const merged = PATCH_MOMENTS.merge(over(0, 4), over(4, 9));
    expect(merged.parts.length).toBe(2);
    for (const [i, part] of whole.state().parts.entries()) {
      expect(part.rows).toBe(27);
      expect(merged.parts[i]?.rows).toBe(27);
      expect(largest(part.gram, merged.parts[i]?.gram ?? [])).toBeLessThan(1e-12);
    }
  });

  it('of samples are those of other positions under another seed, and of all of them where positions suffice', () => {
    const rng = createRng('seeds');
    const dims = [2, 4, 7, 8];
    const x = { data: floats(rng, sizeOf(dims)), dims };
    const gram = (positions: number, seed: number): Float64Array | undefined => {
      const moments = PATCH_MOMENTS.create({ kind: 'patch-moments', values: ['x'], layer: CONV, positions, seed });
      moments.add(batchOf({ x }));
      return moments.state().parts[0]?.gram;
    };
    expect(gram(4, 1)).toEqual(gram(4, 1));
    expect(gram(4, 1)).not.toEqual(gram(4, 2));
    expect(gram(100, 1)).toEqual(gram(Infinity, 2));
  });

  it('in runs of channels are the diagonal blocks of those of all channels', () => {
    const rng = createRng('runs');
    const layer: LinearLayer = { kind: 'rows', inputs: 5, outputs: 2, weights: 'input-output' };
    const x = { data: floats(rng, 50), dims: [10, 5] };
    const state = (spec: Partial<PatchMomentsSpec>) => {
      const moments = PATCH_MOMENTS.create({
        kind: 'patch-moments',
        values: ['x'],
        layer,
        positions: 1,
        seed: 0,
        ...spec,
      });
      moments.add(batchOf({ x }));
      return moments.state().parts;
    };
    const [all] = state({});
    const runs = state({ together: 2 });
    expect(runs.map((run) => run.columns)).toEqual([3, 3, 2]);
    for (const [i, run] of runs.entries()) {
      for (let row = 0; row < run.columns - 1; row++)
        for (let column = row; column < run.columns - 1; column++)
          expect(run.gram[packedRow(run.columns, row) + column]).toBeCloseTo(
            all?.gram[packedRow(6, 2 * i + row) + 2 * i + column] ?? Number.NaN,
          );
    }
  });

  it('refuse a value that is no input or output of the layer', () => {
    const moments = PATCH_MOMENTS.create({
      kind: 'patch-moments',
      values: ['x', 'y'],
      layer: CONV,
      positions: 1,
      seed: 0,
    });
    const value = (...dims: number[]): StreamedValue => ({ data: new Float32Array(sizeOf(dims)), dims });
    expect(() => moments.add(batchOf({ x: value(1, 4, 7, 8) }))).toThrow('no value "y"');
    expect(() => moments.add(batchOf({ x: value(1, 3, 7, 8), y: value(1, 6, 3, 7) }))).toThrow('no input');
    expect(() => moments.add(batchOf({ x: value(1, 4, 7, 8), y: value(1, 6, 3, 3) }))).toThrow('positions');
    moments.add(batchOf({ x: value(1, 4, 7, 8), y: value(1, 6, 3, 7) }));
  });
});

it('moments, statistics and errors gathered in the process of the runtime are those gathered here', async () => {
  const rng = createRng('observed');
  const layer = { ...CONV, groups: 1, inputs: 2, outputs: 3 };
  const model = (weights: Float32Array): Uint8Array =>
    tinyModel({
      nodes: [
        {
          op: 'Conv',
          inputs: ['x', 'w'],
          outputs: ['y'],
          ints: { strides: layer.strides, dilations: layer.dilations, pads: [...layer.begins, ...layer.ends] },
        },
      ],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n', 2, 7, 8] }],
      outputs: [{ name: 'y', type: TYPE.float32 }],
      tensors: [float32s('w', [3, 2, 3, 2], [...weights])],
    });
  const weights = floats(rng, 36);
  const models = { teacher: model(weights), student: model(weights.map((w) => Math.round(4 * w) / 4)) };
  const specs: readonly AccumulatorSpec[] = [
    { kind: 'patch-moments', values: ['student/x', 'teacher/y'], layer, positions: 5, seed: 3 } as PatchMomentsSpec,
    { kind: 'channel-statistics', values: ['teacher/y'], axis: 1 } as ChannelStatisticsSpec,
    { kind: 'signal-error', values: ['teacher/y', 'student/y'], axis: 1 } as SignalErrorSpec,
  ];
  const inputs = Array.from({ length: 3 }, () => Tensor.fromNumbers('float32', [2, 2, 7, 8], [...floats(rng, 224)]));
  const local = specs.map((spec) => ACCUMULATORS[spec.kind]?.create(spec));
  for (const x of inputs) {
    const batch = new Map<string, StreamedValue>();
    for (const [name, bytes] of Object.entries(models)) {
      const y = (await host.run(bytes, new Map([['x', x]]))).get('y');
      if (!y) throw new Error('no output');
      batch.set(`${name}/x`, { data: Float32Array.from(x.toFloat64()), dims: x.dims });
      batch.set(`${name}/y`, { data: Float32Array.from(y.toFloat64()), dims: y.dims });
    }
    for (const accumulator of local) accumulator?.add(batch);
  }
  const feeds = async function* (): AsyncGenerator<Map<string, Tensor>> {
    for (const x of inputs) yield new Map([['x', x]]);
  };
  expect(await observe(host, models, specs, feeds())).toEqual(local.map((accumulator) => accumulator?.state()));
});

describe('the plan of a layer', () => {
  const WIDE: LinearLayer = { ...CONV, inputs: 256, outputs: 8, groups: 1, kernel: [3, 3] };

  it('spreads some six rows per column over the samples', () => {
    expect(patchMomentsSpec(WIDE, ['x', 'y'], { samples: 100 })?.positions).toBe(Math.ceil((6 * 2305) / 100));
    expect(patchMomentsSpec(WIDE, ['x'], { samples: 100 })?.positions).toBe(41);
    expect(patchMomentsSpec(CONV, ['x'], { samples: 100 })?.positions).toBe(11);
  });

  it('takes runs of channels where a patch is too large, and gives up where a fit needs all', () => {
    const runs = patchMomentsSpec(WIDE, ['x'], { samples: 100, largestPatch: 1000 });
    expect(runs?.together).toBe(111);
    expect(patchMomentsSpec(WIDE, ['x', 'y'], { samples: 100, largestPatch: 1000 })).toBeUndefined();
    expect(patchMomentsSpec(WIDE, ['x', 'y'], { samples: 100 })?.together).toBeUndefined();
  });

  it('knows the size of the state', () => {
    const spec = patchMomentsSpec(CONV, ['x', 'y'], { samples: 1 });
    if (!spec) throw new Error('no plan');
    const { parts } = PATCH_MOMENTS.create(spec).state();
    const bytes = parts.reduce((sum, p) => sum + p.gram.byteLength + p.cross.byteLength + p.energy.byteLength, 0);
    expect(momentBytes(spec)).toBe(bytes);
  });
});

describe('rows of weights', () => {
  it('are one per output, and go back to how ONNX stores them', () => {
    const transposed: LinearLayer = { ...CONV, kind: 'conv-transpose', kernel: [2], strides: [1], dilations: [1] };
    // [C = 4, O/g = 3, 2]: weight (c, m, k) is 100 c + 10 m + k.
    const stored = Float64Array.from(
      { length: 24 },
      (_, i) => 100 * Math.floor(i / 6) + 10 * (Math.floor(i / 2) % 3) + (i % 2),
    );
    const rows = weightRows(transposed, stored);
    expect([...rows.subarray(0, 8)]).toEqual([0, 1, 100, 101, 10, 11, 110, 111]);
    expect([...rows.subarray(12, 16)]).toEqual([200, 201, 300, 301]);
    expect(storedWeights(transposed, rows)).toEqual(stored);
  });
});
