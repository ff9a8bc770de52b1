// Moments of rows that a test makes, and least squares over the same rows without any of the machinery under test.
import type { Rng } from '../../src/base/rng.js';
import { RankUpdate, type Moments } from '../../src/fit/rank-update.js';

/** Moments of these rows, each followed by the constant 1. */
export function momentsOf(rows: readonly (readonly number[])[]): Moments {
  const columns = rows[0]?.length ?? 0;
  const update = new RankUpdate(columns + 1, 0, 16);
  const taps = Int32Array.of(0);
  for (const row of rows) {
    update.addWindow(Float32Array.from(row), 0, columns, 1, taps);
    update.next();
  }
  return update.moments();
}

/** Rows of `columns` numbers that depend on each other to some degree; exact in float32. */
export function mixedRows(rng: Rng, count: number, columns: number): number[][] {
  const mix = Array.from({ length: columns }, () => Array.from({ length: columns }, () => rng.normal()));
  return Array.from({ length: count }, () => {
    const x = Array.from({ length: columns }, () => rng.normal());
    return mix.map((row, j) =>
      Math.fround((x[j] ?? 0) + 0.6 * row.reduce((sum, m, k) => sum + m * (x[k] ?? 0), 0) + 0.5),
    );
  });
}

/** The least mean of |target - A z|^2 over z, by Gram-Schmidt on the columns of the matrix with rows `rows`. */
export function leastSquaresError(rows: readonly (readonly number[])[], target: readonly number[]): number {
  const width = rows[0]?.length ?? 0;
  const basis: number[][] = [];
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
  const without = (vector: readonly number[]): number[] => {
    let rest = [...vector];
    // Twice, for the digits that the first round loses.
    for (let round = 0; round < 2; round++)
      for (const q of basis) {
        const share = dot(rest, q);
        rest = rest.map((x, i) => x - share * (q[i] ?? 0));
      }
    return rest;
  };
  for (let j = 0; j < width; j++) {
    const column = without(rows.map((row) => row[j] ?? 0));
    const length = Math.sqrt(dot(column, column));
    if (length > 1e-9) basis.push(column.map((x) => x / length));
  }
  const rest = without(target);
  return dot(rest, rest) / rows.length;
}
