// Tensor layers (Conv, ConvTranspose, Gemm, MatMul) as maps with weights W[o, i, k] over output channel, input channel
// within the group, and kernel position, whatever order they are stored in; and the folding of per-channel affine maps
// into those weights (methods: y = a_o (W x + b) + c_o and y = W (a_i x + c_i) + b).
import type { Facts } from '../analysis/facts.js';
import { floatAttr } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { Tensor } from '../tensor/tensor.js';
import { channelNumbers, type ChannelAffine, type ChannelAxis } from './channel-affine.js';
import { dropIfUnused, graphOf, replaceNode, setConstantInput } from './edit.js';
import { foldedTensor, isFoldable } from './folded-tensor.js';
import { refuse, type Planned } from './plan.js';

export type TensorLayerOp = 'Conv' | 'ConvTranspose' | 'Gemm' | 'MatMul';

/** Sizes of W, and the distance of neighbours in storage along each of its axes; `kernel` counts all positions. */
export interface WeightLayout {
  readonly groups: number;
  readonly outputs: number;
  readonly inputs: number;
  readonly outputsPerGroup: number;
  readonly inputsPerGroup: number;
  readonly kernel: number;
  readonly stride: { readonly group: number; readonly output: number; readonly input: number };
}

export interface TensorLayer {
  readonly node: Node;
  readonly op: TensorLayerOp;
  readonly data: Value;
  readonly output: Value;
  readonly weight: Value;
  readonly weights: Tensor;
  readonly layout: WeightLayout;
  /** One number per output channel; undefined when the layer adds none. */
  readonly bias: Float64Array | undefined;
  /** Where the output channels lie in the output, and the input channels in the input. */
  readonly outputAxis: ChannelAxis;
  readonly inputAxis: ChannelAxis;
}

export type LayerRefusal = 'weights-not-constant' | 'bias-not-constant';

export const TENSOR_LAYER_OPS: readonly string[] = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];

/** `node` as a tensor layer with constant weights; undefined when it is none. */
export function tensorLayerOf(node: Node, facts: Facts): Planned<TensorLayer, LayerRefusal> {
  const { output } = node;
  const [data, weight, biasValue] = node.inputs;
  if (node.domain !== '' || !TENSOR_LAYER_OPS.includes(node.opType) || !data || !weight || !output) return undefined;
  const op = node.opType as TensorLayerOp;
  const weights = weight.constant;
  if (op === 'MatMul' && weights === undefined) return undefined;
  if (weights === undefined || !isFoldable(weights.dtype)) return refuse('weights-not-constant');
  const layout = layoutOf(node, op, weights);
  const rank = op === 'MatMul' ? facts.of(data).shape?.length : weights.dims.length;
  if (layout === undefined) return undefined;
  const fromEnd = op === 'Conv' || op === 'ConvTranspose' ? weights.dims.length - 2 : 0;
  const outputAxis = { channels: layout.outputs, fromEnd, rank };
  const hasBias = op !== 'MatMul' && biasValue !== undefined && !(op === 'Gemm' && node.float('beta', 1) === 0);
  const bias = hasBias ? biasOf(biasValue, layout, outputAxis) : undefined;
  if (hasBias && bias === undefined) return refuse('bias-not-constant');
  const inputFromEnd = op === 'Gemm' && node.int('transA', 0) !== 0 ? 1 : fromEnd;
  return {
    node,
    op,
    data,
    output,
    weight,
    weights,
    layout,
    bias,
    outputAxis,
    inputAxis: { channels: layout.inputs, fromEnd: inputFromEnd, rank },
  };
}

function biasOf(value: Value, layout: WeightLayout, axis: ChannelAxis): Float64Array | undefined {
  const tensor = value.constant;
  if (tensor === undefined || !isFoldable(tensor.dtype)) return undefined;
  return channelNumbers(tensor.dims.length <= 1 ? tensor.reshaped([tensor.size]) : tensor, {
    ...axis,
    channels: layout.outputs,
    fromEnd: 0,
  });
}

/** The storage order of the weights of a layer; undefined for shapes that the operator does not allow. */
function layoutOf(node: Node, op: TensorLayerOp, { dims, size }: Tensor): WeightLayout | undefined {
  const [first = 0, second = 0] = dims;
  if (op === 'Gemm' || op === 'MatMul') {
    if (dims.length !== 2 || (op === 'Gemm' && (node.graph?.model.opset ?? 0) < 7)) return undefined;
    const byOutput = op === 'Gemm' && node.int('transB', 0) !== 0;
    const [outputs, inputs] = byOutput ? [first, second] : [second, first];
    return weightLayout(
      1,
      outputs,
      inputs,
      1,
      byOutput ? { group: 0, output: inputs, input: 1 } : { group: 0, output: 1, input: outputs },
    );
  }
  const groups = node.int('group', 1);
  if (dims.length < 3 || size === 0 || groups < 1) return undefined;
  const kernel = size / (first * second);
  if (first % groups !== 0) return undefined;
  if (op === 'Conv')
    return weightLayout(groups, first, second * groups, kernel, {
      group: (first / groups) * second * kernel,
      output: second * kernel,
      input: kernel,
    });
  return weightLayout(groups, second * groups, first, kernel, {
    group: (first / groups) * second * kernel,
    output: kernel,
    input: second * kernel,
  });
}

