// Peak activation memory by liveness: a tensor lives from the node that makes it to the last one that reads it. Graph
// inputs live throughout, graph outputs until the end; weights are not activations. Outputs of views (Reshape and its
// like) share the memory of their input, and elementwise nodes write over an input that nobody reads any more, as runtimes do. What
// an integer kernel computes between DequantizeLinear and QuantizeLinear is counted as the integers that it is.
// While a node with subgraphs, or a call of a local function, runs, the dearest of its graphs adds its own peak.
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { constantTensor } from '../ops/generate.js';
import { tensorBytes } from './cost.js';
import type { ModelFacts, Scope } from './inference.js';
import { integerBuffers, type IntegerBuffers } from './integer-buffers.js';

export interface PeakMemory {
  readonly bytes: number;
  /** The node at which it is reached; undefined for a graph without nodes. */
  readonly at: Node | undefined;
  /** Values whose size is unknown: they count as 0. */
  readonly unknown: number;
}

interface Sweep {
  readonly facts: ModelFacts;
  readonly scope: Scope;
  readonly unknown: Set<Value>;
  /** Counted by the caller: arguments and results of a call. */
  readonly outside: ReadonlySet<Value>;
}

/** What is known within one graph. */
interface GraphSweep extends Sweep {
  readonly integers: IntegerBuffers;
}

/** What is alive while a node of the main graph runs. */
export interface Moment {
  readonly node: Node;
  /** Bytes by the value that owns the buffer. */
  readonly buffers: ReadonlyMap<Value, number>;
  /** Of the graphs that the node runs. */
  readonly inner: number;
}

/** Peak over one run of `model`, at the sizes that `facts` assume. */
export function peakActivations(model: Model, facts: ModelFacts): PeakMemory {
  const unknown = new Set<Value>();
  const { bytes, at } = graphPeak(model.graph, { facts, unknown, scope: facts.scope, outside: new Set() });
  return { bytes, at, unknown: unknown.size };
}

/** Every moment of one run, in the order of the nodes; `peakActivations` is the largest of their sums. */
export function moments(model: Model, facts: ModelFacts): Moment[] {
  const sweep = { facts, unknown: new Set<Value>(), scope: facts.scope, outside: new Set<Value>() };
  const found: Moment[] = [];
  walk(model.graph, sweep, ({ node, buffers, inner }) => found.push({ node, buffers: new Map(buffers), inner }));
  return found;
}

function graphPeak(graph: Graph, sweep: Sweep): { readonly bytes: number; readonly at: Node | undefined } {
  let peak: { bytes: number; at: Node | undefined } | undefined;
  const start = walk(graph, sweep, ({ node, inner }, live) => {
    const bytes = live + inner;
    if (!peak || bytes > peak.bytes) peak = { bytes, at: node };
  });
  return peak ?? { bytes: start, at: undefined };
}

/** Shows every moment with the bytes that live outside the node; `buffers` goes on changing. Returns what lives before the first. */
function walk(graph: Graph, given: Sweep, visit: (moment: Moment, live: number) => void): number {
  const sweep: GraphSweep = { ...given, integers: integerBuffers(graph) };
  const nodes = graph.nodes();
  const roots = new Map<Value, Value>();
  const lastUse = lastUses(nodes, graph, sweep, roots);
  const inputs = graph.inputs.filter((value) => value.constant === undefined);
  const buffers = new Map(inputs.map((value) => [value, sizeOf(value, sweep)]));
  const start = [...buffers.values()].reduce((sum, size) => sum + size, 0);
  let live = start;
  const ending = new Map<number, Value[]>();
  nodes.forEach((node, index) => {
    for (const value of node.outputs) {
      if (value === undefined || isWeight(value, sweep) || roots.get(value) !== value) continue;
      const size = sizeOf(value, sweep);
      live += size;
      buffers.set(value, size);
      const end = lastUse.get(value) ?? index;
      const others = ending.get(end);
      if (others) others.push(value);
      else ending.set(end, [value]);
    }
    visit({ node, buffers, inner: innerPeak(node, sweep) }, live);
    for (const value of ending.get(index) ?? []) {
      live -= buffers.get(value) ?? 0;
      buffers.delete(value);
    }
  });
  return start;
}

