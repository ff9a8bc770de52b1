// Lanes: a layer that makes channels, nodes that treat every channel by itself, and the layer that reads them. Channels
// of a lane can be dropped at both ends and in between.
import type { Facts } from '../analysis/facts.js';
import { intAttr } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { Tensor } from '../tensor/tensor.js';
import { pathStep } from './affine-path.js';
import { affineOf, channelNumbers, type ChannelAxis } from './channel-affine.js';
import { isUnpadded, windowGeometry } from './conv-geometry.js';
import { graphOf, setConstantInput } from './edit.js';
import { isElementwise, variableInputs } from './elementwise-run.js';
import { isRefusal } from './plan.js';
import { isShared, TENSOR_LAYER_OPS, tensorLayerOf, type TensorLayer } from './tensor-layer.js';
import { clippingOf } from './value-range.js';

/** One node between the two layers. */
export interface LaneStep {
  /** Numbers per channel that it computes with: channels that differ in them are treated differently. */
  readonly parameters: readonly Float64Array[];
  /** Where the channels lie in its output. */
  readonly axis: ChannelAxis;
  /** What a channel becomes that is `v` everywhere; NaN where that depends on the place, or is not known. */
  constant(v: Float64Array): Float64Array;
  /** Leaves these channels only. */
  keep(channels: readonly number[]): void;
}

export interface Lane {
  readonly producer: TensorLayer;
  readonly steps: readonly LaneStep[];
  readonly consumer: TensorLayer;
  /** What flows from one end to the other. */
  readonly values: readonly Value[];
}

type StepReader = (node: Node, value: Value, axis: ChannelAxis, facts: Facts) => LaneStep | undefined;

/** Longer lanes are not followed. */
const MAX_STEPS = 12;

/** Operators that move or reduce positions and hold no number per channel. */
const POSITIONAL: ReadonlySet<string> = new Set([
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'ReduceMean',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Transpose',
]);

/** The lane that begins at `node`, with constant weights and without groups at both ends; undefined when none does. */
export function laneAt(node: Node, facts: Facts): Lane | undefined {
  const producer = TENSOR_LAYER_OPS.includes(node.opType) ? tensorLayerOf(node, facts) : undefined;
  if (!producer || isRefusal(producer) || producer.layout.groups !== 1) return undefined;
  const steps: LaneStep[] = [];
  const values = [producer.output];
  let [value, axis] = [producer.output, producer.outputAxis];
  while (steps.length <= MAX_STEPS) {
    const next = value.soleConsumer;
    if (next === undefined || next.graph !== node.graph) return undefined;
    const layer = TENSOR_LAYER_OPS.includes(next.opType) ? tensorLayerOf(next, facts) : undefined;
    if (layer && (isRefusal(layer) || layer.data !== value)) return undefined;
    if (layer && layer.layout.groups === 1)
      return readsAlong(layer, axis) ? { producer, steps, consumer: layer, values } : undefined;
    const step = layer ? depthwise(layer, axis, facts) : stepOf(next, value, axis, facts);
    if (step === undefined || next.output === undefined) return undefined;
    steps.push(step);
    values.push(next.output);
    [value, axis] = [next.output, step.axis];
  }
  return undefined;
}

function readsAlong({ inputAxis }: TensorLayer, axis: ChannelAxis): boolean {
  return inputAxis.channels === axis.channels && inputAxis.fromEnd === axis.fromEnd;
}

const stepOf: StepReader = (node, value, axis, facts) => {
  if (node.is('BatchNormalization')) return normalization(node, value, axis);
  if (POSITIONAL.has(node.opType)) return positional(node, value, axis, facts);
  return isElementwise(node, facts) ? elementwise(node, value, axis, facts) : undefined;
};

function normalization(node: Node, value: Value, axis: ChannelAxis): LaneStep | undefined {
  const affine = affineOf(node);
  const map = affine?.data === value ? affine.along(axis) : undefined;
  if (map === undefined) return undefined;
  return {
    parameters: [map.scale, map.shift],
    axis,
    constant: (v) => v.map((x, i) => (map.scale[i] ?? 1) * x + (map.shift[i] ?? 0)),
    keep: (channels) => {
      for (let i = 1; i <= 4; i++) keepInput(node, i, 0, channels);
    },
  };
}

/** A shift crosses exactly where a constant channel stays what it is. */
const positional: StepReader = (node, value, axis, facts) => {
  const step = node.inputs[0] === value ? pathStep(node, axis, facts) : undefined;
  if (step?.repeat !== 1) return undefined;
  const scale = new Float64Array(axis.channels).fill(1);
  const one = step.cross({ scale, shift: scale }, 'down');
  return {
    parameters: [],
    axis: step.axis,
    constant: (v) => (one ? v : v.map((x) => (x === 0 ? 0 : Number.NaN))),
    keep: () => undefined,
  };
};

