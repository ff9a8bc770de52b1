// Cholesky factor A = L L^T of a symmetric positive definite matrix, blocked (left-looking), and what is solved with it.
import { invariant } from '../base/errors.js';
import { addProduct, blockOf, flipped } from './gemm.js';
import { matrix, type Matrix } from './matrix.js';

export interface DampedFactor {
  /** L: lower triangular, n x n, zeros above the diagonal. */
  readonly lower: Matrix;
  /** What was added to the diagonal, as a part of its mean. */
  readonly damping: number;
}

export interface DampingOptions {
  /** Part of the mean diagonal that is added to the diagonal; it is raised tenfold until the factor exists. Default 0. */
  readonly damping?: number;
  /** Indices whose diagonal element is left as it is, such as that of the bias. They do not count for the mean. */
  readonly undamped?: readonly number[];
}

/** Rows and columns that are factored at a time. */
const BLOCK = 48;
/** What a damping of 0 is raised to at the first failure. */
const FIRST_DAMPING = 1e-10;
const LARGEST_DAMPING = 1e4;

/**
 * The factor of `a` + diag(`added`); of `a` the lower triangle is read. Undefined when that is not positive definite in
 * float64.
 */
export function cholesky(a: Matrix, added?: Float64Array): Matrix | undefined {
  const n = a.rows;
  invariant(n === a.columns, `a ${n} x ${a.columns} matrix has no Cholesky factor`);
  const lower = matrix(n, n);
  for (let i = 0; i < n; i++) {
    lower.data.set(a.data.subarray(i * n, i * n + i + 1), i * n);
    lower.data[i * n + i] = (a.data[i * n + i] ?? 0) + (added?.[i] ?? 0);
  }
  for (let from = 0; from < n; from += BLOCK) {
    const to = Math.min(n, from + BLOCK);
    if (from > 0) {
      const left = blockOf(lower, from, to, 0, from);
      addProduct(blockOf(lower, from, n, from, to), blockOf(lower, from, n, 0, from), flipped(left), -1);
    }
    if (!factorColumns(lower, from, to)) return undefined;
  }
  for (let i = 0; i < n; i++) lower.data.fill(0, i * n + i + 1, (i + 1) * n);
  return lower;
}

/** Columns [from, to) of the factor, after the columns before them were subtracted. False where a pivot is not positive. */
function factorColumns({ rows: n, data }: Matrix, from: number, to: number): boolean {
  for (let i = from; i < n; i++) {
    const row = i * n;
    for (let j = from; j < Math.min(to, i + 1); j++) {
      const other = j * n;
      let sum = data[row + j] as number;
      for (let k = from; k < j; k++) sum -= (data[row + k] as number) * (data[other + k] as number);
      if (j < i) {
        data[row + j] = sum / (data[other + j] as number);
        continue;
      }
      if (!(sum > 0 && Number.isFinite(sum))) return false;
      data[row + j] = Math.sqrt(sum);
    }
  }
  return true;
}

/**
 * The factor of `a` + damping * mean diagonal * I, the damping raised until the factor exists. Undefined when there is
 * none at any damping: an element is not finite, or an undamped one is not positive.
 */
export function dampedCholesky(a: Matrix, options: DampingOptions = {}): DampedFactor | undefined {
  const n = a.rows;
  const undamped = new Set(options.undamped);
  const damped = Array.from({ length: n }, (_, i) => i).filter((i) => !undamped.has(i));
  const mean = damped.reduce((sum, i) => sum + (a.data[i * n + i] ?? 0), 0) / Math.max(1, damped.length);
  for (let damping = options.damping ?? 0; damping <= LARGEST_DAMPING; damping = raised(damping)) {
    const added = new Float64Array(n);
    for (const i of damped) added[i] = damping * (mean > 0 ? mean : 1);
    const lower = cholesky(a, added);
    if (lower) return { lower, damping };
  }
  return undefined;
}

const raised = (damping: number): number => Math.max(FIRST_DAMPING, damping * 10);

/** X of A X = B (n x m) from the factor of A. `b` is not changed. */
export function solve(lower: Matrix, b: Matrix): Matrix {
  const n = lower.rows;
  invariant(b.rows === n, `${b.rows} equations for ${n} unknowns`);
  const x = matrix(n, b.columns, Float64Array.from(b.data));
  solveLower(lower, x);
  for (let to = n; to > 0; to -= BLOCK) {
    const from = Math.max(0, to - BLOCK);
    if (to < n) {
      const below = flipped(blockOf(lower, to, n, from, to));
      addProduct(blockOf(x, from, to, 0, x.columns), below, blockOf(x, to, n, 0, x.columns), -1);
    }
    for (let i = to - 1; i >= from; i--) {
      for (let k = i + 1; k < to; k++) addRow(x, i, k, -(lower.data[k * n + i] as number));
      scaleRow(x, i, 1 / (lower.data[i * n + i] as number));
    }
  }
  return x;
}

/** Replaces B by L^-1 B. */
export function solveLower(lower: Matrix, x: Matrix): void {
  const n = lower.rows;
  for (let from = 0; from < n; from += BLOCK) {
    const to = Math.min(n, from + BLOCK);
    if (from > 0) {
      const left = blockOf(lower, from, to, 0, from);
      addProduct(blockOf(x, from, to, 0, x.columns), left, blockOf(x, 0, from, 0, x.columns), -1);
    }
    for (let i = from; i < to; i++) {
      for (let k = from; k < i; k++) addRow(x, i, k, -(lower.data[i * n + k] as number));
      scaleRow(x, i, 1 / (lower.data[i * n + i] as number));
    }
  }
}

/** Row i += factor * row k, in the first `width` columns. */
function addRow({ columns, data }: Matrix, i: number, k: number, factor: number, width = columns): void {
  const [to, from] = [i * columns, k * columns];
  for (let j = 0; j < width; j++) data[to + j] = (data[to + j] as number) + factor * (data[from + j] as number);
}

function scaleRow({ columns, data }: Matrix, i: number, factor: number, width = columns): void {
  for (let at = i * columns; at < i * columns + width; at++) data[at] = (data[at] as number) * factor;
}

/** A^-1, symmetric, from the factor of A. Of both triangular solutions only the lower half is worked out. */
export function invert(lower: Matrix): Matrix {
  const n = lower.rows;
  const x = matrix(n, n);
  for (let i = 0; i < n; i++) x.data[i * n + i] = 1;
  for (let from = 0; from < n; from += BLOCK) {
    const to = Math.min(n, from + BLOCK);
    if (from > 0)
      addProduct(blockOf(x, from, to, 0, from), blockOf(lower, from, to, 0, from), blockOf(x, 0, from, 0, from), -1);
    for (let i = from; i < to; i++) {
      for (let k = from; k < i; k++) addRow(x, i, k, -(lower.data[i * n + k] as number), to);
      scaleRow(x, i, 1 / (lower.data[i * n + i] as number), to);
    }
  }
  for (let to = n; to > 0;) {
    const from = Math.max(0, to - BLOCK);
    if (to < n) {
      const below = flipped(blockOf(lower, to, n, from, to));
      addProduct(blockOf(x, from, to, 0, to), below, blockOf(x, to, n, 0, to), -1);
    }
    for (let i = to - 1; i >= from; i--) {
      for (let k = i + 1; k < to; k++) addRow(x, i, k, -(lower.data[k * n + i] as number), to);
      scaleRow(x, i, 1 / (lower.data[i * n + i] as number), to);
    }
    to = from;
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) x.data[j * n + i] = x.data[i * n + j] as number;
  return x;
}
