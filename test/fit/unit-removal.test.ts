// Greedy removal in closed form against least squares over every set of units, and against the refit that drops a set.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { absorbInputs } from '../../src/fit/refit.js';
import { removalCurve, type RemovalPart } from '../../src/fit/unit-removal.js';
import { matrix, type Matrix } from '../../src/linalg/matrix.js';
import { leastSquaresError, mixedRows, momentsOf } from './random-moments.js';

const UNITS = 5;
const TAPS = 2;
const OUTPUTS = 3;

interface Case {
  readonly rows: number[][];
  readonly weights: Matrix;
  readonly part: RemovalPart;
}

/** A layer that reads UNITS channels of TAPS numbers each. */
function layerCase(seed: string, weight = 1): Case {
  const rng = createRng(seed);
  const width = UNITS * TAPS;
  const rows = mixedRows(rng, 60, width);
  const weights = matrix(OUTPUTS, width + 1);
  for (let o = 0; o < OUTPUTS; o++) for (let j = 0; j < width; j++) weights.data[o * (width + 1) + j] = rng.normal();
  const columns = Array.from({ length: UNITS }, (_, unit) =>
    Array.from({ length: TAPS }, (_t, tap) => unit * TAPS + tap),
  );
  return { rows, weights, part: { moments: momentsOf(rows), rows: weights, columns, weight } };
}

/** The error of the best weights without the units `gone`, bias included, by least squares over the rows. */
function errorWithout({ rows, weights }: Case, gone: readonly number[]): number {
  const kept = Array.from({ length: UNITS * TAPS }, (_, j) => j).filter((j) => !gone.includes(Math.floor(j / TAPS)));
  const inputs = rows.map((row) => [...kept.map((j) => row[j] ?? 0), 1]);
  let sum = 0;
  for (let o = 0; o < OUTPUTS; o++) {
    const target = rows.map((row) =>
      row.reduce((all, x, j) => all + x * (weights.data[o * weights.columns + j] ?? 0), 0),
    );
    sum += leastSquaresError(inputs, target);
  }
  return sum;
}

