// Which group keeps how many units so that no moment of a run needs more than a limit: one bound per moment, each a sum over the groups
// that are alive then. Greedy by the error per byte that is saved of what is too much, then groups grow again while they fit, and
// change places in pairs: a local optimum, where exact allocation has one bound alone.
import { invariant } from '../../base/errors.js';
import { costOfPicks, type AllocationLevels, type AllocationProblem } from './allocate.js';

export interface PeakProblem {
  readonly groups: readonly AllocationLevels[];
  /** Over the same groups; none of their figures is negative. */
  readonly bounds: readonly AllocationProblem['cost'][];
  /** What each of them may be at most. */
  readonly most: number;
}

/** Level by group. `infeasible`: even the least widths need `least`. */
export type PeakResult =
  | { readonly kind: 'found'; readonly picks: readonly number[]; readonly error: number }
  | { readonly kind: 'infeasible'; readonly least: number };

/** Widths of little error with which every bound is at most `most`; the bounds have the unit of `most`, the errors any. */
export function allocatePeak(given: PeakProblem): PeakResult {
  const { groups, most } = given;
  const least = peakOf(
    given,
    groups.map(() => 0),
  );
  if (least > most) return { kind: 'infeasible', least };
  let picks: readonly number[] = groups.map(({ kept }) => kept.length - 1);
  // What holds at full widths holds at all.
  const problem = { groups, most, bounds: given.bounds.filter((bound) => boundAt(given, bound, picks) > most) };
  while (excess(problem, picks) > 0) picks = narrowed(problem, picks);
  picks = exchanged(problem, grown(problem, picks));
  return { kind: 'found', picks, error: errorOf(problem, picks) };
}

/** The largest of the bounds. */
function peakOf(problem: PeakProblem, picks: readonly number[]): number {
  return problem.bounds.reduce((peak, bound) => Math.max(peak, boundAt(problem, bound, picks)), 0);
}

const boundAt = (
  { groups }: Pick<PeakProblem, 'groups'>,
  cost: AllocationProblem['cost'],
  picks: readonly number[],
): number => costOfPicks({ groups, cost }, picks);

/** By how much bounds are passed, all together. */
const excess = (problem: PeakProblem, picks: readonly number[]): number =>
  problem.bounds.reduce((sum, bound) => sum + Math.max(0, boundAt(problem, bound, picks) - problem.most), 0);

const errorOf = ({ groups }: PeakProblem, picks: readonly number[]): number =>
  groups.reduce((sum, { errors }, at) => sum + (errors[picks[at] ?? 0] ?? 0), 0);

const fits = (problem: PeakProblem, picks: readonly number[]): boolean =>
  problem.bounds.every((bound) => boundAt(problem, bound, picks) <= problem.most);

/** Errors below are none: what saves for free goes first, the most saving one before others. */
const LEAST_ERROR = 1e-12;

/** The one group that saves most of what is too much for its error becomes narrower, by as many levels as pay best. */
function narrowed(problem: PeakProblem, picks: readonly number[]): readonly number[] {
  const [now, error] = [excess(problem, picks), errorOf(problem, picks)];
  let [best, most] = [picks, -1];
  for (const at of picks.keys()) {
    for (let level = (picks[at] ?? 0) - 1; level >= 0; level--) {
      const next = picks.with(at, level);
      const saved = now - excess(problem, next);
      const worth = saved / Math.max(LEAST_ERROR, errorOf(problem, next) - error);
      if (saved > 0 && worth > most) [best, most] = [next, worth];
    }
  }
  invariant(best !== picks, 'a bound that is passed has a group above its least width');
  return best;
}

/** Groups become wider again, the most useful first, while every bound holds. */
function grown(problem: PeakProblem, from: readonly number[]): readonly number[] {
  let best = from;
  for (;;) {
    const next = bestOf(problem, widerOf(problem, best), best);
    if (next === best) return best;
    best = next;
  }
}

/** One group becomes narrower so that others can become wider, as long as that loses less. */
function exchanged(problem: PeakProblem, from: readonly number[]): readonly number[] {
  let best = from;
  for (;;) {
    const narrower = narrowerOf(best).map((picks) => grown(problem, picks));
    const next = bestOf(problem, narrower, best);
    if (next === best) return best;
    best = next;
  }
}

const narrowerOf = (picks: readonly number[]): (readonly number[])[] =>
  picks.flatMap((pick, at) => (pick === 0 ? [] : [picks.with(at, pick - 1)]));

function widerOf({ groups }: PeakProblem, picks: readonly number[]): (readonly number[])[] {
  return groups.flatMap(({ kept }, at) =>
    Array.from({ length: kept.length - 1 - (picks[at] ?? 0) }, (_, more) =>
      picks.with(at, (picks[at] ?? 0) + 1 + more),
    ),
  );
}

/** The least error of those that fit, if that is less than that of `now`. */
function bestOf(problem: PeakProblem, some: readonly (readonly number[])[], now: readonly number[]): readonly number[] {
  let [best, least] = [now, errorOf(problem, now)];
  for (const picks of some) {
    const error = errorOf(problem, picks);
    if (error < least && fits(problem, picks)) [best, least] = [picks, error];
  }
  return best;
}
