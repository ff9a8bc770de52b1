// Which layer or block becomes what: of one choice for each the sum of losses is the least within the bounds on what they cost
// together (a multiple-choice knapsack, solved exactly up to a resolution); or one rule for all.
import { allocate, allocationFrontier, type AllocationProblem } from '../pruning/allocate.js';
import { costIn, type CostKind, type Costs, type Limit } from './costs.js';
import { paretoOptions } from './pareto.js';

/** One thing that a layer or a block could become. */
export interface Priced {
  /** Noise over signal of the outputs of the model with this alone. */
  readonly loss: number;
  readonly costs: Costs;
}

/** A layer or a block, with what it costs as it is. */
export interface PricedSite<O extends Priced> {
  readonly name: string;
  readonly whole: Costs;
  readonly options: readonly O[];
}

/** By name of the site; those that stay whole are not in it. Plain data. */
export type Plan<O extends Priced> = readonly (readonly [string, O])[];

/** What the sites cost together with this plan. */
export function costOfPlan<O extends Priced>(sites: readonly PricedSite<O>[], plan: Plan<O>, kind: CostKind): number {
  const chosen = new Map(plan);
  return sites.reduce((sum, { name, whole }) => sum + costIn(chosen.get(name)?.costs ?? whole, kind), 0);
}

/** `infeasible`: the least that can be had of the first limit that cannot be met. */
export type Choice<O extends Priced> =
  | { readonly kind: 'found'; readonly plan: Plan<O> }
  | { readonly kind: 'infeasible'; readonly limit: Limit; readonly least: number };

/** The plan of least loss within the limits. */
export function chooseWithin<O extends Priced>(sites: readonly PricedSite<O>[], limits: readonly Limit[]): Choice<O> {
  for (const limit of limits) {
    const least = sites.reduce((sum, site) => sum + leastOf(site, limit.cost), 0);
    if (least > limit.most) return { kind: 'infeasible', limit, least };
  }
  const [first, ...more] = limits;
  if (!first) return { kind: 'found', plan: [] };
  if (more.length === 0)
    return { kind: 'found', plan: within(sites, (costs) => costIn(costs, first.cost), first.most) ?? [] };
  return weighted(sites, limits);
}

const leastOf = <O extends Priced>({ whole, options }: PricedSite<O>, kind: CostKind): number =>
  Math.min(costIn(whole, kind), ...options.map(({ costs }) => costIn(costs, kind)));

/** Rounds of weights in which several limits are brought into line. */
const ROUNDS = 24;
const EAGERNESS = 1.5;

/**
 * Several limits: one, of the sum of what is used of each by weights, which grow where a limit is missed. The best of the plans that
 * meet all; else the one that misses least.
 */
function weighted<O extends Priced>(sites: readonly PricedSite<O>[], limits: readonly Limit[]): Choice<O> {
  let weights = limits.map(() => 1 / limits.length);
  let best: { readonly plan: Plan<O>; readonly over: number; readonly loss: number } | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    // Whoever meets all limits uses at most 1 of their weighted sum.
    const plan = within(sites, sumBy(limits, weights), 1);
    if (!plan) break;
    const used = limits.map((limit) => costOfPlan(sites, plan, limit.cost) / limit.most);
    const over = Math.max(1, ...used);
    const loss = plan.reduce((sum, [, option]) => sum + option.loss, 0);
    if (!best || over < best.over || (over === best.over && loss < best.loss)) best = { plan, over, loss };
    const raised = weights.map((weight, at) => weight * (used[at] ?? 1) ** EAGERNESS);
    const sum = raised.reduce((all, weight) => all + weight, 0);
    weights = raised.map((weight) => weight / sum);
  }
  const tight = best && best.over > 1 ? tightened(sites, limits, best.plan) : best?.plan;
  return { kind: 'found', plan: tight ?? [] };
}

const sumBy =
  (limits: readonly Limit[], weights: readonly number[]) =>
  (costs: Costs): number =>
    limits.reduce((sum, { cost, most }, at) => sum + ((weights[at] ?? 0) * costIn(costs, cost)) / most, 0);

/** By how much the limits are missed together, as parts of them. */
const missedBy = (limits: readonly Limit[], used: readonly number[]): number =>
  limits.reduce((sum, { most }, at) => sum + Math.max(0, (used[at] ?? 0) / most - 1), 0);

