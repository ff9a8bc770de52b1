// The scores from second moments on whole layers: against least squares over the patches of the layer, one by one.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import type { StreamedBatch } from '../../../src/fit/accumulator.js';
import { PATCH_MOMENTS, patchMomentsSpec, type PatchMoments } from '../../../src/fit/patch-moments.js';
import type { LinearLayer } from '../../../src/fit/patch-geometry.js';
import { channelLayer, readerLayer } from '../../../src/passes/linear-layer.js';
import type { UnitScores } from '../../../src/passes/prune/scores/score.js';
import { unitIndices } from '../../../src/passes/prune/scores/units.js';
import { leastSquaresError } from '../../fit/random-moments.js';
import { scoredNet, scoreOf, type ScoredNet } from './scored-net.js';

type Rows = readonly (readonly number[])[];

/** What a 3 x 3 layer with padding 1 (or a 1 x 1 layer) sees of channels [from, to) of [1, C, 5, 5], by plain loops. */
function patches(data: Float32Array, kernel: 1 | 3, [from, to]: readonly [number, number]): number[][] {
  const size = 5;
  const reach = (kernel - 1) / 2;
  const rows: number[][] = [];
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const row: number[] = [];
      for (let c = from; c < to; c++)
        for (let a = i - reach; a <= i + reach; a++)
          for (let b = j - reach; b <= j + reach; b++) {
            const isInside = a >= 0 && a < size && b >= 0 && b < size;
            row.push(isInside ? (data[c * size * size + a * size + b] ?? 0) : 0);
          }
      rows.push(row);
    }
  }
  return rows;
}

/** Least squares of what these weights give of the rows by the columns that are left and a constant. */
function errorWithout(rows: Rows, weights: Rows, gone: ReadonlySet<number>): number {
  const inputs = rows.map((row) => [...row.filter((_, j) => !gone.has(j)), 1]);
  const target = (w: readonly number[]): number[] =>
    rows.map((row) => row.reduce((sum, x, j) => sum + x * (w[j] ?? 0), 0));
  return weights.reduce((sum, w) => sum + leastSquaresError(inputs, target(w)), 0);
}

const samples = (seed: string, dims: readonly number[], count: number): StreamedBatch[] => {
  const rng = createRng(seed);
  const size = dims.reduce((all, n) => all * n, 1);
  return Array.from({ length: count }, () => {
    const base = Float32Array.from({ length: size }, () => rng.normal() + 0.3);
    // Neighbouring channels have much in common.
    const data = base.map((x, i) => x + 0.7 * (base[(i + size / (dims[1] ?? 1)) % size] ?? 0));
    return new Map([['value', { dims, data }]]);
  });
};

function momentsOver(
  layer: LinearLayer | undefined,
  batches: readonly StreamedBatch[],
  largestPatch?: number,
): PatchMoments {
  const plan = { samples: batches.length, ...(largestPatch === undefined ? {} : { largestPatch }) };
  const spec = layer && patchMomentsSpec(layer, ['value'], plan);
  if (!spec) throw new Error('no moments');
  const accumulator = PATCH_MOMENTS.create(spec);
  for (const batch of batches) accumulator.add(batch);
  return accumulator.state();
}

const dataOf = (batch: StreamedBatch): Float32Array => batch.get('value')?.data ?? new Float32Array();
const scored = (result: UnitScores | string): UnitScores => {
  if (typeof result === 'string') throw new Error(`refused: ${result}`);
  return result;
};

/** A net whose 4 units are read by this layer, of 2 outputs. */
const read = (weights: string, attributes: string): ScoredNet =>
  scoredNet(
    `g (float[1,1,5,5] x) => (float[1,2,5,5] y) <float[4,1,1,1] w = {1, 2, 3, 4}, float${weights} v = random(3)>
     { h = Conv (x, w) r = Relu (h) y = Conv ${attributes} (r, v) }`,
    'h',
  );
const weightsOf = (net: ScoredNet): Rows => {
  const tensor = net.group.readers[0]?.node.inputs[1]?.constant;
  const numbers = tensor?.toFloat64() ?? new Float64Array();
  const patch = numbers.length / 2;
  return [0, 1].map((o) => [...numbers.subarray(o * patch, (o + 1) * patch)]);
};
const obsOf = (
  net: ScoredNet,
  batches: readonly StreamedBatch[],
  errors: 'relative' | 'absolute',
  largestPatch?: number,
): UnitScores => {
  const moments = new Map(
    net.group.readers.map((reader) => [reader, momentsOver(readerLayer(reader, net.facts), batches, largestPatch)]),
  );
  return scored(scoreOf('obs', net, { moments }, { lambda: 0, errors, estimate: 'sample' }));
};

