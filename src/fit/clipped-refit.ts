// A refit for layers in front of a Relu or Clip: what the activation cuts off anyway need not be met. Targets beyond a bound
// become whatever the layer gives beyond it (z = y where y > 0, else min(0, prediction)), and the same equations are solved
// again: the sum of squared errors against z falls in every sweep, and bounds the error behind the activation.
import { dampedCholesky, solve } from '../linalg/cholesky.js';
import { multiplyTransposed } from '../linalg/gemm.js';
import { matrix, transpose, unpackSymmetric, type Matrix } from '../linalg/matrix.js';
import type { LayerRows } from './gathered-rows.js';
import { groupedRows, layerOf, type HeldOutRefit, type StoredLayer } from './held-out-refit.js';
import { layerSizes, type LinearLayer } from './patch-geometry.js';
import type { PatchMoments } from './patch-moments.js';

/** What the activation leaves: 0 and infinity for a Relu. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

interface ClippedOptions {
  readonly bounds: Bounds;
  /** The ridge, as a part of the mean diagonal, towards `prior`. */
  readonly lambda: number;
  readonly prior: StoredLayer;
  readonly sweeps: number;
}

export interface ClippedRequest {
  readonly layer: LinearLayer;
  readonly old: StoredLayer;
  /** What is best without regard to the activation. */
  readonly plain: HeldOutRefit;
  readonly bounds: Bounds;
  /** Most is gained by the first where targets are what the layer gave before the activation; more where they are what comes after it. */
  readonly sweeps?: number | undefined;
}

/** Rows that are fitted, with their sums, and rows that judge. */
export interface SplitRows {
  readonly fit: LayerRows;
  readonly held: LayerRows;
  readonly moments: PatchMoments;
}

/** Errors behind the activation, on the rows held out, over the variance of the targets behind it. */
export interface ClippedRefit {
  readonly layer: StoredLayer | undefined;
  readonly errorBefore: number;
  readonly errorAfter: number;
}

const SWEEPS = 3;

/** The plain refit, or one that knows of the activation; the old weights (no layer) where neither is better than they. */
export async function refitBehind(request: ClippedRequest, { fit, held, moments }: SplitRows): Promise<ClippedRefit> {
  const { layer, old, plain, bounds, sweeps = SWEEPS } = request;
  const errorOf = (weights: StoredLayer): Promise<number> => clippedError(layer, weights, held, bounds);
  const errorBefore = await errorOf(old);
  if (!plain.layer) return { layer: undefined, errorBefore, errorAfter: errorBefore };
  const options = { bounds, sweeps, lambda: plain.lambda, prior: old };
  const plainError = await errorOf(plain.layer);
  const fitted = await refitClipped(layer, plain.layer, { rows: fit, moments }, options);
  const clipped = fitted ? await errorOf(fitted) : Infinity;
  const errorAfter = Math.min(plainError, clipped);
  if (!(errorAfter < errorBefore)) return { layer: undefined, errorBefore, errorAfter };
  return { layer: fitted && clipped < plainError ? fitted : plain.layer, errorBefore, errorAfter };
}

/** Weights and bias from those of `start` on, fitted to `rows`, of which `moments` are the sums. */
async function refitClipped(
  layer: LinearLayer,
  start: StoredLayer,
  { rows, moments }: { readonly rows: LayerRows; readonly moments: PatchMoments },
  { bounds, lambda, prior, sweeps }: ClippedOptions,
): Promise<StoredLayer | undefined> {
  const { groups, outputs, patch } = layerSizes(layer);
  const [old, first] = [groupedRows(layer, prior), groupedRows(layer, start)];
  const found: Matrix[] = [];
  for (let group = 0; group < groups; group++) {
    const [part, patches] = [moments.parts[group], rows.patches[group]];
    const gram = part && unpackSymmetric(part.gram, part.columns);
    const factor = gram && dampedCholesky(gram, { damping: lambda, undamped: [patch] });
    if (!gram || !patches || !factor) return undefined;
    const [before, own] = [old[group], first[group]];
    if (!before || !own) return undefined;
    const shrunk = multiplyTransposed(gram, before);
    let now = own;
    for (let sweep = 0; sweep < sweeps; sweep++) {
      const given = await patches.times(transpose(now));
      const residual = await patches.across(freedTargets(given, rows, group * outputs, bounds));
      residual.data.forEach((value, i) => (residual.data[i] = value - (shrunk.data[i] ?? 0)));
      const change = transpose(solve(factor.lower, residual));
      const sum = before.data.map((value, i) => value + (change.data[i] ?? 0));
      now = matrix(outputs, patch + 1, sum);
    }
    found.push(now);
  }
  return layerOf(layer, found);
}

/** Mean squared error behind the activation, summed over outputs, over the variance of the targets behind it. */
export async function clippedError(
  layer: LinearLayer,
  weights: StoredLayer,
  rows: LayerRows,
  { low, high }: Bounds,
): Promise<number> {
  const { outputs } = layerSizes(layer);
  const { targets, addends } = rows;
  const cut = (value: number): number => Math.min(high, Math.max(low, value));
  const own = groupedRows(layer, weights);
  let [error, variance] = [0, 0];
  for (const [group, patches] of rows.patches.entries()) {
    const given = await patches.times(transpose(own[group] ?? matrix(outputs, patches.columns)));
    for (let o = 0; o < outputs; o++) {
      let [sum, squares] = [0, 0];
      for (let row = 0, at = group * outputs + o; row < rows.count; row++, at += layer.outputs) {
        const addend = addends?.[at] ?? 0;
        const wanted = cut((targets[at] ?? 0) + addend);
        error += (cut((given.data[row * outputs + o] ?? 0) + addend) - wanted) ** 2;
        sum += wanted;
        squares += wanted * wanted;
      }
      variance += Math.max(0, squares - (sum * sum) / Math.max(1, rows.count));
    }
  }
  return variance > 0 ? error / variance : error;
}

/** y, or what was given where both lie beyond the same bound: there y asks for no more than the bound itself. `first`: output of column 0. */
export function freedTargets(
  given: Matrix,
  { count, targets, addends }: LayerRows,
  first: number,
  { low, high }: Bounds,
): Matrix {
  const freed = matrix(given.rows, given.columns);
  const width = targets.length / Math.max(1, count);
  for (let row = 0, at = 0; row < given.rows; row++) {
    for (let o = 0, from = row * width + first; o < given.columns; o++, from++, at++) {
      const addend = addends?.[from] ?? 0;
      const y = (targets[from] ?? 0) + addend;
      const now = (given.data[at] ?? 0) + addend;
      freed.data[at] = (y <= low ? Math.min(low, now) : y >= high ? Math.max(high, now) : y) - addend;
    }
  }
  return freed;
}
