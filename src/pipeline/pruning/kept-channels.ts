// Which of the channels of the original model each value still has. Removal keeps the names of values, so that they tell what
// belongs together in the original and in what is left of it.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import type { Model } from '../../ir/model.js';
import type { Value } from '../../ir/value.js';
import type { Removals } from '../../passes/prune/remove-units-cuts.js';
import { removeUnits, type RemovalOutcome } from '../../passes/prune/remove-units.js';

/**
 * By name of a value and axis (not negative): the indices in the original of those that are left, in the order that they have now. What
 * has lost nothing and keeps its order is not in it. Weights are left out: only values that nodes compute are listed.
 */
export type KeptChannels = ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>;

/** Of a model that has lost nothing. */
export const allChannels = (): KeptChannels => new Map();

export interface TrackedRemoval extends RemovalOutcome {
  /** After this removal and those before. */
  readonly kept: KeptChannels;
}

/**
 * `removeUnits`, and what is left of each value of the original when `before` was left of it until now.
 * @throws what `removeUnits` throws
 */
export function removeTracked(
  model: Model,
  facts: Facts,
  removals: Removals,
  before: KeptChannels = allChannels(),
): TrackedRemoval {
  const sizes = new Map<Value, readonly unknown[] | undefined>();
  for (const group of removals.keys())
    for (const { value } of group.members) if (value.producer) sizes.set(value, facts.of(value).shape);
  const outcome = removeUnits(model, facts, removals);
  const lost = lostIndices(outcome.removed, removals);
  const kept = new Map([...before].map(([name, axes]) => [name, new Map(axes)]));
  for (const [value, axes] of lost) {
    const shape = sizes.get(value);
    for (const [axis, gone] of axes) {
      const size = shape?.[axis];
      if (typeof size !== 'number') continue;
      const own = kept.get(value.name) ?? new Map<number, readonly number[]>();
      const original = own.get(axis) ?? Array.from({ length: size }, (_, index) => index);
      own.set(
        axis,
        original.filter((_, index) => !gone.has(index)),
      );
      kept.set(value.name, own);
    }
  }
  return { ...outcome, kept };
}

/** Indices that go, by value that a node computes, and axis. */
function lostIndices(groups: readonly ChannelGroup[], removals: Removals): Map<Value, Map<number, Set<number>>> {
  const lost = new Map<Value, Map<number, Set<number>>>();
  for (const group of groups) {
    for (const { value, axis, indices } of group.members) {
      const gone = (removals.get(group) ?? []).flatMap((unit) => indices[unit] ?? []);
      if (!value.producer || gone.length === 0) continue;
      const axes = lost.get(value) ?? new Map<number, Set<number>>();
      axes.set(axis, new Set([...(axes.get(axis) ?? []), ...gone]));
      lost.set(value, axes);
    }
  }
  return lost;
}
