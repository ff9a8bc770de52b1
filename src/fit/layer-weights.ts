// Rounding of a whole layer: weights as ONNX stores them in and out, one set of moments per group (or per run of
// channels, see `patchMomentsSpec`).
import { invariant } from '../base/errors.js';
import { matrix, type Matrix } from '../linalg/matrix.js';
import { layerSizes, storedWeights, weightRows, type LinearLayer } from './patch-geometry.js';
import type { PatchMoments } from './patch-moments.js';
import type { Moments } from './rank-update.js';
import { roundRows, type RoundingOptions } from './round-weights.js';

export interface RoundedLayer {
  /** As ONNX stores the weights. */
  readonly integers: Int8Array;
  /** One per output: what to add to the bias, in real numbers. */
  readonly biasShift: Float64Array;
  /** Mean squared change per output: rounded to the nearest, and as returned; and the mean squared output without bias. */
  readonly nearestError: Float64Array;
  readonly error: Float64Array;
  readonly energy: Float64Array;
}

/** Rounds weights to multiples of `scales` (one per output, all groups): see `roundRows`. */
export function roundLayer(
  layer: LinearLayer,
  weights: ArrayLike<number>,
  scales: ArrayLike<number>,
  moments: PatchMoments,
  options: RoundingOptions,
): RoundedLayer {
  const { groups, outputs, patch } = layerSizes(layer);
  const all = matrix(groups * outputs, patch, weightRows(layer, weights));
  const integers = new Int8Array(all.data.length);
  const perOutput = (): Float64Array => new Float64Array(groups * outputs);
  const [biasShift, nearestError, error, energy] = [perOutput(), perOutput(), perOutput(), perOutput()];
  for (const { group, from, part } of placedParts(layer, moments)) {
    const first = group * outputs;
    const width = part.columns - 1;
    const own = Array.from({ length: outputs }, (_, o) => scales[first + o] ?? 1);
    const rounded = roundRows(columnsOf(all, first, outputs, from, width), own, part, options);
    for (let o = 0; o < outputs; o++) {
      integers.set(rounded.integers.subarray(o * width, (o + 1) * width), (first + o) * patch + from);
      add(biasShift, first + o, rounded.biasShift[o]);
      add(nearestError, first + o, rounded.nearestError[o]);
      add(error, first + o, rounded.error[o]);
      add(energy, first + o, rounded.energy[o]);
    }
  }
  return { integers: Int8Array.from(storedWeights(layer, integers)), biasShift, nearestError, error, energy };
}

/** The moments of one group, or of a run of its channels, whose columns start at `from` of the group's patch. */
export interface PlacedPart {
  readonly group: number;
  readonly from: number;
  readonly part: Moments;
}

/** The parts with their group and their first column in it. */
export function placedParts(layer: LinearLayer, { parts }: PatchMoments): PlacedPart[] {
  const { groups, patch } = layerSizes(layer);
  let column = 0;
  const placed = parts.map((part) => {
    const at = { group: Math.floor(column / patch), from: column % patch, part };
    column += part.columns - 1;
    return at;
  });
  invariant(column === groups * patch, `moments of ${column} columns for ${groups} groups of ${patch}`);
  return placed;
}

/** Rows [first, first + count) and columns [from, from + width). */
function columnsOf(source: Matrix, first: number, count: number, from: number, width: number): Matrix {
  const result = matrix(count, width);
  for (let o = 0; o < count; o++) {
    const at = (first + o) * source.columns + from;
    result.data.set(source.data.subarray(at, at + width), o * width);
  }
  return result;
}

function add(sums: Float64Array, index: number, value: number | undefined): void {
  sums[index] = (sums[index] ?? 0) + (value ?? 0);
}
