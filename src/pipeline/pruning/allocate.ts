// Which group keeps how many units: the least sum of errors within a budget of one cost. Exact (up to a resolution that is
// returned) where the graph of groups that meet in layers is thin, as in chains and residual networks; where many groups
// meet (dense Concats) a descent over one group at a time with a price on cost.
import { invariant } from '../../base/errors.js';
import {
  eliminate,
  eliminationOrder,
  eliminationWork,
  picksAt,
  picksWithin,
  type CostTie,
  type TableProblem,
} from './allocate-exact.js';
import type { WidthCost } from './costs.js';

/** Levels of one group. */
export interface AllocationLevels {
  /** Units kept, ascending. */
  readonly kept: readonly number[];
  readonly errors: readonly number[];
}

export interface AllocationProblem {
  readonly groups: readonly AllocationLevels[];
  /** Over the same groups, none of its figures negative. */
  readonly cost: Pick<WidthCost, 'constant' | 'linear' | 'whole' | 'products'>;
}

export interface AllocationOptions {
  /** Points of trade-off lists that are kept; default 1024. */
  readonly points?: number;
  /** Sums of points beyond which lists are kept shorter, and then descent takes over; default 4e8 (seconds). */
  readonly work?: number;
}

/** Level by group, with what it costs and what it loses. */
export interface Allocation {
  readonly picks: readonly number[];
  readonly cost: number;
  readonly error: number;
}

export interface AllocationMeans {
  readonly method: 'exact' | 'descent';
  /** `exact`: the error is at most the least possible within a budget smaller by this. `descent`: Infinity, nothing is known. */
  readonly resolution: number;
}

/** `infeasible`: even `least` is above the budget. */
export type AllocationResult =
  ({ readonly kind: 'found' } & Allocation & AllocationMeans) | { readonly kind: 'infeasible'; readonly least: number };

const POINTS = 1024;
const FEWEST_POINTS = 64;
const WORK = 4e8;

/** The allocation of least error that costs at most `budget`. */
export function allocate(
  problem: AllocationProblem,
  budget: number,
  options: AllocationOptions = {},
): AllocationResult {
  const least = costOfPicks(
    problem,
    problem.groups.map(() => 0),
  );
  if (least > budget) return { kind: 'infeasible', least };
  const tables = tablesOf(problem);
  const plan = planOf(tables, options);
  if (!plan) return { kind: 'found', method: 'descent', resolution: Infinity, ...descend(problem, budget) };
  const most = Math.min(budget - tables.base, tables.most);
  // A list that is cut at the very budget may lose it by rounding.
  const limits = { most: most * (1 + 1e-12), points: plan.points };
  const frontier = eliminate(tables.problem, plan.steps, limits);
  const within = (limit: number): Allocation | undefined => {
    const picks = picksWithin(frontier, limit, problem.groups.length);
    return picks && scored(problem, picks);
  };
  let found = within(limits.most);
  if (found && found.cost > budget) found = within(most * (1 - 1e-9));
  const safe =
    found && found.cost <= budget
      ? found
      : scored(
          problem,
          problem.groups.map(() => 0),
        );
  return { kind: 'found', method: 'exact', resolution: resolutionOf(problem, limits), ...safe };
}

/** Every trade-off worth having, dearest and best first: at most `points` of them, evenly spread over cost. */
export function allocationFrontier(
  problem: AllocationProblem,
  { points, ...options }: AllocationOptions & { readonly points: number },
): AllocationMeans & { readonly allocations: readonly Allocation[] } {
  const tables = tablesOf(problem);
  const plan = planOf(tables, options);
  if (!plan) return { method: 'descent', resolution: Infinity, allocations: spread(descentFrontier(problem), points) };
  const limits = { most: tables.most, points: plan.points };
  const frontier = eliminate(tables.problem, plan.steps, limits);
  const places = spread(Array.from(frontier.costs, (cost, point) => ({ cost, point })).toReversed(), points);
  const allocations = places.map(({ point }) => scored(problem, picksAt(frontier, point, problem.groups.length)));
  return { method: 'exact', resolution: resolutionOf(problem, limits), allocations };
}