describe('obs', () => {
  it('finds the unit that a padded 3 x 3 layer misses least, and its error, at every step', () => {
    const net = read('[2,4,3,3]', '<pads = [1, 1, 1, 1]>');
    const batches = samples('padded', [1, 4, 5, 5], 6);
    const rows = batches.flatMap((batch) => patches(dataOf(batch), 3, [0, 4]));
    const { removal, values } = obsOf(net, batches, 'absolute');
    const gone = new Set<number>();
    const left = new Set([0, 1, 2, 3]);
    const columns = (unit: number): number[] => Array.from({ length: 9 }, (_, tap) => unit * 9 + tap);
    for (const [step, unit] of (removal?.order ?? []).entries()) {
      const errors = new Map(
        [...left].map((u) => [u, errorWithout(rows, weightsOf(net), new Set([...gone, ...columns(u)]))]),
      );
      const least = Math.min(...errors.values());
      expect(errors.get(unit)).toBe(least);
      expect(Math.abs((removal?.errors[step + 1] ?? Number.NaN) - least)).toBeLessThan(1e-9 * (1 + least));
      expect(values[unit]).toBe(removal?.errors[step + 1]);
      for (const column of columns(unit)) gone.add(column);
      left.delete(unit);
    }
    expect(left.size).toBe(0);
  });

  it('counts an error of 1 for each reader that is left with a constant', () => {
    const net = scoredNet(
      `g (float[1,1,5,5] x) => (float[1,2,5,5] y, float[1,3,5,5] z)
       <float[4,1,1,1] w = {1, 2, 3, 4}, float[2,4,1,1] v = random(3), float[3,4,3,3] t = random(4)>
       { h = Conv (x, w) r = Relu (h) y = Conv (r, v) z = Conv <pads = [1, 1, 1, 1]> (r, t) }`,
      'h',
    );
    const { removal } = obsOf(net, samples('two', [1, 4, 5, 5], 6), 'relative');
    expect(net.group.readers).toHaveLength(2);
    expect(removal?.errors[4]).toBeCloseTo(2, 9);
    for (let k = 1; k <= 4; k++) expect(removal?.errors[k]).toBeGreaterThan(removal?.errors[k - 1] ?? 0);
  });

  it('takes the channels of a unit in all groups of a layer together', () => {
    const net = read('[2,2,1,1]', '<group = 2>');
    expect(net.group.width).toBe(2);
    const batches = samples('grouped', [1, 4, 5, 5], 4);
    const { removal } = obsOf(net, batches, 'absolute');
    const halves = [0, 2].map((from) => batches.flatMap((batch) => patches(dataOf(batch), 1, [from, from + 2])));
    const costs = [0, 1].map((unit) =>
      halves.reduce(
        (sum, rows, half) => sum + errorWithout(rows, weightsOf(net).slice(half, half + 1), new Set([unit])),
        0,
      ),
    );
    const [first = -1] = removal?.order ?? [];
    expect(costs[first]).toBe(Math.min(...costs));
    expect(removal?.errors[1]).toBeCloseTo(costs[first] ?? Number.NaN, 9);
  });

  it('takes all places of a unit that is flattened', () => {
    const net = scoredNet(
      `g (float[1,1,2,1] x) => (float[1,2] y) <float[3,1,1,1] w = {1, 2, 3}, float[6,2] m = random(5)>
       { h = Conv (x, w) f = Flatten (h) y = Gemm (f, m) }`,
      'h',
    );
    const batches = samples('flat', [1, 6], 40);
    const { removal } = obsOf(net, batches, 'absolute');
    const numbers = [...(net.group.readers[0]?.node.inputs[1]?.constant?.toFloat64() ?? [])];
    const weights = [0, 1].map((o) => numbers.filter((_, i) => i % 2 === o));
    const rows = batches.map((batch) => [...dataOf(batch)]);
    const costs = [0, 1, 2].map((unit) => errorWithout(rows, weights, new Set([2 * unit, 2 * unit + 1])));
    const [first = -1] = removal?.order ?? [];
    expect(costs[first]).toBe(Math.min(...costs));
    expect(removal?.errors[1]).toBeCloseTo(costs[first] ?? Number.NaN, 9);
  });

  it('leaves out correlations between runs of channels where a patch is too large', () => {
    const net = read('[2,4,1,1]', '');
    const batches = samples('runs', [1, 4, 5, 5], 4);
    const { removal } = obsOf(net, batches, 'absolute', 1);
    const rows = batches.flatMap((batch) => patches(dataOf(batch), 1, [0, 4]));
    const alone = [0, 1, 2, 3].map((unit) =>
      errorWithout(
        rows.map((row) => [row[unit] ?? 0]),
        weightsOf(net).map((w) => [w[unit] ?? 0]),
        new Set([0]),
      ),
    );
    expect(removal?.errors[1]).toBeCloseTo(Math.min(...alone), 9);
    expect(removal?.errors[4]).toBeCloseTo(
      alone.reduce((sum, x) => sum + x),
      9,
    );
  });

  it('is refused where a reader was not observed, or is no linear layer', () => {
    const net = read('[2,4,1,1]', '');
    expect(scoreOf('obs', net)).toBe('not-observed');
    const [reader] = net.group.readers;
    const relu = net.value('r').producer;
    if (!reader || !relu) throw new Error('no reader');
    const odd = { node: relu, slot: 0, axis: 1 };
    const moments = new Map([[odd, momentsOver(readerLayer(reader, net.facts), samples('odd', [1, 4, 5, 5], 2))]]);
    expect(scoreOf('obs', { ...net, group: { ...net.group, readers: [odd] } }, { moments })).toBe('unsupported-reader');
  });
});

