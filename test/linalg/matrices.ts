// Matrices that the tests of src/linalg share, and what is asked of them.
import { expect } from 'vitest';
import type { Rng } from '../../src/base/rng.js';
import { multiply, multiplyTransposed } from '../../src/linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../src/linalg/matrix.js';
import { pivotedQr } from '../../src/linalg/qr.js';
import type { Svd } from '../../src/linalg/svd.js';

export const filled = (rows: number, columns: number, at: (i: number, j: number) => number): Matrix =>
  matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, (_, k) => at(Math.floor(k / columns), k % columns)),
  );
export const random = (rng: Rng, rows: number, columns: number): Matrix => filled(rows, columns, () => rng.normal());
export const identity = (n: number): Matrix => filled(n, n, (i, j) => (i === j ? 1 : 0));

/** The largest difference of two elements at the same place. */
export function distance(a: Matrix, b: Matrix): number {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns]);
  return a.data.reduce((most, x, i) => Math.max(most, Math.abs(x - (b.data[i] ?? Number.NaN))), 0);
}

/** Throws where there is nothing. */
export function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('nothing was found');
  return value;
}

/** Rows x columns with these singular values and random directions. */
export function withValues(rng: Rng, rows: number, columns: number, values: readonly number[]): Matrix {
  const left = pivotedQr(random(rng, rows, values.length)).q;
  const right = pivotedQr(random(rng, columns, values.length)).q;
  return multiplyTransposed(scaledColumns(left, values), right);
}

const scaledColumns = (a: Matrix, factors: ArrayLike<number>): Matrix =>
  filled(a.rows, a.columns, (i, j) => (a.data[i * a.columns + j] ?? Number.NaN) * (factors[j] ?? Number.NaN));

/** U diag(values) V^T */
export const rebuilt = ({ u, values, vt }: Svd): Matrix => multiply(scaledColumns(u, values), vt);

export function expectOrthonormal({ u, vt }: Svd, tolerance: number): void {
  expect(distance(multiply(transpose(u), u), identity(u.columns))).toBeLessThan(tolerance);
  expect(distance(multiplyTransposed(vt, vt), identity(vt.rows))).toBeLessThan(tolerance);
}

/** The largest error of a value relative to what it should be. */
export function relativeError(values: ArrayLike<number>, expected: readonly number[]): number {
  return Math.max(...expected.map((x, i) => Math.abs((values[i] ?? Number.NaN) - x) / x));
}

/** A matrix with no symmetry whose figures numpy and mpmath were asked for. */
export const WAVES = filled(4, 6, (i, j) => Math.sin(1 + i * i + 3 * j * (i + 1)));
