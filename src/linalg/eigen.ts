// Eigenvalues and eigenvectors of symmetric matrices: reflections make the matrix tridiagonal, divide and conquer makes it diagonal.
import { invariant } from '../base/errors.js';
import { divideAndConquer } from './divide-and-conquer.js';
import type { Gemm } from './gemm.js';
import { matrix, type Matrix } from './matrix.js';
import { runHere, runWith, type Steps } from './steps.js';
import { reduceToTridiagonal, takeBack } from './tridiagonal.js';

/** A = V^T diag(values) V where all vectors are asked for. */
export interface SymmetricEigen {
  /** All n, from the largest. */
  readonly values: Float64Array;
  /** V, n x n or fewer rows: row i is the unit eigenvector of `values[i]`; its element of largest magnitude is positive. */
  readonly vectors: Matrix;
}

export interface EigenOptions {
  /** Eigenvectors to work out, those of the largest eigenvalues; all without it. */
  readonly count?: number;
}

/**
 * The eigenvalues and eigenvectors of a symmetric matrix, of which the lower triangle is read. The error is some rounding
 * errors of the largest eigenvalue; time grows with n^3 (512: some 0.2 s). Undefined where an element is not finite.
 * @throws InternalError invariant where the matrix is not square
 */
export function symmetricEigen(a: Matrix, options: EigenOptions = {}): SymmetricEigen | undefined {
  return runHere(eigenSteps(a, options));
}

/** `symmetricEigen` with its heavy products made by `gemm`. Rejects as `gemm` does. */
export function symmetricEigenWith(
  gemm: Gemm,
  a: Matrix,
  options: EigenOptions = {},
): Promise<SymmetricEigen | undefined> {
  return runWith(gemm, eigenSteps(a, options));
}

/** `symmetricEigen` as steps, for algorithms that are written as such themselves. */
export function* eigenSteps(a: Matrix, options: EigenOptions): Steps<SymmetricEigen | undefined> {
  const n = a.rows;
  invariant(n === a.columns, `a ${n} x ${a.columns} matrix has no eigenvalues`);
  const scale = a.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (!Number.isFinite(scale)) return undefined;
  const scaled = a.data.map((x) => x / (scale || 1));
  const reduced = reduceToTridiagonal(matrix(n, n, scaled));
  const { values, vectors } = yield* divideAndConquer(reduced, Math.min(options.count ?? n, n));
  yield* takeBack(vectors, reduced.mirrors);
  for (let i = 0; i < vectors.rows; i++) turnUp(vectors.data.subarray(i * n, (i + 1) * n));
  return { values: values.map((x) => x * scale), vectors };
}

/** Turns the sign so that the element of largest magnitude is positive. */
function turnUp(row: Float64Array): void {
  const most = row.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
  if (most < 0) for (const [j, x] of row.entries()) row[j] = -x;
}
