// Linear layers whose inputs are no longer those of the original, with what each has to give: the values of the original at the
// output channels that are left. In levels: what layers of one level read depends on layers of earlier levels only.
import type { Facts } from '../../analysis/facts.js';
import type { Bounds } from '../../fit/clipped-refit.js';
import { layerSizes, type LinearLayer } from '../../fit/patch-geometry.js';
import { sameDims } from '../../ir/dim.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { PlacedChain } from '../../passes/factorize/placed-chain.js';
import { linearLayer } from '../../passes/linear-layer.js';
import { clippingOf } from '../../passes/value-range.js';
import type { KeptChannels } from './kept-channels.js';
import { layerOutput, withBias } from '../../passes/linear-weights.js';

/** A layer that is to be refitted. */
export interface RepairLayer {
  /** Of the node, or of its output where it has none. */
  readonly name: string;
  readonly node: Node;
  readonly layer: LinearLayer;
  readonly input: Value;
  /** Behind the bias, where an Add carries it. */
  readonly output: Value;
  /**
   * What is added to the output before it is compared with the target: the other side of a residual sum, as the model
   * has it by then. So each branch makes up for what the stream has lost before it.
   */
  readonly addend: Value | undefined;
  /** Computed by the original; channel `kept[o]` of it is what output o (with the addend, where there is one) has to give. */
  readonly target: Value;
  readonly kept: readonly number[];
  /** What the Relu or Clip leaves that alone reads the output (or the sum), where there is one. */
  readonly bounds: Bounds | undefined;
  /** What the original has there: the layer, or a block that the layer stands for. */
  readonly standsFor: 'layer' | 'block';
  /** What stands for the layer, where it is a chain: `layer` and `input` are those of the chain, `node` is its last. */
  readonly chain: PlacedChain | undefined;
}

/** Why a layer behind the first change is not refitted. */
export type SkipCode = 'no-counterpart' | 'unsupported-layer';

export const SKIP_WORDS: Readonly<Record<SkipCode, string>> = {
  'no-counterpart': 'the original computes no value of the same name and width',
  'unsupported-layer': 'the weights are computed, or the geometry of the layer depends on sizes that are not known',
};

export interface RepairPlan {
  /** Level by level, in graph order. */
  readonly levels: readonly (readonly RepairLayer[])[];
  readonly skipped: ReadonlyMap<Node, SkipCode>;
  /** How many refitted layers lie on the longest way to a value. */
  readonly depths: ReadonlyMap<Value, number>;
}

export interface RepairedModels {
  readonly student: { readonly graph: Graph; readonly facts: Facts };
  readonly teacher: { readonly graph: Graph; readonly facts: Facts };
  readonly kept: KeptChannels;
  /** Layers of the student that are refitted together. Default: none. */
  readonly chains?: readonly PlacedChain[] | undefined;
}

const LAYER_TYPES: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Which layers behind the first change are refitted. `readers`: those that sum over channels that went. `all`: every one. Or these. */
export type RepairScope = 'readers' | 'all' | ReadonlySet<Node>;

/**
 * The layers of this scope, with what each has to give. Products of the
 * student get an Add for their bias (`dropIdleBias` takes it away if it is not used).
 */
export function planRepair(models: RepairedModels, which: RepairScope): RepairPlan {
  const found = findLayers(models, which);
  const layers = found.layers.map(biased);
  const { levels, depths } = inLevels(models.student.graph, layers);
  const aimed = levels.map((level, at) =>
    level.map((layer) => {
      const sum = sumBehind(layer, models);
      // What the other side will be must be known by then; one that is as in the original has nothing to make up for.
      return sum && found.changed.has(sum.addend) && (depths.get(sum.addend) ?? 0) <= at ? { ...layer, ...sum } : layer;
    }),
  );
  return { levels: aimed, depths, skipped: found.skipped };
}

/** With a place for its bias. */
function biased(one: RepairLayer): RepairLayer {
  const node = withBias(one.node);
  return { ...one, node, chain: one.chain && { ...one.chain, nodes: [...one.chain.nodes.slice(0, -1), node] } };
}

/** The sum of two streams of one shape that alone reads the output of a layer, as the aim of that layer. */
function sumBehind(
  { output, layer }: RepairLayer,
  { student, teacher, kept }: RepairedModels,
): (Pick<RepairLayer, 'target' | 'kept' | 'bounds'> & { readonly addend: Value }) | undefined {
  const add = output.soleConsumer;
  const sum = add?.output;
  if (add?.opType !== 'Add' || add.domain !== '' || !sum) return undefined;
  const addend = add.inputs.find((value) => value !== output);
  const [own, other] = [student.facts.of(output).shape, addend && student.facts.of(addend).shape];
  if (!addend || addend.constant || !own || !sameDims(own, other)) return undefined;
  const target = valuesByName(teacher.graph).get(sum.name);
  const left =
    target && channelsLeft(layer, { target, first: undefined }, { facts: teacher.facts, kept, names: [sum.name] });
  return left && { addend, target, kept: left, bounds: boundsBehind(sum, student.facts) };
}

