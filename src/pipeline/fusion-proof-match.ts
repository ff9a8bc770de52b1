// Finds what ran in place of the nodes of a QDQ model in the optimized graph. A fused node has the name of the operator and
// the output name of the QuantizeLinear that it took in; where the runtime made other values (it moves pairs of Q and DQ,
// and rewrites int8 to uint8) the node's own name is left, or its weights, or its place behind what was found before.
import { isIntegerOperator } from '../analysis/int8-kernels.js';
import { nodesUnder, type Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { DEQUANTIZE, dequantizer, QUANTIZE, type PlannedSite } from './fusion-proof-source.js';

/** The optimized graph, ready for questions. */
export interface OptimizedIndex {
  readonly nodes: readonly Node[];
  /** By name of the value, with and without what the runtime adds. */
  readonly producers: ReadonlyMap<string, Node>;
  /** By name of the node, without what the runtime adds. */
  readonly named: ReadonlyMap<string, readonly Node[]>;
  readonly integers: ReadonlySet<Value>;
}

/** Indexes the model that the runtime wrote, subgraphs included. */
export function indexOptimized(model: Model): OptimizedIndex {
  const nodes = [...nodesUnder(model.graph)];
  const producers = new Map<string, Node>();
  const named = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (!output) continue;
      producers.set(output.name, node);
      const given = output.name.replace(/_token_\d+$/, '').replace(/_q_to_dq$/, '');
      if (!producers.has(given)) producers.set(given, node);
    }
    const name = plainName(node.name);
    if (name !== '' && !isConversion(node)) named.set(name, [...(named.get(name) ?? []), node]);
  }
  return { nodes, producers, named, integers: integerValues(model, nodes) };
}

/** QuantizeLinear or DequantizeLinear. */
export const isConversion = (node: Node): boolean => node.is(QUANTIZE) || node.is(DEQUANTIZE);

/** A name without the endings of the runtime: `_token_3`, `/MatMulAddFusion`. */
function plainName(name: string): string {
  return name.replace(/_token_\d+$/, '').replace(/\/\w+Fusion$/, '');
}

const INTEGER_TYPES: ReadonlySet<string | undefined> = new Set(['int8', 'uint8']);

/** Values that hold quantized numbers: an operator without a quantized form passes on what it reads. */
function integerValues(model: Model, nodes: readonly Node[]): Set<Value> {
  const integers = new Set<Value>();
  const declared = model.graphs().flatMap((graph) => [...graph.inputs, ...graph.initializers]);
  for (const value of declared)
    if (value.type?.kind === 'tensor' && INTEGER_TYPES.has(value.type.dtype)) integers.add(value);
  for (const node of nodes) {
    if (!computesIntegers(node, integers)) continue;
    for (const output of node.outputs) if (output) integers.add(output);
  }
  return integers;
}

/** Places of the result's scale: without it QGemm returns floats. */
const QGEMM_SCALE = 7;

function computesIntegers(node: Node, integers: ReadonlySet<Value>): boolean {
  if (node.is(QUANTIZE)) return true;
  if (node.is(DEQUANTIZE) || node.opType === 'MatMulIntegerToFloat') return false;
  if (node.opType === 'QGemm') return node.inputs[QGEMM_SCALE] !== undefined;
  if (isIntegerOperator(node)) return true;
  const [input] = node.inputs;
  return input !== undefined && integers.has(input);
}

/** Whether a node of the optimized graph computes on integers. */
export function runsOnIntegers(node: Node, { integers }: OptimizedIndex): boolean {
  const [input] = node.inputs;
  return isIntegerOperator(node) || (!isConversion(node) && input !== undefined && integers.has(input));
}

/** What ran in place of each site; sites in the order of the model. */
export function matchSites(sites: readonly PlannedSite[], index: OptimizedIndex): Map<PlannedSite, Node> {
  const found = new Map<PlannedSite, Node>();
  const ran = new Map<Node, Node>();
  for (const site of sites) {
    const match = byResult(site, index) ?? byName(site, index) ?? byWeights(site, index) ?? byPlace(site, ran);
    if (!match) continue;
    found.set(site, match);
    ran.set(site.node, match);
  }
  return found;
}

/** By the names of the values that it may have computed, the last one first. */
function byResult({ results }: PlannedSite, { producers }: OptimizedIndex): Node | undefined {
  const names = results.flatMap(({ value, last, quantizers }) => [
    ...quantizers.flatMap(({ output }) => output?.name ?? []),
    last.name,
    value.name,
  ]);
  for (const name of names) {
    const node = producers.get(name);
    if (node && !isConversion(node)) return node;
  }
  return undefined;
}

function byName({ node }: PlannedSite, { named }: OptimizedIndex): Node | undefined {
  const [only, ...others] = node.name === '' ? [] : (named.get(node.name) ?? []);
  return others.length === 0 ? only : undefined;
}

/** By its weights, where no other node reads them. */
function byWeights({ node, kernel }: PlannedSite, { nodes }: OptimizedIndex): Node | undefined {
  const weights = kernel?.form === 'product' ? dequantizer(node.inputs[1])?.inputs[0] : undefined;
  if (!weights?.initializer) return undefined;
  const readers = nodes.filter((other) => other.inputs.some((value) => value?.name === weights.name));
  const through = readers.flatMap((reader) => (isConversion(reader) ? (reader.output?.consumers() ?? []) : [reader]));
  return through.length === 1 ? through[0] : undefined;
}

/** By its place: the first reader of what the node before it turned into that is of its kind and was not found yet. */
function byPlace({ node }: PlannedSite, ran: ReadonlyMap<Node, Node>): Node | undefined {
  const taken = new Set(ran.values());
  for (const input of node.inputs) {
    const before = sourceOf(input);
    const match = before && ran.get(before);
    const readers = (match?.outputs ?? []).flatMap((value) => (value ? readersThrough(value) : []));
    const alike = readers.find((reader) => reader.opType.includes(node.opType) && !taken.has(reader));
    if (alike) return alike;
  }
  return undefined;
}

/** The node that computed `value`, before conversions and an activation. */
function sourceOf(value: Value | undefined): Node | undefined {
  let node = value?.producer;
  while (node && (isConversion(node) || node.is('Relu') || node.is('Clip'))) node = node.inputs[0]?.producer;
  return node;
}

function readersThrough(value: Value): Node[] {
  return value.consumers().flatMap((node) => {
    if (!isConversion(node)) return [node];
    return node.output ? readersThrough(node.output) : [];
  });
}
