// Sliding windows: attributes of convolutions and pools, and the sizes they give.
// Output size per axis (ONNX, Conv): floor((in + begin + end - ((k - 1) d + 1))/s) + 1; auto_pad SAME_*: ceil(in/s).
import { addDims, ceilDivDims, floorDivDims, minDims, mulDims, subDims, type Dim } from '../ir/dim.js';
import type { Dims } from './inputs.js';
import type { OpSite } from './record.js';

/** Window attributes with their defaults filled in, one entry per spatial axis. */
export interface Window {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** All begins, then all ends. Zero where auto_pad decides. */
  readonly pads: readonly number[];
  readonly autoPad: string;
}

/** The window of `site` over `axes` spatial axes; undefined when an attribute's length disagrees. */
export function windowOf(site: OpSite, axes: number): Window | undefined {
  const { node } = site;
  const autoPad = node.string('auto_pad', 'NOTSET');
  const strides = node.ints('strides') ?? Array<number>(axes).fill(1);
  const dilations = node.ints('dilations') ?? Array<number>(axes).fill(1);
  const given = autoPad === 'NOTSET' || autoPad === '' ? node.ints('pads') : undefined;
  const pads = given ?? Array<number>(2 * axes).fill(0);
  const fits =
    strides.length === axes &&
    dilations.length === axes &&
    pads.length === 2 * axes &&
    strides.every((stride) => stride > 0);
  return fits ? { strides, dilations, pads, autoPad } : undefined;
}

/** Extent of a dilated kernel: (k - 1) d + 1. */
export function extentOf(kernel: Dim, dilation: number): Dim {
  return addDims(mulDims(subDims(kernel, 1), dilation), 1);
}

/**
 * Output sizes of a window moved over `spatial`. Symbolic sizes are taken to hold a whole window; of numbers that do
 * not, the quotient is cut off at the point, as the runtime does: a pool of 2 over 1 element gives 1. With `ceil`, a
 * last window that would begin in the end padding is dropped, as ONNX Runtime and ONNX (opset 22) do: then there are at
 * most ceil((in + begin)/s) windows.
 */
export function windowOutput(
  spatial: Dims,
  kernel: Dims,
  window: Window,
  rounding: 'floor' | 'ceil',
): Dim[] | undefined {
  if (kernel.length !== spatial.length) return undefined;
  const axes = spatial.length;
  return spatial.map((size, i) => {
    const stride = window.strides[i] ?? 1;
    if (window.autoPad.startsWith('SAME')) return ceilDivDims(size, stride);
    const begin = window.pads[i] ?? 0;
    const padded = addDims(size, begin + (window.pads[axes + i] ?? 0));
    const free = subDims(padded, extentOf(kernel[i] ?? 1, window.dilations[i] ?? 1));
    if (typeof free === 'number' && free < 0) return Math.trunc(free / stride) + 1;
    if (rounding === 'floor') return addDims(floorDivDims(free, stride), 1);
    return minDims(addDims(ceilDivDims(free, stride), 1), ceilDivDims(addDims(size, begin), stride));
  });
}
