// Calibrators: cases worked out by hand, and entropy and MSE against direct implementations on arrays.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import type { CalibratedRange, Grid } from '../../src/fit/calibrators/calibrator.js';
import { CALIBRATOR_NAMES, CALIBRATORS } from '../../src/fit/calibrators/registry.js';
import { signedBins } from '../../src/fit/calibrators/signed-bins.js';
import { RANGE, type RangeState } from '../../src/fit/range.js';

const ASYMMETRIC: Grid = { levels: 256, symmetry: 'asymmetric' };
const SYMMETRIC: Grid = { levels: 256, symmetry: 'symmetric' };

function over(...batches: readonly (readonly number[])[]): RangeState {
  const accumulator = RANGE.create({ kind: 'range', values: ['v'] });
  for (const numbers of batches)
    accumulator.add(new Map([['v', { data: Float32Array.from(numbers), dims: [numbers.length] }]]));
  return accumulator.state();
}

const SHAPES = {
  normal: (x: number) => x,
  relu: (x: number) => Math.max(0, x),
  relu6: (x: number) => Math.min(6, Math.max(0, 3 * x)),
  heavyTail: (x: number) => x ** 5,
  shifted: (x: number) => 0.3 * x + 2,
  hardSwish: (x: number) => (x * Math.min(6, Math.max(0, x + 3))) / 6,
  negative: (x: number) => -(Math.abs(x) ** 3),
};

function sampled(shape: (x: number) => number, count: number, seed = 1): RangeState {
  const rng = createRng(seed);
  return over(Array.from({ length: count }, () => shape(rng.normal())));
}

/** How far the ends are from where they should be. */
const off = (range: CalibratedRange, min: number, max: number): number =>
  Math.max(Math.abs(range.min - min), Math.abs(range.max - max));

describe('every calibrator', () => {
  it.each(CALIBRATOR_NAMES)('%s: holds 0 and stays within what was seen, on every shape and grid', (name) => {
    for (const shape of Object.values(SHAPES)) {
      for (const count of [1, 7, 3000]) {
        const state = sampled(shape, count, count);
        for (const grid of [ASYMMETRIC, SYMMETRIC, { levels: 128, symmetry: 'asymmetric' } as const]) {
          const { min, max } = CALIBRATORS[name].range(state, grid);
          const whole = CALIBRATORS['min-max'].range(state, grid);
          expect(min).toBeLessThanOrEqual(0);
          expect(max).toBeGreaterThanOrEqual(0);
          expect(max - min > 0).toBe(whole.max > whole.min);
          expect(min).toBeGreaterThanOrEqual(whole.min);
          expect(max).toBeLessThanOrEqual(whole.max);
          expect(grid.symmetry === 'asymmetric' || min === 0 - max).toBe(true);
        }
      }
    }
  });

  it.each(CALIBRATOR_NAMES)('%s: gives 0 to 0 for nothing and for zeros only', (name) => {
    for (const state of [over(), over([]), over([0, 0, -0]), over([Number.NaN])])
      for (const grid of [ASYMMETRIC, SYMMETRIC])
        expect(CALIBRATORS[name].range(state, grid)).toEqual({ min: 0, max: 0 });
  });

  it.each(CALIBRATOR_NAMES)('%s: scales with the data', (name) => {
    const grow = (factor: number): CalibratedRange =>
      CALIBRATORS[name].range(
        sampled((x) => factor * SHAPES.heavyTail(x), 2000),
        ASYMMETRIC,
      );
    const [one, many] = [grow(1), grow(1024)];
    expect(many.min / one.min).toBeCloseTo(1024, 2);
    expect(many.max / one.max).toBeCloseTo(1024, 2);
  });
});

describe('min-max and moving average', () => {
  it('are the extrema of all, and averages of those of each batch', () => {
    const state = over([1, 2], [-3, 10], [0, 4]);
    expect(CALIBRATORS['min-max'].range(state, ASYMMETRIC)).toEqual({ min: -3, max: 10 });
    expect(CALIBRATORS['min-max'].range(state, SYMMETRIC)).toEqual({ min: -10, max: 10 });
    // Minima 1, -3, 0: 1 - .04 = .96, .96 - .0096. Maxima 2, 10, 4: 2.08, 2.0992; 0 belongs to every range.
    expect(off(CALIBRATORS['moving-average'].range(state, ASYMMETRIC), 0, 2.0992)).toBeLessThan(1e-9);
    expect(off(CALIBRATORS['moving-average'].range(over([-2, 2], [-3, 10]), ASYMMETRIC), -2.01, 2.08)).toBeLessThan(
      1e-9,
    );
  });
});

