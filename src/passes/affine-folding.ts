// Folding a per-channel affine node into the weights of the tensor layer before or behind it, across operators that such
// a map commutes with. Planned first and carried out afterwards, so that a refusal leaves the graph as it was.
import type { Facts } from '../analysis/facts.js';
import { canReplace } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { compressed, dataInput, mayCross, pathStep, repeated, type CrossEdit, type PathStep } from './affine-path.js';
import {
  affineOf,
  isFiniteAffine,
  isPureScale,
  type AffineNode,
  type ChannelAffine,
  type ChannelAxis,
} from './channel-affine.js';
import { isUnpadded, windowGeometry } from './conv-geometry.js';
import { bypass } from './edit.js';
import { paddedCosts } from './padded-costs.js';
import { isRefusal, refuse, type Planned, type Refusal } from './plan.js';
import {
  grownBytes,
  isShared,
  scaledInputs,
  scaledOutputs,
  setLayerWeights,
  shareWeight,
  TENSOR_LAYER_OPS,
  tensorLayerOf,
  type LayerRefusal,
  type LayerWeights,
  type TensorLayer,
  type TensorLayerOp,
} from './tensor-layer.js';

/** Decline codes of the folding, for the passes that use it. */
export const FOLDING_DECLINES = {
  'weights-not-constant': 'The weights of the {layer} are not constant.',
  'bias-not-constant': 'The bias of the {layer} is no constant with one number per output channel.',
  'shared-output': 'The output of the {layer} is also read by {count} others, or is an output of the graph.',
  'shared-weights': 'The weights of the {layer} are shared with other nodes, and a copy would add {bytes} bytes.',
  'not-per-channel': 'The constant varies along more than the channels of the {layer}.',
  'out-of-range': 'A folded number does not fit the element type of the weights.',
  'no-bias': 'The {layer} has no bias to take up the shift.',
  'padded-shift': `The {layer} pads with zeros, which a shift in front would turn into other numbers.
Leaving it moves {leave} elements; a padding by a constant moves {pad}, a map of biases {map} with {mapBytes} bytes more,
a channel of ones {ones} with {onesMacs} more multiplications.`,
  'transposed-shift':
    'A shift in front of the {layer} is not the same for all its outputs: its windows overlap unevenly at the border.',
} as const;

export interface FoldPlan {
  readonly layer: TensorLayerOp;
  readonly side: 'after' | 'before';
  /** Affine nodes that go. */
  readonly nodes: number;
  apply(): void;
}

type Code = keyof typeof FOLDING_DECLINES;

/** Roughly what a node of its own costs in the file: its name, the names it lists, its attributes. */
const NODE_BYTES = 64;
const MAX_STEPS = 8;

/** A way to fold `affine` away, a reason against the best one there is, or undefined when no tensor layer is near. */
export function planFolding(affine: AffineNode, facts: Facts): Planned<FoldPlan, Code> {
  const after = planAfter(affine, facts);
  if (after && !isRefusal(after)) return after;
  return planBefore(affine, facts) ?? after;
}

/** Into the layer that computes the data. */
function planAfter(affine: AffineNode, facts: Facts): Planned<FoldPlan, Code> {
  const found = layerAbove(affine, facts);
  if (!found || isRefusal(found)) return found;
  const { layer, steps, axis } = found;
  const given = affine.along(axis);
  if (given === undefined) return refuse('not-per-channel', { layer: layer.op });
  if (!isFiniteAffine(given)) return refuse('out-of-range');
  const moved = moveUp(given, steps);
  if (moved === undefined) return undefined;
  const weights = scaledOutputs(layer, moved.affine);
  if (weights === undefined)
    return layer.op === 'MatMul' && !isPureScale(moved.affine)
      ? refuse('no-bias', { layer: layer.op })
      : refuse('out-of-range');
  if (!canReplace(affine.output, affine.data)) return undefined;
  const twins =
    steps.length === 0 && weights.weights && isShared(layer.weight) ? twinsOf(layer, moved.affine, facts) : undefined;
  if (!twins && growsTooMuch(layer, weights, [affine]))
    return refuse('shared-weights', { layer: layer.op, bytes: grownBytes(layer, weights) });
  return {
    layer: layer.op,
    side: 'after',
    nodes: 1 + (twins?.length ?? 0),
    apply() {
      for (const edit of moved.edits) edit();
      const shared = setLayerWeights(layer, weights);
      bypass(affine.node, affine.data);
      for (const twin of twins ?? []) {
        setLayerWeights(twin.layer, twin.bias);
        if (shared) shareWeight(twin.layer, shared);
        bypass(twin.affine.node, twin.affine.data);
      }
    },
  };
}

