// Weights rounded to integers such that the output changes least, not the weights: of H = sum x x^T over the layer's inputs,
// each number is rounded after taking up the error of those rounded before it. GPTQ (Frantar 2023) takes the shares from
// the Cholesky factor of H^-1; the same numbers come from that of H itself, H = M M^T with M upper triangular and the
// columns in the opposite order (Babai's nearest plane), which needs no inverse. Order: largest diagonal first.
import { invariant } from '../base/errors.js';
import { dampedCholesky } from '../linalg/cholesky.js';
import { leadingSymmetric, matrix, packedRow, submatrix, type Matrix } from '../linalg/matrix.js';
import type { Moments } from './rank-update.js';
import { rowEnergies } from './refit.js';

/** The integers weights may take, both included: [-127, 127], or 7 bits [-64, 63] where sums of two products saturate. */
export interface IntegerRange {
  readonly min: number;
  readonly max: number;
}

export interface RoundingOptions {
  readonly range: IntegerRange;
  /**
   * Part of the mean diagonal that is added to it. Default 0.1: on samples that were not calibrated with it did best over
   * the 53 layers of MobileNetV2 from 100 images, and 0.01, as GPTQ has it, made a layer worse than nearest rounding.
   */
  readonly damping?: number;
  /**
   * `shifted`: the bias takes up the mean of the error, so that only the rest of it counts. `kept` (default): it cannot.
   */
  readonly bias?: 'kept' | 'shifted';
}

export interface RoundedRows {
  /** Outputs x patch, row-major. */
  readonly integers: Int8Array;
  /** What to add to the bias of each output: 0 where it is kept. */
  readonly biasShift: Float64Array;
  /** Mean over positions of the squared change of each output: rounded to the nearest, and as returned. */
  readonly nearestError: Float64Array;
  readonly error: Float64Array;
  /** Mean of the squared output without bias: what the errors are relative to. */
  readonly energy: Float64Array;
}

const DEFAULT_DAMPING = 0.1;

/**
 * Rounds rows (outputs x patch, without bias) to multiples of `scales` (one per output). Each row is the better one of
 * second-order and nearest rounding as measured by the moments, so that none comes out worse than nearest.
 */
export function roundRows(
  rows: Matrix,
  scales: ArrayLike<number>,
  moments: Moments,
  options: RoundingOptions,
): RoundedRows {
  const patch = rows.columns;
  invariant(moments.columns === patch + 1, `moments of ${moments.columns} columns for rows of ${patch} and a bias`);
  invariant(scales.length === rows.rows, `${scales.length} scales for ${rows.rows} rows`);
  const isShifted = options.bias === 'shifted' && moments.rows > 0;
  const gram = leadingSymmetric(moments.gram, patch + 1, patch);
  const means = Array.from(rows.data.subarray(0, patch), (_, i) => meanInput(moments, i));
  const energy = meanOf(rowEnergies(gram, rows), moments.rows);
  if (isShifted) centre(gram, means, moments.rows);

  const nearest = nearestIntegers(rows, scales, options.range);
  const integers = secondOrder(rows, scales, gram, options) ?? nearest;
  const nearestError = meanOf(rowEnergies(gram, changes(rows, scales, nearest)), moments.rows);
  const error = meanOf(rowEnergies(gram, changes(rows, scales, integers)), moments.rows);
  for (let o = 0; o < rows.rows; o++) {
    if ((error[o] ?? 0) <= (nearestError[o] ?? 0)) continue;
    integers.set(nearest.subarray(o * patch, (o + 1) * patch), o * patch);
    error[o] = nearestError[o] ?? 0;
  }
  const change = changes(rows, scales, integers);
  const biasShift = new Float64Array(rows.rows);
  if (isShifted)
    change.data.forEach((value, i) => {
      const o = Math.floor(i / patch);
      biasShift[o] = (biasShift[o] ?? 0) + value * (means[i % patch] ?? 0);
    });
  return { integers, biasShift, nearestError, error, energy };
}

/** Mean of column i over the rows of the moments: its product with the trailing 1. */
const meanInput = ({ gram, columns, rows }: Moments, i: number): number =>
  (gram[packedRow(columns, i) + columns - 1] ?? 0) / Math.max(1, rows);

/** Each weight to the nearest integer (ties to even) of its row's scale, within the range. */
export function nearestIntegers(rows: Matrix, scales: ArrayLike<number>, range: IntegerRange): Int8Array {
  return Int8Array.from(rows.data, (value, i) => toInteger(value / (scales[Math.floor(i / rows.columns)] ?? 1), range));
}

function toInteger(value: number, { min, max }: IntegerRange): number {
  if (Number.isNaN(value)) return 0;
  const floor = Math.floor(value);
  const rest = value - floor;
  const isUp = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  return Math.min(max, Math.max(min, isUp ? floor + 1 : floor));
}

/** Weights minus what stands for them. */
function changes(rows: Matrix, scales: ArrayLike<number>, integers: Int8Array): Matrix {
  const { columns } = rows;
  const difference = rows.data.map((value, i) => value - (integers[i] ?? 0) * (scales[Math.floor(i / columns)] ?? 1));
  return matrix(rows.rows, columns, difference);
}

/** Takes the mean out of second moments: the covariance. */
function centre(gram: Matrix, means: readonly number[], count: number): void {
  means.forEach((a, i) =>
    means.forEach((b, j) => {
      const at = i * gram.columns + j;
      gram.data[at] = (gram.data[at] ?? 0) - count * a * b;
    }),
  );
}

const meanOf = (sums: Float64Array, count: number): Float64Array =>
  sums.map((sum) => Math.max(0, sum) / Math.max(1, count));

/** Undefined when the moments say nothing: none, or not finite. */
function secondOrder(
  rows: Matrix,
  scales: ArrayLike<number>,
  gram: Matrix,
  options: RoundingOptions,
): Int8Array | undefined {
  const patch = rows.columns;
  const diagonal = (i: number): number => gram.data[i * patch + i] ?? 0;
  // The factor's columns are worked off from the last to the first.
  const order = Array.from({ length: patch }, (_, i) => i).sort((a, b) => diagonal(a) - diagonal(b) || a - b);
  const factor = dampedCholesky(submatrix(gram, order, order), { damping: options.damping ?? DEFAULT_DAMPING });
  if (!factor) return undefined;
  const lower = factor.lower.data;
  const integers = new Int8Array(rows.data.length);
  for (let o = 0; o < rows.rows; o++) {
    const scale = scales[o] ?? 1;
    const shares = new Float64Array(patch);
    for (let i = patch - 1; i >= 0; i--) {
      const at = o * patch + (order[i] ?? 0);
      const weight = rows.data[at] ?? 0;
      const integer = toInteger((weight + (shares[i] ?? 0) / (lower[i * patch + i] ?? 1)) / scale, options.range);
      integers[at] = integer;
      passOn(lower, i * patch, i, weight - integer * scale, shares);
    }
  }
  return integers;
}

/** What the numbers still to be rounded have to take up: shares(j) += error L(i, j) for j < i. */
function passOn(lower: Float64Array, row: number, i: number, error: number, shares: Float64Array): void {
  for (let j = 0; j < i; j++) shares[j] = (shares[j] as number) + error * (lower[row + j] as number);
}
