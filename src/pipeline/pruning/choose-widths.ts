// From what is known of the groups to the units that leave: widths by a share of the units, or those that lose least within a
// budget; and the frontier of all budgets, which a run searches when it only knows how much may be lost.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { GateError, InternalError } from '../../base/errors.js';
import { rankUnits, selectLowest } from '../../passes/prune/scores/scope.js';
import { allocate, allocationFrontier, type AllocationOptions, type AllocationProblem } from './allocate.js';
import { costAt, type CostKind, type WidthCost, type WidthForm } from './costs.js';
import type {
  AllocationMethod,
  GroupChoice,
  KeptReason,
  LeftGroup,
  MemoryObjective,
  Objective,
  StudiedGroup,
  WidthChoice,
  WidthPlan,
} from './width-choice.js';

type CostObjective = Exclude<Objective, { readonly kind: 'ratio' } | MemoryObjective>;

/** Words for messages: what a cost is of, and its unit. */
const COST_WORDS: Readonly<Record<CostKind, readonly [string, string]>> = {
  macs: ['multiplications', ''],
  params: ['parameters', ''],
  size: ['weights', ' bytes'],
  latency: ['time of one run', ' us'],
};

/**
 * The widths that lose least and meet the objective (`ratio`: the widths nearest to the share), and the units that leave.
 * @throws GateError when no widths meet it: the message says what is possible
 */
export function chooseWidths(
  plan: WidthPlan,
  objective: Exclude<Objective, MemoryObjective>,
  options: AllocationOptions = {},
): WidthChoice {
  if (objective.kind === 'ratio') {
    const { widths, reasons } = widthsByRatio(plan.study.studied, objective);
    return choiceOf(plan, widths, { method: 'ratio', reasons });
  }
  const cost = costOf(plan, objective.kind);
  const full = costAt(cost, new Map());
  const budget = 'factor' in objective ? objective.factor * full : objective.absolute;
  const found = allocate(problemOf(plan, cost), budget, options);
  if (found.kind === 'infeasible') throw beyondReach(objective, full, found.least);
  const widths = plan.study.studied.map(({ curve }, at) => curve.kept[found.picks[at] ?? 0] ?? 0);
  return choiceOf(plan, widths, { method: found.method, reasons: reasonsOf(plan, widths, cost) });
}

/** Choices from all units down to the fewest, each the best for what it costs: at most `points`, evenly spread over cost. */
export function widthFrontier(
  plan: WidthPlan,
  kind: CostKind,
  options: AllocationOptions & { readonly points: number },
): readonly WidthChoice[] {
  const cost = costOf(plan, kind);
  const { method, allocations } = allocationFrontier(problemOf(plan, cost), options);
  return allocations.map(({ picks }) => {
    const widths = plan.study.studied.map(({ curve }, at) => curve.kept[picks[at] ?? 0] ?? 0);
    return choiceOf(plan, widths, { method, reasons: reasonsOf(plan, widths, cost) });
  });
}

function costOf({ costs }: WidthPlan, kind: CostKind): WidthCost {
  const cost = costs.find((one) => one.kind === kind);
  if (!cost) throw new InternalError('invariant', `a budget of ${kind} without what groups cost in it`);
  return cost;
}

/** The cost as one of the studied groups alone: the others keep all units. */
export function problemOf({ study }: Pick<WidthPlan, 'study'>, cost: WidthForm): AllocationProblem {
  const place = new Map(study.studied.map(({ group }, at) => [group, at]));
  const linear = new Float64Array(study.studied.length);
  const whole = new Float64Array(study.studied.length);
  const products: { a: number; b: number; factor: number }[] = [];
  let { constant } = cost;
  const addLinear = (at: number | undefined, units: number, amount: number): void => {
    if (at === undefined) constant += amount * units;
    else linear[at] = (linear[at] ?? 0) + amount;
  };
  for (const [at, group] of cost.groups.entries()) {
    const studied = place.get(group);
    addLinear(studied, group.width, cost.linear[at] ?? 0);
    if (studied === undefined) constant += cost.whole[at] ?? 0;
    else whole[studied] = cost.whole[at] ?? 0;
  }
  for (const { a, b, factor } of cost.products) {
    const [first, second] = [cost.groups[a], cost.groups[b]];
    if (!first || !second) continue;
    const [x, y] = [place.get(first), place.get(second)];
    if (x !== undefined && y !== undefined) products.push({ a: Math.min(x, y), b: Math.max(x, y), factor });
    else if (x === undefined) addLinear(y, second.width, factor * first.width);
    else addLinear(x, first.width, factor * second.width);
  }
  return {
    groups: study.studied.map(({ curve }) => ({ kept: curve.kept, errors: curve.errors })),
    cost: { constant, linear, whole, products },
  };
}

