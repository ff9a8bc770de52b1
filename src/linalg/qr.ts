// QR decomposition by Householder reflections with column pivoting (Businger & Golub, Numer. Math. 7, 1965; norms of what is left as in
// Drmac & Bujanovic, ACM Trans. Math. Softw. 35, 2008). Columns are kept as rows here, so that everything runs along rows.
import { matrix, transpose, type Matrix } from './matrix.js';
import { makeMirror } from './reflection.js';

/** Columns of A in `order` = Q R. */
export interface PivotedQr {
  /** m x k, k the smaller of both sizes: orthonormal columns. */
  readonly q: Matrix;
  /** k x n, zeros below the diagonal; its diagonal elements fall in magnitude. */
  readonly r: Matrix;
  /** Column j of Q R is column `order[j]` of A. */
  readonly order: readonly number[];
}

/** Loss of a squared norm in updates after which it is worked out anew. */
const LOST = Math.sqrt(Number.EPSILON);

/** The decomposition of an m x n matrix, in the order of 2 m n min(m, n) multiplications. Elements must be finite. */
export function pivotedQr(a: Matrix): PivotedQr {
  const [m, n] = [a.rows, a.columns];
  const depth = Math.min(m, n);
  const columns = transpose(a).data;
  const order = Array.from({ length: n }, (_, j) => j);
  const norms = Float64Array.from(order, (j) => squaredNorm(columns, j * m, m));
  const known = norms.slice();
  const mirrors = matrix(depth, m);
  for (let k = 0; k < depth; k++) {
    let best = k;
    for (let j = k + 1; j < n; j++) if ((norms[j] as number) > (norms[best] as number)) best = j;
    if (best !== k) swapColumns({ columns, order, norms, known, m }, k, best);
    const v = mirrors.data.subarray(k * m, (k + 1) * m);
    v.set(columns.subarray(k * m + k, (k + 1) * m), k);
    columns[k * m + k] = makeMirror(v, k, 0);
    columns.fill(0, k * m + k + 1, (k + 1) * m);
    for (let j = k + 1; j < n; j++) {
      reflect(columns, j * m, v, k);
      const left = (norms[j] as number) - (columns[j * m + k] as number) ** 2;
      norms[j] = left;
      if (left > LOST * (known[j] as number)) continue;
      norms[j] = squaredNorm(columns, j * m + k + 1, m - k - 1);
      known[j] = norms[j] as number;
    }
  }
  const r = matrix(depth, n);
  for (let j = 0; j < n; j++)
    for (let i = 0; i <= Math.min(j, depth - 1); i++) r.data[i * n + j] = columns[j * m + i] as number;
  return { q: transpose(productOf(mirrors)), r, order };
}

interface Columns {
  readonly columns: Float64Array;
  readonly order: number[];
  readonly norms: Float64Array;
  readonly known: Float64Array;
  readonly m: number;
}

function swapColumns({ columns, order, norms, known, m }: Columns, i: number, j: number): void {
  const held = columns.slice(i * m, (i + 1) * m);
  columns.copyWithin(i * m, j * m, (j + 1) * m);
  columns.set(held, j * m);
  for (const list of [order, norms, known]) {
    const kept = list[i] as number;
    list[i] = list[j] as number;
    list[j] = kept;
  }
}

function squaredNorm(data: Float64Array, from: number, count: number): number {
  let sum = 0;
  for (let at = from; at < from + count; at++) sum += (data[at] as number) ** 2;
  return sum;
}

/** The vector at `start` becomes x - v (v^T x); v is zero before `from`. */
function reflect(data: Float64Array, start: number, v: Float64Array, from: number): void {
  let sum = 0;
  for (let i = from; i < v.length; i++) sum += (v[i] as number) * (data[start + i] as number);
  for (let i = from; i < v.length; i++) data[start + i] = (data[start + i] as number) - sum * (v[i] as number);
}

/** The first rows of Q^T, as many as there are reflections. */
function productOf(mirrors: Matrix): Matrix {
  const { rows: depth, columns: m } = mirrors;
  const result = matrix(depth, m);
  for (let k = depth - 1; k >= 0; k--) {
    result.data[k * m + k] = 1;
    const v = mirrors.data.subarray(k * m, (k + 1) * m);
    for (let i = k; i < depth; i++) reflect(result.data, i * m, v, k);
  }
  return result;
}
