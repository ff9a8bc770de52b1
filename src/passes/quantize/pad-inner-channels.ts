// Pads the channels between two layers with filters of zeros, to widths for which the runtime has its fast 8-bit kernels.
import { num } from '../../base/option.js';
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../tensor/tensor.js';
import { padTensor } from '../../tensor/view.js';
import { laneAt, type Lane } from '../channel-lane.js';
import { graphOf, setConstantInput } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isShared, setLayerWeights, TENSOR_LAYER_OPS, type TensorLayer } from '../tensor-layer.js';

/** Channels that the fast kernels take at once, and the width that a dense one has at least. */
const DENSE_STEP = 4;
const DEPTHWISE_STEP = 16;
const MIN_WIDTH = 16;

export const padInnerChannels = defineLocalPass({
  name: 'pad-inner-channels',
  category: 'quantize',
  exactness: 'rounding',
  needs: [],
  summary: 'Pad the channels between two layers to widths with fast 8-bit kernels',
  details: `Filters of zeros are added to the first layer, to depthwise convolutions on the way, and columns of zeros to the second
layer: the sums are the same ones. The fast kernels of ONNX Runtime take the channels of an 8-bit depthwise convolution in sixteens,
and those of a dense one in fours; other widths fall back to im2col and a matrix product.

Measured on ONNX Runtime 1.30, 1 thread, AVX512-VNNI, whole inverted bottlenecks 32 to E to 32 at 28x28 in 8 bit: E 60 padded to
64 takes 0.58 of the time, 100 to 112 0.57, 120 to 128 0.58, 72 to 80 0.67, 36 to 48 0.75, 24 to 32 0.79. Dense pairs 64 to C to
64: 47 to 48 0.83 to 0.88, 30 to 32 0.81 to 0.90, 18 to 20 0.77 to 0.91, 6 to 8 0.88 to 0.94. In float the added channels only
cost, so the layers must be quantized afterwards.`,
  options: {
    'max-growth': num({ default: 0.35, min: 0, help: 'Largest part by which the work of the layers may grow' }),
  },
  declines: {
    growth: '{channels} channels would become {padded}: too much work is added.',
    'shared-weights': 'Weights at one end are also read by others.',
    'value-unknown': 'It is not known that channels of zeros stay finite between the two layers.',
  },
  stats: { padded: 'widths between two layers padded' },
  roots: TENSOR_LAYER_OPS,
  rewrite(node, ctx) {
    const lane = widthLane(node, ctx.facts);
    if (!lane) return false;
    const { channels, padded } = lane;
    if (padded / channels - 1 > ctx.options['max-growth']) return ctx.decline(node, 'growth', { channels, padded });
    if (isShared(lane.producer.weight) || isShared(lane.consumer.weight)) return ctx.decline(node, 'shared-weights');
    if (!staysFinite(lane)) return ctx.decline(node, 'value-unknown');
    widen(lane);
    ctx.count('padded');
    return true;
  },
});

interface WidthLane extends Lane {
  readonly channels: number;
  /** The width to pad to; larger than `channels`. */
  readonly padded: number;
  /** Depthwise convolutions in between; undefined where another node stands. */
  readonly depthwise: readonly (Node | undefined)[];
}

/** The lane that begins at `node`, when padding its channels leads to faster kernels. */
function widthLane(node: Node, facts: Facts): WidthLane | undefined {
  const lane = laneAt(node, facts);
  if (!lane || lane.producer.weights.dtype !== 'float32') return undefined;
  const { producer, consumer } = lane;
  const channels = producer.layout.outputs;
  const depthwise = lane.values.slice(1).map(({ producer: step }) => (step?.is('Conv') ? step : undefined));
  const hasDepthwise = depthwise.some((step) => step !== undefined);
  if (!hasDepthwise && (producer.op !== 'Conv' || consumer.op !== 'Conv')) return undefined;
  const step = hasDepthwise ? DEPTHWISE_STEP : DENSE_STEP;
  const padded = Math.ceil(channels / step) * step;
  const { outputs } = consumer.layout;
  const hasKernel = hasDepthwise || padded >= MIN_WIDTH || (outputs >= MIN_WIDTH && outputs % DENSE_STEP === 0);
  return padded > channels && hasKernel ? { ...lane, channels, padded, depthwise } : undefined;
}

/** A channel of zeros is finite behind every step, so that weights of zero make zeros of it. */
function staysFinite({ steps, depthwise, channels }: WidthLane): boolean {
  let value = new Float64Array(channels);
  for (const [i, step] of steps.entries()) {
    // Its own filters of zeros give zeros.
    value = depthwise[i] ? new Float64Array(channels) : Float64Array.from(step.constant(value));
    if (!Number.isFinite(value[0])) return false;
  }
  return true;
}

function widen({ producer, consumer, steps, values, depthwise, channels, padded }: WidthLane): void {
  const graph = graphOf(producer.node);
  const missing = padded - channels;
  // Numbers per channel of nodes in between are those of the first channel.
  const places = [...Array.from({ length: channels }, (_, c) => c), ...Array<number>(missing).fill(0)];
  for (const step of steps) step.keep(places);
  for (const node of depthwise) {
    if (node) for (const slot of [1, 2]) clearBeyond(node, slot, channels);
  }
  const { bias, weights } = producer;
  setLayerWeights(producer, {
    weights: withZeros(weights, axisOf(producer, 'outputs'), missing),
    ...(bias && { bias: Tensor.fromNumbers(weights.dtype, [padded], [...bias, ...new Float64Array(missing)]) }),
  });
  setLayerWeights(consumer, { weights: withZeros(consumer.weights, axisOf(consumer, 'inputs'), missing) });
  for (const value of values) if (value.type) graph.setType(value, undefined);
}

/** Makes the filters of a depthwise convolution from `channels` on zeros. */
function clearBeyond(node: Node, slot: number, channels: number): void {
  const tensor = node.inputs[slot]?.constant;
  if (!tensor) return;
  const numbers = tensor.toFloat64();
  numbers.fill(0, (numbers.length / (tensor.dims[0] ?? 1)) * channels);
  setConstantInput(node, slot, Tensor.fromNumbers(tensor.dtype, tensor.dims, numbers));
}

function withZeros(tensor: Tensor, axis: number, missing: number): Tensor {
  const none = tensor.dims.map(() => 0);
  return padTensor(tensor, { before: none, after: none.with(axis, missing) });
}

/** The axis of the weights that counts outputs, or inputs. */
function axisOf({ op, node }: TensorLayer, side: 'inputs' | 'outputs'): number {
  const outputsFirst = op === 'Conv' || (op === 'Gemm' && node.int('transB', 0) !== 0);
  return (side === 'outputs') === outputsFirst ? 0 : 1;
}