describe('lin-deps', () => {
  /** Channel 2 is 2 a - b, channel 3 is 5. */
  const dependent = (): StreamedBatch[] =>
    samples('dependent', [1, 4, 5, 5], 4).map((batch) => {
      const data = dataOf(batch).map((x) => Math.round(x * 64) / 64);
      for (let i = 0; i < 25; i++) [data[50 + i], data[75 + i]] = [2 * (data[i] ?? 0) - (data[25 + i] ?? 0), 5];
      return new Map([['value', { dims: [1, 4, 5, 5], data }]]);
    });
  const dependence = (net: ScoredNet, batches: readonly StreamedBatch[]): UnitScores => {
    const value = net.value('r');
    const [moments] = momentsOver(channelLayer(value, 1, net.facts), batches).parts;
    return scored(scoreOf('lin-deps', net, { covariance: new Map(moments ? [[value, moments]] : []) }));
  };

  it('finds the planted combination and the constant, and no others', () => {
    const { values, removal } = dependence(read('[2,4,1,1]', ''), dependent());
    const gone = [...values].flatMap((r, unit) => (r < 1e-9 ? [unit] : []));
    expect(gone).toHaveLength(2);
    expect(gone).toContain(3);
    expect(removal?.order.slice(0, 2).toSorted((a, b) => a - b)).toEqual(gone);
    expect(removal?.errors[2]).toBeLessThan(1e-9);
    expect(removal?.errors[3]).toBeGreaterThan(1e-3);
  });

  it('does not take a constant for nothing where a reader pads', () => {
    const { values } = dependence(read('[2,4,3,3]', '<pads = [1, 1, 1, 1]>'), dependent());
    expect([...values].filter((r) => r < 1e-9)).toHaveLength(1);
    expect(values[3]).toBeGreaterThan(1e-3);
  });

  it('finds nothing among independent channels', () => {
    const { values } = dependence(read('[2,4,1,1]', ''), samples('free', [1, 4, 5, 5], 4));
    expect(Math.min(...values)).toBeGreaterThan(1e-2);
  });

  it('is refused where channels outnumber positions', () => {
    const net = read('[2,4,1,1]', '');
    const moments = {
      columns: 5,
      outputs: 0,
      rows: 9,
      gram: new Float64Array(15),
      cross: new Float64Array(),
      energy: new Float64Array(),
    };
    expect(scoreOf('lin-deps', net, { covariance: new Map([[net.value('r'), moments]]) })).toBe('too-few-samples');
  });

  it('must be observed along the channels', () => {
    const net = read('[2,4,1,1]', '');
    expect(scoreOf('lin-deps', net)).toBe('not-observed');
    expect(unitIndices(net.group, net.value('r'), 2)).toBeUndefined();
    expect(channelLayer(net.value('r'), 2, net.facts)).toBeUndefined();
  });
});
