// What a factorization is: a chain of small linear layers that stands for a large one.
import { layerSizes, outputSizes, type LinearLayer } from '../patch-geometry.js';

/**
 * Schemes by what they make of a layer of C inputs, O outputs and a kernel:
 * - `svd`: rows or a 1x1 kernel, C -> R -> O;
 * - `channel-svd`: the kernel C -> R, then 1x1 R -> O;
 * - `spatial-svd`: k x 1 C -> R, then 1 x k R -> O;
 * - `tucker-2`: 1x1 C -> R1, the kernel R1 -> R2, 1x1 R2 -> O;
 * - `cp`: 1x1 C -> R, the kernel depthwise on R, 1x1 R -> O;
 * - `tucker-cp`: Tucker-2 with its core by CP, the matrices between 1x1 layers multiplied out: C -> R1 -> R -> R -> R2 -> O.
 */
export type FactorScheme = 'svd' | 'channel-svd' | 'spatial-svd' | 'tucker-2' | 'cp' | 'tucker-cp';

/** One layer of a chain, as ONNX stores it. */
export interface Factor {
  readonly layer: LinearLayer;
  readonly weights: Float64Array;
  /** One per output; on the last layer only. */
  readonly bias?: Float64Array;
}

/** A chain that stands for a layer. */
export interface Factorization {
  readonly scheme: FactorScheme;
  /** R, or R1 and R2 (`tucker-cp`: R1, R, R2). */
  readonly ranks: readonly number[];
  /** In the order of the data: strides, pads and dilations lie on the layers with the kernel. */
  readonly factors: readonly Factor[];
}

/** Weights of a chain without biases. */
export function chainParams(layers: readonly LinearLayer[]): number {
  return layers.reduce((sum, layer) => sum + weightsOf(layer), 0);
}

/** Multiplications of a chain for one sample; `input`: spatial sizes of its input (for rows: rows per sample). */
export function chainMacs(layers: readonly LinearLayer[], input: readonly number[]): number {
  let [sum, sizes] = [0, input];
  for (const layer of layers) {
    if (layer.kind !== 'rows') sizes = outputSizes(layer, sizes);
    sum += weightsOf(layer) * sizes.reduce((all, size) => all * size, 1);
  }
  return sum;
}

const weightsOf = (layer: LinearLayer): number => {
  const { groups, outputs, patch } = layerSizes(layer);
  return groups * outputs * patch;
};
