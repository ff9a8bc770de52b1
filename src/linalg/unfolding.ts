// Arrays of any number of axes as matrices and back: unfoldings, Khatri-Rao products and products along an axis (Kolda & Bader, Tensor
// Decompositions and Applications, 2009), in the order of row-major storage: the last axis runs fastest.
import { invariant } from '../base/errors.js';
import { multiply, type Gemm } from './gemm.js';
import { matrix, type Matrix } from './matrix.js';

/** A dense float64 array of any number of axes: flat, row-major. */
export interface DenseArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** An array over `data` (not copied), zeros without it. */
export function denseArray(shape: readonly number[], data: Float64Array = new Float64Array(sizeOf(shape))): DenseArray {
  invariant(data.length === sizeOf(shape), `an array of ${shape.join('x')} cannot have ${data.length} elements`);
  return { shape, data };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

/**
 * The unfolding along `axis`: row i holds the elements whose index on that axis is i, the other axes in their order, the last
 * fastest. Of A = sum over r of a_r o b_r o c_r the unfoldings are A (B kr C)^T, B (A kr C)^T and C (A kr B)^T.
 */
export function unfold(array: DenseArray, axis: number): Matrix {
  const [before, extent, after] = around(array.shape, axis);
  const result = matrix(extent, before * after);
  copyRuns(array.data, result.data, [before, extent, after], 'unfold');
  return result;
}

/** The array of `shape` whose unfolding along `axis` is `unfolded`. */
export function fold(unfolded: Matrix, axis: number, shape: readonly number[]): DenseArray {
  const [before, extent, after] = around(shape, axis);
  const fits = unfolded.rows === extent && unfolded.columns === before * after;
  invariant(fits, `${unfolded.rows}x${unfolded.columns} is no unfolding of ${shape.join('x')} along axis ${axis}`);
  const result = denseArray(shape);
  copyRuns(unfolded.data, result.data, [before, extent, after], 'fold');
  return result;
}

/** Elements of the axes before `axis`, of it, and of those behind it. */
function around(shape: readonly number[], axis: number): [number, number, number] {
  const extent = shape[axis];
  invariant(extent !== undefined, `an array of ${shape.join('x')} has no axis ${axis}`);
  return [sizeOf(shape.slice(0, axis)), extent, sizeOf(shape.slice(axis + 1))];
}

function copyRuns(
  source: Float64Array,
  target: Float64Array,
  [before, extent, after]: readonly [number, number, number],
  direction: 'unfold' | 'fold',
): void {
  for (let i = 0; i < extent; i++) {
    for (let b = 0; b < before; b++) {
      const stored = (b * extent + i) * after;
      const unfolded = (i * before + b) * after;
      const [from, to] = direction === 'unfold' ? [stored, unfolded] : [unfolded, stored];
      for (let k = 0; k < after; k++) target[to + k] = source[from + k] as number;
    }
  }
}

/**
 * The Khatri-Rao product of factors with the same number of columns: column r is the Kronecker product of their columns r, the
 * index of the last factor fastest. For I x R and J x R: element (i J + j, r) is a(i, r) b(j, r).
 */
export function khatriRao(factors: readonly Matrix[]): Matrix {
  const [first, ...others] = factors;
  invariant(first, 'a Khatri-Rao product needs a factor');
  return others.reduce(pairwise, first);
}

function pairwise(a: Matrix, b: Matrix): Matrix {
  const width = a.columns;
  invariant(width === b.columns, `a Khatri-Rao product of ${width} and ${b.columns} columns`);
  const result = matrix(a.rows * b.rows, width);
  let to = 0;
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) {
      for (let r = 0; r < width; r++)
        result.data[to++] = (a.data[i * width + r] as number) * (b.data[j * width + r] as number);
    }
  }
  return result;
}

/** The product along `axis` with a J x I matrix, I the extent of that axis, which becomes J. */
export function modeProduct(array: DenseArray, axis: number, factor: Matrix): DenseArray {
  return fold(multiply(factor, unfold(array, axis)), axis, array.shape.with(axis, factor.rows));
}

/** `modeProduct` by `gemm`. Rejects as `gemm` does. */
export async function modeProductWith(
  gemm: Gemm,
  array: DenseArray,
  axis: number,
  factor: Matrix,
): Promise<DenseArray> {
  return fold(await gemm(factor, unfold(array, axis)), axis, array.shape.with(axis, factor.rows));
}