interface FoundLayers {
  readonly layers: readonly RepairLayer[];
  /** What is no longer as in the original. */
  readonly changed: ReadonlySet<Value>;
  readonly skipped: ReadonlyMap<Node, SkipCode>;
}

function findLayers({ student, teacher, kept, chains = [] }: RepairedModels, which: RepairScope): FoundLayers {
  const originals = valuesByName(teacher.graph);
  const chainAt = new Map(chains.map((chain) => [chain.nodes.at(-1), chain]));
  const inner = new Set(chains.flatMap(({ nodes }) => nodes.slice(0, -1)));
  const layers: RepairLayer[] = [];
  const skipped = new Map<Node, SkipCode>();
  const changed = new Set<Value>();
  for (const node of student.graph.nodes()) {
    const output = layerOutput(node);
    const isLayer = LAYER_TYPES.has(node.opType) && node.domain === '' && output !== undefined;
    const aim = output && aimOf(node, output, { originals, facts: student.facts });
    const original = originalLayer(node, aim?.target, originals);
    const hasLost = isLayer && sumsOverLess(node, student.facts, original, teacher.facts);
    const isNew = isLayer && !inner.has(node) && aim !== undefined && original?.opType !== node.opType;
    const isChanged = hasLost || isNew || readsAny(node, changed) || readsOther(node, originals);
    if (!isChanged) continue;
    for (const value of node.outputs) if (value) changed.add(value);
    const isAsked = typeof which === 'string' ? which === 'all' || hasLost : which.has(node);
    if (!isLayer || inner.has(node) || !isAsked) continue;
    const standsFor = isNew ? 'block' : 'layer';
    const own = { output, aim, facts: student.facts, standsFor, chain: chainAt.get(node) } as const;
    const found = describe(node, own, { facts: teacher.facts, kept });
    if (typeof found === 'string') skipped.set(node, found);
    else if (found) layers.push(found);
  }
  return { layers, changed, skipped };
}

/** Values that nodes of the graph compute. */
function valuesByName(graph: Graph): Map<string, Value> {
  const values = graph.nodes().flatMap(({ outputs }) => outputs);
  return new Map(values.flatMap((value) => (value ? [[value.name, value] as const] : [])));
}

/** The layer of the original that the layer of the student comes from: the target's own, or the one before its bias. */
function originalLayer(node: Node, target: Value | undefined, originals: ReadonlyMap<string, Value>): Node | undefined {
  const own = node.output && originals.get(node.output.name)?.producer;
  return own ?? target?.producer;
}

/** Fewer inputs in each group than the original: channels went that are summed. In a depthwise layer none are. */
function sumsOverLess(node: Node, facts: Facts, original: Node | undefined, originalFacts: Facts): boolean {
  const now = linearLayer(node, facts);
  const before = original && linearLayer(original, originalFacts);
  return now !== undefined && before !== undefined && layerSizes(now).inputs < layerSizes(before).inputs;
}

/** Whether the node reads other values than what makes the same in the original: a branch before it is gone. */
function readsOther(node: Node, originals: ReadonlyMap<string, Value>): boolean {
  const before = node.output && originals.get(node.output.name)?.producer;
  const named = ({ inputs }: Node): string =>
    inputs.flatMap((value) => (value && !value.constant ? [value.name] : [])).join('\n');
  return before?.opType === node.opType && named(before) !== named(node);
}

function readsAny(node: Node, values: ReadonlySet<Value>): boolean {
  // What a subgraph reads is not looked up: it counts as changed.
  return node.inputs.some((value) => value && values.has(value)) || (values.size > 0 && node.subgraphs().length > 0);
}

interface OwnSide {
  readonly output: Value;
  readonly aim: Aim | undefined;
  readonly facts: Facts;
  readonly standsFor: RepairLayer['standsFor'];
  readonly chain: PlacedChain | undefined;
}

function describe(
  node: Node,
  { output, aim, facts, standsFor, chain }: OwnSide,
  { facts: originalFacts, kept }: { readonly facts: Facts; readonly kept: KeptChannels },
): RepairLayer | SkipCode | undefined {
  const [input] = (chain?.nodes[0] ?? node).inputs;
  const layer = chain?.layer ?? linearLayer(node, facts);
  // Two activations multiplied with each other are no layer.
  if (!layer && node.opType === 'MatMul' && !node.inputs.some((value) => value?.constant)) return undefined;
  if (!layer || !input || input.constant) return 'unsupported-layer';
  const names = aim ? [aim.target.name, output.name] : [];
  const left = aim && channelsLeft(layer, aim, { facts: originalFacts, kept, names });
  if (!left) return 'no-counterpart';
  const { target } = aim;
  const bounds = boundsBehind(output, facts);
  const about = { name: node.label, node, layer, input, output, standsFor, chain };
  return { ...about, addend: undefined, target, kept: left, bounds };
}

/** What a layer has to give. */
interface Aim {
  readonly target: Value;
  /** Its channel that is the first output of the layer; undefined where all of them are the layer's. */
  readonly first: number | undefined;
}

/**
 * The value of the original by the name of the layer's output; else, of a layer that stands for a block, by the name of what activations
 * and Concats alone make of it.
 */
