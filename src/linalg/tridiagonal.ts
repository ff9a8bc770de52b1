// Symmetric matrices made tridiagonal by Householder reflections, and vectors taken back. Blocked (Dongarra, Sorensen & Hammarling, J.
// Comput. Appl. Math. 27, 1989): half of the work is in products, the other half reads the matrix once per column.
import { addProduct, blockOf } from './gemm.js';
import { matrix, transpose, type Matrix } from './matrix.js';
import { makeMirror } from './reflection.js';
import type { Steps } from './steps.js';
import type { Tridiagonal } from './tridiagonal-qr.js';

export interface Reduced extends Tridiagonal {
  /** n x n: row k is the normal v (of length sqrt 2) of reflection k, I - v v^T, in the columns behind k; zeros where nothing is reflected. */
  readonly mirrors: Matrix;
}

/** Columns that are reduced before the rest of the matrix is changed. */
const PANEL = 32;
/** Rows of the rest that are changed at a time. */
const BAND = 96;
/** Reflections that are applied at a time to vectors. */
const MIRRORS = 192;
/** Squared length (of a matrix with elements up to 1) below which a column is zero. */
const NO_LENGTH = 1e-300;

/** A = Q T Q^T, Q the product of the reflections from the first on. Destroys the lower triangle of `a`, which is all that is read. */
export function reduceToTridiagonal(a: Matrix): Reduced {
  const n = a.rows;
  const [diagonal, beside] = [new Float64Array(n), new Float64Array(Math.max(0, n - 1))];
  const mirrors = matrix(n, n);
  for (let from = 0; from < n; from += PANEL) {
    const to = Math.min(n, from + PANEL);
    const panel = matrix(to - from, n, mirrors.data.subarray(from * n, to * n));
    const images = matrix(to - from, n);
    for (let column = from; column < to; column++) {
      const mirror = mirrors.data.subarray(column * n, (column + 1) * n);
      readColumn(a, column, { panel, images, count: column - from }, mirror);
      diagonal[column] = mirror[column] as number;
      mirror[column] = 0;
      if (column + 1 === n) break;
      beside[column] = makeMirror(mirror, column + 1, NO_LENGTH);
      const image = images.data.subarray((column - from) * n, (column - from + 1) * n);
      if (mirror[column + 1] !== 0) makeImage(a, column + 1, mirror, { panel, images, count: column - from }, image);
    }
    changeRest(a, to, panel, images);
  }
  return { diagonal, beside, mirrors };
}

/** Reflections of a panel that the matrix does not hold yet: it stands for A - sum of (v w^T + w v^T), v in `panel`, w in `images`. */
interface Pending {
  readonly panel: Matrix;
  readonly images: Matrix;
  readonly count: number;
}

/** The column from its diagonal element on. */
function readColumn(a: Matrix, column: number, { panel, images, count }: Pending, out: Float64Array): void {
  const n = a.rows;
  for (let i = column; i < n; i++) out[i] = a.data[i * n + column] as number;
  for (let q = 0; q < count; q++) {
    const [v, w] = [panel.data.subarray(q * n, (q + 1) * n), images.data.subarray(q * n, (q + 1) * n)];
    addScaled(out, v, -(w[column] as number), column);
    addScaled(out, w, -(v[column] as number), column);
  }
}

/** w = A v - v (v^T A v) / 2, so that the reflected matrix is A - v w^T - w v^T. */
function makeImage(a: Matrix, from: number, v: Float64Array, { panel, images, count }: Pending, w: Float64Array): void {
  const n = a.rows;
  multiplySymmetric(a, from, v, w);
  for (let q = 0; q < count; q++) {
    const [other, image] = [panel.data.subarray(q * n, (q + 1) * n), images.data.subarray(q * n, (q + 1) * n)];
    const [along, across] = [dot(other, v, from), dot(image, v, from)];
    addScaled(w, other, -across, from);
    addScaled(w, image, -along, from);
  }
  addScaled(w, v, -dot(v, w, from) / 2, from);
}

/** out = A v in rows and columns from `from` on, from the lower triangle, four rows at a time: each row is read once for both triangles. */
function multiplySymmetric({ rows: n, data }: Matrix, from: number, v: Float64Array, out: Float64Array): void {
  let i = from;
  for (; i + 3 < n; i += 4) {
    const rows = [i * n, (i + 1) * n, (i + 2) * n, (i + 3) * n] as const;
    multiplyRows(data, rows, v, out, from, i);
    // The triangle on the diagonal.
    for (let p = i; p < i + 4; p++) multiplyRow(data, p * n, v, out, i, p);
  }
  for (; i < n; i++) multiplyRow(data, i * n, v, out, from, i);
}

