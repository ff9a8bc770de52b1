// Which groups lie within the branch of a residual sum, so that with the last unit the whole branch may go: the sum then passes
// on its other side alone. What is measured to cost little in deep residual networks (Veit, Wilber, Belongie 2016).
import { sameDims } from '../ir/dim.js';
import type { Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { ChannelGroup } from './channel-group.js';
import type { Facts } from './facts.js';

/** Where a branch comes back to the stream. */
export interface Join {
  readonly sum: Node;
  readonly branch: Value;
  readonly stream: Value;
}

export interface ResidualBranch {
  readonly joins: readonly Join[];
  /** What nothing depends on once the branch is gone, the sums included. */
  readonly nodes: ReadonlySet<Node>;
}

/**
 * The branch that goes with all units of a group; undefined where something else depends on them, where a sum is an output of
 * the graph, and where nodes have subgraphs (what these read is not looked up).
 */
export function residualBranch(group: ChannelGroup, facts: Facts): ResidualBranch | undefined {
  const graph = group.readers[0]?.node.graph;
  if (!graph || group.frozen || graph.nodes().some((node) => node.subgraphs().length > 0)) return undefined;
  const joins = group.readers.flatMap(({ node }) => joinOf(node.output, facts) ?? []);
  if (joins.length === 0) return undefined;
  const without = reached(graph, new Map(joins.map(({ sum, stream }) => [sum, stream])));
  if ([...group.makers, ...group.readers.map(({ node }) => node)].some((node) => without.has(node))) return undefined;
  const sums = joins.map(({ sum }) => sum);
  const gone = [...reached(graph, new Map())].filter((node) => !without.has(node));
  return { joins, nodes: new Set([...gone, ...sums]) };
}

/** The sum of two values of one shape that alone reads `value`, perhaps behind its bias. */
function joinOf(value: Value | undefined, facts: Facts): Join | undefined {
  const sum = value?.soleConsumer;
  if (!value || sum?.opType !== 'Add' || sum.domain !== '' || !sum.output || sum.output.isGraphOutput) return undefined;
  const stream = sum.inputs.find((input) => input !== value);
  if (!stream) return undefined;
  if (stream.constant) return joinOf(sum.output, facts);
  return sameDims(facts.of(value).shape, facts.of(stream).shape) ? { sum, branch: value, stream } : undefined;
}

/** Nodes that outputs depend on, if these sums read one side only. */
function reached(graph: Graph, sums: ReadonlyMap<Node, Value>): Set<Node> {
  const nodes = new Set<Node>();
  const open = graph.outputs.flatMap(({ producer }) => producer ?? []);
  for (let node = open.pop(); node; node = open.pop()) {
    if (nodes.has(node)) continue;
    nodes.add(node);
    const stream = sums.get(node);
    for (const input of stream ? [stream] : node.inputs) if (input?.producer) open.push(input.producer);
  }
  return nodes;
}
