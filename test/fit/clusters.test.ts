// Merges and k-means on hand-worked points, and against the best of all partitions of a few.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { clusterRows, mergeRows, squaredDistances } from '../../src/fit/clusters.js';
import { matrix, type Matrix } from '../../src/linalg/matrix.js';

const points = (...rows: number[][]): Matrix =>
  matrix(rows.length, rows[0]?.length ?? 0, Float64Array.from(rows.flat()));

/** Sum of squared distances to the centroids. */
function scatter(rows: readonly (readonly number[])[], assigned: readonly number[]): number {
  let sum = 0;
  for (const cluster of new Set(assigned)) {
    const own = rows.filter((_, i) => assigned[i] === cluster);
    const centre = (own[0] ?? []).map((_, j) => own.reduce((all, row) => all + (row[j] ?? 0), 0) / own.length);
    sum += own.reduce((all, row) => all + row.reduce((s, x, j) => s + (x - (centre[j] ?? 0)) ** 2, 0), 0);
  }
  return sum;
}

describe('clusters', () => {
  it('knows distances', () => {
    expect([...squaredDistances(points([0, 0], [3, 4], [0, 1])).data]).toEqual([0, 25, 1, 25, 0, 18, 1, 18, 0]);
  });

  it('merges the nearest first, at the growth of the squared distance to the centroids', () => {
    // 0 and 1: 1/2; 10 and 12: 4/2; {0, 1} and {10, 12}: 10.5^2 * 2 * 2 / 4.
    expect(mergeRows(points([0], [10], [1], [12]))).toEqual([
      { kept: 0, gone: 2, cost: 0.5 },
      { kept: 1, gone: 3, cost: 2 },
      { kept: 0, gone: 1, cost: 10.5 ** 2 },
    ]);
    // The larger cluster stands for both.
    expect(mergeRows(points([30], [0], [1])).at(-1)).toMatchObject({ kept: 1, gone: 0 });
  });

  it('has merge costs that add up to the scatter of all', () => {
    const rng = createRng('sum');
    const rows = Array.from({ length: 30 }, () => [rng.normal(), rng.normal(), rng.normal()]);
    const merges = mergeRows(points(...rows));
    expect(merges).toHaveLength(29);
    expect(new Set(merges.map(({ gone }) => gone)).size).toBe(29);
    const sum = merges.reduce((all, { cost }) => all + cost, 0);
    expect(sum).toBeCloseTo(
      scatter(
        rows,
        rows.map(() => 0),
      ),
      9,
    );
    for (const [at, { cost }] of merges.entries())
      expect(cost).toBeGreaterThanOrEqual((merges[at - 1]?.cost ?? 0) - 1e-12);
  });

  it('finds planted clusters, their centroids and their error', () => {
    const rows = points([0, 0], [10, 10], [0, 2], [10, 12], [50, 0]);
    const found = clusterRows(rows, mergeRows(rows), 3);
    expect(found.members).toEqual([[0, 2], [1, 3], [4]]);
    expect([...found.centroids.data]).toEqual([0, 1, 10, 11, 50, 0]);
    expect(found.error).toBeCloseTo(4, 12);
  });

  it('is near the best of all partitions of few points', () => {
    for (const seed of ['p', 'q', 'r', 's']) {
      const rng = createRng(seed);
      const rows = Array.from({ length: 7 }, () => [rng.normal(), rng.normal()]);
      const partitions = Array.from({ length: 3 ** 7 }, (_, code) =>
        rows.map((_r, i) => Math.floor(code / 3 ** i) % 3),
      );
      const best = Math.min(...partitions.filter((p) => new Set(p).size === 3).map((p) => scatter(rows, p)));
      const found = clusterRows(points(...rows), mergeRows(points(...rows)), 3);
      expect(found.error).toBeGreaterThanOrEqual(best - 1e-9);
      expect(found.error).toBeLessThanOrEqual(best * 1.3);
    }
  });

  it('keeps equal rows and all rows apart as asked', () => {
    const rows = points([1], [1], [1]);
    expect(clusterRows(rows, mergeRows(rows), 3).members).toEqual([[0], [1], [2]]);
    expect(clusterRows(rows, mergeRows(rows), 1)).toMatchObject({ members: [[0, 1, 2]], error: 0 });
  });
});
