// Truncated singular value decomposition through the Gram matrix of the shorter side: fast, and good for truncation and the choice
// of ranks. What needs small singular values exactly uses `jacobiSvd`.
import { invariant } from '../base/errors.js';
import { eigenSteps } from './eigen.js';
import type { Gemm } from './gemm.js';
import { matrix, transpose, type Matrix } from './matrix.js';
import { runHere, runWith, type Steps } from './steps.js';

/** A = U diag(values) V^T, or the best approximation of rank `values.length`. */
export interface Svd {
  /** m x r: its columns are orthonormal. */
  readonly u: Matrix;
  /** The r singular values, from the largest; all above zero. */
  readonly values: Float64Array;
  /** r x n: its rows are orthonormal. */
  readonly vt: Matrix;
}

export interface SvdOptions {
  /** Singular values to keep at most; all of them without it. */
  readonly rank?: number;
}

/** Part of the largest singular value below which the Gram matrix does not tell values from rounding errors. */
const GRAM_CUTOFF = 1e-7;

/**
 * The largest singular values of an m x n matrix with their vectors, from the eigenvectors of A A^T or A^T A, whichever is smaller.
 * A value of 1e-5 of the largest is right to some 1e-6 of itself and its vectors are orthogonal to that; what is below 1e-7 of the largest is left
 * out, so that there can be fewer values than asked for (none for a matrix of zeros). Undefined where an element is not finite.
 * @throws InternalError invariant where the rank is not a positive integer
 */
export function gramSvd(a: Matrix, options: SvdOptions = {}): Svd | undefined {
  return runHere(gramSteps(a, options));
}

/** `gramSvd` with its heavy products made by `gemm`. Rejects as `gemm` does. */
export function gramSvdWith(gemm: Gemm, a: Matrix, options: SvdOptions = {}): Promise<Svd | undefined> {
  return runWith(gemm, gramSteps(a, options));
}

/** `gramSvd` as steps, for algorithms that are written as such themselves. */
export function* gramSteps(a: Matrix, { rank = Infinity }: SvdOptions): Steps<Svd | undefined> {
  invariant(rank >= 1 && (rank === Infinity || Number.isInteger(rank)), `${rank} is no rank`);
  const flipped = transpose(a);
  if (a.rows > a.columns) {
    const svd = yield* wideSteps(flipped, a, rank);
    return svd && { u: transpose(svd.vt), values: svd.values, vt: transpose(svd.u) };
  }
  return yield* wideSteps(a, flipped, rank);
}

/** For a matrix with no more rows than columns, and its transpose. */
function* wideSteps(a: Matrix, flipped: Matrix, rank: number): Steps<Svd | undefined> {
  const eigen = yield* eigenSteps(yield [a, flipped], { count: Math.min(rank, a.rows) });
  return eigen && fromProjections(eigen.vectors, yield [eigen.vectors, a]);
}

/**
 * The decomposition from U^T (r x m) and U^T A (r x n). The length of a row of that is the singular value, far more exactly than the
 * square root of the eigenvalue, which has lost half of its digits.
 */
function fromProjections(vectors: Matrix, projections: Matrix): Svd {
  const { columns: n, data } = projections;
  const lengths = Array.from({ length: vectors.rows }, (_, i) => length(data.subarray(i * n, i * n + n)));
  const least = GRAM_CUTOFF * Math.max(0, ...lengths);
  const order = Array.from(lengths.keys())
    .filter((i) => (lengths[i] ?? 0) > least)
    .toSorted((i, j) => (lengths[j] ?? 0) - (lengths[i] ?? 0));
  const u = matrix(vectors.columns, order.length);
  const vt = matrix(order.length, n);
  for (const [to, from] of order.entries()) {
    for (let i = 0; i < u.rows; i++) u.data[i * u.columns + to] = vectors.data[from * u.rows + i] ?? 0;
    for (let j = 0; j < n; j++) vt.data[to * n + j] = (data[from * n + j] ?? 0) / (lengths[from] ?? 1);
  }
  return { u, values: Float64Array.from(order, (i) => lengths[i] ?? 0), vt };
}

const length = (row: Float64Array): number => Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
