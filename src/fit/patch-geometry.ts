// What a linear layer sees of its input: one row of numbers ("patch") per position of its output, such that the output is
// weights x patch. Conv: the window under the kernel, padding zeros included (im2col). ConvTranspose, y[q s + k d - p] +=
// W[k] x[q], read backwards: at output position t the tap k sees x[(t + p - k d) / s] where that is a whole number inside
// the input, else 0. Gemm and MatMul: the last axis.
import { invariant } from '../base/errors.js';

/** Sizes of a window, one entry per spatial axis everywhere. `ends` only tells how large the output is. */
export interface WindowLayer {
  /** `conv-transpose`: the output padding counts as negative end padding. */
  readonly kind: 'conv' | 'conv-transpose';
  /** Channels of the input and of the output, all groups together. */
  readonly inputs: number;
  readonly outputs: number;
  readonly groups: number;
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** Gemm or MatMul with constant weights on the right: rows are the last axis of the input. */
export interface RowLayer {
  readonly kind: 'rows';
  readonly inputs: number;
  readonly outputs: number;
  /** How the weights lie: `input-output` (MatMul, Gemm without transB) or `output-input` (Gemm with transB). */
  readonly weights: 'input-output' | 'output-input';
}

export type LinearLayer = WindowLayer | RowLayer;

/** Groups, and per group the channels of input and output, numbers of a patch (kernel positions included; no bias). */
export interface LayerSizes {
  readonly groups: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Kernel positions; 1 for rows. A patch is ordered channel by channel, then along the kernel. */
  readonly taps: number;
  readonly patch: number;
}

const product = (numbers: readonly number[]): number => numbers.reduce((all, n) => all * n, 1);

/** The sizes that moments and rows of weights have. */
export function layerSizes(layer: LinearLayer): LayerSizes {
  const groups = layer.kind === 'rows' ? 1 : layer.groups;
  const taps = layer.kind === 'rows' ? 1 : product(layer.kernel);
  const inputs = layer.inputs / groups;
  return { groups, inputs, outputs: layer.outputs / groups, taps, patch: inputs * taps };
}

/**
 * Weights as one row per output, groups one after the other: outputs x patch, row-major. `weights`: as ONNX stores them
 * (Conv [O, C/g, k], ConvTranspose [C, O/g, k], MatMul [K, N], Gemm [K, N] or [N, K]).
 */
export function weightRows(layer: LinearLayer, weights: ArrayLike<number>): Float64Array {
  const rows = new Float64Array(weights.length);
  forEachWeight(layer, weights.length, (stored, row) => (rows[row] = weights[stored] ?? 0));
  return rows;
}

/** The inverse of `weightRows`. */
export function storedWeights(layer: LinearLayer, rows: ArrayLike<number>): Float64Array {
  const weights = new Float64Array(rows.length);
  forEachWeight(layer, rows.length, (stored, row) => (weights[stored] = rows[row] ?? 0));
  return weights;
}

/** Index in the stored weights and in the rows, for every weight. */
function forEachWeight(layer: LinearLayer, length: number, visit: (stored: number, row: number) => void): void {
  const { groups, inputs, outputs, taps, patch } = layerSizes(layer);
  invariant(length === groups * outputs * patch, `${length} weights for ${groups * outputs} rows of ${patch}`);
  const isInputMajor = layer.kind === 'conv-transpose' || (layer.kind === 'rows' && layer.weights === 'input-output');
  if (!isInputMajor) {
    for (let i = 0; i < length; i++) visit(i, i);
    return;
  }
  let stored = 0;
  for (let group = 0; group < groups; group++)
    for (let input = 0; input < inputs; input++)
      for (let output = 0; output < outputs; output++)
        for (let tap = 0; tap < taps; tap++) visit(stored++, (group * outputs + output) * patch + input * taps + tap);
}

/** Columns of a patch that belong to these channels (numbers inside the group). */
export function channelColumns(layer: LinearLayer, channels: readonly number[]): number[] {
  const { taps } = layerSizes(layer);
  return channels.flatMap((channel) => Array.from({ length: taps }, (_, tap) => channel * taps + tap));
}

/** How the values of one batch lie: number n, position p, channel c stands at n batch + c channel + p position. */
export interface ValueLayout {
  readonly samples: number;
  readonly positions: number;
  readonly batch: number;
  readonly channel: number;
  readonly position: number;
}

/** Layout of a layer's output of these dims (or of a row layer's input, for which `channels` is its last axis). */
export function outputLayout(layer: LinearLayer, dims: readonly number[]): ValueLayout {
  const samples = dims.length > 1 ? (dims[0] ?? 1) : 1;
  const size = product(dims);
  if (layer.kind === 'rows') {
    const channel = dims.at(-1) ?? 1;
    const positions = size / Math.max(1, samples * channel);
    return { samples, positions, batch: positions * channel, channel: 1, position: channel };
  }
  const positions = product(dims.slice(2));
  return { samples, positions, batch: positions * (dims[1] ?? 1), channel: positions, position: 1 };
}

/** Spatial sizes of the output for those of the input. */
export function outputSizes(layer: WindowLayer, sizes: readonly number[]): number[] {
  return sizes.map((size, axis) => {
    const [kernel = 1, stride = 1, dilation = 1] = [layer.kernel[axis], layer.strides[axis], layer.dilations[axis]];
    const pads = (layer.begins[axis] ?? 0) + (layer.ends[axis] ?? 0);
    const extent = (kernel - 1) * dilation + 1;
    if (layer.kind === 'conv-transpose') return (size - 1) * stride + extent - pads;
    return Math.floor((size + pads - extent) / stride) + 1;
  });
}

/**
 * Where each tap of the window at output `position` (flat) reads the input, as a flat spatial index; -1 outside.
 * Writes `taps` numbers to `out`. `input` and `output`: spatial sizes.
 */
export function tapOffsets(
  layer: WindowLayer,
  input: readonly number[],
  output: readonly number[],
  position: number,
  out: Int32Array,
): void {
  out.fill(0);
  let rest = position;
  let repeat = 1;
  let pitch = 1;
  for (let axis = layer.kernel.length - 1; axis >= 0; axis--) {
    const size = output[axis] ?? 1;
    const at = rest % size;
    rest = (rest - at) / size;
    const kernel = layer.kernel[axis] ?? 1;
    for (let tap = 0; tap < out.length; tap++) {
      const read = readAt(layer, axis, at, Math.floor(tap / repeat) % kernel);
      const isInside = read >= 0 && read < (input[axis] ?? 1) && Number.isInteger(read);
      const before = out[tap] as number;
      out[tap] = isInside && before >= 0 ? before + read * pitch : -1;
    }
    repeat *= kernel;
    pitch *= input[axis] ?? 1;
  }
}

/** The input coordinate that tap `k` of the window at output coordinate `at` sees; not whole where it sees none. */
function readAt(layer: WindowLayer, axis: number, at: number, k: number): number {
  const [stride = 1, dilation = 1, begin = 0] = [layer.strides[axis], layer.dilations[axis], layer.begins[axis]];
  return layer.kind === 'conv' ? at * stride - begin + k * dilation : (at + begin - k * dilation) / stride;
}