const elementwise: StepReader = (node, value, axis, facts) => {
  const [only, ...others] = variableInputs(node);
  if (only !== value || others.length > 0) return undefined;
  const wide = [...node.inputs.entries()].filter(([, input]) => (input?.constant?.size ?? 1) > 1);
  const numbers = wide.map(([, input]) => input?.constant && channelNumbers(input.constant, axis));
  const parameters = numbers.filter((found): found is Float64Array => found !== undefined);
  if (parameters.length !== wide.length) return undefined;
  return {
    parameters,
    axis,
    constant: valuesOf(node, axis, facts),
    keep: (channels) => {
      for (const [i, input] of wide)
        keepInput(node, i, (input?.constant?.dims.length ?? 1) - 1 - axis.fromEnd, channels);
    },
  };
};

/** What an elementwise node makes of a number per channel; NaN where that is not known here. */
function valuesOf(node: Node, axis: ChannelAxis, facts: Facts): LaneStep['constant'] {
  const map = affineOf(node)?.along(axis);
  if (map) return (v) => v.map((x, i) => (map.scale[i] ?? 1) * x + (map.shift[i] ?? 0));
  const clip = clippingOf(node, facts);
  if (clip) return (v) => v.map((x) => Math.min(Math.max(x, clip.low), clip.high));
  const slope = node.inputs[1]?.constant;
  const slopes = node.is('PRelu') && slope ? channelNumbers(slope, axis) : undefined;
  if (slopes) return (v) => v.map((x, i) => (x < 0 ? (slopes[i] ?? 0) * x : x));
  const alpha = node.float('alpha', 0.01);
  if (node.is('LeakyRelu')) return (v) => v.map((x) => (x < 0 ? alpha * x : x));
  if (node.is('Sigmoid')) return (v) => v.map((x) => 1 / (1 + Math.exp(-x)));
  if (node.is('Tanh')) return (v) => v.map((x) => Math.tanh(x));
  if (node.is('HardSwish')) return (v) => v.map((x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1));
  return (v) => v.map(() => Number.NaN);
}

/** A Conv with one filter per channel. */
function depthwise(layer: TensorLayer, axis: ChannelAxis, facts: Facts): LaneStep | undefined {
  const { node, op, weights, weight, bias, layout } = layer;
  const { channels } = axis;
  if (op !== 'Conv' || layout.groups !== channels || layout.outputs !== channels || isShared(weight)) return undefined;
  const numbers = weights.toFloat64();
  const taps = Array.from({ length: layout.kernel }, (_, k) =>
    Float64Array.from({ length: channels }, (__, c) => numbers[c * layout.kernel + k] ?? 0),
  );
  const offsets = bias ?? new Float64Array(channels);
  const geometry = windowGeometry(node, facts);
  const padded = geometry === undefined || !isUnpadded(geometry);
  return {
    parameters: [...taps, offsets],
    axis: layer.outputAxis,
    constant: (v) =>
      v.map((x, c) => {
        const sum = taps.reduce((total, tap) => total + (tap[c] ?? 0), 0);
        const isIdle = x === 0 || taps.every((tap) => tap[c] === 0);
        return isIdle ? (offsets[c] ?? 0) : padded ? Number.NaN : x * sum + (offsets[c] ?? 0);
      }),
    keep: (kept) => {
      keepInput(node, 1, 0, kept);
      keepInput(node, 2, 0, kept);
      graphOf(node).setAttribute(node, 'group', intAttr(kept.length));
    },
  };
}

/** Leaves only these places along `axis` of a constant operand; one of a single element serves all. */
function keepInput(node: Node, index: number, axis: number, places: readonly number[]): void {
  const tensor = node.inputs[index]?.constant;
  if (tensor && tensor.size > 1) setConstantInput(node, index, slicedAlong(tensor, axis, places));
}

/** The elements of `tensor` at these places of an axis. */
export function slicedAlong(tensor: Tensor, axis: number, places: readonly number[]): Tensor {
  const { dims } = tensor;
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const size = dims[axis] ?? 1;
  return Tensor.derived(tensor.dtype, dims.with(axis, places.length), [tensor], () => {
    const before = tensor.toFloat64();
    const outer = before.length / (size * inner);
    const after = new Float64Array(outer * places.length * inner);
    let to = 0;
    for (let o = 0; o < outer; o++) {
      for (const place of places) {
        after.set(before.subarray((o * size + place) * inner, (o * size + place + 1) * inner), to);
        to += inner;
      }
    }
    return after;
  });
}