describe('percentile', () => {
  // 100,000 values 1..100000 over 100000: 0.1 % is 100 of them. Bins are 2^-12 wide.
  const part = (_: unknown, at: number): number[] =>
    Array.from({ length: 25_000 }, (__, i) => (25_000 * at + i + 1) / 100_000);
  const uniform = over(...Array.from({ length: 4 }, part));

  it('cuts half of what lies outside from either side', () => {
    // No value is below 0, so only 0.05 % at the top goes.
    expect(off(CALIBRATORS['percentile-99.9'].range(uniform, ASYMMETRIC), 0, 0.9995)).toBeLessThanOrEqual(2 ** -12);
    expect(off(CALIBRATORS['percentile-99.99'].range(uniform, ASYMMETRIC), 0, 0.99995)).toBeLessThanOrEqual(2 ** -12);
    expect(off(CALIBRATORS['percentile-99.9'].range(uniform, SYMMETRIC), -0.999, 0.999)).toBeLessThanOrEqual(2 ** -12);
  });

  it('drops outliers on both sides that are rarer than that', () => {
    const values = Array.from({ length: 20_000 }, (_, i) => ((i % 200) - 100) / 100);
    const state = over([...values, 50, -80]);
    expect(off(CALIBRATORS['percentile-99.9'].range(state, ASYMMETRIC), -1, 1)).toBeLessThan(0.05);
    expect(off(CALIBRATORS['percentile-99.9'].range(state, SYMMETRIC), -1, 1)).toBeLessThan(0.05);
    expect(off(CALIBRATORS['percentile-99.999'].range(state, ASYMMETRIC), -80, 50)).toBeLessThan(0.05);
  });

  it('agrees with sorting, to one bin', () => {
    for (const [name, share] of [
      ['percentile-99.9', 0.001],
      ['percentile-99.99', 0.0001],
    ] as const) {
      const rng = createRng(3);
      const values = Array.from({ length: 30_000 }, () => Math.fround(rng.normal())).sort((a, b) => a - b);
      const cut = Math.floor((share / 2) * values.length);
      const width = 2 ** over(values).histogram.exponent;
      expect(
        off(CALIBRATORS[name].range(over(values), ASYMMETRIC), values[cut] ?? 0, values.at(-1 - cut) ?? 0),
      ).toBeLessThanOrEqual(width);
    }
  });
});

/** Every bin by itself: middle of the bin, quantized, squared error. */
function directError(state: RangeState, { min, max }: CalibratedRange, { levels, symmetry }: Grid): number {
  const { counts, origin, width } = signedBins(state.histogram);
  const scale = symmetry === 'symmetric' ? max / (levels / 2 - 1) : (max - min) / (levels - 1);
  const zeroPoint = symmetry === 'symmetric' ? levels / 2 : Math.round(-min / scale);
  return counts.reduce((sum, counted, at) => {
    const x = (at - origin + 0.5) * width;
    const q = Math.min(levels - 1, Math.max(0, Math.round(x / scale) + zeroPoint));
    return sum + counted * (x - (q - zeroPoint) * scale) ** 2;
  }, 0);
}

describe('mse', () => {
  it.each(Object.keys(SHAPES) as (keyof typeof SHAPES)[])('finds the best of the factors for %s', (name) => {
    const state = sampled(SHAPES[name], 4000);
    for (const grid of [ASYMMETRIC, SYMMETRIC]) {
      const seen = CALIBRATORS['min-max'].range(state, grid);
      const found = CALIBRATORS.mse.range(state, grid);
      const error = directError(state, found, grid);
      const together = Array.from({ length: 100 }, (_, i) => (i + 1) / 100).map((factor) =>
        directError(state, { min: seen.min * factor, max: seen.max * factor }, grid),
      );
      expect(error).toBeLessThanOrEqual(Math.min(...together) * (1 + 1e-9));
      expect(error).toBeLessThanOrEqual(directError(state, seen, grid) * (1 + 1e-9));
    }
  });

  it('no single end can be moved to a better factor', () => {
    const state = sampled(SHAPES.heavyTail, 4000);
    const seen = CALIBRATORS['min-max'].range(state, ASYMMETRIC);
    const found = CALIBRATORS.mse.range(state, ASYMMETRIC);
    const error = directError(state, found, ASYMMETRIC) * (1 - 1e-9);
    for (let i = 1; i <= 100; i++) {
      expect(directError(state, { ...found, min: (seen.min * i) / 100 }, ASYMMETRIC)).toBeGreaterThanOrEqual(error);
      expect(directError(state, { ...found, max: (seen.max * i) / 100 }, ASYMMETRIC)).toBeGreaterThanOrEqual(error);
    }
  });

  it('cuts an outlier off, and keeps what is spread evenly', () => {
    const spread = Array.from({ length: 10_000 }, (_, i) => (i + 1) / 10_000);
    const whole = CALIBRATORS.mse.range(over(spread), ASYMMETRIC);
    expect(whole.max).toBeGreaterThanOrEqual(0.99);
    expect(CALIBRATORS.mse.range(over([...spread, 3]), ASYMMETRIC).max).toBeLessThan(3);
    // On 4 levels the best range of a normal distribution is known: +-1.49 (Lloyd-Max for uniform steps: 0.9957 apart).
    const coarse = CALIBRATORS.mse.range(sampled(SHAPES.normal, 200_000), { levels: 4, symmetry: 'asymmetric' });
    expect(coarse.max - coarse.min).toBeGreaterThan(2.7);
    expect(coarse.max - coarse.min).toBeLessThan(3.4);
  });
});

