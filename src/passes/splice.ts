// Puts what a subgraph holds into the graph of the node that owns it, in the place of that node.
import { canReplace, type Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { graphOf, removeDead, removeNode } from './edit.js';

/** Whether `moveOut` can: no graph inside of `graph` returns an initializer of `graph` as it is. */
export function canMoveOut(graph: Graph): boolean {
  return [...graph.initializers].every((value) => [...value.outputOf.keys()].every((returns) => returns === graph));
}

/**
 * Moves the initializers and nodes of `graph`, a subgraph of `owner`, in front of `owner`, and returns the values that
 * were its outputs, in order. Its formal inputs must have no readers any more.
 */
export function moveOut(graph: Graph, owner: Node): readonly Value[] {
  const outer = graphOf(owner);
  const { outputs } = graph;
  graph.setOutputs([]);
  const moved = new Map<Value, Value>();
  for (const value of [...graph.initializers].sort((a, b) => a.ordinal - b.ordinal)) {
    const copy = outer.declare(outer.model.uniqueName(value.name), value.type);
    outer.setInitializer(copy, value.initializer);
    graph.replaceUses(value, copy);
    graph.removeInitializer(value);
    moved.set(value, copy);
  }
  for (const node of graph.nodes()) outer.moveNode(node, owner);
  // A branch may declare less of its outputs than the outer graph knows.
  for (const value of outputs) if (value.type && !moved.has(value)) outer.setType(value, undefined);
  return outputs.map((value) => moved.get(value) ?? value);
}

/**
 * Makes `values` stand for the outputs of `node` (undefined: that output is unused), and removes the node. Where the name
 * of a graph output cannot pass to the value, an Identity carries it.
 */
export function takeOver(node: Node, values: readonly (Value | undefined)[]): void {
  const graph = graphOf(node);
  for (const [slot, output] of [...node.outputs.entries()]) {
    const value = values[slot];
    if (!output || output.isUnused || !value) continue;
    if (canReplace(output, value)) graph.replaceUses(output, value);
    else graph.addNode({ opType: 'Identity', inputs: [value], outputs: [output] }, node);
  }
  const { inputs } = node;
  removeNode(node);
  removeDead(inputs);
}
