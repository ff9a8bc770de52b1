// Least squares by a pivoted QR decomposition, with a verdict on how well the unknowns are determined. Unlike the normal equations it does
// not square the condition.
import { invariant } from '../base/errors.js';
import { inverseNorm } from './condition.js';
import { multiply } from './gemm.js';
import { matrix, transpose, type Matrix } from './matrix.js';
import { pivotedQr, type PivotedQr } from './qr.js';

/**
 * - `well`: the condition is below the limit;
 * - `ill`: it is above, so that errors of the data can change the solution beyond recognition;
 * - `deficient`: some unknowns can be chosen freely, within rounding; they are 0.
 */
export type Conditioning = 'well' | 'ill' | 'deficient';

export interface LeastSquares {
  /** X of the smallest |A X - B|, n x p. */
  readonly solution: Matrix;
  /** Unknowns that the equations determine. */
  readonly rank: number;
  /** Estimate of the condition number (1-norm) of what is determined, columns of A scaled to length 1: relative errors grow by it. */
  readonly condition: number;
  readonly conditioning: Conditioning;
  /** Squared length of each column of A X - B. */
  readonly residuals: Float64Array;
}

export interface LeastSquaresOptions {
  /** Condition above which a system is `ill`; default 1e8, where half of the digits are lost. */
  readonly limit?: number;
}

/**
 * Solves A X = B (m x n by m x p) in least squares. Undefined where an element is not finite.
 * @throws InternalError invariant where A and B have not the same number of rows
 */
export function leastSquares(
  a: Matrix,
  b: Matrix,
  { limit = 1e8 }: LeastSquaresOptions = {},
): LeastSquares | undefined {
  invariant(a.rows === b.rows, `${b.rows} right-hand sides for ${a.rows} equations`);
  if (![a, b].every(({ data }) => data.every(Number.isFinite))) return undefined;
  const lengths = columnLengths(a);
  const scaled = matrix(
    a.rows,
    a.columns,
    a.data.map((x, at) => x / (lengths[at % a.columns] || 1)),
  );
  const qr = pivotedQr(scaled);
  const rank = rankOf(qr, Math.max(a.rows, a.columns) * Number.EPSILON);
  const condition = upperCondition(qr.r, rank);
  const right = multiply(transpose(qr.q), b);
  solveUpper(qr.r, rank, right);
  const solution = matrix(a.columns, b.columns);
  for (const [row, column] of qr.order.slice(0, rank).entries())
    for (let j = 0; j < b.columns; j++)
      solution.data[column * b.columns + j] = (right.data[row * b.columns + j] ?? 0) / (lengths[column] || 1);
  const conditioning = rank < a.columns ? 'deficient' : condition > limit ? 'ill' : 'well';
  return { solution, rank, condition, conditioning, residuals: residualsOf(a, solution, b) };
}

function columnLengths({ columns, data }: Matrix): Float64Array {
  const most = new Float64Array(columns);
  for (const [at, x] of data.entries()) most[at % columns] = Math.max(most[at % columns] ?? 0, Math.abs(x));
  const sums = new Float64Array(columns);
  for (const [at, x] of data.entries())
    sums[at % columns] = (sums[at % columns] ?? 0) + (x / (most[at % columns] || 1)) ** 2;
  return sums.map((sum, j) => Math.sqrt(sum) * (most[j] ?? 0));
}

function rankOf({ r }: PivotedQr, tolerance: number): number {
  const pivots = Array.from({ length: r.rows }, (_, i) => Math.abs(r.data[i * r.columns + i] ?? 0));
  const end = pivots.findIndex((pivot) => pivot <= tolerance * (pivots[0] ?? 0));
  return end < 0 ? pivots.length : end;
}

/** R X = B for the leading `rank` rows and columns of R, in place in the leading rows of `b`. */
function solveUpper(r: Matrix, rank: number, b: Matrix): void {
  const width = b.columns;
  for (let i = rank - 1; i >= 0; i--) {
    const row = b.data.subarray(i * width, (i + 1) * width);
    for (let k = i + 1; k < rank; k++) {
      const factor = r.data[i * r.columns + k] as number;
      for (let j = 0; j < width; j++) row[j] = (row[j] as number) - factor * (b.data[k * width + j] as number);
    }
    const pivot = r.data[i * r.columns + i] as number;
    for (let j = 0; j < width; j++) row[j] = (row[j] as number) / pivot;
  }
}

function solveUpperTransposed(r: Matrix, rank: number, b: Float64Array): void {
  for (let i = 0; i < rank; i++) {
    let sum = b[i] as number;
    for (let k = 0; k < i; k++) sum -= (r.data[k * r.columns + i] as number) * (b[k] as number);
    b[i] = sum / (r.data[i * r.columns + i] as number);
  }
}

function upperCondition(r: Matrix, rank: number): number {
  let norm = 0;
  for (let j = 0; j < rank; j++) {
    let sum = 0;
    for (let i = 0; i <= j; i++) sum += Math.abs(r.data[i * r.columns + j] as number);
    norm = Math.max(norm, sum);
  }
  const inverse = inverseNorm({
    size: rank,
    solve: (b) => {
      const x = matrix(rank, 1, b.slice());
      solveUpper(r, rank, x);
      return x.data;
    },
    solveTransposed: (b) => {
      const x = b.slice();
      solveUpperTransposed(r, rank, x);
      return x;
    },
  });
  return norm * inverse;
}

function residualsOf(a: Matrix, solution: Matrix, b: Matrix): Float64Array {
  const result = new Float64Array(b.columns);
  for (const [at, x] of multiply(a, solution).data.entries()) {
    const column = at % b.columns;
    result[column] = (result[column] ?? 0) + (x - (b.data[at] ?? 0)) ** 2;
  }
  return result;
}
