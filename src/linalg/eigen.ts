// Eigenvalues and eigenvectors of symmetric matrices: Householder reflections make the matrix tridiagonal, then QR steps with
// Wilkinson's shift make it diagonal (Golub & Van Loan, Matrix Computations, 4th edition, 8.3). Everything runs along rows.
import { invariant } from '../base/errors.js';
import { matrix, type Matrix } from './matrix.js';

/** A = V^T diag(values) V. */
export interface SymmetricEigen {
  /** From the largest. */
  readonly values: Float64Array;
  /** V, n x n: row i is the unit eigenvector of `values[i]`; its element of largest magnitude is positive. */
  readonly vectors: Matrix;
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Element i stands between i and i + 1. */
  readonly beside: Float64Array;
  /** Q^T of A = Q T Q^T. */
  readonly vectors: Matrix;
}

/** Steps that one eigenvalue may take; two or three are usual. */
const MOST_STEPS = 60;
/** Squared length (of a matrix with elements up to 1) below which a column is zero. */
const NO_LENGTH = 1e-300;

/**
 * All eigenvalues and eigenvectors of a symmetric matrix, of which the lower triangle is read. The error is some rounding
 * errors of the largest eigenvalue; time grows with n^3 (512: some 0.8 s). Undefined where an element is not finite.
 * @throws InternalError invariant where the matrix is not square
 */
export function symmetricEigen(a: Matrix): SymmetricEigen | undefined {
  const n = a.rows;
  invariant(n === a.columns, `a ${n} x ${a.columns} matrix has no eigenvalues`);
  const scale = a.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (!Number.isFinite(scale)) return undefined;
  const reduced = tridiagonal(
    matrix(
      n,
      n,
      a.data.map((x) => x / (scale || 1)),
    ),
  );
  diagonalize(reduced);
  const { diagonal, vectors } = reduced;
  const order = Array.from(diagonal.keys()).toSorted((i, j) => (diagonal[j] ?? 0) - (diagonal[i] ?? 0));
  const sorted = matrix(n, n);
  for (const [to, from] of order.entries()) {
    const row = vectors.data.subarray(from * n, (from + 1) * n);
    const most = row.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
    for (let j = 0; j < n; j++) sorted.data[to * n + j] = (row[j] ?? 0) * (most < 0 ? -1 : 1);
  }
  return { values: Float64Array.from(order, (i) => (diagonal[i] ?? 0) * scale), vectors: sorted };
}

/** Destroys the lower triangle of `a`. */
function tridiagonal(a: Matrix): Tridiagonal {
  const { rows: n, data } = a;
  const [diagonal, beside] = [new Float64Array(n), new Float64Array(Math.max(0, n - 1))];
  // Row k: what is reflected when column k is cleared, in the columns behind k; zeros where nothing is.
  const mirrors = matrix(n, n);
  const image = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    diagonal[k] = data[k * n + k] as number;
    if (k + 1 === n) break;
    const mirror = mirrors.data.subarray(k * n, (k + 1) * n);
    for (let i = k + 1; i < n; i++) mirror[i] = data[i * n + k] as number;
    beside[k] = makeMirror(mirror, k + 1);
    if (mirror[k + 1] !== 0) reflectBothSides(a, mirror, k + 1, image);
  }
  return { diagonal, beside, vectors: productOfMirrors(mirrors) };
}

/**
 * Turns the column that stands in `mirror` from `from` on into the normal v (of length sqrt 2) whose reflection I - v v^T leaves
 * its first element alone. Returns what becomes of that. All zeros where there is nothing to clear.
 */
function makeMirror(mirror: Float64Array, from: number): number {
  const first = mirror[from] as number;
  let below = 0;
  for (let i = from + 1; i < mirror.length; i++) below += (mirror[i] as number) ** 2;
  if (below < NO_LENGTH) {
    mirror.fill(0);
    return first;
  }
  const length = Math.sqrt(first * first + below);
  const result = first > 0 ? -length : length;
  const lead = first - result;
  const factor = Math.sqrt(2 / (lead * lead + below));
  mirror[from] = lead * factor;
  for (let i = from + 1; i < mirror.length; i++) mirror[i] = (mirror[i] as number) * factor;
  return result;
}

