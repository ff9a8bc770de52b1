// Channels that may change places without a trace: a channel group whose units lie at one index each of all axes that they pass can be put
// in any order, weights of makers and readers with it. Nodes between them treat channels alike, whatever they are.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { findChannelGroups } from '../../analysis/channels.js';
import type { Facts } from '../../analysis/facts.js';
import type { Graph } from '../../ir/graph.js';
import type { Value } from '../../ir/value.js';
import { slicedAlong } from '../channel-lane.js';

/** By value and axis: of each place, the one whose contents go there. */
export type Moves = ReadonlyMap<Value, ReadonlyMap<number, readonly number[]>>;

export interface OpenGroups {
  /** Those that can be put in another order. */
  readonly movable: readonly ChannelGroup[];
  /** Those that a layer in groups or a Flatten holds in an order, as units lie at several indices of an axis there. */
  readonly held: readonly ChannelGroup[];
}

/**
 * The groups of the main graph that nothing freezes. Values that nodes compute must have the units along axis 1: the order of others cannot
 * be told to those who compare them with the original.
 */
export function openGroups(graph: Graph, facts: Facts): OpenGroups {
  const groups = graph === graph.model.graph ? findChannelGroups(graph.model, facts) : [];
  const open = groups.filter(
    ({ frozen, members }) =>
      !frozen && members.every(({ value, axis }) => (value.producer ? axis === 1 : value.constant !== undefined)),
  );
  const isMovable = ({ members }: ChannelGroup): boolean =>
    members.every(({ indices }) => indices.every(({ length }) => length === 1));
  return { movable: open.filter(isMovable), held: open.filter((group) => !isMovable(group)) };
}

/** Whether units of the group lie along axis 1 of a value. */
export function passes({ members }: ChannelGroup, value: Value): boolean {
  return members.some((member) => member.value === value && member.axis === 1);
}

/** Index along axis 1 of a value of each unit of a movable group that passes there. */
export function placesIn({ members }: ChannelGroup, value: Value): readonly number[] {
  const member = members.find((one) => one.value === value && one.axis === 1);
  return member?.indices.map(([index = 0]) => index) ?? [];
}

/** What moves where a group is put in the order that `order` gives its places in `value`. */
export function movesOf(
  orders: ReadonlyMap<ChannelGroup, { readonly value: Value; readonly order: readonly number[] }>,
  facts: Facts,
): Moves {
  const moves = new Map<Value, Map<number, number[]>>();
  for (const [group, { value: at, order }] of orders) {
    const places = placesIn(group, at);
    const unitAt = new Map(places.map((place, unit) => [place, unit]));
    const sources = places.map((place, unit) => unitAt.get(order[place] ?? place) ?? unit);
    if (sources.every((source, unit) => source === unit)) continue;
    for (const { value, axis, indices } of group.members) {
      const size = value.constant?.dims[axis] ?? facts.of(value).shape?.[axis];
      if (typeof size !== 'number') continue;
      const axes = moves.get(value) ?? new Map<number, number[]>();
      const moved = axes.get(axis) ?? Array.from({ length: size }, (_, index) => index);
      for (const [unit, source] of sources.entries()) moved[indices[unit]?.[0] ?? 0] = indices[source]?.[0] ?? 0;
      moves.set(value, axes.set(axis, moved));
    }
  }
  return moves;
}

/** Puts weights in their new order. The values that nodes compute follow: by name, which channel each place (axis 1) has. */
export function carryOutMoves(moves: Moves): Map<string, readonly number[]> {
  const kept = new Map<string, readonly number[]>();
  for (const [value, axes] of moves) {
    const { constant, graph } = value;
    if (constant && graph) {
      const tensor = [...axes].reduce((rest, [axis, places]) => slicedAlong(rest, axis, places), constant);
      graph.setInitializer(value, { kind: 'dense', tensor });
    }
    const order = value.producer && axes.get(1);
    if (order) kept.set(value.name, order);
  }
  return kept;
}
