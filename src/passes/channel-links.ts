// Links: two layers with constant weights, and between them only nodes that a positive factor per channel can cross. What
// the first layer gives can be divided by T[c], and the columns of the second multiplied by it, without changing anything.
import type { Facts } from '../analysis/facts.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { dataInput, pathStep, repeated, type CrossEdit, type PathStep } from './affine-path.js';
import type { ChannelAffine } from './channel-affine.js';
import { refuse, isRefusal, type Refusal } from './plan.js';
import { isShared, TENSOR_LAYER_OPS, tensorLayerOf, type TensorLayer } from './tensor-layer.js';
import { clippingOf } from './value-range.js';

export const LINK_DECLINES = {
  'several-readers': 'What it gives is read by several nodes, or is an output of the graph.',
  addition: 'What it gives is added to another value: both summands would have to be scaled alike.',
  clip: 'Clip at {high} comes between: a factor per channel cannot cross it.',
  operator: '{op} comes between: a factor per channel cannot cross it.',
  'weights-not-constant': 'The weights of {layer}, which reads it, are not constant.',
  'shared-weights': 'The weights of {layer} are also read by others.',
} as const;

export type LinkCode = keyof typeof LINK_DECLINES;

export interface ChannelLink {
  readonly producer: TensorLayer;
  readonly consumer: TensorLayer;
  /** Channels of the producer. */
  readonly channels: number;
  /** How many neighbouring inputs of the consumer come from one channel (Flatten of a map). */
  readonly repeat: number;
  /** What lies between, from the output of the producer to what the consumer reads. */
  readonly values: readonly Value[];
  /**
   * The edits that it takes in between to let x' through where x = `affine`(x') went before, so that the consumer reads y' with
   * y = `affine`(y'); undefined when it cannot be done. `activations`: `positive` takes Relu and its like as doing nothing,
   * which holds where x and x' are not negative.
   */
  cross(affine: ChannelAffine, activations?: 'any' | 'positive'): readonly CrossEdit[] | undefined;
}

interface LinkStep extends PathStep {
  /** It returns what is not negative as it is. */
  readonly keepsPositive: boolean;
}

const KEEPS_POSITIVE: ReadonlySet<string> = new Set(['Relu', 'LeakyRelu', 'PRelu']);

/** Nodes between two layers that are followed. */
const MAX_STEPS = 16;

/** All links of `model`, subgraphs included, in order; `onRefusal` hears of layers whose outputs lead to no link. */
export function channelLinks(
  model: Model,
  facts: Facts,
  onRefusal: (node: Node, refusal: Refusal<LinkCode>) => void,
): readonly ChannelLink[] {
  const links: ChannelLink[] = [];
  for (const node of model.allNodes()) {
    const producer = layerAt(node, facts);
    if (!producer || isRefusal(producer)) continue;
    const link = isShared(producer.weight)
      ? refuse('shared-weights', { layer: node.label })
      : linkFrom(producer, facts);
    if (link && isRefusal(link)) onRefusal(node, link);
    else if (link) links.push(link);
  }
  return links;
}

function layerAt(node: Node, facts: Facts): ReturnType<typeof tensorLayerOf> {
  return TENSOR_LAYER_OPS.includes(node.opType) ? tensorLayerOf(node, facts) : undefined;
}

function linkFrom(producer: TensorLayer, facts: Facts): ChannelLink | Refusal<LinkCode> | undefined {
  const steps: LinkStep[] = [];
  const values = [producer.output];
  let [value, axis, repeat] = [producer.output, producer.outputAxis, 1];
  while (steps.length < MAX_STEPS) {
    const next = value.soleConsumer;
    // At the end of the net there is nothing to equalize with.
    if (next === undefined)
      return value.isGraphOutput && value.slots.size === 0 ? undefined : refuse('several-readers');
    if (next.graph !== producer.node.graph) return refuse('several-readers');
    const layer = layerAt(next, facts);
    if (layer && isRefusal(layer)) return refuse('weights-not-constant', { layer: next.label });
    if (layer) {
      const aligned = layer.data === value && layer.inputAxis.fromEnd === axis.fromEnd;
      if (!aligned || layer.inputAxis.channels !== axis.channels) return refuse('operator', { op: next.opType });
      if (isShared(layer.weight)) return refuse('shared-weights', { layer: next.label });
      return { producer, consumer: layer, channels: producer.layout.outputs, repeat, values, cross: crossing(steps) };
    }
    const step = stepAcross(next, value, axis, facts);
    if (!step) return blocked(next, facts);
    steps.push({ ...step, keepsPositive: KEEPS_POSITIVE.has(next.opType) });
    if (!next.output) return undefined;
    values.push(next.output);
    [value, axis, repeat] = [next.output, step.axis, repeat * step.repeat];
  }
  return refuse('operator', { op: 'a long chain' });
}

/** The node as a step that every positive factor crosses. */
function stepAcross(node: Node, value: Value, axis: TensorLayer['outputAxis'], facts: Facts): PathStep | undefined {
  const step = dataInput(node) === value ? pathStep(node, axis, facts) : undefined;
  // Two different factors: Pad by a constant other than 0 lets only equal ones across.
  const factors = Float64Array.from({ length: axis.channels }, (_, c) => 1 + (c % 2));
  return step?.cross(scaling(factors), 'down') ? step : undefined;
}

function blocked(node: Node, facts: Facts): Refusal<LinkCode> {
  const clip = clippingOf(node, facts);
  if (clip) return refuse('clip', { high: clip.high });
  const isSum = node.is('Add') || node.is('Sum');
  return isSum ? refuse('addition') : refuse('operator', { op: node.opType });
}

function crossing(steps: readonly LinkStep[]): ChannelLink['cross'] {
  return (given, activations = 'any') => {
    const edits: CrossEdit[] = [];
    let affine = given;
    for (const step of steps) {
      const edit =
        activations === 'positive' && step.keepsPositive ? (): void => undefined : step.cross(affine, 'down');
      if (edit === undefined) return undefined;
      edits.push(edit);
      affine = repeated(affine, step.repeat);
    }
    return edits;
  };
}

const scaling = (factors: Float64Array): ChannelAffine => ({ scale: factors, shift: new Float64Array(factors.length) });
