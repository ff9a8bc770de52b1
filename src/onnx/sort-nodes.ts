// Execution order. ONNX wants the nodes of a graph sorted, but ONNX Runtime sorts the main graph itself, so files that are
// not sorted exist. They are put in order here; a cycle is refused.
import { InputError } from '../base/errors.js';
import type { Graph } from '../ir/graph.js';
import { nodesUnder } from '../ir/model.js';
import type { Node } from '../ir/node.js';

/** A node on the path of the search, and those of the nodes it waits for that were not visited yet. */
interface Step {
  readonly node: Node;
  readonly sources: Node[];
}

/**
 * Moves the nodes of `graph` so that each stands after those it reads from, subgraphs included; the order of the file
 * decides where either would do. @throws InputError cyclic, naming the nodes of a cycle
 */
export function sortNodes(graph: Graph): void {
  const done = new Set<Node>();
  for (const root of graph.nodes()) {
    const path: Step[] = done.has(root) ? [] : [{ node: root, sources: sourcesOf(root, graph) }];
    const open = new Set(path.map((step) => step.node));
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const source = step.sources.pop();
      if (source === undefined) {
        graph.moveNode(step.node, undefined);
        done.add(step.node);
        open.delete(step.node);
        path.pop();
      } else if (open.has(source)) throw cycleError(path, source, graph);
      else if (!done.has(source)) {
        path.push({ node: source, sources: sourcesOf(source, graph) });
        open.add(source);
      }
    }
  }
}

/** Nodes of `graph` whose outputs `node` or its subgraphs read, the first to visit last. */
function sourcesOf(node: Node, graph: Graph): Node[] {
  const sources = new Set<Node>();
  const add = (reader: Node): void => {
    for (const value of reader.inputs) if (value?.graph === graph && value.producer) sources.add(value.producer);
    for (const inner of reader.subgraphs())
      for (const value of inner.outputs) if (value.graph === graph && value.producer) sources.add(value.producer);
  };
  add(node);
  for (const inner of node.subgraphs()) for (const reader of nodesUnder(inner)) add(reader);
  return [...sources].sort((a, b) => b.order - a.order);
}

function cycleError(path: readonly Step[], first: Node, graph: Graph): InputError {
  const nodes = path
    .slice(path.findIndex((step) => step.node === first))
    .map((step) => step.node.label)
    .toReversed();
  const shown = nodes.length > 6 ? [...nodes.slice(0, 5), `${nodes.length - 5} more`] : nodes;
  return new InputError('cyclic', `nodes wait for each other: ${[...shown, nodes[0]].join(' -> ')}`, {
    at: { graph: graph.name },
  });
}
