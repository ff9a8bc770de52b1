// What became of every channel group of a run, whatever the steps were.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { ScoreRefusal, UnitScores } from '../../passes/prune/scores/score.js';
import type { LayerTimes } from '../layer-times.js';
import type { PrunedModel } from './make-pruned.js';
import type { KeepReason, PrunedGroup } from './outcome.js';

/** What was found of a group. */
export interface GroupFinding {
  readonly group: ChannelGroup;
  readonly scores: UnitScores | undefined;
  /** Why the score has no answer. */
  readonly refusal: ScoreRefusal | undefined;
}

/** A group as it was found in the slimmed model; plain data. */
export interface GroupStart {
  readonly name: string;
  readonly makers: readonly string[];
  readonly readers: readonly string[];
  readonly width: number;
  /** Why it could not be pruned from the start. */
  readonly reason: KeepReason | undefined;
  readonly at: string | undefined;
  readonly scores: PrunedGroup['scores'];
}

/** All groups of a model; `scored` are those that were looked at. */
export function groupStarts(groups: readonly ChannelGroup[], scored: readonly GroupFinding[]): GroupStart[] {
  const found = new Map(scored.map((one) => [one.group, one]));
  return groups.map((group) => {
    const { scores, refusal } = found.get(group) ?? {};
    const reason = group.frozen?.code ?? refusal ?? (group.width < 2 ? 'one-unit' : undefined);
    return {
      name: group.name,
      makers: group.makers.map(({ label }) => label),
      readers: [...new Set(group.readers.map(({ node }) => node.label))],
      width: group.width,
      reason,
      at: group.frozen?.at,
      scores: scores && spreadOf(scores.values),
    };
  });
}

function spreadOf(values: Float64Array): PrunedGroup['scores'] {
  const sorted = Float64Array.from(values).sort();
  const at = (part: number): number => sorted[Math.round(part * (sorted.length - 1))] ?? 0;
  return sorted.length === 0 ? undefined : { min: at(0), median: at(0.5), max: at(1) };
}

/** What is known of groups that lost nothing, and of their times. */
export interface GroupFates {
  /** By name of the group. */
  readonly reasons: ReadonlyMap<string, KeepReason>;
  /** Where nothing is known. */
  readonly otherwise: KeepReason;
  readonly times: GroupTimes | undefined;
}

export interface GroupTimes {
  readonly before: LayerTimes;
  readonly after: LayerTimes;
}

/** What became of the groups through `made`, one step after the other. */
export function groupRows(
  starts: readonly GroupStart[],
  made: readonly PrunedModel[],
  { otherwise, reasons, times }: GroupFates,
): PrunedGroup[] {
  const timed = times && { before: timesByLabel(times.before), after: timesByLabel(times.after) };
  return starts.map(({ name, makers, readers, width, reason, at, scores }) => {
    const lost = made.reduce((sum, { removed }) => sum + (removed.get(name) ?? 0), 0);
    const refused = made.map(({ refused: found }) => found.get(name)).findLast((one) => one !== undefined);
    const isDefect = made.some(({ defects }) => defects.has(name));
    const kept = reason ?? refused?.code ?? (isDefect ? 'defect' : (reasons.get(name) ?? otherwise));
    const layers = [...new Set([...makers, ...readers])];
    return {
      name,
      makers,
      readers,
      width: { before: width, after: width - lost },
      reason: lost > 0 ? undefined : kept,
      at: lost > 0 ? undefined : (at ?? refused?.at),
      scores,
      error: lost > 0 ? errorOf(readers, made.at(-1)) : undefined,
      us: timed && timeOf(layers, timed),
    };
  });
}

/** The largest error of its readers. */
function errorOf(readers: readonly string[], made: PrunedModel | undefined): number | undefined {
  const errors = readers.flatMap((label) => made?.errors.get(label) ?? []);
  return errors.length === 0 ? undefined : Math.max(...errors);
}

/** Microseconds per run by label. */
function timesByLabel({ of }: LayerTimes): Map<string, number> {
  return new Map([...of].map(([node, { us }]) => [node.label, us]));
}

function timeOf(
  labels: readonly string[],
  times: { readonly before: Map<string, number>; readonly after: Map<string, number> },
): PrunedGroup['us'] {
  const sum = (by: Map<string, number>): number => labels.reduce((total, label) => total + (by.get(label) ?? 0), 0);
  const [before, after] = [sum(times.before), sum(times.after)];
  return before > 0 && after > 0 ? { before, after } : undefined;
}
