// A chain that begins with a 1x1 layer A (R x channels): what the rest of it sees, and the best A for a given rest. The rest is the
// matrix D (outputs x (R x taps)): K = D (A x I).
import { dampedCholesky, solve } from '../../linalg/cholesky.js';
import { addProduct, flipped, multiply, multiplyTransposed, type Block } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { conjugateGradients } from './conjugate-gradients.js';
import type { TensorProblem } from './tensor-problem.js';
import type { SeparableGram } from './whitening.js';

/** Part of the mean diagonal. */
const PRECONDITIONER_DAMPING = 1e-8;

/** The problem behind A. */
export interface Projected {
  /** (A x I) G (A x I)^T: (R taps) x (R taps). */
  readonly gram: Matrix;
  /** W G (A x I)^T: outputs x (R taps). */
  readonly cross: Matrix;
}

/** `gram`: that of the problem. */
export async function project(problem: TensorProblem, gram: Matrix, a: Matrix): Promise<Projected> {
  const cross = await problem.mapChannels(await problem.weighted(), a);
  return { gram: await problem.mapChannels(await imageOf(problem, gram, a), a), cross };
}

/** (A x I) G: (R taps) x (channels taps). */
async function imageOf(problem: TensorProblem, gram: Matrix, a: Matrix): Promise<Matrix> {
  const { channels, taps } = problem.sizes;
  const wide = await problem.product(a, matrix(channels, taps * gram.columns, gram.data));
  return matrix(a.rows * taps, gram.columns, wide.data);
}

/** Columns (i, `tap`) of rows over (count x taps), for all i. */
export function tapSlice({ rows, columns, data }: Matrix, taps: number, tap: number): Block {
  return { data, offset: tap, down: columns, right: taps, rows, columns: columns / taps };
}

/** Rows (i, `tap`) of a matrix whose rows are (count x taps). */
function tapRows({ rows, columns, data }: Matrix, taps: number, tap: number): Block {
  return { data, offset: tap * columns, down: taps * columns, right: 1, rows: rows / taps, columns };
}

const wholeOf = (a: Matrix): Block => ({
  data: a.data,
  offset: 0,
  down: a.columns,
  right: 1,
  rows: a.rows,
  columns: a.columns,
});

/** W G that is passed back through D: element (r, c) is the sum over outputs o and taps t of D(o, (r, t)) (W G)(o, (c, t)). */
export function passBack(weighted: Matrix, decoder: Matrix, taps: number): Matrix {
  const result = matrix(decoder.columns / taps, weighted.columns / taps);
  for (let tap = 0; tap < taps; tap++)
    addProduct(wholeOf(result), flipped(tapSlice(decoder, taps, tap)), tapSlice(weighted, taps, tap), 1);
  return result;
}

export interface ImproveOptions {
  /** That of the problem, and what it nearly is. */
  readonly gram: Matrix;
  readonly separable: SeparableGram;
  readonly iterations: number;
}

/** A nearer to what is best for `decoder` under the problem's covariance, from `a` on. */
export async function improveInput(
  problem: TensorProblem,
  a: Matrix,
  decoder: Matrix,
  { gram, separable, iterations }: ImproveOptions,
): Promise<Matrix> {
  const { taps, channels } = problem.sizes;
  const inner = multiply(transpose(decoder), decoder);
  const rhs = passBack(await problem.weighted(), decoder, taps);
  const apply = async (x: Float64Array): Promise<Float64Array> => {
    const image = await imageOf(problem, gram, matrix(a.rows, channels, x));
    const result = matrix(a.rows, channels);
    for (let tap = 0; tap < taps; tap++)
      addProduct(wholeOf(result), tapRows(inner, taps, tap), tapSlice(image, taps, tap), 1);
    return result.data;
  };
  const precondition = separableInverse(blended(inner, separable.tap), separable.channel);
  const found = await conjugateGradients(apply, rhs.data, a.data, { precondition, iterations, tolerance: 1e-4 });
  return matrix(a.rows, channels, found);
}

/** The sum over taps t and s of tap(t, s) inner((r, t), (q, s)): R x R. */
function blended(inner: Matrix, tap: Matrix): Matrix {
  const taps = tap.rows;
  const rank = inner.rows / taps;
  const result = matrix(rank, rank);
  for (let i = 0; i < inner.rows; i++)
    for (let j = 0; j < inner.rows; j++) {
      const at = Math.floor(i / taps) * rank + Math.floor(j / taps);
      const weight = tap.data[(i % taps) * taps + (j % taps)] as number;
      result.data[at] = (result.data[at] as number) + weight * (inner.data[i * inner.rows + j] as number);
    }
  return result;
}

/** X -> `left`^-1 X `right`^-1, both damped a little. */
export function separableInverse(left: Matrix, right: Matrix): (x: Float64Array) => Float64Array {
  const outer = dampedCholesky(left, { damping: PRECONDITIONER_DAMPING });
  const inner = dampedCholesky(right, { damping: PRECONDITIONER_DAMPING });
  return (x) => {
    if (!outer || !inner) return Float64Array.from(x);
    const half = solve(outer.lower, matrix(left.rows, right.rows, x));
    return transpose(solve(inner.lower, transpose(half))).data;
  };
}

/** The same span with orthonormal rows; the matrix itself where its rows depend on each other. */
export function orthonormalRows(a: Matrix): Matrix {
  const factor = dampedCholesky(multiplyTransposed(a, a));
  if (!factor) return a;
  // L^-1 A = L^T (A A^T)^-1 A.
  return multiply(transpose(factor.lower), solve(factor.lower, a));
}
