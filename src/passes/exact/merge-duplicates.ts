// Merges nodes that compute the same and initializers that hold the same, in time linear in the size of the model: each
// is looked up by its key among those before it, in its own graph and the graphs around it.
import { canReplace, type Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { OptionTable } from '../../base/option.js';
import { dropIfUnused, graphOf, removeNode } from '../edit.js';
import { isDeterministic } from '../node-kinds.js';
import { nodeKey } from '../node-key.js';
import { defineGlobalPass, type PassContext } from '../pass.js';

const DECLINES = {
  'graph-output':
    'It computes the same as {other}, but gives an output of a graph its name, which the other cannot take over.',
} as const;

type Context = PassContext<OptionTable, typeof DECLINES>;

export const mergeDuplicates = defineGlobalPass({
  name: 'merge-duplicates',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge equal nodes and equal initializers',
  details: `Two nodes are equal when operator, attributes and operands are (for Add, Mul, And, Or, Xor and Equal in any order) and the
operator is deterministic. The first in execution order stays; a node of a subgraph is merged with an equal one of the
graphs around it, never with one of a sibling. Initializers are equal when type, dims and bytes are: bytes are read only
where type and dims agree, and once. Names of outputs are kept.`,
  options: {},
  declines: DECLINES,
  stats: { nodes: 'duplicate nodes merged', initializers: 'duplicate initializers merged' },
  run(model, ctx) {
    mergeInitializers(model, ctx);
    mergeNodes(model.graph, [], ctx);
  },
});

function mergeInitializers(model: Model, ctx: Context): void {
  const alike = new Map<string, Value[]>();
  for (const graph of model.graphs()) {
    for (const value of [...graph.initializers].sort((a, b) => a.ordinal - b.ordinal)) {
      const tensor = value.constant;
      if (!tensor || value.isGraphOutput) continue;
      const key = `${tensor.dtype}[${tensor.dims.join(',')}]`;
      const group = alike.get(key);
      if (group) group.push(value);
      else alike.set(key, [value]);
    }
  }
  for (const group of alike.values()) if (group.length > 1) mergeEqual(group, ctx);
}

/** The values come outer graphs first, so what one may be merged with is already known when it is looked at. */
function mergeEqual(group: readonly Value[], ctx: Context): void {
  const kept = new Map<Graph, Map<string, Value>>();
  for (const value of group) {
    const { graph, constant } = value;
    if (!graph || !constant) continue;
    const key = constant.fingerprint();
    const first = scopesOf(graph)
      .map((scope) => kept.get(scope)?.get(key))
      .find((found) => found !== undefined);
    if (!first) {
      kept.set(graph, (kept.get(graph) ?? new Map<string, Value>()).set(key, value));
    } else if (!value.isUnused && ctx.permit(value)) {
      graph.replaceUses(value, first);
      dropIfUnused(value);
      ctx.count('initializers');
    }
  }
}

/** `graph` and the graphs around it. */
function scopesOf(graph: Graph): Graph[] {
  const scopes = [graph];
  for (let outer = graph.owner?.graph; outer !== undefined; outer = outer.owner?.graph) scopes.push(outer);
  return scopes;
}

/** `outer`: the nodes by key of the graphs around, which come before all of this one. */
function mergeNodes(graph: Graph, outer: readonly ReadonlyMap<string, Node>[], ctx: Context): void {
  const seen = new Map<string, Node>();
  const scopes = [...outer, seen];
  for (const node of graph.nodes()) {
    for (const inner of node.subgraphs()) mergeNodes(inner, scopes, ctx);
    const key = isDeterministic(node, ctx.facts) ? nodeKey(node, operandName) : undefined;
    if (key === undefined) continue;
    const first = scopes.map((scope) => scope.get(key)).find((found) => found !== undefined);
    if (!first) seen.set(key, node);
    else if (!merge(node, first, ctx)) seen.set(key, node);
  }
}

/** The ordinal is unique in the model, as names of sibling subgraphs are not. */
const operandName = (value: Value | undefined): string => (value ? String(value.ordinal) : '');

function merge(node: Node, first: Node, ctx: Context): boolean {
  const pairs = node.outputs.flatMap((value, slot): [Value, Value][] => {
    const other = first.outputs[slot];
    return value && other && !value.isUnused ? [[value, other]] : [];
  });
  if (!pairs.every(([value, other]) => canReplace(value, other)))
    return ctx.decline(node, 'graph-output', { other: first.label });
  if (!ctx.permit(node)) return false;
  for (const [value, other] of pairs) graphOf(node).replaceUses(value, other);
  removeNode(node);
  ctx.count('nodes');
  return true;
}