interface LayerFound {
  readonly layer: TensorLayer;
  readonly steps: readonly PathStep[];
  readonly axis: ChannelAxis;
}

function layerAbove(affine: AffineNode, facts: Facts): Planned<LayerFound, Code> {
  const nodes: Node[] = [];
  let value = affine.data;
  for (;;) {
    const { producer } = value;
    if (producer === undefined || producer.graph !== affine.node.graph) return undefined;
    const isLayer = producer.domain === '' && TENSOR_LAYER_OPS.includes(producer.opType);
    if (!isLayer && (!mayCross(producer) || nodes.length === MAX_STEPS)) return undefined;
    if (value.soleConsumer === undefined)
      return isLayer && nodes.length === 0 ? sharedOutput(producer, value) : undefined;
    if (isLayer) return alongPath(producer, nodes, facts);
    nodes.unshift(producer);
    const data = dataInput(producer);
    if (data === undefined) return undefined;
    value = data;
  }
}

function sharedOutput(layer: Node, value: Value): Refusal<'shared-output'> | undefined {
  const producesData = layer.opType !== 'MatMul' || layer.inputs[1]?.constant !== undefined;
  return producesData
    ? refuse('shared-output', { layer: layer.opType, count: value.slots.size + value.outputOf.size - 1 })
    : undefined;
}

function alongPath(producer: Node, nodes: readonly Node[], facts: Facts): Planned<LayerFound, Code> {
  const layer = tensorLayerOf(producer, facts);
  if (!layer) return undefined;
  if (isRefusal(layer)) return withLayer(layer, producer);
  const steps: PathStep[] = [];
  let axis = layer.outputAxis;
  for (const node of nodes) {
    const step = pathStep(node, axis, facts);
    if (step === undefined) return undefined;
    steps.push(step);
    axis = step.axis;
  }
  return { layer, steps, axis };
}

function withLayer({ refused }: Refusal<LayerRefusal>, node: Node): Refusal<LayerRefusal> {
  return refuse(refused, { layer: node.opType });
}

interface Moved {
  readonly affine: ChannelAffine;
  readonly edits: readonly CrossEdit[];
}

function moveUp(given: ChannelAffine, steps: readonly PathStep[]): Moved | undefined {
  const edits: CrossEdit[] = [];
  let affine = given;
  for (const step of steps.toReversed()) {
    const edit = step.cross(affine, 'up');
    const narrowed = compressed(affine, step.repeat);
    if (edit === undefined || narrowed === undefined) return undefined;
    edits.push(edit);
    affine = narrowed;
  }
  return { affine, edits };
}

interface Twin {
  readonly affine: AffineNode;
  readonly layer: TensorLayer;
  readonly bias: LayerWeights;
}