/** Position of the last reader of each buffer; `roots` is filled with the value that owns the buffer of each value. */
function lastUses(
  nodes: readonly Node[],
  graph: Graph,
  sweep: GraphSweep,
  roots: Map<Value, Value>,
): Map<Value, number> {
  const lastUse = new Map<Value, number>();
  const use = (value: Value | undefined, index: number): void => {
    if (value) lastUse.set(roots.get(value) ?? value, index);
  };
  nodes.forEach((node, index) => {
    const isView = sweep.facts.record(node)?.traits.alias === true || sweep.integers.views.has(node);
    node.outputs.forEach((value, slot) => {
      const source = isView && slot === 0 ? node.inputs[0] : undefined;
      if (value) roots.set(value, source && !isWeight(source, sweep) ? (roots.get(source) ?? source) : value);
    });
    for (const value of node.inputs) use(value, index);
    for (const inner of node.subgraphs()) for (const value of captures(inner)) use(value, index);
  });
  for (const value of graph.outputs) use(value, Number.POSITIVE_INFINITY);
  shareInPlace(nodes, graph, sweep, { roots, lastUse });
  return lastUse;
}

interface Buffers {
  /** The value that owns the buffer of each value. */
  readonly roots: Map<Value, Value>;
  readonly lastUse: Map<Value, number>;
}

/** Results of elementwise nodes move into the buffer of an input that ends with the node. Inputs of the graph are the caller's. */
function shareInPlace(nodes: readonly Node[], graph: Graph, sweep: GraphSweep, { roots, lastUse }: Buffers): void {
  const pinned = new Set(graph.inputs);
  const moved = new Map<Value, Value>();
  const ownerOf = (value: Value): Value => {
    const root = roots.get(value) ?? value;
    return moved.get(root) ?? root;
  };
  nodes.forEach((node, index) => {
    const { output } = node;
    const traits = sweep.facts.record(node)?.traits;
    if (!output || roots.get(output) !== output || !traits?.elementwise || sweep.integers.insteadOf.has(output)) return;
    const size = sizeOf(output, sweep);
    if (size === 0) return;
    const owner = node.inputs.find((value) => {
      if (!value || isWeight(value, sweep)) return false;
      const own = ownerOf(value);
      // What a graph around this one has made is not ours to write over.
      if (pinned.has(own) || !roots.has(own) || lastUse.get(own) !== index) return false;
      return sizeOf(own, sweep) === size;
    });
    if (!owner) return;
    const buffer = ownerOf(owner);
    moved.set(output, buffer);
    lastUse.set(buffer, lastUse.get(output) ?? index);
  });
  for (const [value, root] of roots) roots.set(value, moved.get(root) ?? root);
}

/** Every value that nodes under `graph` read or return: those from outside keep their buffers while it runs. */
function captures(graph: Graph): Value[] {
  return [
    ...graph.outputs,
    ...graph
      .nodes()
      .flatMap((node) => [
        ...node.inputs.filter((value) => value !== undefined),
        ...node.subgraphs().flatMap(captures),
      ]),
  ];
}

const isWeight = (value: Value, { integers }: GraphSweep): boolean =>
  integers.weights.has(value) ||
  value.constant !== undefined ||
  (value.producer !== undefined && constantTensor(value.producer) !== undefined);

function sizeOf(made: Value, { scope, unknown, outside, integers }: GraphSweep): number {
  if (outside.has(made)) return 0;
  const value = integers.insteadOf.get(made) ?? made;
  const bytes = tensorBytes(scope.dtype(value), scope.dims(value));
  if (bytes === undefined) unknown.add(value);
  return bytes ?? 0;
}

function innerPeak(node: Node, sweep: Sweep): number {
  const called = sweep.scope.call(node);
  if (called === undefined) return Math.max(0, ...node.subgraphs().map((graph) => graphPeak(graph, sweep).bytes));
  const outside = new Set([...called.graph.inputs, ...called.graph.outputs]);
  return graphPeak(called.graph, { ...sweep, scope: called, outside }).bytes;
}
