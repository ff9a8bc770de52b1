// Drops channels between two layers that are never read, the same everywhere, or copies of another channel.
import type { OptionTable } from '../../base/option.js';
import type { Node } from '../../ir/node.js';
import { laneAt, slicedAlong, type Lane } from '../channel-lane.js';
import { graphOf } from '../edit.js';
import { foldedTensor } from '../folded-tensor.js';
import { idleChannels, type Idleness } from '../idle-channels.js';
import { defineGlobalPass, type PassContext } from '../pass.js';
import {
  forEachFilter,
  isShared,
  scaledInputs,
  setLayerWeights,
  type LayerWeights,
  type TensorLayer,
} from '../tensor-layer.js';

const DECLINES = {
  width:
    '{idle} of {channels} channels are idle; the runtime takes as long for the {left} that are left (it counts in fours).',
  'shared-weights': '{idle} channels are idle, but their weights are shared with other nodes.',
  constant: '{idle} channels are constant, but the {layer} pads them with zeros or has no bias to take them up.',
  'out-of-range': 'A weight or bias that takes up idle channels does not fit the element type.',
} as const;

type Context = PassContext<OptionTable, typeof DECLINES>;

/** Larger weights are not searched. */
const MAX_WEIGHTS = 2 ** 22;

/** Channels that a kernel of the runtime takes at once: other widths are slower than the next multiple. */
const WIDTH_STEP = 4;

/** Up to here it reads any number of channels in blocks. */
const NARROW = 16;

export const dropIdleChannels = defineGlobalPass({
  name: 'drop-idle-channels',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Drop channels that nobody reads, that are constant, or that copy another one',
  details: `Between two layers stand nodes that treat every channel by itself (activations, arithmetic per channel, pools, depthwise
convolutions). A channel is dropped at both ends and in between when the second layer multiplies it by zeros; when the filter that
makes it is zero, so that it is a constant \`v\`, which becomes \`b' = b + v sum W\`; or when filter, bias and treatment equal those of
another channel \`l\`, which takes over its weights, \`W'_l = W_l + W_j\`. A constant other than 0 is kept where the second layer pads
with zeros: its border would see the difference. Networks whose weights were masked, not cut, have many such channels.

Widths stay multiples of 4 where they are: ONNX Runtime takes longer for 63 channels than for 64.`,
  options: {},
  declines: DECLINES,
  stats: {
    unread: 'unread channels dropped',
    constant: 'constant channels dropped',
    twin: 'copies of channels dropped',
  },
  run(model, ctx) {
    // Channels that are gone may leave others unread, or make them constant.
    const isChanged = (): boolean => {
      let changed = false;
      for (const node of [...model.allNodes()].toReversed()) if (!node.isRemoved && dropAt(node, ctx)) changed = true;
      return changed;
    };
    while (isChanged());
  },
});

function dropAt(node: Node, ctx: Context): boolean {
  const lane = laneAt(node, ctx.facts);
  if (!lane || Math.max(lane.producer.weights.size, lane.consumer.weights.size) > MAX_WEIGHTS) return false;
  const { producer, consumer } = lane;
  const { idle, stuck } = idleChannels(lane, ctx.facts);
  if (idle.size === 0) return stuck > 0 && ctx.decline(node, 'constant', { idle: stuck, layer: consumer.op });
  const channels = producer.layout.outputs;
  const left = channels - idle.size;
  const width = keptWidth(channels, left);
  if (width >= channels) return ctx.decline(node, 'width', { idle: idle.size, channels, left });
  if (isShared(producer.weight) || isShared(consumer.weight))
    return ctx.decline(node, 'shared-weights', { idle: idle.size });
  const dropped = new Map([...idle].slice(width - left));
  const kept = Array.from({ length: channels }, (_, c) => c).filter((c) => !dropped.has(c));
  const weights = readerWeights(consumer, dropped, kept);
  if (!weights) return ctx.decline(node, 'out-of-range');
  if (!ctx.permit(node)) return false;
  drop(lane, kept, weights);
  for (const { kind } of dropped.values()) ctx.count(kind);
  return true;
}

/** How many channels to keep, so that the width is no slower than it was: a multiple of 4 where it was one, or is wide. */
function keptWidth(channels: number, left: number): number {
  const stepped = WIDTH_STEP * Math.max(1, Math.ceil(left / WIDTH_STEP));
  const steps = channels % WIDTH_STEP === 0 || (left > NARROW && stepped < channels);
  return steps ? stepped : Math.max(1, left);
}

function drop(
  { producer, steps, values }: Lane,
  kept: readonly number[],
  reader: { readonly apply: () => void },
): void {
  const graph = graphOf(producer.node);
  const { weights, bias } = producer;
  reader.apply();
  for (const step of steps) step.keep(kept);
  const biasTensor =
    bias && foldedTensor(weights.dtype, [kept.length], [], () => Float64Array.from(kept, (c) => bias[c] ?? 0));
  setLayerWeights(producer, {
    weights: slicedAlong(weights, axisOf(producer, 'outputs'), kept),
    ...(biasTensor && { bias: biasTensor }),
  });
  for (const value of values) if (value.type) graph.setType(value, undefined);
}

/** The weights with which the reader does without the dropped channels. */
function readerWeights(
  layer: TensorLayer,
  dropped: ReadonlyMap<number, Idleness>,
  kept: readonly number[],
): { readonly apply: () => void } | undefined {
  const { weights, layout } = layer;
  const scale = new Float64Array(layout.inputs).fill(1);
  const shift = new Float64Array(layout.inputs);
  const heirs = new Map<number, number>();
  for (const [c, idleness] of dropped) {
    if (idleness.kind === 'constant') shift[c] = idleness.value;
    if (idleness.kind === 'twin') heirs.set(c, idleness.of);
  }
  const shifted = scaledInputs(layer, { scale, shift });
  const summed = foldedTensor(weights.dtype, weights.dims, [weights], () => withHeirs(layer, heirs));
  if (!shifted || !summed) return undefined;
  const after: LayerWeights = {
    weights: slicedAlong(summed, axisOf(layer, 'inputs'), kept),
    ...(shifted.bias && { bias: shifted.bias }),
  };
  return { apply: () => void setLayerWeights(layer, after) };
}

/** Each column with those of its twins added to it. */
function withHeirs({ weights, layout }: TensorLayer, heirs: ReadonlyMap<number, number>): Float64Array {
  const numbers = weights.toFloat64();
  if (heirs.size === 0) return numbers;
  forEachFilter(layout, (output, input, offset) => {
    const heir = heirs.get(input);
    if (heir === undefined) return;
    const to = output * layout.stride.output + heir * layout.stride.input;
    for (let k = 0; k < layout.kernel; k++) numbers[to + k] = (numbers[to + k] ?? 0) + (numbers[offset + k] ?? 0);
  });
  return numbers;
}

/** The axis of the weights that counts outputs, or inputs. */
function axisOf({ op, node }: TensorLayer, side: 'inputs' | 'outputs'): number {
  const outputsFirst = op === 'Conv' || (op === 'Gemm' && node.int('transB', 0) !== 0);
  return (side === 'outputs') === outputsFirst ? 0 : 1;
}
