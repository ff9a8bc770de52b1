// Which layer becomes which chain: of one choice per layer the sum of losses is the least within the bounds on what they cost
// together (a multiple-choice knapsack, solved exactly up to a resolution); or one rule for every layer.
import { allocate, allocationFrontier, type AllocationProblem } from '../pruning/allocate.js';
import { paretoOptions, type ChainChoice } from './layer-options.js';
import type { FactorCost } from './settings.js';

/** A chain with all its figures. */
export interface PricedOption extends ChainChoice {
  readonly error: number;
  readonly loss: number;
  readonly costs: Costs;
}

/** Multiplications, parameters, bytes and microseconds; the last where they were measured. */
export type Costs = Readonly<Record<Exclude<FactorCost, 'latency'>, number>> & { readonly latency: number | undefined };

export interface PricedLayer {
  readonly name: string;
  readonly whole: Costs;
  readonly options: readonly PricedOption[];
}

/** By name of the layer; layers that stay whole are not in it. Plain data. */
export type ChainPlan = readonly (readonly [string, PricedOption])[];

/** What the layers together may cost. */
export interface Limit {
  readonly cost: FactorCost;
  readonly most: number;
}

/** Infinite where it was not measured. */
export const costIn = (costs: Costs, kind: FactorCost): number => costs[kind] ?? Infinity;

/** What the layers cost together with these chains. */
export function costOfPlan(layers: readonly PricedLayer[], plan: ChainPlan, kind: FactorCost): number {
  const chosen = new Map(plan);
  return layers.reduce((sum, { name, whole }) => sum + costIn(chosen.get(name)?.costs ?? whole, kind), 0);
}

/** `infeasible`: the least that can be had of the first limit that cannot be met. */
export type Choice =
  | { readonly kind: 'found'; readonly plan: ChainPlan }
  | { readonly kind: 'infeasible'; readonly limit: Limit; readonly least: number };

/** The plan of least loss within the limits. */
export function chooseChains(layers: readonly PricedLayer[], limits: readonly Limit[]): Choice {
  for (const limit of limits) {
    const least = layers.reduce((sum, layer) => sum + leastOf(layer, limit.cost), 0);
    if (least > limit.most) return { kind: 'infeasible', limit, least };
  }
  const [first, ...more] = limits;
  if (!first) return { kind: 'found', plan: [] };
  if (more.length === 0)
    return { kind: 'found', plan: within(layers, (costs) => costIn(costs, first.cost), first.most) ?? [] };
  return weighted(layers, limits);
}

const leastOf = ({ whole, options }: PricedLayer, kind: FactorCost): number =>
  Math.min(costIn(whole, kind), ...options.map(({ costs }) => costIn(costs, kind)));

/** Rounds of weights in which several limits are brought into line. */
const ROUNDS = 24;
const EAGERNESS = 1.5;

/**
 * Several limits: one, of the sum of what is used of each by weights, which grow where a limit is missed. The best of the plans that
 * meet all; else the one that misses least.
 */
function weighted(layers: readonly PricedLayer[], limits: readonly Limit[]): Choice {
  let weights = limits.map(() => 1 / limits.length);
  let best: { readonly plan: ChainPlan; readonly over: number; readonly loss: number } | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    // Whoever meets all limits uses at most 1 of their weighted sum.
    const plan = within(layers, sumBy(limits, weights), 1);
    if (!plan) break;
    const used = limits.map((limit) => costOfPlan(layers, plan, limit.cost) / limit.most);
    const over = Math.max(1, ...used);
    const loss = plan.reduce((sum, [, option]) => sum + option.loss, 0);
    if (!best || over < best.over || (over === best.over && loss < best.loss)) best = { plan, over, loss };
    const raised = weights.map((weight, at) => weight * (used[at] ?? 1) ** EAGERNESS);
    const sum = raised.reduce((all, weight) => all + weight, 0);
    weights = raised.map((weight) => weight / sum);
  }
  const tight = best && best.over > 1 ? tightened(layers, limits, best.plan) : best?.plan;
  return { kind: 'found', plan: tight ?? [] };
}

const sumBy =
  (limits: readonly Limit[], weights: readonly number[]) =>
  (costs: Costs): number =>
    limits.reduce((sum, { cost, most }, at) => sum + ((weights[at] ?? 0) * costIn(costs, cost)) / most, 0);