function beyondReach(objective: CostObjective, full: number, least: number): GateError {
  const [what, unit] = COST_WORDS[objective.kind];
  // Rounded up, so that what is named can be had.
  const part = (Math.ceil((100 * least) / full) / 100).toFixed(2);
  const asked =
    'factor' in objective ? `${Number(objective.factor.toPrecision(3))}x` : `${Math.round(objective.absolute)}${unit}`;
  return new GateError(`removing channels cannot bring the ${what} down to ${asked}: ${part}x is the least`, {
    fix: `ask for ${part}x or more, or allow more widths`,
  });
}

interface Means {
  readonly method: AllocationMethod;
  /** By number of the studied group: why it keeps all units, if it does. */
  readonly reasons: readonly KeptReason[];
}

/** The choice that these widths are, by number of the studied group. */
export function choiceOf(
  { study, costs }: WidthPlan,
  widths: readonly number[],
  { method, reasons }: Means,
): WidthChoice {
  const kept = new Map(study.studied.map(({ group }, at) => [group, widths[at] ?? group.width]));
  const removals = new Map<ChannelGroup, readonly number[]>();
  const rows = study.studied.map(({ group, order, curve }, at): GroupChoice => {
    const after = kept.get(group) ?? group.width;
    if (after < group.width)
      removals.set(
        group,
        after > 0 ? order.slice(0, group.width - after).toSorted((a, b) => a - b) : Array.from(order.keys()),
      );
    const error = curve.errors[curve.kept.indexOf(after)] ?? 0;
    return { group, before: group.width, after, error, why: after < group.width ? undefined : reasons[at] };
  });
  return {
    removals,
    groups: inOrder([...rows, ...study.left.map(keptRow)], study.order),
    costs: costs.map((cost) => ({ kind: cost.kind, before: costAt(cost, new Map()), after: costAt(cost, kept) })),
    error: rows.reduce((sum, { error }) => sum + error, 0),
    method,
  };
}

const keptRow = ({ group, why, refusal }: LeftGroup): GroupChoice => ({
  group,
  before: group.width,
  after: group.width,
  error: 0,
  why,
  refusal,
});

function inOrder(rows: readonly GroupChoice[], order: readonly ChannelGroup[]): GroupChoice[] {
  const place = new Map(order.map((group, at) => [group, at]));
  return rows.toSorted((a, b) => (place.get(a.group) ?? 0) - (place.get(b.group) ?? 0));
}

/** Of the units of each ranking the lowest part leaves; then each group goes to the nearest of its widths, the wider of two. */
function widthsByRatio(
  studied: readonly StudiedGroup[],
  { value, scope }: Extract<Objective, { readonly kind: 'ratio' }>,
): { readonly widths: number[]; readonly reasons: KeptReason[] } {
  const scored = studied.map(({ group, order }) => ({ group, values: ranksIn(order, group) }));
  const values = studied.map(({ group, scores }) => ({ group, values: scores.values }));
  // Within one group the order counts, which may know more than the numbers.
  const selected = selectLowest(rankUnits(scope.over === 'group' ? scored : values, scope), { share: value });
  const wanted = studied.map(({ group }) => group.width - (selected.get(group)?.length ?? 0));
  const widths = studied.map(({ curve }, at) => {
    const target = wanted[at] ?? 0;
    return curve.kept.reduce((best, units) => (Math.abs(units - target) <= Math.abs(best - target) ? units : best));
  });
  const reasons = studied.map(({ group }, at): KeptReason => (wanted[at] === group.width ? 'worth' : 'no-level'));
  return { widths, reasons };
}

/** The place of each unit in the order in which they leave. */
function ranksIn(order: readonly number[], { width }: ChannelGroup): Float64Array {
  const ranks = new Float64Array(width);
  for (const [rank, unit] of order.entries()) ranks[unit] = rank;
  return ranks;
}

/** Why groups of full width keep it. */
function reasonsOf({ study }: WidthPlan, widths: readonly number[], cost: WidthCost): KeptReason[] {
  const kept = new Map(study.studied.map(({ group }, at) => [group, widths[at] ?? group.width]));
  const now = costAt(cost, kept);
  return study.studied.map(({ group, curve }) => {
    const least = new Map(kept).set(group, curve.kept[0] ?? group.width);
    return costAt(cost, least) < now ? 'worth' : 'no-gain';
  });
}