function weightLayout(
  groups: number,
  outputs: number,
  inputs: number,
  kernel: number,
  stride: WeightLayout['stride'],
): WeightLayout {
  return {
    groups,
    outputs,
    inputs,
    outputsPerGroup: outputs / groups,
    inputsPerGroup: inputs / groups,
    kernel,
    stride,
  };
}

/** Calls `visit` with output channel, input channel (both over all groups) and offset of the first kernel position. */
export function forEachFilter(
  { groups, outputsPerGroup, inputsPerGroup, stride }: WeightLayout,
  visit: (output: number, input: number, offset: number) => void,
): void {
  for (let group = 0; group < groups; group++) {
    for (let o = 0; o < outputsPerGroup; o++) {
      const offset = group * stride.group + o * stride.output;
      for (let i = 0; i < inputsPerGroup; i++)
        visit(group * outputsPerGroup + o, group * inputsPerGroup + i, offset + i * stride.input);
    }
  }
}

/** New contents of a layer. An absent field stays as it is. */
export interface LayerWeights {
  readonly weights?: Tensor;
  readonly bias?: Tensor;
}

/**
 * The weights after which the layer computes `affine` of what it computed: W' = a_o W, b' = a_o b + c_o.
 * Undefined when a number does not fit the stored type, or the layer has no place for a shift (MatMul of more than two axes).
 */
export function scaledOutputs(layer: TensorLayer, { scale, shift }: ChannelAffine): LayerWeights | undefined {
  const keepsWeights = scale.every((a) => a === 1);
  const weights = keepsWeights ? undefined : scaledWeights(layer, { rows: scale });
  const before = layer.bias ?? new Float64Array(shift.length);
  const bias = withBias(
    layer,
    before.map((b, o) => (scale[o] ?? 1) * b + (shift[o] ?? 0) / biasFactor(layer)),
  );
  if ((!keepsWeights && !weights) || !bias) return undefined;
  return { ...(weights && { weights }), ...bias };
}

/**
 * The weights after which the layer computes of x what it computed of a_i x + c_i: W' = W a_i, b' = b + sum W c_i. With
 * a shift this holds only where no padding is read. Undefined as in `scaledOutputs`.
 */
export function scaledInputs(layer: TensorLayer, { scale, shift }: ChannelAffine): LayerWeights | undefined {
  const keepsWeights = scale.every((a) => a === 1);
  const weights = keepsWeights ? undefined : scaledWeights(layer, { columns: scale });
  const bias = shift.every((c) => c === 0) ? {} : withBias(layer, shiftedBias(layer, shift));
  if ((!keepsWeights && !weights) || !bias) return undefined;
  return { ...(weights && { weights }), ...bias };
}

function shiftedBias(layer: TensorLayer, shift: Float64Array): Float64Array {
  const bias = layer.bias ? Float64Array.from(layer.bias) : new Float64Array(layer.layout.outputs);
  const numbers = layer.weights.toFloat64();
  const alpha = layer.op === 'Gemm' ? layer.node.float('alpha', 1) : 1;
  forEachFilter(layer.layout, (output, input, offset) => {
    const c = ((shift[input] ?? 0) * alpha) / biasFactor(layer);
    for (let k = 0; k < layer.layout.kernel; k++) bias[output] = (bias[output] ?? 0) + c * (numbers[offset + k] ?? 0);
  });
  return bias;
}

/** W[o, i, k] times the factor of its row and of its column; either may be missing. */
function scaledWeights(
  { weights, layout: shape }: TensorLayer,
  { rows, columns }: { readonly rows?: Float64Array; readonly columns?: Float64Array },
): Tensor | undefined {
  const { groups, outputsPerGroup, inputsPerGroup, kernel, stride } = shape;
  return foldedTensor(weights.dtype, weights.dims, [weights], () => {
    const numbers = weights.toFloat64();
    for (let output = 0; output < groups * outputsPerGroup; output++) {
      const group = Math.floor(output / outputsPerGroup);
      const start = group * stride.group + (output % outputsPerGroup) * stride.output;
      const row = rows ? (rows[output] ?? 1) : 1;
      for (let input = 0; input < inputsPerGroup; input++) {
        const factor = columns ? row * (columns[group * inputsPerGroup + input] ?? 1) : row;
        const offset = start + input * stride.input;
        for (let k = offset; k < offset + kernel; k++) numbers[k] = (numbers[k] ?? 0) * factor;
      }
    }
    return numbers;
  });
}

