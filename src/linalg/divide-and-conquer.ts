// Eigenvalues and vectors of symmetric tridiagonal matrices by divide and conquer (Cuppen, Numer. Math. 36, 1981; Golub & Van Loan, 4th
// edition, 8.4.4): both halves are solved alone, what joins them is a change of rank 1. Nearly all work is in products.
import { matrix, type Matrix } from './matrix.js';
import { solveSecular, type SecularRoots } from './secular.js';
import type { Steps } from './steps.js';
import { tridiagonalQr, type Spectrum, type Tridiagonal } from './tridiagonal-qr.js';

/** Size up to which QR steps are faster. */
const SMALL = 32;

/** All eigenvalues with the vectors of the `count` largest. Elements should not be far from 1. */
export function* divideAndConquer(whole: Tridiagonal, count: number): Steps<Spectrum> {
  const { diagonal, beside } = whole;
  const n = diagonal.length;
  if (n <= SMALL) return tridiagonalQr(whole, count);
  const cut = n >> 1;
  const joint = beside[cut - 1] as number;
  const [upper, lower] = [diagonal.slice(0, cut), diagonal.slice(cut)];
  upper[cut - 1] = (upper[cut - 1] as number) - Math.abs(joint);
  lower[0] = (lower[0] as number) - Math.abs(joint);
  const first = yield* divideAndConquer({ diagonal: upper, beside: beside.slice(0, cut - 1) }, cut);
  const second = yield* divideAndConquer({ diagonal: lower, beside: beside.slice(cut) }, n - cut);
  return yield* join(first, second, joint, count);
}

/** D + rho z z^T in the basis of the rows of both halves. */
interface Joined {
  readonly cut: number;
  readonly rho: number;
  /** Both spectra, from the smallest value of each; `values` and `weights` change in deflation, and rows of `vectors` with them. */
  readonly values: Float64Array;
  readonly weights: Float64Array;
  /** n x n */
  readonly vectors: Matrix;
  /** Whether row i has elements in the columns before the cut, and behind it. */
  readonly reaches: { readonly before: boolean[]; readonly behind: boolean[] };
}

function* join(first: Spectrum, second: Spectrum, joint: number, count: number): Steps<Spectrum> {
  const joined = joinHalves(first, second, joint);
  const { kept, done } = deflate(joined);
  const secular = solveSecular({
    poles: Float64Array.from(kept, (i) => joined.values[i] ?? 0),
    weights: Float64Array.from(kept, (i) => joined.weights[i] ?? 0),
    rho: joined.rho,
  });
  const found = [
    ...done.map((row) => ({ value: joined.values[row] ?? 0, row, root: undefined })),
    ...Array.from(secular.roots, (value, root) => ({ value, row: undefined, root })),
  ].toSorted((a, b) => b.value - a.value);
  const n = joined.values.length;
  const wanted = found.slice(0, count);
  const roots = wanted.flatMap(({ root }) => root ?? []);
  const rotated = yield* rotate(joined, kept, mixture(secular, roots));
  const vectors = matrix(wanted.length, n);
  let next = 0;
  for (const [to, { row }] of wanted.entries()) {
    const [source, from] = row === undefined ? [rotated, next++] : [joined.vectors, row];
    vectors.data.set(source.data.subarray(from * n, (from + 1) * n), to * n);
  }
  return { values: Float64Array.from(found, ({ value }) => value), vectors };
}

function joinHalves(first: Spectrum, second: Spectrum, joint: number): Joined {
  const [cut, behind] = [first.values.length, second.values.length];
  const n = cut + behind;
  const vectors = matrix(n, n);
  const weights = new Float64Array(n);
  for (let i = 0; i < cut; i++) {
    vectors.data.set(first.vectors.data.subarray(i * cut, (i + 1) * cut), i * n);
    weights[i] = (first.vectors.data[(i + 1) * cut - 1] as number) * Math.SQRT1_2;
  }
  for (let i = 0; i < behind; i++) {
    vectors.data.set(second.vectors.data.subarray(i * behind, (i + 1) * behind), (cut + i) * n + cut);
    weights[cut + i] = (second.vectors.data[i * behind] as number) * Math.SQRT1_2 * Math.sign(joint);
  }
  const isBefore = Array.from({ length: n }, (_, i) => i < cut);
  const reaches = { before: isBefore, behind: isBefore.map((is) => !is) };
  const values = new Float64Array(n);
  values.set(first.values);
  values.set(second.values, cut);
  return { cut, rho: 2 * Math.abs(joint), values, weights, vectors, reaches };
}