/** Arrays P and Q for one half-width, as the method is described. */
function directDivergence(state: RangeState, half: number, { levels, symmetry }: Grid): number | undefined {
  const { counts, origin } = signedBins(state.histogram, 1);
  const from = Math.max(0, origin - half);
  const to = Math.min(counts.length, origin + half);
  const first = symmetry === 'symmetric' ? origin - half : from;
  const total = symmetry === 'symmetric' ? 2 * half : to - from;
  if (total < levels) return undefined;
  const slice = [...counts.slice(from, to)];
  const p = [...slice];
  const sum = (numbers: ArrayLike<number>): number => Array.from(numbers).reduce((a, b) => a + b, 0);
  p[0] = (p[0] ?? 0) + sum(counts.slice(0, from));
  p[p.length - 1] = (p.at(-1) ?? 0) + sum(counts.slice(to));
  const level = (i: number): number => Math.floor(((i + from - first) * levels) / total);
  const merged = Array.from({ length: levels }, () => ({ elements: 0, bins: 0 }));
  p.forEach((counted, i) => {
    const into = merged[level(i)];
    if (!into) throw new Error('no such level');
    into.elements += slice[i] ?? 0;
    if (counted > 0) into.bins++;
  });
  const q = p.map((counted, i) => {
    const into = merged[level(i)];
    return counted > 0 && into ? into.elements / into.bins : 0;
  });
  const [allP, allQ] = [sum(p), sum(q)];
  if (allQ === 0) return Infinity;
  return p.reduce((kl, counted, i) => {
    if (counted === 0) return kl;
    return kl + (counted / allP) * Math.log(counted / allP / (Math.max(1e-4, q[i] ?? 0) / allQ));
  }, 0);
}

describe('entropy', () => {
  it.each(Object.keys(SHAPES) as (keyof typeof SHAPES)[])('finds the smallest divergence for %s', (name) => {
    const state = sampled(SHAPES[name], 6000);
    for (const grid of [ASYMMETRIC, SYMMETRIC, { levels: 100, symmetry: 'asymmetric' } as const]) {
      const { counts, origin, width } = signedBins(state.histogram, 1);
      const longest = Math.max(origin, counts.length - origin);
      const tried: { half: number; divergence: number }[] = [];
      for (let half = longest; half > 0; half -= 8) {
        const divergence = directDivergence(state, half, grid);
        if (divergence !== undefined) tried.push({ half, divergence });
      }
      const least = Math.min(...tried.map(({ divergence }) => divergence));
      const { min, max } = CALIBRATORS.entropy.range(state, grid);
      const taken = tried.find(({ half }) => Math.abs(Math.max(-min, max) - half * width) < width / 2);
      // What was taken is among those tried, or everything that was seen.
      expect(taken?.divergence ?? tried[0]?.divergence).toBeCloseTo(least, 9);
    }
  });

  it('keeps an even spread, and cuts outliers off a bell', () => {
    const spread = Array.from({ length: 50_000 }, (_, i) => (i + 1) / 50_000);
    expect(CALIBRATORS.entropy.range(over(spread), ASYMMETRIC).max).toBeGreaterThan(0.98);
    const rng = createRng(2);
    const bell = Array.from({ length: 50_000 }, () => rng.normal());
    const { min, max } = CALIBRATORS.entropy.range(over([...bell, -30, 40]), ASYMMETRIC);
    expect(Math.max(-min, max)).toBeLessThan(20);
    expect(Math.min(-min, max)).toBeGreaterThan(2);
  });
});
