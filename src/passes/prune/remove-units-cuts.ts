// What the removal of units takes away from each value: which indices along which axes, and why it may not be.
import type { ChannelGroup, FreezeCode } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { residualBranch } from '../../analysis/residual-branch.js';
import { invariant } from '../../base/errors.js';
import { isStatic } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';

/** Why units of a group cannot be removed. */
export type RemovalCode =
  | FreezeCode
  /** Nothing would be left of the group, which is no branch of a residual sum. */
  | 'all-units'
  /** The parts of a grouped layer would be of different width. */
  | 'uneven-groups'
  /** What is left of a Slice is no range any more. */
  | 'no-range'
  /** An index that stays reads a unit that goes. */
  | 'read-by-index'
  /** A size is computed by nodes that do not follow the removal. */
  | 'computed-size'
  /** The elements are not in the model as numbers: given by the caller, sparse, or of a type that is not known. */
  | 'not-constant';

export interface RemovalRefusal {
  readonly code: RemovalCode;
  /** Name of the node, value or group to blame. */
  readonly at: string;
}

/** What is left along one axis of a value. */
export interface Cut {
  /** Before. */
  readonly size: number;
  /** Indices that stay, ascending. */
  readonly kept: readonly number[];
  /** The index afterwards by the one before; -1 where it goes. */
  readonly after: readonly number[];
  /** Whose units go. */
  readonly groups: ReadonlySet<ChannelGroup>;
}

/** Cuts by value and axis; values that lose nothing are not in it. */
export type Cuts = ReadonlyMap<Value, ReadonlyMap<number, Cut>>;

export type Removals = ReadonlyMap<ChannelGroup, readonly number[]>;

interface Loss {
  readonly groups: Set<ChannelGroup>;
  readonly indices: Set<number>;
}

/** Why units of `group` cannot go, whatever else does; undefined when that is not known. */
export function groupRefusal(group: ChannelGroup, units: readonly number[], facts: Facts): RemovalRefusal | undefined {
  for (const unit of units)
    invariant(unit >= 0 && unit < group.width, `unit ${unit} of a group of ${group.width}`, { tensor: group.name });
  if (group.frozen) return group.frozen;
  return losesAll(group, units) && !residualBranch(group, facts) ? { code: 'all-units', at: group.name } : undefined;
}

/** Whether no unit of the group stays. */
export function losesAll({ width }: ChannelGroup, units: readonly number[]): boolean {
  return new Set(units).size >= width;
}

/**
 * The cuts that these removals make. `refuse` hears of values that cannot be cut, with the groups concerned; they are
 * left out.
 */
export function cutsOf(
  removals: Removals,
  facts: Facts,
  refuse: (refusal: RemovalRefusal, groups: Iterable<ChannelGroup>) => void,
): Cuts {
  const cuts = new Map<Value, Map<number, Cut>>();
  for (const [value, axes] of lossesOf(removals)) {
    for (const [axis, { groups, indices }] of axes) {
      const size = value.constant?.dims[axis] ?? facts.of(value).shape?.[axis];
      if (!isStatic(size)) refuse({ code: 'unknown-shape', at: value.name }, groups);
      else if (value.producer === undefined && value.constant === undefined)
        refuse({ code: 'not-constant', at: value.name }, groups);
      else entryOf(cuts, value, () => new Map<number, Cut>()).set(axis, cutOf(size, indices, groups));
    }
  }
  return cuts;
}

function lossesOf(removals: Removals): Map<Value, Map<number, Loss>> {
  const losses = new Map<Value, Map<number, Loss>>();
  for (const [group, units] of removals) {
    if (units.length === 0) continue;
    for (const { value, axis, indices } of group.members) {
      const lost = units.flatMap((unit) => indices[unit] ?? []);
      if (lost.length === 0) continue;
      const axes = entryOf(losses, value, () => new Map<number, Loss>());
      const loss = entryOf(axes, axis, () => ({ groups: new Set<ChannelGroup>(), indices: new Set<number>() }));
      loss.groups.add(group);
      for (const index of lost) loss.indices.add(index);
    }
  }
  return losses;
}

function cutOf(size: number, lost: ReadonlySet<number>, groups: ReadonlySet<ChannelGroup>): Cut {
  const kept: number[] = [];
  invariant(lost.size < size, 'nothing would be left along an axis');
  const after = Array.from({ length: size }, (_, index) => (lost.has(index) ? -1 : kept.push(index) - 1));
  return { size, kept, after, groups };
}

/** Nodes that make or read a value that is cut, with the groups that concern them. */
export function nodesAt(cuts: Cuts): Map<Node, Set<ChannelGroup>> {
  const nodes = new Map<Node, Set<ChannelGroup>>();
  for (const [value, axes] of cuts) {
    for (const node of [...(value.producer ? [value.producer] : []), ...value.consumers()]) {
      const groups = entryOf(nodes, node, () => new Set<ChannelGroup>());
      for (const cut of axes.values()) for (const group of cut.groups) groups.add(group);
    }
  }
  return nodes;
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
