// The basis in which the channels of a stream are of use one by one: uncorrelated, each with a variance that is what its
// readers lose without it. With the first k of them no k channels of any basis lose less.
import { dampedCholesky, solve } from '../linalg/cholesky.js';
import { symmetricEigen } from '../linalg/eigen.js';
import { multiply, multiplyTransposed } from '../linalg/gemm.js';
import { matrix, packedRow, transpose, type Matrix } from '../linalg/matrix.js';
import type { Moments } from './rank-update.js';

/** z = `forward` x, x = `back` z. */
export interface StreamBasis {
  readonly forward: Matrix;
  readonly back: Matrix;
  /** Of z, from the largest. */
  readonly variances: Float64Array;
}

/** What is added to the diagonal of M, as a part of its mean: directions that nobody reads keep a length. */
const DAMPING = 1e-6;

/**
 * `covariance`: S of the values x of the stream; `weight`: M, the sum of W^T W over the readers, both width x width. The cost of
 * an error e of x is e^T M e. With M = L L^T and L^T S L = U diag(variances) U^T: forward = U^T L^T, back = L^-T U. Undefined where
 * numbers are not finite.
 */
export function streamBasis(covariance: Matrix, weight: Matrix): StreamBasis | undefined {
  const factor = dampedCholesky(weight, { damping: DAMPING });
  if (!factor) return undefined;
  const { lower } = factor;
  const upper = transpose(lower);
  const eigen = symmetricEigen(multiply(upper, multiply(covariance, lower)));
  if (!eigen) return undefined;
  const { values, vectors } = eigen;
  // L^-T U = M^-1 L U.
  const back = solve(lower, multiplyTransposed(lower, vectors));
  return { forward: multiply(vectors, upper), back, variances: values };
}

/** Of the numbers that were summed with a constant 1 behind them. */
export function covarianceOf({ columns, rows, gram }: Moments): Matrix {
  const n = columns - 1;
  const result = matrix(n, n);
  const at = (i: number, j: number): number => (gram[packedRow(columns, i) + j] ?? 0) / rows;
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const element = at(i, j) - at(i, n) * at(j, n);
      result.data[i * n + j] = element;
      result.data[j * n + i] = element;
    }
  }
  return result;
}
