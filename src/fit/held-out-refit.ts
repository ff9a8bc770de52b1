// A refit that is judged on rows it has not seen: the ridge that is best there is taken (a wide patch on few samples needs a
// strong one, which leaves little more than a change of the bias), and where even that is no better than the old weights the
// layer stays as it is.
import { refitLayer, type RefittedLayer } from './layer-weights.js';
import { layerSizes, weightRows, type LinearLayer } from './patch-geometry.js';
import { PATCH_MOMENTS, type PatchMoments } from './patch-moments.js';
import type { Moments } from './rank-update.js';
import { meanError } from './refit.js';
import { matrix } from '../linalg/matrix.js';

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
  /** Fitted on all rows; undefined where no fit was better than the old weights on rows that it had not seen. */
  readonly layer: RefittedLayer | undefined;
  /** Fitted without the rows held out. */
  readonly fitted: RefittedLayer | undefined;
  /** The ridge that was best, as a part of the mean diagonal. */
  readonly lambda: number;
  /** Mean squared error on the rows held out, summed over outputs, over the variance of the targets there. */
  readonly errorBefore: number;
  /** The same of the weights fitted on the other rows. */
  readonly errorAfter: number;
}

/** Tried first, then what lies between the best of them and its neighbours. Without end, only the bias would change. */
const COARSE = [1e-4, 1e-2, 1, 100] as const;
const WEAKEST = 1e-9;
const STEP = 10;

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
  const variance = targetVariance(held);
  const before = heldError(layer, old, held);
  if (!Number.isFinite(before) || !Number.isFinite(variance)) return undefined;
  const scale = variance > 0 ? 1 / variance : 1;
  const errorAt = (tried: number): number => {
    const found = refitLayer(layer, old.weights, old.bias, fit, { lambda: tried });
    const error = found ? heldError(layer, found, held) : Infinity;
    return Number.isFinite(error) ? error : Infinity;
  };
  const best = lambda === undefined ? leastError(errorAt) : { lambda, error: errorAt(lambda) };
  const isBetter = best.error < before && before * scale > EXACT;
  const all = isBetter ? PATCH_MOMENTS.merge(fit, held) : undefined;
  return {
    fitted: refitLayer(layer, old.weights, old.bias, fit, { lambda: best.lambda }),
    layer: all && refitLayer(layer, old.weights, old.bias, all, { lambda: best.lambda }),
    lambda: best.lambda,
    errorBefore: before * scale,
    errorAfter: best.error * scale,
  };
}

/** Errors of this size are those of float32. */
const EXACT = 1e-11;

function leastError(errorAt: (lambda: number) => number): { readonly lambda: number; readonly error: number } {
  let best = { lambda: COARSE[0] as number, error: Infinity };
  const improves = (lambda: number): boolean => {
    const error = errorAt(lambda);
    const isBetter = error < best.error;
    if (isBetter) best = { lambda, error };
    return isBetter;
  };
  for (const lambda of COARSE) improves(lambda);
  const { lambda: centre } = best;
  if (centre === COARSE[0]) while (best.lambda > WEAKEST && improves(best.lambda / STEP));
  if (best.lambda === centre) improves(centre * STEP);
  if (best.lambda === centre && centre !== COARSE[0]) improves(centre / STEP);
  return best;
}

function heldError(layer: LinearLayer, { weights, bias }: StoredLayer, { parts }: PatchMoments): number {
  const { outputs, patch } = layerSizes(layer);
  const rows = weightRows(layer, weights);
  return parts.reduce((sum, part, group) => {
    const own = matrix(outputs, patch + 1);
    for (let o = 0; o < outputs; o++) {
      const row = group * outputs + o;
      own.data.set(rows.subarray(row * patch, (row + 1) * patch), o * (patch + 1));
      own.data[o * (patch + 1) + patch] = bias[row] ?? 0;
    }
    return sum + meanError(part, own);
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
