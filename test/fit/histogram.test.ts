// Histograms and ranges of streams, against counting one value after the other with exact arithmetic.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import {
  BINS,
  Histogram,
  histogramTotal,
  mergeHistograms,
  sampleStride,
  type HistogramState,
} from '../../src/fit/histogram.js';
import { RANGE, type RangeState } from '../../src/fit/range.js';

const f32 = (...numbers: readonly number[]): Float32Array => Float32Array.from(numbers);

function histogram(...arrays: readonly Float32Array[]): HistogramState {
  const made = new Histogram();
  for (const data of arrays) made.add(data);
  return made.state();
}

/** The same by definition: the width first, then every value divided by it. */
function counted(values: readonly number[]): HistogramState {
  const finite = values.filter(Number.isFinite);
  const largest = Math.max(0, ...finite.map(Math.abs));
  let exponent = -137;
  while (largest >= BINS * 2 ** exponent) exponent++;
  const sides = { positive: new Map<number, number>(), negative: new Map<number, number>() };
  for (const x of finite.filter((value) => value !== 0)) {
    const bins = x > 0 ? sides.positive : sides.negative;
    const at = Math.floor(Math.abs(x) / 2 ** exponent);
    bins.set(at, (bins.get(at) ?? 0) + 1);
  }
  const dense = (bins: Map<number, number>): Float64Array =>
    Float64Array.from({ length: Math.max(-1, ...bins.keys()) + 1 }, (_, at) => bins.get(at) ?? 0);
  return {
    exponent,
    zeros: finite.filter((value) => value === 0).length,
    positive: dense(sides.positive),
    negative: dense(sides.negative),
  };
}

const noise = (seed: number, length: number, scale: number): Float32Array => {
  const rng = createRng(seed);
  return Float32Array.from({ length }, () => {
    const x = rng.normal() * scale;
    return rng.uniform() < 0.2 ? 0 : x;
  });
};

