// Weights by ridge regression from second moments: (G + lam D) dW^T = R - G W0^T with G = sum x x^T, R = sum x y^T and D the
// identity without the bias, which shrinks towards the old weights W0 and not towards 0. And the same without targets,
// where inputs S go away and the rest K takes over what they did: dW_K = W_S G_SK (G_KK + lam D)^-1 (block form of the
// optimal brain surgeon).
import { invariant } from '../base/errors.js';
import { dampedCholesky, solve } from '../linalg/cholesky.js';
import { addProduct, blockOf, multiply, multiplyTransposed } from '../linalg/gemm.js';
import { matrix, submatrix, transpose, unpackSymmetric, type Matrix } from '../linalg/matrix.js';
import type { Moments } from './rank-update.js';

export interface RidgeOptions {
  /** Part of the mean of G's diagonal that is added to it; raised until the equations can be solved. Default 1e-4. */
  readonly lambda?: number;
}

export interface Refit {
  /** Outputs x columns, the bias last. */
  readonly rows: Matrix;
  /** What was used in the end. */
  readonly lambda: number;
  /** Mean over the sampled positions of the squared error, summed over outputs: with the old weights and the new. */
  readonly errorBefore: number;
  readonly errorAfter: number;
  /** The same mean of the squared target (`refitRows`) or of the output (`absorbInputs`): what errors are relative to. */
  readonly energy: number;
}

const DEFAULT_LAMBDA = 1e-4;

/**
 * The rows (outputs x columns, bias last) that map the inputs of the moments to their targets, near `old`. Undefined
 * when the moments are not finite or empty.
 */
export function refitRows(moments: Moments, old: Matrix, options: RidgeOptions = {}): Refit | undefined {
  if (moments.rows === 0) return undefined;
  const gram = unpackSymmetric(moments.gram, moments.columns);
  const found = ridgeSolver(moments, gram, old)(options.lambda ?? DEFAULT_LAMBDA);
  return (
    found && {
      ...found,
      errorBefore: fitError(moments, gram, old),
      errorAfter: fitError(moments, gram, found.rows),
      energy: sumOf(moments.energy) / moments.rows,
    }
  );
}

/** Solves for one ridge after the other: `gram` is that of the moments, unpacked. */
export function ridgeSolver(
  moments: Moments,
  gram: Matrix,
  old: Matrix,
): (lambda: number) => Pick<Refit, 'rows' | 'lambda'> | undefined {
  const { columns, outputs } = moments;
  checkRows(old, columns);
  invariant(outputs === old.rows, `moments of ${outputs} targets for ${old.rows} rows`);
  const bias = columns - 1;
  const residual = multiplyTransposed(gram, old);
  residual.data.forEach((value, i) => (residual.data[i] = (moments.cross[i] ?? 0) - value));
  return (lambda) => {
    const factor = dampedCholesky(gram, { damping: lambda, undamped: [bias] });
    if (!factor) return undefined;
    const change = transpose(solve(factor.lower, residual));
    const rows = old.data.map((value, i) => value + (change.data[i] ?? 0));
    return { rows: matrix(outputs, columns, rows), lambda: factor.damping };
  };
}

/** Mean of |y - W x|^2 over the rows of the moments, summed over outputs, for any weights W; `gram` as they have it, unpacked. */
export function fitError(moments: Moments, gram: Matrix, rows: Matrix): number {
  const product = multiply(rows, gram);
  let sum = sumOf(moments.energy);
  for (let o = 0; o < rows.rows; o++) {
    for (let j = 0; j < rows.columns; j++) {
      const at = o * rows.columns + j;
      const cross = moments.cross[j * rows.rows + o] ?? 0;
      sum += (rows.data[at] ?? 0) * ((product.data[at] ?? 0) - 2 * cross);
    }
  }
  return Math.max(0, sum) / moments.rows;
}

/**
 * Rows that do without the columns `removed` (zero there), the others changed so that the output changes least; the
 * last column is the bias. Undefined when the moments are not finite or empty.
 */
export function absorbInputs(
  moments: Moments,
  old: Matrix,
  removed: readonly number[],
  options: RidgeOptions = {},
): Refit | undefined {
  const { columns } = moments;
  checkRows(old, columns);
  const gone = new Set(removed);
  invariant(!gone.has(columns - 1), 'the bias cannot be removed');
  if (moments.rows === 0) return undefined;
  const kept = Array.from({ length: columns }, (_, i) => i).filter((i) => !gone.has(i));
  const all = Array.from({ length: old.rows }, (_, i) => i);
  const gram = unpackSymmetric(moments.gram, columns);
  const damping = options.lambda ?? DEFAULT_LAMBDA;
  const factor = dampedCholesky(submatrix(gram, kept, kept), { damping, undamped: [kept.length - 1] });
  if (!factor) return undefined;
  const moved = multiplyTransposed(submatrix(gram, kept, removed), submatrix(old, all, removed));
  const change = solve(factor.lower, moved);
  const rows = matrix(old.rows, columns);
  for (let o = 0; o < old.rows; o++)
    for (const [k, column] of kept.entries())
      rows.data[o * columns + column] = (old.data[o * columns + column] ?? 0) + (change.data[k * old.rows + o] ?? 0);
  const dropped = matrix(
    old.rows,
    columns,
    old.data.map((value, i) => (gone.has(i % columns) ? 0 : value)),
  );
  return {
    rows,
    lambda: factor.damping,
    errorBefore: changeError(gram, old, dropped) / moments.rows,
    errorAfter: changeError(gram, old, rows) / moments.rows,
    energy: energyOf(gram, old) / moments.rows,
  };
}

/** tr((A - B) G (A - B)^T): the sum of squared differences of the outputs of two sets of rows. */
export function changeError(gram: Matrix, a: Matrix, b: Matrix): number {
  return energyOf(
    gram,
    matrix(
      a.rows,
      a.columns,
      a.data.map((value, i) => value - (b.data[i] ?? 0)),
    ),
  );
}

/** tr(W G W^T): the sum of the squared outputs of these rows. */
export function energyOf(gram: Matrix, rows: Matrix): number {
  return sumOf(rowEnergies(gram, rows));
}

/** Columns of the gram matrix that are worked off together. */
const BLOCK = 128;

/** w G w^T for each row w: since G is symmetric, its blocks above the diagonal count twice. */
export function rowEnergies(gram: Matrix, rows: Matrix): Float64Array {
  const { columns, data } = rows;
  const energies = new Float64Array(rows.rows);
  for (let from = 0; from < columns; from += BLOCK) {
    const to = Math.min(columns, from + BLOCK);
    const product = matrix(rows.rows, to - from);
    const target = blockOf(product, 0, rows.rows, 0, to - from);
    addProduct(target, blockOf(rows, 0, rows.rows, 0, from), blockOf(gram, 0, from, from, to), 2);
    addProduct(target, blockOf(rows, 0, rows.rows, from, to), blockOf(gram, from, to, from, to), 1);
    for (let o = 0; o < rows.rows; o++)
      for (let j = from; j < to; j++)
        energies[o] =
          (energies[o] ?? 0) + (product.data[o * (to - from) + j - from] ?? 0) * (data[o * columns + j] ?? 0);
  }
  return energies;
}

const sumOf = (numbers: Float64Array): number => numbers.reduce((sum, x) => sum + x, 0);

function checkRows(rows: Matrix, columns: number): void {
  invariant(rows.columns === columns, `rows of ${rows.columns} for moments of ${columns} columns`);
}