/** By how much the limits are missed together, as parts of them. */
const missedBy = (limits: readonly Limit[], used: readonly number[]): number =>
  limits.reduce((sum, { most }, at) => sum + Math.max(0, (used[at] ?? 0) / most - 1), 0);

/** Layers change, one after the other, to what brings the limits nearer at the least loss, until all are met or nothing helps. */
function tightened(layers: readonly PricedLayer[], limits: readonly Limit[], from: ChainPlan): ChainPlan {
  const chosen = new Map(from);
  for (;;) {
    const used = limits.map(({ cost }) => costOfPlan(layers, [...chosen], cost));
    const missed = missedBy(limits, used);
    let best: { readonly name: string; readonly option: PricedOption; readonly price: number } | undefined;
    for (const { name, whole, options } of layers) {
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

interface Problem {
  readonly problem: AllocationProblem;
  /** By layer and level; undefined: the layer stays whole. */
  readonly levels: readonly (readonly (PricedOption | undefined)[])[];
}

function problemOf(layers: readonly PricedLayer[], cost: (costs: Costs) => number): Problem {
  const levels = layers.map(({ whole, options }) => {
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
      linear: new Float64Array(layers.length).fill(1),
      whole: new Float64Array(layers.length),
      products: [],
    },
  };
  return { problem, levels: levels.map((level) => level.map(({ option }) => option)) };
}

function planOf(layers: readonly PricedLayer[], { levels }: Problem, picks: readonly number[]): ChainPlan {
  return layers.flatMap(({ name }, at) => {
    const option = levels[at]?.[picks[at] ?? 0];
    return option ? [[name, option] as const] : [];
  });
}

function within(layers: readonly PricedLayer[], cost: (costs: Costs) => number, most: number): ChainPlan | undefined {
  const found = problemOf(layers, cost);
  const result = allocate(found.problem, most);
  return result.kind === 'found' ? planOf(layers, found, result.picks) : undefined;
}

/** Plans from whole layers down to the cheapest chains, each the best for what it costs. */
export function chainFrontier(layers: readonly PricedLayer[], kind: FactorCost, points: number): ChainPlan[] {
  const found = problemOf(layers, (costs) => costIn(costs, kind));
  const { allocations } = allocationFrontier(found.problem, { points });
  return allocations.map(({ picks }) => planOf(layers, found, picks)).filter((plan) => plan.length > 0);
}

/** Per layer the cheapest chain that loses no more of the model than a threshold, for ever higher thresholds. */
export function sensitivityFrontier(layers: readonly PricedLayer[], kind: FactorCost, points: number): ChainPlan[] {
  const losses = layers.flatMap(({ options }) => options.map(({ loss }) => loss)).toSorted((a, b) => a - b);
  const places = Array.from(
    { length: points },
    (_, at) => losses[Math.floor(((at + 1) * losses.length) / points) - 1] ?? 0,
  );
  const plans = [...new Set(places)].map((most) => cheapest(layers, kind, ({ loss }) => loss <= most));
  return plans.filter((plan) => plan.length > 0);
}

/** Per layer the cheapest chain that is allowed. */
export function cheapest(
  layers: readonly PricedLayer[],
  kind: FactorCost,
  isAllowed: (option: PricedOption, layer: PricedLayer) => boolean,
): ChainPlan {
  return layers.flatMap((layer) => {
    const open = layer.options.filter(
      (option) => isAllowed(option, layer) && costIn(option.costs, kind) < costIn(layer.whole, kind),
    );
    const [best] = open.toSorted((a, b) => costIn(a.costs, kind) - costIn(b.costs, kind) || a.loss - b.loss);
    return best ? [[layer.name, best] as const] : [];
  });
}

/** Per layer the chain of least error that is allowed. */
export function mostExact(
  layers: readonly PricedLayer[],
  isAllowed: (option: PricedOption, layer: PricedLayer) => boolean,
): ChainPlan {
  return layers.flatMap((layer) => {
    const [best] = layer.options.filter((option) => isAllowed(option, layer)).toSorted((a, b) => a.error - b.error);
    return best ? [[layer.name, best] as const] : [];
  });
}
