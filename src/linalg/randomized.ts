// The largest singular values of large matrices from a random sketch of their range (Halko, Martinsson & Tropp, SIAM Review 53, 2011).
import { invariant } from '../base/errors.js';
import type { Rng } from '../base/rng.js';
import { cholesky, solveLower } from './cholesky.js';
import { eigenSteps } from './eigen.js';
import type { Gemm } from './gemm.js';
import { matrix, transpose, type Matrix } from './matrix.js';
import { runHere, runWith, type Steps } from './steps.js';
import { gramSteps, type Svd } from './svd.js';

export interface RandomizedOptions {
  /** Singular values to find. */
  readonly rank: number;
  readonly rng: Rng;
  /** Directions of the sketch beyond the rank; default 10. */
  readonly oversampling?: number;
  /** Products with the matrix, at least 2: the more, the less the values count that are left out. Default 5. */
  readonly passes?: number;
}

/** Squared length of a direction, as part of the longest, from which a Cholesky factor is exact enough. */
const INDEPENDENT = 1e-12;
/** The same, from which eigenvectors are; what is shorter is rounding error. */
const KNOWN = 1e-14;

/**
 * The `rank` largest singular values of an m x n matrix with their vectors, up to what a random sketch misses: little where the values behind
 * them fall. Values found are never above the true ones (beyond rounding). Undefined where an element is not finite.
 * @throws InternalError invariant where the rank is not a positive integer, or there are fewer than 2 passes
 */
export function randomizedSvd(a: Matrix, options: RandomizedOptions): Svd | undefined {
  return runHere(randomizedSteps(a, options));
}

/** `randomizedSvd` with its heavy products made by `gemm`. Rejects as `gemm` does. */
export function randomizedSvdWith(gemm: Gemm, a: Matrix, options: RandomizedOptions): Promise<Svd | undefined> {
  return runWith(gemm, randomizedSteps(a, options));
}

function* randomizedSteps(
  a: Matrix,
  { rank, rng, oversampling = 10, passes = 5 }: RandomizedOptions,
): Steps<Svd | undefined> {
  invariant(rank >= 1 && Number.isInteger(rank), `${rank} is no rank`);
  invariant(passes >= 2 && Number.isInteger(passes), `${passes} passes are too few`);
  const width = Math.min(rank + oversampling, a.rows, a.columns);
  const length = passes % 2 === 0 ? a.columns : a.rows;
  // Rows that span, more and more closely, the range of A and that of its transpose in turn; in the end that of A.
  let range: Matrix | undefined = matrix(
    width,
    length,
    Float64Array.from({ length: width * length }, () => rng.normal()),
  );
  for (let left = passes; left > 1 && range; left--) {
    const image: Matrix = left % 2 === 0 ? transpose(yield [a, transpose(range)]) : yield [range, a];
    range = yield* independentRows(image);
  }
  range &&= yield* independentRows(range);
  const inside = range && (yield* gramSteps(yield [range, a], { rank }));
  return range && inside && { ...inside, u: yield [transpose(range), inside.u] };
}

/**
 * Nearly orthonormal rows that span the same space, from the inverse Cholesky factor of the Gram matrix; a second time they are orthonormal to
 * rounding error. Nearly dependent rows go through the eigenvectors, and what they do not span is left out. Undefined where an element is not
 * finite.
 */
function* independentRows(rows: Matrix): Steps<Matrix | undefined> {
  const gram = yield [rows, transpose(rows)];
  const factor = inverseFactor(gram) ?? (yield* whitening(gram));
  return factor && (yield [factor, rows]);
}

/** L^-1 of the Gram matrix L L^T. Undefined where rows are nearly dependent. */
function inverseFactor(gram: Matrix): Matrix | undefined {
  const lower = cholesky(gram);
  if (!lower) return undefined;
  const n = gram.rows;
  const pivots = Array.from({ length: n }, (_, i) => (lower.data[i * n + i] ?? 0) ** 2);
  const ratio = Math.min(...pivots) / Math.max(...pivots);
  if (!(ratio > INDEPENDENT)) return undefined;
  const inverse = matrix(n, n);
  for (let i = 0; i < n; i++) inverse.data[i * n + i] = 1;
  solveLower(lower, inverse);
  return inverse;
}

/** Rows that make the Gram matrix the identity, of as many dimensions as it has. */
function* whitening(gram: Matrix): Steps<Matrix | undefined> {
  const eigen = yield* eigenSteps(gram, {});
  if (!eigen) return undefined;
  const n = gram.rows;
  const { values, vectors } = eigen;
  const count = values.filter((x) => x > KNOWN * (values[0] ?? 0)).length;
  return matrix(
    count,
    n,
    vectors.data.subarray(0, count * n).map((x, at) => x / Math.sqrt(values[Math.floor(at / n)] ?? 1)),
  );
}
