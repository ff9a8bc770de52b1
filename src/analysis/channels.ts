// Groups of channels that may leave a network together, from the axis facts of operator records, by union of (value, axis,
// index) triples. The facts speak of axes and indices only, so residual sums, Concat, Split, shuffles and layouts need no
// cases of their own. (DepGraph, Fang et al. 2023, ties layers in this way; here indices are tied.)
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { constantTensor } from '../ops/generate.js';
import { axisGraph, type AxisGraph } from './channel-axes.js';
import type { ChannelGroup, Freeze, GroupMember, GroupReader } from './channel-group.js';
import { tiedIndices } from './channel-indices.js';
import { unitGroups } from './channel-units.js';
import type { Facts } from './facts.js';

/**
 * The groups of the main graph of `model`, in graph order. Listed are those that a tensor layer makes, and those that a
 * layer reads and that only the want of a maker freezes. Constants are members like other values; they are initializers or
 * outputs of Constant nodes.
 */
export function findChannelGroups(model: Model, facts: Facts): readonly ChannelGroup[] {
  const graph = axisGraph(model, facts);
  const roles = rolesOf(model, graph);
  const tied = tiedIndices(graph, [...roles.makers.keys(), ...roles.readers.keys()]);
  const names = new Set<string>();
  const found = unitGroups(graph, tied).flatMap(({ axes, frozen: place }): UnnamedGroup[] => {
    const makers = inOrder(axes.flatMap(({ axis }) => roles.makers.get(axis) ?? []));
    const readers = axes
      .flatMap(({ axis }) => roles.readers.get(axis) ?? [])
      .sort((a, b) => a.node.order - b.node.order);
    const members = axes.flatMap(({ axis, indices }): GroupMember[] => {
      const of = graph.axes[axis];
      return of ? [{ value: of.value, axis: of.axis, indices }] : [];
    });
    const title = titleOf(members, makers);
    const frozen = tied.freezes[place] ?? wanting(title, makers, readers);
    if (makers.length === 0 && frozen?.code !== 'no-maker') return [];
    return [{ title, width: members[0]?.indices.length ?? 0, members, makers, readers, frozen }];
  });
  // Constants may stand far ahead of the layers that use them.
  const placeOf = ({ makers, readers }: UnnamedGroup): number => (makers[0] ?? readers[0]?.node)?.order ?? 0;
  return found
    .toSorted((a, b) => placeOf(a) - placeOf(b))
    .map(({ title, ...group }) => ({ name: freeName(names, title), ...group }));
}

type UnnamedGroup = Omit<ChannelGroup, 'name'> & { readonly title: string };

/** What layers do to axes, by the number of the axis. */
interface Roles {
  readonly makers: ReadonlyMap<number, readonly Node[]>;
  readonly readers: ReadonlyMap<number, readonly GroupReader[]>;
}

function rolesOf(model: Model, { axes, ties }: AxisGraph): Roles {
  const learned = learnedValues(model);
  const makers = new Map<number, Node[]>();
  const readers = new Map<number, GroupReader[]>();
  for (const [node, list] of ties) {
    const isLearned = (slot: number | undefined): boolean => {
      const value = slot === undefined ? undefined : node.inputs[slot];
      return value !== undefined && learned.has(value);
    };
    for (const { kind, from, to, slots } of list) {
      if (kind === 'make' && isLearned(slots[0]) && !node.outputs.some((value) => value && learned.has(value)))
        makers.set(to, [...(makers.get(to) ?? []), node]);
      if (kind !== 'contract') continue;
      for (const [number, slot] of [[from, slots[0]] as const, [to, slots[1]] as const]) {
        const axis = axes[number]?.axis;
        if (slot !== undefined && axis !== undefined && !isLearned(slot))
          readers.set(number, [...(readers.get(number) ?? []), { node, slot, axis }]);
      }
    }
  }
  return { makers, readers };
}

/** Constants, and what is computed from nothing else. */
function learnedValues(model: Model): ReadonlySet<Value> {
  const learned = new Set<Value>();
  const isLearned = (value: Value | undefined): boolean =>
    value === undefined || value.constant !== undefined || learned.has(value);
  for (const value of model.graph.initializers) if (value.constant !== undefined) learned.add(value);
  for (const node of model.graph.nodes()) {
    const computed = node.inputs.length > 0 && node.subgraphs().length === 0 && node.inputs.every(isLearned);
    if (computed || constantTensor(node) !== undefined) for (const value of node.outputs) if (value) learned.add(value);
  }
  return learned;
}

function wanting(at: string, makers: readonly Node[], readers: readonly GroupReader[]): Freeze | undefined {
  if (readers.length === 0) return { code: 'no-reader', at };
  return makers.length === 0 ? { code: 'no-maker', at } : undefined;
}

function inOrder(nodes: readonly Node[]): Node[] {
  return [...new Set(nodes)].sort((a, b) => a.order - b.order);
}

/** What the first layer makes, else the first value that a node computes. */
function titleOf(members: readonly GroupMember[], makers: readonly Node[]): string {
  const [maker] = makers;
  const made = members.find(({ value }) => maker !== undefined && value.producer === maker);
  return (made ?? members.find(({ value }) => value.producer !== undefined) ?? members[0])?.value.name ?? '';
}

/** Parts of one value that go different ways are numbered. */
function freeName(taken: Set<string>, title: string): string {
  let name = title;
  for (let part = 2; taken.has(name); part++) name = `${title}#${part}`;
  taken.add(name);
  return name;
}
