// Blocks of branches: a Concat along the channels of what chains of convolutions, some with a pool in front, make of one value
// (inception modules, the fire modules of SqueezeNet).
import type { Facts } from '../../analysis/facts.js';
import type { StoredLayer } from '../../fit/held-out-refit.js';
import type { WindowLayer } from '../../fit/patch-geometry.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { windowGeometry, type WindowGeometry } from '../conv-geometry.js';
import { linearLayer } from '../linear-layer.js';
import { readLayer } from '../linear-weights.js';
import type { Bounds } from '../../fit/clipped-refit.js';
import { clippingOf } from '../value-range.js';

/** A convolution with the activation behind it. */
export interface BranchLayer {
  readonly conv: Node;
  /** Of this branch alone, where the convolution is stacked with those of other branches. */
  readonly layer: WindowLayer;
  readonly stored: StoredLayer;
  readonly activation: Node | undefined;
  /** What the activation leaves. */
  readonly bounds: Bounds | undefined;
  /** What takes the stack apart that the layer is a part of. */
  readonly split: Node | undefined;
  readonly input: Value;
  /** Behind activation and split. */
  readonly output: Value;
}

export interface BranchPool {
  readonly node: Node;
  readonly window: WindowGeometry;
}

export interface Branch {
  /** What the branch begins with, where it is a pool. */
  readonly pool: BranchPool | undefined;
  /** At least one, in the order of the data. */
  readonly layers: readonly BranchLayer[];
  readonly last: BranchLayer;
}

export interface BranchBlock {
  readonly concat: Node;
  /** What all branches read. */
  readonly input: Value;
  /** In the order of the Concat; undefined: something else, which stays as it is. */
  readonly branches: readonly (Branch | undefined)[];
  /** By the Split that takes them apart: layers that are stacked into one, in order. */
  readonly stacks: ReadonlyMap<Node, readonly BranchLayer[]>;
}

const POOLS: ReadonlySet<string> = new Set(['MaxPool', 'AveragePool']);

/** The block that ends in `concat`; undefined where fewer than two branches read one value. */
export function branchBlock(concat: Node, facts: Facts): BranchBlock | undefined {
  if (!concat.is('Concat') || concat.int('axis', 0) !== 1 || !concat.output) return undefined;
  const found = concat.inputs.map((value) => value && branchTo(value, concat, facts));
  const inputs = found.flatMap((branch) => (branch ? [inputOf(branch)] : []));
  const input = inputs.find((value, at) => inputs.indexOf(value) !== at);
  if (!input) return undefined;
  const branches = found.map((branch) => (branch && inputOf(branch) === input ? branch : undefined));
  return { concat, input, branches, stacks: stacksOf(branches, facts) };
}

function stacksOf(branches: BranchBlock['branches'], facts: Facts): Map<Node, readonly BranchLayer[]> {
  const splits = branches.flatMap((branch) => branch?.layers.flatMap(({ split }) => split ?? []) ?? []);
  const parts = (split: Node): BranchLayer[] =>
    split.outputs.flatMap((value) => (value && layerTo(value, facts)) ?? []);
  return new Map(splits.map((split) => [split, parts(split)]));
}

/** What a branch reads. */
const inputOf = ({ pool, layers: [first] }: Branch): Value | undefined => pool?.node.inputs[0] ?? first?.input;

/** Upwards from what a Concat reads to the first value that others read too. */
function branchTo(output: Value, concat: Node, facts: Facts): Branch | undefined {
  const layers: BranchLayer[] = [];
  let reader = concat;
  for (let value = output; ;) {
    const layer = value.soleConsumer === reader ? layerTo(value, facts) : undefined;
    if (!layer || layer.conv.graph !== concat.graph) break;
    layers.unshift(layer);
    [value, reader] = [layer.input, layer.conv];
  }
  const [first, last] = [layers[0], layers.at(-1)];
  return first && last && { pool: poolBefore(first, facts), layers, last };
}

function poolBefore({ input, conv }: BranchLayer, facts: Facts): BranchPool | undefined {
  const node = input.producer;
  const isOwn = node !== undefined && input.soleConsumer === conv && node.graph === conv.graph;
  if (!isOwn || node.domain !== '' || !POOLS.has(node.opType) || node.outputs.length > 1) return undefined;
  const window = windowGeometry(node, facts);
  return window && { node, window };
}

/** The convolution that makes `output`, through an activation and a Split. */
function layerTo(output: Value, facts: Facts): BranchLayer | undefined {
  const part = partOf(output, facts);
  const behind = part?.whole ?? output;
  const clipping = behind.producer && clippingOf(behind.producer, facts);
  const clipped = clipping?.source.soleConsumer === behind.producer ? clipping : undefined;
  const activation = clipped && behind.producer;
  const bounds = clipped && { low: clipped.low, high: clipped.high };
  const made = clipped?.source ?? behind;
  const conv = made.producer;
  const [input, weights] = conv?.inputs ?? [];
  const layer = conv?.is('Conv') && conv.graph === output.graph ? linearLayer(conv, facts) : undefined;
  const isOwn = weights?.constant?.dtype === 'float32' && weights.soleConsumer === conv;
  if (!conv || !isOwn || !input || input.constant || layer?.kind !== 'conv') return undefined;
  const stored = readLayer(conv, layer.outputs);
  if (!stored || (part && layer.groups !== 1)) return undefined;
  const own = { conv, activation, bounds, split: part?.split, input, output };
  if (!part) return { ...own, layer, stored };
  const { first, width } = part;
  return { ...own, layer: { ...layer, outputs: width }, stored: rowsOf(stored, layer.outputs, first, width) };
}

interface Part {
  readonly split: Node;
  readonly whole: Value;
  readonly first: number;
  readonly width: number;
}

/** Where a Split along the channels takes `output` from. */
function partOf(output: Value, facts: Facts): Part | undefined {
  const split = output.producer;
  const whole = split?.inputs[0];
  if (!split?.is('Split') || split.int('axis', 0) !== 1 || !whole || whole.soleConsumer !== split) return undefined;
  const widths = split.outputs.map((value) => Number(value && facts.of(value).shape?.[1]));
  const at = split.outputs.indexOf(output);
  const [first, width] = [widths.slice(0, at).reduce((sum, size) => sum + size, 0), widths[at] ?? Number.NaN];
  return widths.every(Number.isInteger) ? { split, whole, first, width } : undefined;
}

/** `count` outputs of a layer from `first` on. */
function rowsOf({ weights, bias }: StoredLayer, outputs: number, first: number, count: number): StoredLayer {
  const row = weights.length / outputs;
  return {
    weights: Float64Array.from(weights).subarray(first * row, (first + count) * row),
    bias: Float64Array.from(bias).subarray(first, first + count),
  };
}