function aimOf(
  node: Node,
  output: Value,
  { originals, facts }: { readonly originals: ReadonlyMap<string, Value>; readonly facts: Facts },
): Aim | undefined {
  const own = originals.get(output.name) ?? (node.output && originals.get(node.output.name));
  if (own) return { target: own, first: undefined };
  let value = output;
  let first: number | undefined;
  for (;;) {
    const next = value.soleConsumer;
    if (!next?.output || value.isGraphOutput) return undefined;
    if (clippingOf(next, facts)?.source !== value) {
      const before = channelsBefore(value, next, facts);
      if (before === undefined) return undefined;
      first = (first ?? 0) + before;
    }
    value = next.output;
    const target = originals.get(value.name);
    if (target) return { target, first };
  }
}

/** Channels of a Concat in front of `value`. */
function channelsBefore(value: Value, node: Node, facts: Facts): number | undefined {
  if (node.opType !== 'Concat' || node.domain !== '' || node.int('axis', 0) !== 1) return undefined;
  let sum = 0;
  for (const input of node.inputs) {
    if (input === value) return sum;
    const width = input && facts.of(input).shape?.[1];
    if (typeof width !== 'number') return undefined;
    sum += width;
  }
  return undefined;
}

/** Which channels of a value of the original the outputs of a layer are; `names`: what tells it. Undefined: not those. */
function channelsLeft(
  layer: LinearLayer,
  { target, first }: Aim,
  { facts, kept, names }: { readonly facts: Facts; readonly kept: KeptChannels; readonly names: readonly string[] },
): readonly number[] | undefined {
  const shape = facts.of(target).shape;
  if (!shape) return undefined;
  const axis = layer.kind === 'rows' ? shape.length - 1 : 1;
  const size = shape[axis];
  const [tracked] = names.flatMap((name) => {
    const left = kept.get(name)?.get(axis);
    return left ? [left] : [];
  });
  const all = tracked ?? (typeof size === 'number' ? Array.from({ length: size }, (_, index) => index) : []);
  const own = first === undefined ? all : all.slice(first, first + layer.outputs);
  return own.length === layer.outputs ? own : undefined;
}

/** Of the activation that alone reads the value (or of several that are alike). */
function boundsBehind(value: Value, facts: Facts): Bounds | undefined {
  const [first, ...others] = value.consumers().map((node) => clippingOf(node, facts));
  if (!first || first.source !== value || value.isGraphOutput) return undefined;
  const isAlike = others.every((other) => other?.low === first.low && other.high === first.high);
  return isAlike ? { low: first.low, high: first.high } : undefined;
}

function inLevels(graph: Graph, layers: readonly RepairLayer[]): Pick<RepairPlan, 'levels' | 'depths'> {
  const byNode = new Map(layers.map((one) => [one.node, one]));
  // What a chain passes on inside changes when the chain does.
  const inner = new Set(layers.flatMap(({ chain }) => chain?.nodes.slice(0, -1) ?? []));
  const depths = new Map<Value, number>();
  const levels: RepairLayer[][] = [];
  let deepest = 0;
  for (const node of graph.nodes()) {
    const layer = byNode.get(node);
    const inputs = layer?.chain ? [layer.input] : node.inputs;
    const read = inputs.reduce((most, value) => Math.max(most, (value && depths.get(value)) ?? 0), 0);
    const depth = node.subgraphs().length > 0 ? deepest : read;
    if (layer) (levels[depth] ??= []).push(layer);
    const after = depth + (layer || inner.has(node) ? 1 : 0);
    for (const value of node.outputs) if (value) depths.set(value, after);
    deepest = Math.max(deepest, after);
  }
  return { levels: Array.from(levels, (level) => level ?? []), depths };
}

/**
 * Values that no longer change once the layers of the levels before `level` are repaired, and that what comes after it is
 * computed from; in graph order.
 */
export function valuesBehind(graph: Graph, { levels, depths }: RepairPlan, level: number): readonly Value[] {
  const open = levels
    .slice(level + 1)
    .flatMap((layers) => layers.flatMap(({ input, addend }) => (addend ? [input, addend] : [input])));
  const seen = new Set<Value>();
  const found = new Set<Value>();
  for (let value = open.pop(); value; value = open.pop()) {
    if (seen.has(value) || value.constant) continue;
    seen.add(value);
    if ((depths.get(value) ?? 0) <= level) found.add(value);
    else for (const input of value.producer?.inputs ?? []) if (input) open.push(input);
  }
  const all = [...graph.inputs, ...graph.nodes().flatMap(({ outputs }) => outputs)];
  return all.filter((value): value is Value => value !== undefined && found.has(value));
}

/** Runs of items of which each is of bounded size; a single item may be larger. */
export function inParts<T>(items: readonly T[], sizeOf: (item: T) => number, limit: number): T[][] {
  const parts: T[][] = [];
  let used = Infinity;
  for (const item of items) {
    const size = sizeOf(item);
    if (used + size > limit) {
      parts.push([]);
      used = 0;
    }
    parts.at(-1)?.push(item);
    used += size;
  }
  return parts;
}
