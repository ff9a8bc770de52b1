// A dense convolution in groups: which orders of channels are open to it, what of its weights stays, what it costs, and the change itself.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { intAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { matrix, type Matrix } from '../../linalg/matrix.js';
import { Tensor } from '../../tensor/tensor.js';
import { slicedAlong } from '../channel-lane.js';
import { graphOf, setConstantInput } from '../edit.js';
import type { TensorLayer } from '../tensor-layer.js';
import { clippingOf } from '../value-range.js';
import type { BlockChange } from './block-rule.js';
import { assignGroups, type Exchanges } from './shuffle-assignment.js';
import { carryOutMoves, movesOf, passes, placesIn, type OpenGroups } from './shuffle-order.js';

/** One side of a layer. */
export interface LayerSide {
  /** The value whose channels (axis 1) are those of the side. */
  readonly value: Value;
  readonly size: number;
  /** Groups whose units can change places, and with them their channels here. */
  readonly movable: readonly ChannelGroup[];
  /** `free`: every channel with every other. `part`: some with some. `held`: none, as another layer in groups has them so. `fixed`: none. */
  readonly freedom: 'free' | 'part' | 'held' | 'fixed';
  /** Whether a Gather puts the channels in order, which then moves nothing outside of the layer. */
  readonly gathered: boolean;
}

export type LayerSides = Readonly<Record<'inputs' | 'outputs', LayerSide>>;

/** What the channels on both sides of a layer may do: where they change places together with all that reads or makes them. */
export function sidesOf({ data, output, layout }: TensorLayer, { movable, held }: OpenGroups): LayerSides {
  const at = (value: Value, groups: readonly ChannelGroup[]): ChannelGroup[] =>
    groups.filter((group) => group.width > 1 && passes(group, value));
  // What goes in and what comes out are the same channels around a residual sum: no order suits both.
  const both = new Set(at(data, movable).filter((group) => passes(group, output)));
  const side = (value: Value, size: number): LayerSide => {
    const groups = at(value, movable).filter((group) => !both.has(group));
    const among = groups[0]?.width === size ? 'free' : 'part';
    const freedom = groups.length > 0 ? among : at(value, held).length > 0 ? 'held' : 'fixed';
    return { value, size, movable: groups, freedom, gathered: false };
  };
  return { inputs: side(data, layout.inputs), outputs: side(output, layout.outputs) };
}

/** A Gather on every side where channels are not free. */
export function gatheredSides({ inputs, outputs }: LayerSides): LayerSides {
  const gathered = (side: LayerSide): LayerSide => (side.freedom === 'free' ? side : { ...side, gathered: true });
  return { inputs: gathered(inputs), outputs: gathered(outputs) };
}

// Measured with bench/shuffle-groups.mjs (1 thread), as parts of what the dense layer of C inputs, O outputs and T taps takes.
/** Convolutions take channels in blocks of 16 or 8: groups of whole blocks take 1/g. */
const BLOCK = 16;
/** Others leave the blocks and come back: for all channels of a point convolution, or with the patches of a window. */
const OUT_OF_BLOCKS = {
  point: (inputs: number, outputs: number) => 13 / inputs + 22 / outputs,
  window: (_: number, outputs: number) => 40 / outputs,
};
/** A Gather of the inputs takes this by O T, one of the outputs this by C T. */
const GATHER = { 'in-blocks': 30, 'out-of-blocks': 7 };

/**
 * About how long the layer takes in groups, as a part of what it takes now. With a Gather on both sides where there may be one: a side that
 * is free may be so no longer once other layers have groups.
 */
export function expectedTime({ layout }: TensorLayer, groups: number, order: 'folded' | 'gathered'): number {
  const { inputs, outputs, kernel } = layout;
  const isWhole = [inputs, outputs].every((size) => size % (groups * BLOCK) === 0);
  const leaving = isWhole ? 0 : OUT_OF_BLOCKS[kernel === 1 ? 'point' : 'window'](inputs, outputs);
  const gather = GATHER[isWhole ? 'in-blocks' : 'out-of-blocks'] / kernel;
  return 1 / groups + leaving + (order === 'gathered' ? gather / inputs + gather / outputs : 0);
}

/** The value behind the layer and the activations that run with it; undefined where its order cannot be mended, as the graph returns it. */
export function gatherPoint(output: Value, facts: Facts): Value | undefined {
  let value = output;
  for (let next = value.soleConsumer; next?.output; next = value.soleConsumer) {
    if (clippingOf(next, facts)?.source !== value || next.graph !== output.graph) break;
    value = next.output;
  }
  return value.isGraphOutput || value.consumers().some(({ graph }) => graph !== output.graph) ? undefined : value;
}

/** What of its squared weights the layer keeps, and how it is put in groups. */
export interface GroupingPlan {
  readonly layer: TensorLayer;
  readonly sides: LayerSides;
  readonly groups: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly share: number;
}

