// What counts as a small error of a factorization: of the weights, of the weights with each input channel as large as its
// values are, or of the layer's output on the samples.
import { invariant } from '../../base/errors.js';
import { matrix, packedRow, type Matrix } from '../../linalg/matrix.js';
import { placedParts } from '../layer-weights.js';
import { layerSizes, type LinearLayer } from '../patch-geometry.js';
import type { PatchMoments } from '../patch-moments.js';

/**
 * - `plain`: squared error of the weights;
 * - `diagonal`: the same, each input channel counted by the mean square of its values;
 * - `outputs`: squared error of the output about its mean, by the covariance of the patches; the bias takes up the mean. Moments
 *   with targets: the chain is fitted to the targets and not to what the layer gives.
 */
export type Metric =
  | { readonly kind: 'plain' }
  | { readonly kind: 'diagonal'; readonly moments: PatchMoments }
  | {
      readonly kind: 'outputs';
      readonly moments: PatchMoments;
      /** Part of the mean variance that is added to every variance: few samples say little. Default: numbers of a patch over
       * rows that were summed, within 1e-3 and 0.3. */
      readonly damping?: number;
    };

export type MetricName = Metric['kind'];

/** Mean and covariance of the patches; covariances of channels that were not summed together are 0. */
export interface PatchCovariance {
  readonly mean: Float64Array;
  readonly covariance: Matrix;
}

/** Of a layer without groups. Zeros where there were no rows. */
export function patchCovariance(layer: LinearLayer, moments: PatchMoments): PatchCovariance {
  const { groups, patch } = layerSizes(layer);
  invariant(groups === 1, 'layers with groups are not factorized');
  const [mean, covariance] = [new Float64Array(patch), matrix(patch, patch)];
  for (const { from, part } of placedParts(layer, moments)) {
    const { columns, gram } = part;
    const width = columns - 1;
    const rows = Math.max(1, part.rows);
    for (let i = 0; i < width; i++) mean[from + i] = (gram[packedRow(columns, i) + width] ?? 0) / rows;
    for (let i = 0; i < width; i++) {
      const row = packedRow(columns, i);
      for (let j = i; j < width; j++) {
        const element = (gram[row + j] as number) / rows - (mean[from + i] as number) * (mean[from + j] as number);
        // A variance below rounding is none.
        const value = i === j ? Math.max(0, element) : element;
        covariance.data[(from + i) * patch + from + j] = value;
        covariance.data[(from + j) * patch + from + i] = value;
      }
    }
  }
  return { mean, covariance };
}

/** Mean square per input channel, over the taps. */
export function channelPowers(layer: LinearLayer, moments: PatchMoments): Float64Array {
  const { inputs, taps } = layerSizes(layer);
  const powers = new Float64Array(inputs);
  for (const { from, part } of placedParts(layer, moments)) {
    for (let i = 0; i < part.columns - 1; i++) {
      const channel = Math.floor((from + i) / taps);
      const square = (part.gram[packedRow(part.columns, i) + i] ?? 0) / Math.max(1, part.rows);
      powers[channel] = (powers[channel] ?? 0) + square / taps;
    }
  }
  return powers;
}

/** The covariance with `damping` of the mean variance (or of 1 where there is none) on the diagonal, in place. */
export function damp({ rows: n, data }: Matrix, damping: number): void {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += data[i * n + i] as number;
  const added = damping * (sum > 0 ? sum / n : 1);
  for (let i = 0; i < n; i++) data[i * n + i] = (data[i * n + i] as number) + added;
}
