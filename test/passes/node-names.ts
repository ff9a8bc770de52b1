// Names of nodes: ONNX Runtime refuses models in which two nodes bear the same one.
import type { Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';

function* nodesOf(model: Model): Generator<Node> {
  for (const graph of model.graphs()) yield* graph.nodes();
  for (const { graph } of model.functions) yield* graph.nodes();
}

/** Gives every node of a fresh model a name of its own, as exporters do. */
export function nameNodes(model: Model): void {
  let count = 0;
  for (const node of nodesOf(model)) (node as { name: string }).name = `node_${count++}`;
}

/** Names that several nodes bear. */
export function sharedNodeNames(model: Model): string[] {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { name } of nodesOf(model)) {
    if (name !== '' && seen.has(name)) shared.add(name);
    seen.add(name);
  }
  return [...shared];
}
