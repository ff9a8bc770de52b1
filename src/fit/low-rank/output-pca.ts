// Truncated SVD under a metric, in closed form: of all rows of rank R, those whose error tr((W - K) G (W - K)^T) is least.
// K = U U^T W with U the leading eigenvectors of W G W^T; or, where there are fewer inputs than outputs, the same from the other
// side: with G = L L^T, K = W L Q Q^T L^-1, Q the leading eigenvectors of L^T W^T W L.
import { dampedCholesky, solve } from '../../linalg/cholesky.js';
import { multiply } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import type { TensorProblem } from './tensor-problem.js';

/** K = `out` `inner`. */
export interface RowFactors {
  /** R x patch. */
  readonly inner: Matrix;
  /** Outputs x R. */
  readonly out: Matrix;
}

export interface OutputBasis {
  /** What each further rank takes from the error; from the largest. */
  readonly gains: Float64Array;
  factors(rank: number): RowFactors;
}

/** Undefined where numbers are not finite. */
export async function outputBasis(problem: TensorProblem): Promise<OutputBasis | undefined> {
  const { rows } = problem;
  return rows.rows <= rows.columns ? fromOutputs(problem) : fromInputs(problem);
}

async function fromOutputs(problem: TensorProblem): Promise<OutputBasis | undefined> {
  const eigen = await problem.outputEigen();
  if (!eigen) return undefined;
  return {
    gains: eigen.values.map((value) => Math.max(0, value)),
    factors: (rank) => {
      const basis = firstRows(eigen.vectors, rank);
      return { inner: multiply(basis, problem.rows), out: transpose(basis) };
    },
  };
}

async function fromInputs(problem: TensorProblem): Promise<OutputBasis | undefined> {
  const { rows, gram } = problem;
  const lower = gram && dampedCholesky(gram)?.lower;
  if (gram && !lower) return undefined;
  const whitened = lower ? await problem.product(rows, lower) : rows;
  const eigen = await problem.eigen(await problem.product(transpose(whitened), whitened));
  if (!eigen) return undefined;
  return {
    gains: eigen.values.map((value) => Math.max(0, value)),
    factors: (rank) => {
      const basis = firstRows(eigen.vectors, rank);
      // L^-T Q = G^-1 L Q.
      const inner = lower ? transpose(solve(lower, multiply(lower, transpose(basis)))) : basis;
      return { inner, out: multiply(whitened, transpose(basis)) };
    },
  };
}

/** A copy of the first rows. */
export function firstRows({ columns, data }: Matrix, count: number): Matrix {
  return matrix(count, columns, data.slice(0, count * columns));
}

/** What is left from `from` on, summed from the smallest. */
export function tailOf(gains: Float64Array, from: number): number {
  let sum = 0;
  for (let i = gains.length - 1; i >= from; i--) sum += gains[i] ?? 0;
  return sum;
}
