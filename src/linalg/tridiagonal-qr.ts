// Eigenvalues and vectors of small symmetric tridiagonal matrices: QR steps with Wilkinson's shift (Golub & Van Loan, Matrix Computations,
// 4th edition, 8.3).
import { invariant } from '../base/errors.js';
import { matrix, type Matrix } from './matrix.js';

/** A symmetric matrix with elements on and beside its diagonal only. */
export interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Element i stands between i and i + 1. */
  readonly beside: Float64Array;
}

/** Eigenvalues from the largest, and in row i of `vectors` the unit eigenvector of value i, of all or only the first values. */
export interface Spectrum {
  readonly values: Float64Array;
  readonly vectors: Matrix;
}

interface Unfinished extends Tridiagonal {
  readonly vectors: Matrix;
}

/** Steps that one eigenvalue may take; two or three are usual. */
const MOST_STEPS = 60;

/** All eigenvalues with the vectors of the `count` largest. */
export function tridiagonalQr({ diagonal, beside }: Tridiagonal, count: number): Spectrum {
  const n = diagonal.length;
  const vectors = matrix(n, n);
  for (let i = 0; i < n; i++) vectors.data[i * n + i] = 1;
  const reduced = { diagonal: diagonal.slice(), beside: beside.slice(), vectors };
  diagonalize(reduced);
  const order = Array.from(diagonal.keys()).toSorted((i, j) => (reduced.diagonal[j] ?? 0) - (reduced.diagonal[i] ?? 0));
  const sorted = matrix(count, n);
  for (const [to, from] of order.slice(0, count).entries())
    sorted.data.set(vectors.data.subarray(from * n, (from + 1) * n), to * n);
  return { values: Float64Array.from(order, (i) => reduced.diagonal[i] ?? 0), vectors: sorted };
}

/** Leaves the eigenvalues on the diagonal and their vectors in the rows. */
function diagonalize(reduced: Unfinished): void {
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
function stepQr({ diagonal, beside, vectors }: Unfinished, first: number, last: number): void {
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