describe('Histogram', () => {
  it('has bins of a power of two that begin at zero, alike on both sides', () => {
    // 3 lies in [2^1, 2^2): width 2^(2-12).
    const { exponent, zeros, positive, negative } = histogram(f32(3, 0, -0, -3, 2 ** -10, -(2 ** -10), 1e-9, -1e-9));
    expect([exponent, zeros]).toEqual([-10, 2]);
    expect([positive.length, positive[0], positive[1], positive[3 * 1024]]).toEqual([3073, 1, 1, 1]);
    expect([negative.length, negative[0], negative[1], negative[3 * 1024]]).toEqual([3073, 1, 1, 1]);
  });

  it('uses at least half of its bins, and never more than it has', () => {
    for (const largest of [1, 1.99999, 2, 1e-20, 3e38, 6, 0.7]) {
      const { positive } = histogram(f32(largest));
      expect(positive.length).toBeGreaterThan(BINS / 2);
      expect(positive.length).toBeLessThanOrEqual(BINS);
    }
    // The smallest subnormal number: no width is smaller.
    expect(histogram(f32(1e-45)).exponent).toBe(-137);
  });

  it('gives what counting one by one gives, at lengths around its blocks', () => {
    for (const length of [0, 1, 2, 3, 4, 5, 8191, 8192, 8193, 20_001]) {
      const data = noise(length, length, 10 ** ((length % 7) - 3));
      expect(histogram(data)).toEqual(counted([...data]));
    }
  });

  it('gives the same whatever the order and the parts', () => {
    for (let seed = 0; seed < 20; seed++) {
      const parts = [0, 1, 2, 3].map((part) => noise(4 * seed + part, 500, 10 ** (((seed * 7 + part * 5) % 11) - 5)));
      const all = counted(parts.flatMap((part) => [...part]));
      expect(histogram(...parts)).toEqual(all);
      expect(histogram(...parts.toReversed())).toEqual(all);
      const [a, b, c, d] = parts.map((part) => histogram(part));
      if (!a || !b || !c || !d) throw new Error('no parts');
      expect(mergeHistograms(mergeHistograms(a, b), mergeHistograms(c, d))).toEqual(all);
      expect(mergeHistograms(d, mergeHistograms(c, mergeHistograms(b, a)))).toEqual(all);
      expect(histogramTotal(all)).toBe(2000);
    }
  });

  it('leaves out infinities and what is not a number, and says how many', () => {
    const made = new Histogram();
    const data = noise(5, 9000, 2);
    data.set([Number.NaN, Infinity, -Infinity, -Number.NaN], 8300);
    const finite = [...data].filter(Number.isFinite);
    const extrema = { min: Math.min(...finite), max: Math.max(...finite), nonFinite: 4 };
    expect(made.add(data)).toEqual(extrema);
    expect(made.state()).toEqual(counted([...data]));
    expect(made.add(f32(Number.NaN))).toEqual({ min: Infinity, max: -Infinity, nonFinite: 1 });
    expect(made.add(f32())).toEqual({ min: Infinity, max: -Infinity, nonFinite: 0 });
  });

  it('counts every k-th element of a large array, at places that no axis divides, and finds the extrema of all', () => {
    // 7 x 7 x 64 x 64 elements: 7 steps would do, but 7 divides the size; so does 8.
    const data = Float32Array.from({ length: 200_704 }, (_, i) => (i % 9 === 0 ? 1 : 2));
    data[5] = 100;
    const made = new Histogram();
    expect(made.add(data)).toEqual({ min: 1, max: 100, nonFinite: 0 });
    // The width is that of the range of all; every place that is looked at holds 1.
    const { exponent, positive, negative } = made.state();
    expect([exponent, positive.length, positive[32], negative.length]).toEqual([-5, 33, Math.ceil(200_704 / 9), 0]);
  });

  it('gives the same from every k-th element and the range', () => {
    for (const length of [1, 7, 20_001, 200_704]) {
      const data = noise(length, length, 3);
      const [whole, sampled] = [new Histogram(), new Histogram()];
      const range = whole.add(data);
      sampled.addSample(
        data.filter((_, i) => i % sampleStride(length) === 0),
        range,
      );
      expect(sampled.state()).toEqual(whole.state());
    }
  });

  it('keeps an array that does not start at the start of its buffer', () => {
    expect(new Histogram().add(f32(100, 1, -2, 100).subarray(1, 3))).toEqual({ min: -2, max: 1, nonFinite: 0 });
  });
});

describe('range', () => {
  const over = (...batches: readonly Float32Array[]): RangeState => {
    const accumulator = RANGE.create({ kind: 'range', values: ['v'] });
    for (const data of batches) accumulator.add(new Map([['v', { data, dims: [data.length] }]]));
    return accumulator.state();
  };

  it('keeps the extrema of every batch in order', () => {
    const state = over(f32(1, 2), f32(-3, 0), f32(Number.NaN), f32(5));
    expect([state.min, state.max, state.batches, state.elements, state.nonFinite]).toEqual([-3, 5, 4, 5, 1]);
    expect([...state.recent.minima]).toEqual([1, -3, 5]);
    expect([...state.recent.maxima]).toEqual([2, 0, 5]);
  });

  it('merges to what one run over all batches gives, the first before the second', () => {
    const batches = Array.from({ length: 9 }, (_, at) => noise(at, 100, at + 1));
    const whole = over(...batches);
    for (let cut = 0; cut <= 9; cut++)
      expect(RANGE.merge(over(...batches.slice(0, cut)), over(...batches.slice(cut)))).toEqual(whole);
  });

  it('keeps no more than the last 4096 batches, merged or not', () => {
    const batches = Array.from({ length: 9000 }, (_, at) => f32(at));
    const whole = over(...batches);
    expect([whole.recent.minima.length, whole.recent.minima[0], whole.batches]).toEqual([4096, 9000 - 4096, 9000]);
    expect(RANGE.merge(over(...batches.slice(0, 7000)), over(...batches.slice(7000)))).toEqual(whole);
  });
});