/** Each elimination may merge points that are this near. */
const resolutionOf = ({ groups }: AllocationProblem, { most, points }: { most: number; points: number }): number =>
  (groups.length * 2 * most) / points;

interface Tables {
  readonly problem: TableProblem;
  /** What every choice costs; and the dearest choice beyond it. */
  readonly base: number;
  readonly most: number;
}

function tablesOf({ groups, cost }: AllocationProblem): Tables {
  const isSound =
    cost.constant >= 0 &&
    [...cost.linear, ...cost.whole].every((x) => x >= 0) &&
    cost.products.every(({ factor }) => factor >= 0);
  invariant(isSound && cost.linear.length === groups.length, 'costs must grow with widths, and be those of the groups');
  let { constant: base } = cost;
  const own = cost.products.filter(({ a, b }) => a === b);
  const costs = groups.map(({ kept }, at) => {
    const square = own.reduce((sum, { a, factor }) => sum + (a === at ? factor : 0), 0);
    return Float64Array.from(kept, (units) => ownCost(cost, at, units) + square * units * units);
  });
  const ties: CostTie[] = [];
  for (const { a, b, factor } of cost.products) {
    const [left, right] = [groups[a]?.kept ?? [], groups[b]?.kept ?? []];
    if (a === b) continue;
    if (left.length > 1 && right.length > 1)
      ties.push({ a, b, costs: Float64Array.from(left.flatMap((x) => right.map((y) => factor * x * y))) });
    // A group without a choice is a part of the other's own cost.
    else if (left.length > 1)
      addTo(
        costs[a],
        left.map((x) => factor * x * (right[0] ?? 0)),
      );
    else
      addTo(
        costs[b],
        right.map((y) => factor * y * (left[0] ?? 0)),
      );
  }
  let most = 0;
  for (const table of [...costs, ...ties.map((tie) => tie.costs)]) {
    const least = table.reduce((x, y) => Math.min(x, y), Infinity);
    table.forEach((x, at) => (table[at] = x - least));
    base += least;
    most += table.reduce((x, y) => Math.max(x, y), 0);
  }
  return { problem: { errors: groups.map(({ errors }) => errors), costs, ties }, base, most };
}

function addTo(table: Float64Array | undefined, amounts: readonly number[]): void {
  amounts.forEach((amount, at) => table && (table[at] = (table[at] ?? 0) + amount));
}

/** How to eliminate, with lists as long as the work allows; undefined where even short ones are too much. */
function planOf({ problem }: Tables, { points = POINTS, work = WORK }: AllocationOptions) {
  const steps = eliminationOrder(problem);
  for (let kept = points; kept >= Math.min(points, FEWEST_POINTS); kept = Math.floor(kept / 2))
    if (eliminationWork(problem, steps, kept) <= work) return { steps, points: kept };
  return undefined;
}

function scored(problem: AllocationProblem, picks: readonly number[]): Allocation {
  const error = problem.groups.reduce((sum, { errors }, at) => sum + (errors[picks[at] ?? 0] ?? 0), 0);
  return { picks, cost: costOfPicks(problem, picks), error };
}

/** What the widths of these levels cost. */
export function costOfPicks({ groups, cost }: AllocationProblem, picks: readonly number[]): number {
  const widths = groups.map(({ kept }, at) => kept[picks[at] ?? 0] ?? 0);
  const own = widths.reduce((sum, width, at) => sum + ownCost(cost, at, width), cost.constant);
  return cost.products.reduce((sum, { a, b, factor }) => sum + factor * (widths[a] ?? 0) * (widths[b] ?? 0), own);
}

/** What a group costs whatever the others keep. */
function ownCost({ linear, whole }: AllocationProblem['cost'], at: number, units: number): number {
  return units > 0 ? (linear[at] ?? 0) * units + (whole[at] ?? 0) : 0;
}

const SWEEPS = 50;
const HALVINGS = 60;
const PRICES = 64;