describe('removalCurve', () => {
  it.each(['a', 'b', 'c'])('takes at each step the unit that least squares finds, at its error (%s)', (seed) => {
    const layer = layerCase(seed);
    const curve = removalCurve([layer.part], UNITS, { lambda: 0 });
    expect(curve?.errors[0]).toBe(0);
    const gone: number[] = [];
    for (const [step, unit] of (curve?.order ?? []).entries()) {
      const left = Array.from({ length: UNITS }, (_, u) => u).filter((u) => !gone.includes(u));
      const errors = new Map(left.map((u) => [u, errorWithout(layer, [...gone, u])]));
      const least = Math.min(...errors.values());
      expect(errors.get(unit)).toBe(least);
      expect(Math.abs((curve?.errors[step + 1] ?? Number.NaN) - least)).toBeLessThan(1e-9 * (1 + least));
      gone.push(unit);
    }
    expect(gone).toHaveLength(UNITS);
  });

  it('is no worse at its first step than every set of one, and at worst the best of all sets of two at its second', () => {
    const layer = layerCase('sets');
    const { errors = new Float64Array() } = removalCurve([layer.part], UNITS, { lambda: 0 }) ?? {};
    const singles = Array.from({ length: UNITS }, (_, u) => errorWithout(layer, [u]));
    expect(errors[1]).toBeCloseTo(Math.min(...singles), 9);
    const pairs = singles.flatMap((_, a) => singles.slice(a + 1).map((_b, b) => errorWithout(layer, [a, a + 1 + b])));
    expect(errors[2]).toBeGreaterThanOrEqual(Math.min(...pairs) - 1e-9);
    expect(errors[2]).toBeLessThanOrEqual(Math.max(...pairs));
  });

  it('gives with damping the error that the refit of the same set has', () => {
    const layer = layerCase('damped');
    const curve = removalCurve([layer.part], UNITS, { lambda: 1e-2 });
    const [first = -1] = curve?.order ?? [];
    const removed = layer.part.columns[first] ?? [];
    const refit = absorbInputs(layer.part.moments, layer.weights, removed, { lambda: 1e-2 });
    // The refit damps by the mean of the columns that are kept, the curve by that of all.
    expect(curve?.errors[1]).toBeCloseTo(refit?.errorAfter ?? Number.NaN, 2);
    const exact = errorWithout(layer, [first]);
    expect(curve?.errors[1]).toBeGreaterThanOrEqual(exact);
    // The damping itself is not counted as an error.
    const light = removalCurve([layer.part], UNITS, { lambda: 1e-7 });
    expect(light?.errors[1]).toBeCloseTo(errorWithout(layer, light?.order.slice(0, 1) ?? []), 6);
  });

  it('adds up the errors of several readers by their weights; a unit that nobody reads costs nothing', () => {
    const [a, b] = [layerCase('first', 2), layerCase('second', 0.5)];
    const half: RemovalPart = { ...b.part, columns: b.part.columns.map((own, unit) => (unit === 3 ? [] : own)) };
    const both = removalCurve([a.part, half], UNITS, { lambda: 0 });
    const [first = -1] = both?.order ?? [];
    const costs = Array.from(
      { length: UNITS },
      (_, u) => 2 * errorWithout(a, [u]) + (u === 3 ? 0 : 0.5 * errorWithout(b, [u])),
    );
    expect(costs[first]).toBe(Math.min(...costs));
    expect(both?.errors[1]).toBeCloseTo(costs[first] ?? Number.NaN, 9);
    const alone = removalCurve([half], UNITS, { lambda: 0 });
    expect([alone?.order[0], alone?.errors[1]]).toEqual([3, 0]);
  });

  it('removes what the others can give at no loss first, and dead units', () => {
    const rng = createRng('dependent');
    const rows = mixedRows(rng, 50, 4).map(([a = 0, b = 0, c = 0]) => [
      a,
      b,
      c,
      Math.fround(Math.fround(2 * a) - b),
      0,
    ]);
    const weights = matrix(1, 6, Float64Array.of(1, 2, 3, 4, 5, 0));
    const part = { moments: momentsOf(rows), rows: weights, columns: [[0], [1], [2], [3], [4]], weight: 1 };
    const curve = removalCurve([part], 5);
    expect(curve?.order[0]).toBe(4);
    expect([0, 1, 3]).toContain(curve?.order[1]);
    const energy = curve?.errors[5] ?? 0;
    expect(curve?.errors[2]).toBeLessThan(1e-6 * energy);
    expect(curve?.errors[3]).toBeGreaterThan(1e-3 * energy);
  });

  it('expects of positions that were not summed what they show', () => {
    // Independent inputs, of which each takes an equal share away: 1 - k / width is left after k.
    const [width, rng] = [24, createRng('unseen')];
    const weights = matrix(1, width + 1, new Float64Array(width + 1).fill(1));
    weights.data[width] = 0;
    const columns = Array.from({ length: width }, (_, j) => [j]);
    const errorsOf = (rows: number, estimate: 'sample' | 'unseen'): number[] => {
      const drawn = Array.from({ length: rows }, () => Array.from({ length: width }, () => rng.normal()));
      return [
        ...(removalCurve([{ moments: momentsOf(drawn), rows: weights, columns, weight: 1 }], width, { estimate })
          ?.errors ?? []),
      ];
    };
    const half = width / 2;
    const mean = (rows: number, estimate: 'sample' | 'unseen'): number =>
      Array.from({ length: 10 }, () => errorsOf(rows, estimate)[half] ?? Number.NaN).reduce(
        (sum, x) => sum + x / 10,
        0,
      );
    // With half as many rows as columns nothing seems to be lost at all.
    expect(mean(12, 'sample')).toBeLessThan(0.05 * half);
    expect(mean(12, 'unseen')).toBeGreaterThan(0.15 * half);
    expect(mean(36, 'unseen')).toBeGreaterThan(mean(36, 'sample') * 1.2);
    expect(Math.abs(mean(2000, 'unseen') - half)).toBeLessThan(0.1 * half);
  });

  it('is undefined for moments that are empty or not finite', () => {
    const { part } = layerCase('broken');
    expect(removalCurve([{ ...part, moments: { ...part.moments, rows: 0 } }], UNITS)).toBeUndefined();
    const gram = part.moments.gram.map((x, i) => (i === 3 ? Number.NaN : x));
    expect(removalCurve([{ ...part, moments: { ...part.moments, gram } }], UNITS)).toBeUndefined();
  });
});