/** All other readers of the weights, when each is a layer with an equal map behind it: then they fold together. */
function twinsOf(layer: TensorLayer, map: ChannelAffine, facts: Facts): Twin[] | undefined {
  const twins: Twin[] = [];
  if (layer.weight.isGraphOutput || layer.weight.slots.get(layer.node) !== 1) return undefined;
  for (const node of layer.weight.consumers()) {
    if (node === layer.node) continue;
    const other = tensorLayerOf(node, facts);
    const next = node.output?.soleConsumer;
    const otherAffine = next && next.graph === node.graph ? affineOf(next) : undefined;
    if (
      !other ||
      isRefusal(other) ||
      // A weight of another graph could not be seen from here.
      node.graph !== layer.node.graph ||
      other.op !== layer.op ||
      other.weight !== layer.weight ||
      layer.weight.slots.get(node) !== 1
    )
      return undefined;
    if (
      otherAffine === undefined ||
      otherAffine.data !== other.output ||
      !sameLayout(layer, other) ||
      !canReplace(otherAffine.output, otherAffine.data)
    )
      return undefined;
    const given = otherAffine.along(other.outputAxis);
    if (given === undefined || !sameNumbers(given.scale, map.scale) || !isFiniteAffine(given)) return undefined;
    const folded = scaledOutputs(other, given);
    if (folded === undefined) return undefined;
    const bias = folded.bias ? { bias: folded.bias } : {};
    twins.push({ affine: otherAffine, layer: other, bias });
  }
  return twins;
}

function sameLayout(a: TensorLayer, b: TensorLayer): boolean {
  return (
    a.layout.groups === b.layout.groups &&
    a.layout.stride.output === b.layout.stride.output &&
    a.layout.stride.input === b.layout.stride.input
  );
}

function sameNumbers(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((number, i) => number === b[i]);
}

/** Only a copy of weights can be too much; a bias is small, and equal ones are merged where many layers get one. */
function growsTooMuch(layer: TensorLayer, weights: LayerWeights, gone: readonly AffineNode[]): boolean {
  if (!weights.weights || !isShared(layer.weight)) return false;
  const constants = gone.flatMap(({ constants: values }) => values).filter((value) => !isShared(value));
  const freed = constants.reduce((sum, value) => sum + (value.constant?.byteLength ?? 0), NODE_BYTES * gone.length);
  return grownBytes(layer, weights) > freed;
}

interface Absorption {
  readonly layer: TensorLayer;
  readonly weights: LayerWeights;
  readonly edits: readonly CrossEdit[];
}

/** Into all layers that read the result. */
function planBefore(affine: AffineNode, facts: Facts): Planned<FoldPlan, Code> {
  const { output, data } = affine;
  if (output.isGraphOutput || output.slots.size === 0 || !keepsShape(affine, facts)) return undefined;
  const absorptions: Absorption[] = [];
  for (const consumer of output.consumers()) {
    const absorbed =
      consumer.graph === affine.node.graph && output.slots.get(consumer) === 1
        ? absorbInto(affine, consumer, facts)
        : undefined;
    if (!absorbed || isRefusal(absorbed)) return absorbed;
    absorptions.push(absorbed);
  }
  const [first] = absorptions;
  const growth = absorptions.reduce((sum, { layer, weights }) => sum + grownBytes(layer, weights), 0);
  const freed = affine.constants.reduce(
    (sum, value) => sum + (isShared(value) ? 0 : (value.constant?.byteLength ?? 0)),
    NODE_BYTES,
  );
  if (first === undefined) return undefined;
  if (growth > freed && absorptions.some(({ layer, weights }) => weights.weights && isShared(layer.weight))) {
    return refuse('shared-weights', { layer: first.layer.op, bytes: growth });
  }
  if (!canReplace(output, data)) return undefined;
  return {
    layer: first.layer.op,
    side: 'before',
    nodes: 1,
    apply() {
      for (const { layer, weights, edits } of absorptions) {
        for (const edit of edits) edit();
        setLayerWeights(layer, weights);
      }
      bypass(affine.node, data);
    },
  };
}

