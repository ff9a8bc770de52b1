// Dense float64 matrices: flat, row-major. Symmetric ones are kept as their upper triangle, packed row by row, where
// there are many or they travel between processes.
import { invariant } from '../base/errors.js';

/** Element (i, j) is `data[i * columns + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** A matrix over `data` (not copied), zeros without it. */
export function matrix(rows: number, columns: number, data: Float64Array = new Float64Array(rows * columns)): Matrix {
  invariant(data.length === rows * columns, `a ${rows} x ${columns} matrix cannot have ${data.length} elements`);
  return { rows, columns, data };
}

/** A copy with rows and columns exchanged. */
export function transpose({ rows, columns, data }: Matrix): Matrix {
  const result = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j] ?? 0;
  return matrix(columns, rows, result);
}

/** The elements at `rows` x `columns`, in that order. */
export function submatrix(source: Matrix, rows: readonly number[], columns: readonly number[]): Matrix {
  const result = new Float64Array(rows.length * columns.length);
  let at = 0;
  for (const i of rows) for (const j of columns) result[at++] = source.data[i * source.columns + j] ?? 0;
  return matrix(rows.length, columns.length, result);
}

/** Elements of the packed upper triangle of a symmetric matrix of `size`. */
export function packedLength(size: number): number {
  return (size * (size + 1)) / 2;
}

/** What to add to a column index j >= i to find element (i, j) in the packed upper triangle. */
export function packedRow(size: number, i: number): number {
  return (i * (2 * size - i - 1)) / 2;
}

/** The whole symmetric matrix from its packed upper triangle. */
export function unpackSymmetric(packed: Float64Array, size: number): Matrix {
  return leadingSymmetric(packed, size, size);
}

/** The first `count` rows and columns of a symmetric matrix from its packed upper triangle. */
export function leadingSymmetric(packed: Float64Array, size: number, count: number): Matrix {
  invariant(packed.length === packedLength(size), `${packed.length} elements are no triangle of size ${size}`);
  const data = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    const row = packedRow(size, i);
    for (let j = i; j < count; j++) {
      const element = packed[row + j] ?? 0;
      data[i * count + j] = element;
      data[j * count + i] = element;
    }
  }
  return matrix(count, count, data);
}