/**
 * Finds the rows that are eigenvectors already (`done`): those without weight, and of two with nearly the same value one, after a rotation
 * that takes its weight. The others, from the smallest value, are `kept`.
 */
function deflate(joined: Joined): { kept: number[]; done: number[] } {
  const { rho, values, weights } = joined;
  const largest = (numbers: Float64Array): number => numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const tolerance = 8 * Number.EPSILON * Math.max(largest(values), largest(weights));
  const [kept, done]: [number[], number[]] = [[], []];
  for (const i of Array.from(values.keys()).toSorted((a, b) => (values[a] ?? 0) - (values[b] ?? 0))) {
    if (rho * Math.abs(weights[i] as number) <= tolerance) {
      done.push(i);
      continue;
    }
    const last = kept.at(-1);
    if (last !== undefined) {
      const length = Math.hypot(weights[i] as number, weights[last] as number);
      const [c, s] = [(weights[i] as number) / length, -(weights[last] as number) / length];
      if (Math.abs(((values[i] as number) - (values[last] as number)) * c * s) <= tolerance) {
        rotateInto(joined, last, i, [c, s]);
        done.push(last);
        kept.pop();
      }
    }
    kept.push(i);
  }
  return { kept, done };
}

/** Turns rows `from` and `to` so that all weight is on `to`. */
function rotateInto(joined: Joined, from: number, to: number, [c, s]: readonly [number, number]): void {
  const { values, weights, vectors, reaches } = joined;
  weights[to] = Math.hypot(weights[from] as number, weights[to] as number);
  weights[from] = 0;
  const [a, b] = [values[from] as number, values[to] as number];
  values[from] = a * c * c + b * s * s;
  values[to] = a * s * s + b * c * c;
  const n = values.length;
  const [x, y] = [vectors.data.subarray(from * n, (from + 1) * n), vectors.data.subarray(to * n, (to + 1) * n)];
  for (let j = 0; j < n; j++) {
    const [p, q] = [x[j] as number, y[j] as number];
    x[j] = c * p + s * q;
    y[j] = c * q - s * p;
  }
  for (const reach of [reaches.before, reaches.behind]) {
    const either = reach[from] === true || reach[to] === true;
    reach[from] = either;
    reach[to] = either;
  }
}

/** Row by row the unit eigenvectors of D + rho z z^T of these roots, in the basis of the rows that were kept. */
function mixture({ gaps, weights }: SecularRoots, roots: readonly number[]): Matrix {
  const k = weights.length;
  const result = matrix(roots.length, k);
  for (const [to, root] of roots.entries()) {
    const row = result.data.subarray(to * k, (to + 1) * k);
    let sum = 0;
    for (let i = 0; i < k; i++) {
      const element = (weights[i] as number) / (gaps[root * k + i] as number);
      row[i] = element;
      sum += element * element;
    }
    const length = Math.sqrt(sum);
    for (let i = 0; i < k; i++) row[i] = (row[i] as number) / length;
  }
  return result;
}

/** The mixture of the kept rows; before and behind the cut only the rows that reach there count. */
function* rotate({ cut, vectors, reaches }: Joined, kept: readonly number[], mixed: Matrix): Steps<Matrix> {
  const n = vectors.rows;
  const result = matrix(mixed.rows, n);
  for (const [reach, from, to] of [
    [reaches.before, 0, cut],
    [reaches.behind, cut, n],
  ] as const) {
    const used = Array.from(kept.keys()).filter((at) => reach[kept[at] ?? 0] === true);
    if (used.length === 0 || mixed.rows === 0) continue;
    const factors = matrix(mixed.rows, used.length);
    const rows = matrix(used.length, to - from);
    for (let i = 0, at = 0; i < mixed.rows; i++)
      for (const column of used) factors.data[at++] = mixed.data[i * mixed.columns + column] as number;
    for (const [at, source] of used.entries()) {
      const row = (kept[source] ?? 0) * n;
      rows.data.set(vectors.data.subarray(row + from, row + to), at * rows.columns);
    }
    const part = yield [factors, rows];
    for (let i = 0; i < part.rows; i++)
      result.data.set(part.data.subarray(i * part.columns, (i + 1) * part.columns), i * n + from);
  }
  return result;
}