/** The constant does not make the data larger: a [2, 1, 1] turns one channel into two, which no weights can do. */
function keepsShape({ node, data, constants }: AffineNode, facts: Facts): boolean {
  const { shape } = facts.of(data);
  const fits = (dims: readonly number[]): boolean =>
    dims.length <= 1 && (dims[0] ?? 1) === 1
      ? true
      : shape !== undefined &&
        dims.length <= shape.length &&
        dims.every((dim, i) => dim === 1 || dim === shape[shape.length - dims.length + i]);
  return node.is('BatchNormalization') || constants.every((value) => fits(value.constant?.dims ?? []));
}

function absorbInto(affine: AffineNode, consumer: Node, facts: Facts): Planned<Absorption, Code> {
  const nodes: Node[] = [];
  let [value, node] = [affine.output, consumer];
  while (!(node.domain === '' && TENSOR_LAYER_OPS.includes(node.opType))) {
    const next = node.output?.soleConsumer;
    if (
      !mayCross(node) ||
      dataInput(node) !== value ||
      node.output === undefined ||
      next === undefined ||
      next.graph !== node.graph ||
      nodes.length === MAX_STEPS
    )
      return undefined;
    nodes.push(node);
    [value, node] = [node.output, next];
  }
  const layer = tensorLayerOf(node, facts);
  if (!layer) return undefined;
  if (isRefusal(layer)) return withLayer(layer, node);
  if (layer.data !== value) return undefined;
  return absorbAlong(affine, layer, nodes, facts);
}

/** Finds the axis of the map whose way along `nodes` ends at the input channels of `layer`, and folds along it. */
function absorbAlong(
  affine: AffineNode,
  layer: TensorLayer,
  nodes: readonly Node[],
  facts: Facts,
): Planned<Absorption, Code> {
  for (const start of nodes.length === 0 ? [layer.inputAxis] : startAxes(affine, facts)) {
    const edits: CrossEdit[] = [];
    let axis = start;
    let map = affine.along(start);
    if (map === undefined) {
      if (nodes.length === 0) return refuse('not-per-channel', { layer: layer.op });
      continue;
    }
    if (!isFiniteAffine(map)) return refuse('out-of-range');
    for (const node of nodes) {
      const step: PathStep | undefined = map && pathStep(node, axis, facts);
      const edit: CrossEdit | undefined = map && step?.cross(map, 'down');
      map = map && step && edit && repeated(map, step.repeat);
      if (!step || !edit) break;
      edits.push(edit);
      axis = step.axis;
    }
    const arrives =
      map !== undefined && axis.channels === layer.inputAxis.channels && axis.fromEnd === layer.inputAxis.fromEnd;
    if (arrives && map) return absorb(layer, map, edits, facts);
  }
  return undefined;
}

function startAxes({ output }: AffineNode, facts: Facts): ChannelAxis[] {
  const shape = facts.of(output).shape;
  if (shape === undefined) return [];
  const rank = shape.length;
  return [...new Set([1, rank - 1])].flatMap((at) => {
    const channels = shape[at];
    return typeof channels === 'number' && at < rank ? [{ channels, rank, fromEnd: rank - 1 - at }] : [];
  });
}

function absorb(
  layer: TensorLayer,
  map: ChannelAffine,
  edits: readonly CrossEdit[],
  facts: Facts,
): Planned<Absorption, Code> {
  const pure = isPureScale(map);
  if (layer.op === 'ConvTranspose' && !pure) return refuse('transposed-shift', { layer: layer.op });
  if (layer.op === 'Conv' && !pure) {
    const geometry = windowGeometry(layer.node, facts);
    if (geometry === undefined || !isUnpadded(geometry))
      return refuse('padded-shift', { layer: layer.op, ...paddedCosts(layer, facts) });
  }
  const weights = scaledInputs(layer, map);
  if (weights === undefined)
    return layer.op === 'MatMul' && !pure ? refuse('no-bias', { layer: layer.op }) : refuse('out-of-range');
  return { layer, weights, edits };
}