/** Row i from column `from` to the diagonal. */
function multiplyRow(
  data: Float64Array,
  row: number,
  v: Float64Array,
  out: Float64Array,
  from: number,
  i: number,
): void {
  const own = v[i] as number;
  let sum = 0;
  for (let j = from; j < i; j++) {
    const element = data[row + j] as number;
    sum += element * (v[j] as number);
    out[j] = (out[j] as number) + element * own;
  }
  out[i] = (out[i] as number) + sum + (data[row + i] as number) * own;
}

/** Rows i to i + 3 in columns [from, i). */
function multiplyRows(
  data: Float64Array,
  [r0, r1, r2, r3]: readonly [number, number, number, number],
  v: Float64Array,
  out: Float64Array,
  from: number,
  i: number,
): void {
  const x0 = v[i] as number;
  const x1 = v[i + 1] as number;
  const x2 = v[i + 2] as number;
  const x3 = v[i + 3] as number;
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let j = from; j < i; j++) {
    const a0 = data[r0 + j] as number;
    const a1 = data[r1 + j] as number;
    const a2 = data[r2 + j] as number;
    const a3 = data[r3 + j] as number;
    const x = v[j] as number;
    s0 += a0 * x;
    s1 += a1 * x;
    s2 += a2 * x;
    s3 += a3 * x;
    out[j] = (out[j] as number) + (a0 * x0 + a1 * x1) + (a2 * x2 + a3 * x3);
  }
  out[i] = (out[i] as number) + s0;
  out[i + 1] = (out[i + 1] as number) + s1;
  out[i + 2] = (out[i + 2] as number) + s2;
  out[i + 3] = (out[i + 3] as number) + s3;
}

function dot(x: Float64Array, y: Float64Array, from: number): number {
  let sum = 0;
  for (let i = from; i < x.length; i++) sum += (x[i] as number) * (y[i] as number);
  return sum;
}

function addScaled(x: Float64Array, y: Float64Array, factor: number, from: number): void {
  for (let i = from; i < x.length; i++) x[i] = (x[i] as number) + factor * (y[i] as number);
}

/** A -= V^T W + W^T V in the lower triangle from `from` on, in bands that reach somewhat over the diagonal. */
function changeRest(a: Matrix, from: number, panel: Matrix, images: Matrix): void {
  const n = a.rows;
  if (from >= n) return;
  const depth = 2 * panel.rows;
  const [above, below] = [matrix(depth, n), matrix(depth, n)];
  above.data.set(panel.data);
  above.data.set(images.data, images.data.length);
  below.data.set(images.data);
  below.data.set(panel.data, panel.data.length);
  const left = transpose(above);
  for (let top = from; top < n; top += BAND) {
    const bottom = Math.min(n, top + BAND);
    const band = blockOf(a, top, bottom, from, bottom);
    addProduct(band, blockOf(left, top, bottom, 0, depth), blockOf(below, 0, depth, from, bottom), -1);
  }
}

/**
 * Rows that are eigenvectors of T become those of A: each is reflected, from the last reflection to the first. Reflections are gathered as
 * I - Y^T S Y (Schreiber & Van Loan, SIAM J. Sci. Stat. Comput. 10, 1989), so that the work is in products. Changes `vectors`.
 */
export function* takeBack(vectors: Matrix, mirrors: Matrix): Steps<void> {
  const n = mirrors.rows;
  for (let to = Math.max(0, n - 1); to > 0;) {
    const from = Math.max(0, to - MIRRORS);
    const normals = copyOf(mirrors, from, to, from + 1);
    const turned = transpose(normals);
    const combined = yield [gather(yield [normals, turned]), normals];
    const shadows = yield [copyOf(vectors, 0, vectors.rows, from + 1), turned];
    const change = yield [shadows, combined];
    for (let i = 0; i < vectors.rows; i++) {
      const [row, other] = [i * n + from + 1, i * change.columns];
      for (let j = 0; j < change.columns; j++)
        vectors.data[row + j] = (vectors.data[row + j] as number) - (change.data[other + j] as number);
    }
    to = from;
  }
}

/** S from Y Y^T: lower triangular; row p is -(row p of Y Y^T) S in front of the diagonal, and 1 on it. */
function gather({ rows: count, data }: Matrix): Matrix {
  const result = matrix(count, count);
  for (let p = 0; p < count; p++) {
    const row = result.data.subarray(p * count, (p + 1) * count);
    for (let r = 0; r < p; r++) {
      const factor = data[p * count + r] as number;
      for (let q = 0; q <= r; q++) row[q] = (row[q] as number) - factor * (result.data[r * count + q] as number);
    }
    row[p] = 1;
  }
  return result;
}

/** Rows [from, to) from column `column` on. */
function copyOf(source: Matrix, from: number, to: number, column: number): Matrix {
  const result = matrix(to - from, source.columns - column);
  for (let i = 0; i < result.rows; i++) {
    const row = (from + i) * source.columns;
    result.data.set(source.data.subarray(row + column, row + source.columns), i * result.columns);
  }
  return result;
}
