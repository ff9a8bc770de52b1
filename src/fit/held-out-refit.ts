// A refit that is judged on rows it has not seen: the ridge that is best there is taken (a wide patch on few samples needs a
// strong one, which leaves little more than a change of the bias), and where even that is no better than the old weights the
// layer stays as it is. Rows held out are never fitted: what one layer was fitted to, the next layer would find too good, and a
// classifier with more columns than there are samples would learn its samples by heart.
import { layerSizes, storedWeights, weightRows, type LinearLayer } from './patch-geometry.js';
import type { PatchMoments } from './patch-moments.js';
import type { Moments } from './rank-update.js';
import { fitError, ridgeSolver } from './refit.js';
import { matrix, unpackSymmetric, type Matrix } from '../linalg/matrix.js';

/** Sums over the rows that are fitted, and over those that judge. */
export interface SplitMoments {
  readonly fit: PatchMoments;
  readonly held: PatchMoments;
}

export interface StoredLayer {
  /** As ONNX stores them. */
  readonly weights: ArrayLike<number>;
  /** One per output. */
  readonly bias: ArrayLike<number>;
}

export interface HeldOutRefit {
  /** Undefined where no fit was better than the old weights on rows that it had not seen. */
  readonly layer: StoredLayer | undefined;
  /** The ridge that was best, as a part of the mean diagonal. */
  readonly lambda: number;
  /** Mean squared error on the rows held out, summed over outputs, over the variance of the targets there. */
  readonly errorBefore: number;
  /** The same of the new weights. */
  readonly errorAfter: number;
}

/** Most layers want about as much; from there on in the direction in which the error falls. */
const FIRST_TRIED = 0.1;
const STEP = 10;
const WEAKEST = 1e-9;
/** Little more than the bias changes: tried where nothing else is better than the old weights. */
const LAST_TRIED = [100, 1000] as const;
/**
 * Columns from which on a try takes half a second and more: there is one, and one more where it was no good. The best of all was no better than
 * that by more than a hundredth of the error, of layers of 200 columns and more.
 */
const WIDE = 1024;
/** Of such a layer with fewer rows than columns. */
const FIRST_OF_FEW = 10;
/** Errors of this size are those of float32. */
const EXACT = 1e-11;

/**
 * Weights and bias that bring the layer nearest to its targets. `lambda`: the ridge, if it is not to be looked for.
 * Undefined when moments are not finite or empty.
 */
export function refitHeldOut(
  layer: LinearLayer,
  old: StoredLayer,
  { fit, held }: SplitMoments,
  lambda?: number,
): HeldOutRefit | undefined {
  const rows = groupedRows(layer, old);
  const [judge, variance] = [judgeOf(held), targetVariance(held)];
  const before = judge(rows);
  if (!Number.isFinite(before) || !Number.isFinite(variance)) return undefined;
  const scale = variance > 0 ? 1 / variance : 1;
  const solvers = fit.parts.map((part, group) =>
    ridgeSolver(part, unpackSymmetric(part.gram, part.columns), rows[group] ?? matrix(0, 0)),
  );
  const attempt = (tried: number): Attempt => {
    const found = solvers.flatMap((solver) => solver(tried)?.rows ?? []);
    const error = found.length === solvers.length ? judge(found) : Infinity;
    return { lambda: tried, rows: found, error: Number.isFinite(error) ? error : Infinity };
  };
  const search = layerSizes(layer).patch < WIDE ? 'thorough' : 'quick';
  const hasFew = search === 'quick' && fit.parts.some((part) => part.rows < part.columns);
  const start = hasFew ? FIRST_OF_FEW : FIRST_TRIED;
  const best = lambda === undefined ? leastError(attempt, before, { start, search }) : attempt(lambda);
  const isBetter = best.error < before && before * scale > EXACT;
  return {
    layer: isBetter ? layerOf(layer, best.rows) : undefined,
    lambda: best.lambda,
    errorBefore: before * scale,
    errorAfter: best.error * scale,
  };
}

/** One ridge: the rows that it gives, by group, and their error on the rows held out. */
interface Attempt {
  readonly lambda: number;
  readonly rows: readonly Matrix[];
  readonly error: number;
}

function leastError(
  attempt: (lambda: number) => Attempt,
  before: number,
  { start, search }: { readonly start: number; readonly search: 'thorough' | 'quick' },
): Attempt {
  let best = attempt(start);
  const improves = (lambda: number): boolean => {
    const next = attempt(lambda);
    const isBetter = next.error < best.error;
    if (isBetter) best = next;
    return isBetter;
  };
  const strongest = LAST_TRIED[1];
  if (search === 'quick') {
    if (!(best.error < before)) improves(LAST_TRIED[0]);
    return best;
  }
  if (improves(start * STEP)) while (best.lambda < strongest && improves(best.lambda * STEP));
  else while (best.lambda > WEAKEST && improves(best.lambda / STEP));
  if (!(best.error < before)) for (const lambda of LAST_TRIED) improves(lambda);
  return best;
}

/** Weights and biases by group: outputs x (patch, bias). */
export function groupedRows(layer: LinearLayer, { weights, bias }: StoredLayer): Matrix[] {
  const { groups, outputs, patch } = layerSizes(layer);
  const all = weightRows(layer, weights);
  return Array.from({ length: groups }, (_, group) => {
    const own = matrix(outputs, patch + 1);
    for (let o = 0; o < outputs; o++) {
      const row = group * outputs + o;
      own.data.set(all.subarray(row * patch, (row + 1) * patch), o * (patch + 1));
      own.data[o * (patch + 1) + patch] = bias[row] ?? 0;
    }
    return own;
  });
}

/** The inverse of `groupedRows`. */
export function layerOf(layer: LinearLayer, rows: readonly Matrix[]): StoredLayer {
  const { groups, outputs, patch } = layerSizes(layer);
  const weights = new Float64Array(groups * outputs * patch);
  const bias = new Float64Array(groups * outputs);
  for (const [group, { data }] of rows.entries()) {
    for (let o = 0; o < outputs; o++) {
      const at = group * outputs + o;
      weights.set(data.subarray(o * (patch + 1), o * (patch + 1) + patch), at * patch);
      bias[at] = data[o * (patch + 1) + patch] ?? 0;
    }
  }
  return { weights: storedWeights(layer, weights), bias };
}

/** The mean squared error of rows, by group, summed over outputs. */
function judgeOf({ parts }: PatchMoments): (rows: readonly Matrix[]) => number {
  const grams = parts.map(({ gram, columns }) => unpackSymmetric(gram, columns));
  return (rows) =>
    parts.reduce((sum, part, group) => {
      const [gram, own] = [grams[group], rows[group]];
      return gram && own ? sum + fitError(part, gram, own) : Number.NaN;
    }, 0);
}

/** Mean square of the targets less the square of their mean, summed over outputs. */
function targetVariance({ parts }: PatchMoments): number {
  return parts.reduce((sum, part) => sum + varianceOf(part), 0);
}

function varianceOf({ columns, outputs, rows, cross, energy }: Moments): number {
  let variance = 0;
  for (let o = 0; o < outputs; o++)
    variance += (energy[o] ?? 0) / rows - ((cross[(columns - 1) * outputs + o] ?? 0) / rows) ** 2;
  return Math.max(0, variance);
}