/** Sites change, one after the other, to what brings the limits nearer at the least loss, until all are met or nothing helps. */
function tightened<O extends Priced>(
  sites: readonly PricedSite<O>[],
  limits: readonly Limit[],
  from: Plan<O>,
): Plan<O> {
  const chosen = new Map(from);
  for (;;) {
    const used = limits.map(({ cost }) => costOfPlan(sites, [...chosen], cost));
    const missed = missedBy(limits, used);
    let best: { readonly name: string; readonly option: O; readonly price: number } | undefined;
    for (const { name, whole, options } of sites) {
      const now = chosen.get(name);
      for (const option of options) {
        const costs = now?.costs ?? whole;
        const then = limits.map(({ cost }, at) => (used[at] ?? 0) + costIn(option.costs, cost) - costIn(costs, cost));
        const gained = missed - missedBy(limits, then);
        const price = (option.loss - (now?.loss ?? 0)) / gained;
        if (gained > 1e-12 && (!best || price < best.price)) best = { name, option, price };
      }
    }
    if (!best) return [...chosen];
    chosen.set(best.name, best.option);
  }
}

interface Problem<O extends Priced> {
  readonly problem: AllocationProblem;
  /** By site and level; undefined: the site stays whole. */
  readonly levels: readonly (readonly (O | undefined)[])[];
}

function problemOf<O extends Priced>(sites: readonly PricedSite<O>[], cost: (costs: Costs) => number): Problem<O> {
  const levels = sites.map(({ whole, options }) => {
    const all = [
      { option: undefined, costs: whole, error: 0 },
      ...options.map((option) => ({ option, costs: option.costs, error: option.loss })),
    ];
    return paretoOptions(
      all.filter(({ costs }) => Number.isFinite(cost(costs))),
      ({ costs }) => cost(costs),
    );
  });
  const problem: AllocationProblem = {
    groups: levels.map((level) => ({
      kept: level.map(({ costs }) => cost(costs)),
      errors: level.map(({ error }) => error),
    })),
    cost: {
      constant: 0,
      linear: new Float64Array(sites.length).fill(1),
      whole: new Float64Array(sites.length),
      products: [],
    },
  };
  return { problem, levels: levels.map((level) => level.map(({ option }) => option)) };
}

function planOf<O extends Priced>(
  sites: readonly PricedSite<O>[],
  { levels }: Problem<O>,
  picks: readonly number[],
): Plan<O> {
  return sites.flatMap(({ name }, at) => {
    const option = levels[at]?.[picks[at] ?? 0];
    return option ? [[name, option] as const] : [];
  });
}

function within<O extends Priced>(
  sites: readonly PricedSite<O>[],
  cost: (costs: Costs) => number,
  most: number,
): Plan<O> | undefined {
  const found = problemOf(sites, cost);
  const result = allocate(found.problem, most);
  return result.kind === 'found' ? planOf(sites, found, result.picks) : undefined;
}

/** Plans from all whole down to the cheapest options, each the best for what it costs. */
export function lossFrontier<O extends Priced>(
  sites: readonly PricedSite<O>[],
  kind: CostKind,
  points: number,
): Plan<O>[] {
  const found = problemOf(sites, (costs) => costIn(costs, kind));
  const { allocations } = allocationFrontier(found.problem, { points });
  return allocations.map(({ picks }) => planOf(sites, found, picks)).filter((plan) => plan.length > 0);
}

/** Per site the cheapest option that loses no more of the model than a threshold, for ever higher thresholds. */
export function sensitivityFrontier<O extends Priced>(
  sites: readonly PricedSite<O>[],
  kind: CostKind,
  points: number,
): Plan<O>[] {
  const losses = sites.flatMap(({ options }) => options.map(({ loss }) => loss)).toSorted((a, b) => a - b);
  const places = Array.from(
    { length: points },
    (_, at) => losses[Math.floor(((at + 1) * losses.length) / points) - 1] ?? 0,
  );
  const plans = [...new Set(places)].map((most) => cheapest(sites, kind, ({ loss }) => loss <= most));
  return plans.filter((plan) => plan.length > 0);
}

/** Per site the cheapest option that is allowed. */
export function cheapest<O extends Priced>(
  sites: readonly PricedSite<O>[],
  kind: CostKind,
  isAllowed: (option: O, site: PricedSite<O>) => boolean,
): Plan<O> {
  return sites.flatMap((site) => {
    const open = site.options.filter(
      (option) => isAllowed(option, site) && costIn(option.costs, kind) < costIn(site.whole, kind),
    );
    const [best] = open.toSorted((a, b) => costIn(a.costs, kind) - costIn(b.costs, kind) || a.loss - b.loss);
    return best ? [[site.name, best] as const] : [];
  });
}

/** Per site the option of least error that is allowed. */
export function mostExact<O extends Priced & { readonly error: number }>(
  sites: readonly PricedSite<O>[],
  isAllowed: (option: O, site: PricedSite<O>) => boolean,
): Plan<O> {
  return sites.flatMap((site) => {
    const [best] = site.options.filter((option) => isAllowed(option, site)).toSorted((a, b) => a.error - b.error);
    return best ? [[site.name, best] as const] : [];
  });
}