/** For one price of cost: groups change one at a time, the others at their present width, until none gains. */
function settle(problem: AllocationProblem, price: number, from: readonly number[]): number[] {
  const { groups, cost } = problem;
  const picks = [...from];
  const meets = groups.map((_, at) => cost.products.filter(({ a, b }) => a === at || b === at));
  const widthOf = (at: number): number => groups[at]?.kept[picks[at] ?? 0] ?? 0;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let changed = false;
    for (const [at, { kept, errors }] of groups.entries()) {
      let square = 0;
      let each = 0;
      for (const { a, b, factor } of meets[at] ?? []) {
        if (a === b) square += factor;
        else each += factor * widthOf(a === at ? b : a);
      }
      let [best, least] = [0, Infinity];
      for (const [level, units] of kept.entries()) {
        const paid = ownCost(cost, at, units) + units * (each + square * units);
        const value = (errors[level] ?? 0) + price * paid;
        if (value < least || (value === least && level === picks[at])) [best, least] = [level, value];
      }
      changed ||= best !== picks[at];
      picks[at] = best;
    }
    if (!changed) break;
  }
  return picks;
}

/** The price is halved until the budget is just met; then groups grow while they fit. */
function descend(problem: AllocationProblem, budget: number): Allocation {
  const full = problem.groups.map(({ kept }) => kept.length - 1);
  let [low, high] = [0, priceOfAll(problem)];
  let best = scored(
    problem,
    problem.groups.map(() => 0),
  );
  for (let round = 0; round < HALVINGS; round++) {
    const price = round === 0 ? 0 : (low + high) / 2;
    const found = scored(problem, settle(problem, price, full));
    const fits = found.cost <= budget;
    if (fits && found.error < best.error) best = found;
    if (fits) high = price;
    else low = price;
    if (fits && round === 0) break;
  }
  return grown(problem, best, budget);
}

function grown(problem: AllocationProblem, from: Allocation, budget: number): Allocation {
  let best = from;
  for (;;) {
    let next = best;
    for (const [at, { kept }] of problem.groups.entries()) {
      for (let level = (best.picks[at] ?? 0) + 1; level < kept.length; level++) {
        const tried = scored(problem, best.picks.with(at, level));
        if (tried.cost <= budget && tried.error < next.error) next = tried;
      }
    }
    if (next === best) return best;
    best = next;
  }
}

/** A price at which nothing but the least is worth it. */
function priceOfAll(problem: AllocationProblem): number {
  const errors = problem.groups.reduce((sum, group) => sum + Math.max(0, ...group.errors), 0);
  const full = costOfPicks(
    problem,
    problem.groups.map(({ kept }) => kept.length - 1),
  );
  const least = costOfPicks(
    problem,
    problem.groups.map(() => 0),
  );
  return full > least ? (1e3 * errors + 1e-30) / (full - least) : 1;
}

function descentFrontier(problem: AllocationProblem): Allocation[] {
  const top = priceOfAll(problem);
  const full = problem.groups.map(({ kept }) => kept.length - 1);
  const prices = Array.from({ length: PRICES }, (_, at) => top * 10 ** (-12 * (1 - at / (PRICES - 1))));
  const found = prices.map((price) => scored(problem, settle(problem, price, full)));
  let least = Infinity;
  return [scored(problem, full), ...found].filter(({ cost }) => {
    const isCheaper = cost < least;
    least = Math.min(least, cost);
    return isCheaper;
  });
}

/** At most `count` of points of falling cost, the first and the last among them, evenly spread over cost. */
function spread<T extends { readonly cost: number }>(points: readonly T[], count: number): T[] {
  const [dearest, cheapest] = [points[0]?.cost ?? 0, points.at(-1)?.cost ?? 0];
  if (points.length <= count || dearest <= cheapest) return points.slice(0, Math.max(1, count));
  const targets = Array.from(
    { length: count },
    (_, at) => dearest + ((cheapest - dearest) * at) / Math.max(1, count - 1),
  );
  const places = targets.map((target) => points.findIndex(({ cost }) => cost <= target + 1e-12 * Math.abs(target)));
  return [...new Set(places)].flatMap((place) => points[place] ?? points.at(-1) ?? []);
}