/** The bias as a tensor to set; nothing when it stays as it is. Undefined when it cannot be stored. */
function withBias(layer: TensorLayer, numbers: Float64Array): LayerWeights | undefined {
  const before = layer.bias;
  if (numbers.every((b, o) => b === (before?.[o] ?? 0))) return {};
  // A Gemm takes matrices only; before opset 7 it aligned its bias by an attribute.
  if (layer.op === 'MatMul' && (layer.outputAxis.rank !== 2 || (layer.node.graph?.model.opset ?? 0) < 7))
    return undefined;
  const { dtype } = layer.weights;
  const bias = foldedTensor(dtype, [numbers.length], [], () => numbers);
  return bias && { bias };
}

/** Gemm multiplies its bias by beta. A bias where none was added is made with beta = 1. */
function biasFactor({ op, node, bias }: TensorLayer): number {
  return op === 'Gemm' && bias !== undefined ? node.float('beta', 1) : 1;
}

/** Makes `layer` compute with these weights; a MatMul that gets a bias becomes a Gemm. Returns the new weight value. */
export function setLayerWeights(
  { node: before, op, bias }: TensorLayer,
  { weights, bias: newBias }: LayerWeights,
): Value | undefined {
  const node = op === 'MatMul' && newBias ? replaceNode(before, { opType: 'Gemm', inputs: before.inputs }) : before;
  const weight = weights && setConstantInput(node, 1, weights);
  if (newBias) {
    if (op === 'Gemm' && bias === undefined && node.float('beta', 1) !== 1)
      graphOf(node).setAttribute(node, 'beta', floatAttr(1));
    setConstantInput(node, 2, newBias, node.inputs[2]?.name ?? `${node.output?.name ?? op}_bias`);
  }
  return weight;
}

/** Makes `layer` read a weight that another layer was given. */
export function shareWeight({ node, weight }: TensorLayer, shared: Value): void {
  graphOf(node).setInput(node, 1, shared);
  dropIfUnused(weight);
}

/**
 * Bytes by which the model grows when `layer` gets these weights of its own: those that other readers keep, and a bias
 * where there was none.
 */
export function grownBytes({ node, weight }: TensorLayer, { weights, bias }: LayerWeights): number {
  const old = node.inputs[2];
  return (
    (weights && isShared(weight) ? weights.byteLength : 0) +
    (bias && (old === undefined || isShared(old)) ? bias.byteLength : 0)
  );
}

/** Somebody else reads the value, or a graph returns it. */
export function isShared(value: Value): boolean {
  return value.soleConsumer === undefined;
}

/** The weights after which output channel c is what `sources[c]` was: W'[c] = W[sources[c]]. For one group, or depthwise. */
export function permutedOutputs(layer: TensorLayer, sources: readonly number[]): LayerWeights {
  const { weights, bias, layout: shape } = layer;
  const { output: step } = shape.groups === 1 ? shape.stride : { output: shape.stride.group };
  const rows = Tensor.derived(weights.dtype, weights.dims, [weights], () =>
    moved(layer, (o, i, k) => (sources[o] ?? 0) * step + i * shape.stride.input + k),
  );
  const numbers = bias && sources.map((source) => bias[source] ?? 0);
  return { weights: rows, ...(numbers && { bias: Tensor.fromNumbers(weights.dtype, [numbers.length], numbers) }) };
}

/** The weights after which the layer reads `sources[c]` where it read channel c: W'[:, sources[c]] = W[:, c]. For one group. */
export function permutedInputs(layer: TensorLayer, sources: readonly number[]): LayerWeights {
  const { weights, layout: shape } = layer;
  const back = sources.map(() => 0);
  for (const [c, source] of sources.entries()) back[source] = c;
  return {
    weights: Tensor.derived(weights.dtype, weights.dims, [weights], () =>
      moved(layer, (o, i, k) => o * shape.stride.output + (back[i] ?? 0) * shape.stride.input + k),
    ),
  };
}

/** The weights with element (o, i, k) taken from where `from` says; i counts within the group. */
function moved(
  { weights, layout: shape }: TensorLayer,
  from: (o: number, i: number, k: number) => number,
): Float64Array {
  const before = weights.toFloat64();
  const after = new Float64Array(before.length);
  forEachFilter(shape, (output, input, offset) => {
    for (let k = 0; k < shape.kernel; k++)
      after[offset + k] = before[from(output, input % shape.inputsPerGroup, k)] ?? 0;
  });
  return after;
}