/** A becomes H A H with H = I - v v^T, in the lower triangle from `from` on: A - v w^T - w v^T, w = A v - v (v^T A v) / 2. */
function reflectBothSides({ rows: n, data }: Matrix, v: Float64Array, from: number, w: Float64Array): void {
  w.fill(0);
  for (let i = from; i < n; i++) {
    const [row, own] = [i * n, v[i] as number];
    let sum = 0;
    for (let j = from; j < i; j++) {
      const element = data[row + j] as number;
      sum += element * (v[j] as number);
      w[j] = (w[j] as number) + element * own;
    }
    w[i] = (w[i] as number) + sum + (data[row + i] as number) * own;
  }
  let half = 0;
  for (let i = from; i < n; i++) half += ((v[i] as number) * (w[i] as number)) / 2;
  for (let i = from; i < n; i++) w[i] = (w[i] as number) - half * (v[i] as number);
  for (let i = from; i < n; i++) {
    const [row, a, b] = [i * n, v[i] as number, w[i] as number];
    for (let j = from; j <= i; j++)
      data[row + j] = (data[row + j] as number) - a * (w[j] as number) - b * (v[j] as number);
  }
}

/** Q^T, the last reflection first. From the last one on, so that rows ahead of it are still those of the identity. */
function productOfMirrors({ rows: n, data }: Matrix): Matrix {
  const product = matrix(n, n);
  for (let i = 0; i < n; i++) product.data[i * n + i] = 1;
  for (let k = n - 2; k >= 0; k--) {
    const v = data.subarray(k * n, (k + 1) * n);
    if (v[k + 1] === 0) continue;
    for (let i = k + 1; i < n; i++) {
      const row = product.data.subarray(i * n, (i + 1) * n);
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += (row[j] as number) * (v[j] as number);
      for (let j = k + 1; j < n; j++) row[j] = (row[j] as number) - sum * (v[j] as number);
    }
  }
  return product;
}

/** Leaves the eigenvalues on the diagonal and their vectors in the rows. */
function diagonalize(reduced: Tridiagonal): void {
  const { diagonal, beside } = reduced;
  const isSplit = (i: number): boolean => {
    const around = Math.abs(diagonal[i] as number) + Math.abs(diagonal[i + 1] as number);
    return Math.abs(beside[i] as number) <= Number.EPSILON * (around + Number.EPSILON);
  };
  let steps = 0;
  for (let last = diagonal.length - 1; last > 0;) {
    if (isSplit(last - 1)) {
      last--;
      steps = 0;
      continue;
    }
    let first = last - 1;
    while (first > 0 && !isSplit(first - 1)) first--;
    invariant(steps++ < MOST_STEPS, `eigenvalue ${last} of ${diagonal.length} is not found`);
    stepQr(reduced, first, last);
  }
}

/** One QR step on rows and columns [first, last], in plane rotations that chase the element that is too many down the band. */
function stepQr({ diagonal, beside, vectors }: Tridiagonal, first: number, last: number): void {
  let x = (diagonal[first] as number) - wilkinsonShift(diagonal, beside, last);
  let z = beside[first] as number;
  for (let k = first; k < last; k++) {
    const length = Math.hypot(x, z);
    const [c, s] = length === 0 ? [1, 0] : [x / length, z / length];
    if (k > first) beside[k - 1] = length;
    const [p, q, r] = [diagonal[k] as number, beside[k] as number, diagonal[k + 1] as number];
    diagonal[k] = c * c * p + 2 * c * s * q + s * s * r;
    diagonal[k + 1] = s * s * p - 2 * c * s * q + c * c * r;
    x = (c * c - s * s) * q + c * s * (r - p);
    beside[k] = x;
    if (k + 1 < last) {
      z = s * (beside[k + 1] as number);
      beside[k + 1] = c * (beside[k + 1] as number);
    }
    rotateRows(vectors, k, c, s);
  }
}

/** The eigenvalue of the last 2 x 2 block that is nearer to its last element. */
function wilkinsonShift(diagonal: Float64Array, beside: Float64Array, last: number): number {
  const [p, q, r] = [diagonal[last - 1] as number, beside[last - 1] as number, diagonal[last] as number];
  const half = (p - r) / 2;
  return r - (q * q) / (half + (half < 0 ? -1 : 1) * Math.hypot(half, q));
}

function rotateRows({ columns: n, data }: Matrix, k: number, c: number, s: number): void {
  const [upper, lower] = [k * n, (k + 1) * n];
  for (let j = 0; j < n; j++) {
    const [a, b] = [data[upper + j] as number, data[lower + j] as number];
    data[upper + j] = c * a + s * b;
    data[lower + j] = c * b - s * a;
  }
}
