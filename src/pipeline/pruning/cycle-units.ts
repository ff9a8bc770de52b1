// Which units leave in one cycle of DropNet's loop (Tan and Motani 2020): the part `share` of what remains that ranks lowest. Kernels
// want widths of their own, so a group drops units on paper first, and the units leave once a width is reached that suits;
// until then those that rank lowest are there, but do not count as remaining.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { rankUnits, type Scope, type ScoredGroup } from '../../passes/prune/scores/scope.js';
import type { GroupScores } from './score-groups.js';

/** Units that count as remaining, by name of the group; a group that is not in it has all. */
export type PaperWidths = ReadonlyMap<string, number>;

export interface CycleUnits {
  readonly removals: ReadonlyMap<ChannelGroup, readonly number[]>;
  readonly widths: PaperWidths;
}

export interface CycleOptions {
  readonly scope: Scope;
  /** Of what remains. */
  readonly share: number;
  /** Widths that a group may keep, ascending; the last is the one it has. */
  readonly levels: (group: ChannelGroup) => readonly number[];
}

/** The units that leave now, and what remains on paper. At least one unit of each ranking leaves on paper. */
export function cycleUnits(scored: readonly GroupScores[], before: PaperWidths, options: CycleOptions): CycleUnits {
  const groups = scored.flatMap(({ group, scores }): ScoredGroup[] =>
    scores ? [{ group, values: scores.values }] : [],
  );
  const orders = new Map(groups.map(({ group, values }) => [group, lowestFirst(values)]));
  const remaining = new Map(
    groups.map(({ group }) => [group, Math.min(group.width, before.get(group.name) ?? group.width)]),
  );
  for (const ranking of rankUnits(groups, options.scope)) {
    const gone = new Set<string>();
    for (const [group, width] of remaining)
      for (const unit of orders.get(group)?.slice(0, group.width - width) ?? []) gone.add(`${group.name} ${unit}`);
    const left = ranking.filter(({ group, unit }) => !gone.has(`${group.name} ${unit}`));
    // 0.3 of 10 is 3, whatever 0.3 * 10 is in binary.
    const count = Math.max(1, Math.floor(left.length * options.share + 1e-9));
    for (const { group } of left.slice(0, count)) {
      const width = remaining.get(group) ?? 0;
      if (width > 1) remaining.set(group, width - 1);
    }
  }
  const removals = [...remaining].flatMap(([group, width]) => {
    const level = options.levels(group).find((one) => one >= width) ?? group.width;
    const units = orders.get(group)?.slice(0, group.width - level) ?? [];
    return units.length === 0 ? [] : [[group, units.toSorted((a, b) => a - b)] as const];
  });
  const widths = [...remaining].map(([group, width]) => [group.name, width] as const);
  return { removals: new Map(removals), widths: new Map([...before, ...widths]) };
}

/** Lowest first, the first of equals first. */
const lowestFirst = (values: Float64Array): number[] =>
  Array.from(values.keys()).toSorted((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || a - b);
