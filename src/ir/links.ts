// The pointer work behind the mutators of Graph: nothing outside src/ir may import this file.
import type { Graph } from './graph.js';
import type { Node } from './node.js';
import { trimmed } from './node-spec.js';
import type { Value } from './value.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The same object with its fields open to assignment: for the mutators only. */
export function writable<T extends object>(object: T): Writable<T> {
  return object as Writable<T>;
}

/** Counts (sign 1) or uncounts (sign -1) the input slots of `node` at the values it reads. */
export function addSlots(node: Node, sign: 1 | -1): void {
  const touched = node.graph?.model.touched;
  touched?.add(node);
  for (const value of node.inputs) {
    if (!value) continue;
    count(value.slots as Map<Node, number>, node, sign);
    if (value.producer) touched?.add(value.producer);
  }
}

type Inputs = readonly (Value | undefined)[];
type Edit = readonly [redo: () => void, undo: () => void];

/** Nodes with more inputs are edited in place: thousands of copies of a list of thousands would fill the memory. */
const WIDE = 256;

/** Setting input slot `index` of `node`; undefined omits it. */
export function inputEdit(node: Node, index: number, value: Value | undefined): Edit {
  const { inputs } = node;
  return value !== undefined && index < inputs.length
    ? slotEdit(node, index, inputs[index], value)
    : listEdit(node, inputs, trimmed(Array.from(Object.assign([...inputs], { [index]: value }))));
}

// Each edit stays in the journal with all that its function knows, so that neither may know the lists of the other.
function listEdit(node: Node, before: Inputs, after: Inputs): Edit {
  const relink = (inputs: Inputs): void => {
    addSlots(node, -1);
    writable(node).inputs = inputs;
    addSlots(node, 1);
  };
  return [() => relink(after), () => relink(before)];
}

function slotEdit(node: Node, index: number, before: Value | undefined, after: Value): Edit {
  return [() => relinkSlot(node, index, after), () => relinkSlot(node, index, before)];
}

/** The other slots are not looked at. */
function relinkSlot(node: Node, index: number, value: Value | undefined): void {
  const touched = node.graph?.model.touched;
  touched?.add(node);
  for (const [end, sign] of [
    [node.inputs[index], -1],
    [value, 1],
  ] as const) {
    if (!end) continue;
    count(end.slots as Map<Node, number>, node, sign);
    if (end.producer) touched?.add(end.producer);
  }
  if (node.inputs.length <= WIDE) writable(node).inputs = node.inputs.with(index, value);
  else (node.inputs as (Value | undefined)[])[index] = value;
}

/** Counts (sign 1) or uncounts (sign -1) `value` as an output of `graph`. */
export function countOutput(value: Value, graph: Graph, sign: 1 | -1): void {
  if (value.outputOf.size === 0) writable(value).outputOf = new Map();
  count(value.outputOf as Map<Graph, number>, graph, sign);
}

function count<K>(counts: Map<K, number>, key: K, sign: 1 | -1): void {
  const next = (counts.get(key) ?? 0) + sign;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}

/** Puts `value` into the scope of `graph`. */
export function linkValue(value: Value, graph: Graph): void {
  writable(value).graph = graph;
  graph.model.names.take(value.name);
}

/** Takes `value` out of its scope and gives its name back. */
export function unlinkValue(value: Value): void {
  value.graph?.model.names.release(value.name);
  writable(value).graph = undefined;
}

/** Links `node` into the list of `graph` in front of `anchor` (undefined: at the end) and numbers it. */
export function linkNode(graph: Graph, node: Node, anchor: Node | undefined): void {
  const list = writable(graph);
  const entry = writable(node);
  const previous = anchor ? anchor.previous : graph.last;
  entry.graph = graph;
  entry.previous = previous;
  entry.next = anchor;
  if (previous) writable(previous).next = node;
  else list.first = node;
  if (anchor) writable(anchor).previous = node;
  else list.last = node;
  list.nodeCount++;
  writable(graph.model).nodeTotal++;
  const low = previous?.order ?? (anchor ? anchor.order - 2 : 0);
  entry.order = anchor ? (low + anchor.order) / 2 : low + 1;
  if (entry.order <= low || (anchor && entry.order >= anchor.order)) renumber(graph);
}

/** Takes `node` out of the list of its graph; its inputs and outputs stay as they are. */
export function unlinkNode(node: Node): void {
  const graph = node.graph;
  if (graph === undefined) return;
  const list = writable(graph);
  if (node.previous) writable(node.previous).next = node.next;
  else list.first = node.next;
  if (node.next) writable(node.next).previous = node.previous;
  else list.last = node.previous;
  list.nodeCount--;
  writable(graph.model).nodeTotal--;
  const entry = writable(node);
  entry.graph = undefined;
  entry.previous = undefined;
  entry.next = undefined;
}

function renumber(graph: Graph): void {
  let order = 0;
  for (let node = graph.first; node !== undefined; node = node.next) writable(node).order = ++order;
}

/**
 * Makes `node` the owner of `graphs`, and back. A graph that goes from one node to another is then not cleared with the
 * first.
 */
export function adoption(graphs: readonly Graph[], node: Node): { redo(): void; undo(): void } {
  const owners = graphs.map((graph) => graph.owner);
  return {
    redo: () => {
      for (const graph of graphs) writable(graph).owner = node;
    },
    undo: () =>
      graphs.forEach((graph, i) => {
        writable(graph).owner = owners[i];
      }),
  };
}