/** The channels sorted into groups so that little is lost. */
export function planGroups(
  layer: TensorLayer,
  sides: LayerSides,
  { groups, seed }: { readonly groups: number; readonly seed?: number | string },
): GroupingPlan {
  const energy = energyOf(layer);
  const [inputs, outputs] = [exchangesOf(sides.inputs), exchangesOf(sides.outputs)];
  const found = assignGroups({ energy, groups, inputs, outputs, ...(seed !== undefined && { seed }) });
  return { layer, sides, groups, ...found };
}

function exchangesOf({ value, size, movable, gathered }: LayerSide): Exchanges {
  if (gathered) return [Array.from({ length: size }, (_, place) => place)];
  return movable.map((group) => placesIn(group, value));
}

function energyOf({ weights, layout: { outputs, inputs, kernel } }: TensorLayer): Matrix {
  const energy = new Float64Array(outputs * inputs);
  for (const [i, weight] of weights.toFloat64().entries()) {
    const at = Math.floor(i / kernel);
    energy[at] = (energy[at] ?? 0) + weight * weight;
  }
  return matrix(outputs, inputs, energy);
}

/**
 * Puts the channels in order and drops all weights between groups. Names stay; a Gather behind the layer makes a value of its own, in the
 * old order, for those who read it.
 */
export function groupLayer({ layer, sides, groups, inputs, outputs }: GroupingPlan, facts: Facts): BlockChange {
  const { node } = layer;
  const tensor = orderedBlocks(layer, { groups, inputs, outputs });
  const behind = sides.outputs.gathered ? gatherPoint(layer.output, facts) : undefined;
  if (sides.outputs.gathered && !behind) throw new TypeError(`nothing may stand behind ${node.label}`);
  const folded = ({ gathered, movable, value }: LayerSide, order: readonly number[]) =>
    gathered ? [] : movable.map((group) => [group, { value, order }] as const);
  const orders = [...folded(sides.inputs, inputs), ...folded(sides.outputs, outputs)];
  const kept = carryOutMoves(movesOf(new Map(orders), facts));
  const graph = graphOf(node);
  layer.weight.graph?.setInitializer(layer.weight, { kind: 'dense', tensor });
  layer.weight.graph?.setType(layer.weight, { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims });
  graph.setAttribute(node, 'group', intAttr(groups));
  if (sides.inputs.gathered) gatherInFront(node, inputs);
  if (behind) {
    for (const name of gatherBehind(layer, behind, outputs)) kept.set(name, outputs);
  }
  return { layers: [node], kept };
}

/** The weights of the groups, from those of the dense layer in its old order: O x C/g x kernel. */
function orderedBlocks(
  { weights }: TensorLayer,
  { groups, inputs, outputs }: Pick<GroupingPlan, 'groups' | 'inputs' | 'outputs'>,
): Tensor {
  const ordered = slicedAlong(slicedAlong(weights, 0, outputs), 1, inputs);
  const { dims } = ordered;
  const [perGroup, width] = [outputs.length / groups, inputs.length / groups];
  const kernel = ordered.size / (outputs.length * inputs.length);
  const before = ordered.toFloat64();
  const after = new Float64Array(outputs.length * width * kernel);
  for (let o = 0; o < outputs.length; o++) {
    const from = (o * inputs.length + Math.floor(o / perGroup) * width) * kernel;
    after.set(before.subarray(from, from + width * kernel), o * width * kernel);
  }
  return Tensor.fromNumbers(weights.dtype, dims.with(1, width), after);
}

const indices = (order: readonly number[]): Tensor => Tensor.fromNumbers('int64', [order.length], order);

function gatherInFront(node: Node, order: readonly number[]): void {
  const graph = graphOf(node);
  const [data] = node.inputs;
  const places = graph.addInitializer(indices(order), `${data?.name}_order`);
  const spec = { opType: 'Gather', inputs: [data, places], outputs: [`${data?.name}_ordered`] };
  const { output } = graph.addNode({ ...spec, attributes: { axis: intAttr(1) } }, node);
  graph.setInput(node, 0, output);
}

/** Behind the activations that run with the layer. Names of the values that have another order from now on. */
function gatherBehind({ node, output, bias }: TensorLayer, behind: Value, order: readonly number[]): string[] {
  const graph = graphOf(node);
  if (bias) {
    const numbers = order.map((channel) => bias[channel] ?? 0);
    setConstantInput(node, 2, Tensor.fromNumbers('float32', [numbers.length], numbers), node.inputs[2]?.name);
  }
  const readers = behind.consumers();
  const back = order.map(() => 0);
  for (const [place, channel] of order.entries()) back[channel] = place;
  const places = graph.addInitializer(indices(back), `${behind.name}_order`);
  const nodes = graph.nodes();
  const next = behind.producer && nodes[nodes.indexOf(behind.producer) + 1];
  const spec = { opType: 'Gather', inputs: [behind, places], outputs: [`${behind.name}_ordered`] };
  const gather = graph.addNode({ ...spec, attributes: { axis: intAttr(1) } }, next);
  for (const reader of readers)
    reader.inputs.forEach((value, slot) => value === behind && graph.setInput(reader, slot, gather.output));
  const names: string[] = [];
  for (let value: Value | undefined = output; value; value = value.soleConsumer?.output) {
    names.push(value.name);
    if (value === behind) break;
  }
  return names;
}
