// Gives the time of the nodes that ONNX Runtime ran back to the nodes of the source graph. The runtime fuses, renames and
// inserts nodes; names and tensors tell what came from where (observed on onnxruntime-node 1.30):
// - a fused node keeps the name of one source node, or `<name>_token_N`, `<name>/SomethingFusion`, `<name>/duplicated`,
//   and the output tensor of the last one;
// - a node in the blocked layout is called `<its output tensor before>_nchwc`, with ReorderInput and ReorderOutput around.
import type { NodeTime } from './profile.js';

/** A node of the source or of the optimized graph, subgraphs included; source nodes need names of their own. */
export interface GraphNode {
  readonly name: string;
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface SourceTime {
  /** Microseconds per run; the whole time of a fused node goes to its main member, the others have 0. */
  readonly us: number;
  /** What ran in its place: `Conv`, `FusedConv`, `QLinearConv`; undefined when nothing did. */
  readonly ranAs: string | undefined;
  /** Names of the source nodes that ran as part of this one. */
  readonly fused: readonly string[];
  /** Name of the source node that has this one's time. */
  readonly fusedInto: string | undefined;
}

export interface Attribution {
  /** One entry per source node, in order. A node that neither ran nor was fused was computed at load time or removed. */
  readonly nodes: ReadonlyMap<string, SourceTime>;
  /** Nodes that the runtime put in, by operator: ReorderInput, ReorderOutput, Transpose, Cast. */
  readonly inserted: readonly { readonly opType: string; readonly count: number; readonly us: number }[];
  /** What ran and could not be traced back. */
  readonly unknown: readonly NodeTime[];
}

export interface SourceGraph {
  /** In topological order; those of the main graph come first, so that `Relu_3` finds node 3 where it has no name. */
  readonly nodes: readonly GraphNode[];
  /** Tensors fed at run time. */
  readonly inputs: readonly string[];
}

const LAYOUT_OPS: ReadonlySet<string> = new Set(['ReorderInput', 'ReorderOutput']);
const HELPER_OPS: ReadonlySet<string> = new Set([
  'Transpose',
  'Cast',
  'QuantizeLinear',
  'DequantizeLinear',
  'MemcpyToHost',
  'MemcpyFromHost',
]);
/** What the runtime merges into a convolution before it. */
const ACTIVATIONS: ReadonlySet<string> = new Set(['Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'HardSigmoid', 'Clip']);
/** What it merges into the node behind; everything else rather goes with the node before. */
const LEADING_OPS: ReadonlySet<string> = new Set(['Pad', 'DequantizeLinear', 'Cast', 'Transpose']);
const SHAPE_OPS: ReadonlySet<string> = new Set(['Shape', 'Size']);

/** Source nodes that one optimized node stands for. */
interface Group {
  readonly node: GraphNode;
  readonly members: Set<GraphNode>;
  main: GraphNode | undefined;
}

interface Index {
  readonly source: SourceGraph;
  readonly byName: ReadonlyMap<string, GraphNode>;
  readonly producer: ReadonlyMap<string, GraphNode>;
  readonly consumers: ReadonlyMap<string, readonly GraphNode[]>;
  readonly dynamic: ReadonlySet<string>;
  readonly groupOf: Map<GraphNode, Group>;
}

/**
 * `optimized`: nodes of the graph that ran (`Profile.optimizedModel` decoded); without it only names are compared.
 */
export function attributeProfile(
  times: readonly NodeTime[],
  source: SourceGraph,
  optimized: readonly GraphNode[] = [],
): Attribution {
  const index = indexSource(source);
  const described = new Set(optimized.map((node) => node.name));
  const bare = times
    .filter((time) => !described.has(time.name))
    .map(({ name, opType }) => ({ name, opType, inputs: [], outputs: [] }));
  const groups = findGroups([...optimized, ...bare], index);
  absorb(index);
  const inserted = new Map<string, { opType: string; count: number; us: number }>();
  const unknown: NodeTime[] = [];
  const spent = new Map<GraphNode, number>();
  for (const time of times) {
    const main = groups.get(nodeKey(time))?.main;
    if (main) {
      spent.set(main, (spent.get(main) ?? 0) + time.us);
    } else if (LAYOUT_OPS.has(time.opType) || HELPER_OPS.has(time.opType)) {
      const bucket = inserted.get(time.opType) ?? { opType: time.opType, count: 0, us: 0 };
      inserted.set(time.opType, { opType: time.opType, count: bucket.count + 1, us: bucket.us + time.us });
    } else {
      unknown.push(time);
    }
  }
  const nodes = new Map(source.nodes.map((node) => [node.name, sourceTime(node, index.groupOf.get(node), spent)]));
  return { nodes, inserted: [...inserted.values()], unknown };
}

function nodeKey({ name, opType }: { readonly name: string; readonly opType: string }): string {
  return `${name}\0${opType}`;
}

function sourceTime(node: GraphNode, group: Group | undefined, spent: ReadonlyMap<GraphNode, number>): SourceTime {
  if (!group?.main) return { us: 0, ranAs: undefined, fused: [], fusedInto: undefined };
  if (group.main !== node) return { us: 0, ranAs: undefined, fused: [], fusedInto: group.main.name };
  const fused = [...group.members].filter((member) => member !== node).map((member) => member.name);
  return { us: spent.get(node) ?? 0, ranAs: group.node.opType, fused, fusedInto: undefined };
}

function indexSource(source: SourceGraph): Index {
  const producer = new Map<string, GraphNode>();
  const consumers = new Map<string, GraphNode[]>();
  for (const node of source.nodes) {
    for (const output of node.outputs) if (output !== '') producer.set(output, node);
    for (const input of node.inputs) {
      const users = consumers.get(input);
      if (users) users.push(node);
      else consumers.set(input, [node]);
    }
  }
  const byName = new Map(source.nodes.filter((node) => node.name !== '').map((node) => [node.name, node]));
  return { source, byName, producer, consumers, dynamic: dynamicTensors(source), groupOf: new Map() };
}

/** Tensors that depend on what is fed; shapes count as known, since a Shape node that really runs is found by its name. */
function dynamicTensors({ nodes, inputs }: SourceGraph): Set<string> {
  const dynamic = new Set(inputs);
  for (const node of nodes) {
    if (SHAPE_OPS.has(node.opType) || !node.inputs.some((input) => dynamic.has(input))) continue;
    for (const output of node.outputs) dynamic.add(output);
  }
  return dynamic;
}

/** The source node that a name stands for, through the endings that the runtime adds. */
function namedSource(node: GraphNode, { byName, source: { nodes } }: Index): GraphNode | undefined {
  const exact = byName.get(node.name);
  if (exact) return exact;
  const [, opType, position] = /^(.*)_(\d+)$/.exec(node.name) ?? [];
  const unnamed = opType === node.opType ? nodes[Number(position)] : undefined;
  if (unnamed && unnamed.opType === opType) return unnamed;
  // `Transpose_token_19` is an inserted node, also where a source node is called `Transpose`.
  if (LAYOUT_OPS.has(node.opType) || node.opType === 'Transpose') return undefined;
  return byName.get(node.name.replace(/_token_\d+$/, '').replace(/\/(?:\w+Fusion|duplicated)$/, ''));
}

/** The source nodes whose output this optimized node computes, by the names of its tensors. */
function lastSources(node: GraphNode, producer: ReadonlyMap<string, GraphNode>): GraphNode[] {
  if (LAYOUT_OPS.has(node.opType)) return [];
  const blocked = /^(.*)_nchwc(?:_token_\d+)?$/.exec(node.name)?.[1];
  const tensors = blocked === undefined ? node.outputs : [...node.outputs, blocked];
  return tensors.flatMap((tensor) => producer.get(tensor) ?? producer.get(tensor.replace(/_token_\d+$/, '')) ?? []);
}

/** A group per optimized node: the named node, and those on the way back from its output that did not run themselves. */
function findGroups(nodes: readonly GraphNode[], index: Index): Map<string, Group> {
  const found = nodes.map((node) => {
    const named = namedSource(node, index);
    return { node, named, last: named || !HELPER_OPS.has(node.opType) ? lastSources(node, index.producer) : [] };
  });
  // Claimed first by name: where the way back from another node must end.
  const owner = new Map<GraphNode, GraphNode>();
  for (const { node, named } of found) if (named && !owner.has(named)) owner.set(named, node);
  for (const { node, last } of found) for (const source of last) if (!owner.has(source)) owner.set(source, node);
  const groups = new Map<string, Group>();
  for (const { node, named, last } of found) {
    const group: Group = { node, members: new Set(), main: undefined };
    groups.set(nodeKey(node), group);
    collectMembers(group, named ? [named, ...last] : last, { named, owner, index });
    group.main = named ?? mainMember(group);
  }
  return groups;
}

interface Tracing {
  readonly named: GraphNode | undefined;
  readonly owner: ReadonlyMap<GraphNode, GraphNode>;
  readonly index: Index;
}

function collectMembers(group: Group, start: readonly GraphNode[], { named, owner, index }: Tracing): void {
  const pending = [...start];
  for (let source = pending.pop(); source; source = pending.pop()) {
    const owned = owner.get(source);
    if (index.groupOf.has(source) || (owned !== undefined && owned !== group.node)) continue;
    index.groupOf.set(source, group);
    group.members.add(source);
    // What comes before the node that gave the name, or before the Conv of a Conv, is not on the way.
    if (source !== named && source.opType !== group.node.opType) pending.push(...producersOf(source, index));
  }
  addFusedSum(group, owner, index);
}

/** A convolution with a fourth input adds it, and may activate the sum: these nodes follow the named tensor. */
function addFusedSum(group: Group, owner: ReadonlyMap<GraphNode, GraphNode>, { consumers, groupOf }: Index): void {
  if (
    !group.node.inputs[3] ||
    !group.node.opType.endsWith('Conv') ||
    [...group.members].some((member) => member.opType === 'Add')
  )
    return;
  const free = (node: GraphNode): boolean => !groupOf.has(node) && !owner.has(node);
  const [last] = group.members;
  const sum = last?.outputs
    .flatMap((output) => consumers.get(output) ?? [])
    .find((node) => node.opType === 'Add' && free(node));
  const users = sum?.outputs.flatMap((output) => consumers.get(output) ?? []) ?? [];
  const [activation] = users;
  for (const node of [
    sum,
    users.length === 1 && activation && ACTIVATIONS.has(activation.opType) && free(activation) ? activation : undefined,
  ]) {
    if (!node) continue;
    groupOf.set(node, group);
    group.members.add(node);
  }
}

/** The member whose operator the optimized node is a form of (`FusedConv` of `Conv`), else the first in the source's order. */
function mainMember({ node, members }: Group): GraphNode | undefined {
  const list = [...members].toReversed();
  return list.find((member) => node.opType.includes(member.opType)) ?? list[0];
}

/**
 * Source nodes that are still without a group: those computed at load time stay so; others join the group that all their
 * users, or all their inputs, belong to.
 */
function absorb(index: Index): void {
  const { source, consumers, dynamic, groupOf } = index;
  const join = (node: GraphNode, neighbours: readonly GraphNode[]): void => {
    const groups = new Set(neighbours.map((neighbour) => groupOf.get(neighbour)));
    const [group] = groups;
    if (groups.size !== 1 || !group?.main || groupOf.has(node)) return;
    groupOf.set(node, group);
    group.members.add(node);
  };
  const waiting = source.nodes.filter(
    (node) => !groupOf.has(node) && node.outputs.some((output) => dynamic.has(output)),
  );
  const users = (node: GraphNode): GraphNode[] => node.outputs.flatMap((output) => consumers.get(output) ?? []);
  for (const node of waiting) if (LEADING_OPS.has(node.opType)) join(node, users(node));
  for (const node of waiting) join(node, producersOf(node, index));
  for (const node of waiting.toReversed()) join(node, users(node));
}

/** Producers of the inputs that depend on what is fed. */
function producersOf(node: GraphNode, { producer, dynamic }: Index): GraphNode[] {
  return node.inputs.filter((input) => dynamic.has(input)).flatMap((input) => producer.get(input) ?? []);
}
