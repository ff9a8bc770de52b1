// How much a system of equations magnifies errors, from a factor of it: the 1-norm of an inverse that is never formed (Hager's method as in
// Higham, ACM Trans. Math. Softw. 14, 1988).
import { solve } from './cholesky.js';
import { matrix, type Matrix } from './matrix.js';

/** A system that can be solved for a vector, and its transpose too. */
export interface Solver {
  readonly size: number;
  readonly solve: (b: Float64Array) => Float64Array;
  readonly solveTransposed: (b: Float64Array) => Float64Array;
}

/** Rounds of the search; two are usual. */
const ROUNDS = 5;

/**
 * A lower bound of the 1-norm of the inverse, rarely below a third of it, from a few solutions. Infinite where a solution is not finite.
 */
export function inverseNorm({ size, solve: solveFor, solveTransposed }: Solver): number {
  if (size === 0) return 0;
  // A vector that alternates and grows finds what the search can miss.
  const alternating = Float64Array.from(
    { length: size },
    (_, i) => (i % 2 === 0 ? 1 : -1) * (1 + i / Math.max(1, size - 1)),
  );
  let best = (2 * sumOf(solveFor(alternating))) / (3 * size);
  let x = new Float64Array(size).fill(1 / size);
  for (let round = 0; round < ROUNDS; round++) {
    const image = solveFor(x);
    const norm = sumOf(image);
    if (round > 0 && !(norm > best)) break;
    best = Math.max(best, norm);
    const slope = solveTransposed(image.map((element) => (element < 0 ? -1 : 1)));
    let steepest = 0;
    for (let i = 1; i < size; i++) if (Math.abs(slope[i] as number) > Math.abs(slope[steepest] as number)) steepest = i;
    x = new Float64Array(size);
    x[steepest] = 1;
  }
  return Number.isFinite(best) ? best : Infinity;
}

const sumOf = (x: Float64Array): number => x.reduce((sum, element) => sum + Math.abs(element), 0);

/** Estimate of the condition number (1-norm) of a symmetric positive definite matrix from itself and its Cholesky factor. */
export function choleskyCondition(a: Matrix, lower: Matrix): number {
  const n = a.rows;
  const solveFor = (b: Float64Array): Float64Array => solve(lower, matrix(n, 1, b)).data;
  return symmetricNorm(a) * inverseNorm({ size: n, solve: solveFor, solveTransposed: solveFor });
}

/** The largest sum of magnitudes in a column, from the lower triangle. */
function symmetricNorm({ rows: n, data }: Matrix): number {
  const sums = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const element = Math.abs(data[i * n + j] as number);
      sums[j] = (sums[j] as number) + element;
      if (j < i) sums[i] = (sums[i] as number) + element;
    }
  }
  return sums.reduce((most, x) => Math.max(most, x), 0);
}
