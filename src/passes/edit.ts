// The few edits that most rewrites are made of, over the mutators of the IR.
import { canReplace, type Graph } from '../ir/graph.js';
import type { NodeSpec } from '../ir/node-spec.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { Tensor } from '../tensor/tensor.js';

/** The graph a node stands in. @throws InternalError never for nodes a pass is handed: they are alive */
export function graphOf(node: Node): Graph {
  if (node.graph === undefined) throw new TypeError(`${node.label} was removed`);
  return node.graph;
}

/**
 * Makes input `index` of `node` a new initializer holding `tensor`, and drops the old initializer when this was its
 * last use: weights shared with other nodes stay as they are there.
 */
export function setConstantInput(node: Node, index: number, tensor: Tensor, nameHint?: string): Value {
  const graph = graphOf(node);
  const old = node.inputs[index];
  const value = graph.addInitializer(tensor, nameHint ?? old?.name ?? `${node.opType.toLowerCase()}_${index}`);
  graph.setInput(node, index, value);
  if (old) dropIfUnused(old);
  return value;
}

/** Removes an initializer nobody reads (its graph may be an outer one). Formal inputs stay. */
export function dropIfUnused(value: Value): void {
  if (value.initializer !== undefined && value.isUnused && !value.isInput && value.graph)
    value.graph.removeInitializer(value);
}

/** Removes `node` and the initializers that only it read. Its outputs must be unused or taken over. */
export function removeNode(node: Node): void {
  const inputs = [...new Set(node.inputs)];
  graphOf(node).removeNode(node);
  for (const value of inputs) if (value) dropIfUnused(value);
}

/**
 * Removes the nodes that compute `values` and are read by nobody any more, and so on upwards: what a rewrite left behind.
 * Nodes that still have a reader stay.
 */
export function removeDead(values: readonly (Value | undefined)[]): void {
  const pending = [...values];
  for (let value = pending.pop(); value !== undefined || pending.length > 0; value = pending.pop()) {
    const node = value?.producer;
    if (!node || node.isRemoved || node.outputs.some((output) => output && !output.isUnused)) continue;
    pending.push(...node.inputs);
    removeNode(node);
  }
}

/**
 * Removes a node that passes `source` through unchanged, making readers of its output read `source`.
 * False (and nothing changed) when a graph output's name could not be kept.
 */
export function bypass(node: Node, source: Value): boolean {
  const output = node.output;
  if (output === undefined || !canReplace(output, source)) return false;
  graphOf(node).replaceUses(output, source);
  removeNode(node);
  return true;
}

type Replacement = Omit<NodeSpec, 'outputs'> & { readonly outputs?: NodeSpec['outputs'] };

/**
 * Puts a node of another operator in the place of `node`: it takes over the outputs, and initializers that only the
 * old node read are dropped. It takes over the name too unless it is given another.
 */
export function replaceNode(node: Node, spec: Replacement): Node {
  const replacement = graphOf(node).addNode(
    { ...spec, name: spec.name ?? node.name, outputs: spec.outputs ?? node.outputs },
    node,
  );
  removeNode(node);
  return replacement;
}
