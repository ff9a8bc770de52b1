// Plans against all that there are: random layers with few chains each, where every choice can be tried.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import {
  cheapest,
  chooseWithin,
  costOfPlan,
  lossFrontier,
  mostExact,
  sensitivityFrontier,
} from '../../../src/pipeline/trading/choose.js';
import { costIn, type Costs, type Limit } from '../../../src/pipeline/trading/costs.js';
import type { ChainPlan, PricedLayer, PricedOption } from '../../../src/pipeline/factorizing/priced-chain.js';

const costs = (macs: number, params: number, latency?: number): Costs => ({ macs, params, size: 4 * params, latency });

function layers(seed: string, count = 5, chains = 4): PricedLayer[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, (_, at): PricedLayer => {
    const [macs, params] = [rng.int(50, 100), rng.int(50, 100)];
    const options = Array.from({ length: chains }, (__, rank): PricedOption => {
      const loss = rng.uniform();
      const part = costs(rng.int(5, macs), rng.int(5, params), rng.int(1, 100));
      return { scheme: 'svd', ranks: [rank + 1], error: loss / 2, loss, costs: part };
    });
    return { name: `layer ${at}`, whole: costs(macs, params, 100), options };
  });
}

const lossOf = (plan: ChainPlan): number => plan.reduce((sum, [, { loss }]) => sum + loss, 0);

/** Every plan there is. */
function allPlans(open: readonly PricedLayer[]): ChainPlan[] {
  return open.reduce<ChainPlan[]>(
    (plans, { name, options }) =>
      plans.flatMap((plan) => [plan, ...options.map((option) => [...plan, [name, option] as const])]),
    [[]],
  );
}

const leastLoss = (open: readonly PricedLayer[], limits: readonly Limit[]): number =>
  Math.min(
    ...allPlans(open)
      .filter((plan) => limits.every(({ cost, most }) => costOfPlan(open, plan, cost) <= most))
      .map(lossOf),
  );

describe('plans within a budget', () => {
  it.each(['a', 'b', 'c', 'd'])('lose the least that is possible: %s', (seed) => {
    const open = layers(seed);
    for (const part of [0.3, 0.5, 0.7, 0.9, 1]) {
      for (const cost of ['macs', 'params', 'size', 'latency'] as const) {
        const limit = { cost, most: part * open.reduce((sum, { whole }) => sum + costIn(whole, cost), 0) };
        const found = chooseWithin(open, [limit]);
        const least = leastLoss(open, [limit]);
        const plan = found.kind === 'found' ? found.plan : undefined;
        expect(plan ? lossOf(plan) : Infinity).toBeCloseTo(least, 9);
        expect(plan ? costOfPlan(open, plan, cost) : 0).toBeLessThanOrEqual(limit.most);
      }
    }
  });

  it.each(['e', 'f', 'g', 'h'])('of two figures meet both, and lose little more than they must: %s', (seed) => {
    const open = layers(seed);
    for (const part of [0.6, 0.75, 0.9]) {
      const limits = (['macs', 'params'] as const).map((cost) => ({
        cost,
        most: part * open.reduce((sum, { whole }) => sum + costIn(whole, cost), 0),
      }));
      const found = chooseWithin(open, limits);
      const least = leastLoss(open, limits);
      if (found.kind === 'infeasible' || least === Infinity) continue;
      for (const { cost, most } of limits) expect(costOfPlan(open, found.plan, cost)).toBeLessThanOrEqual(most);
      expect(lossOf(found.plan)).toBeLessThanOrEqual(least + 0.35);
    }
  });

  it('name the least that can be had where a budget is out of reach', () => {
    const open = layers('a');
    const least = Math.min(...allPlans(open).map((plan) => costOfPlan(open, plan, 'macs')));
    expect(chooseWithin(open, [{ cost: 'macs', most: least - 1 }])).toMatchObject({ kind: 'infeasible', least });
  });

  it('leave layers whole where chains are of no use, and chains alone that were not timed', () => {
    const [layer] = layers('a', 1);
    if (!layer) throw new Error('no layer');
    const dear = layer.options.map((option) => ({ ...option, costs: costs(1000, 1000) }));
    const open = [{ ...layer, options: dear }];
    expect(chooseWithin(open, [{ cost: 'macs', most: 1000 }])).toEqual({ kind: 'found', plan: [] });
    expect(lossFrontier(open, 'latency', 8)).toEqual([]);
  });
});

describe('frontiers', () => {
  it('lose more the less they cost, each the least for its cost', () => {
    const open = layers('x');
    const plans = lossFrontier(open, 'macs', 16);
    expect(plans.length).toBeGreaterThan(4);
    const points = plans.map((plan) => [costOfPlan(open, plan, 'macs'), lossOf(plan)] as const);
    for (const [at, [cost, loss]] of points.entries()) {
      expect(loss).toBeCloseTo(leastLoss(open, [{ cost: 'macs', most: cost }]), 9);
      const [before = Infinity, lost = -1] = points[at - 1] ?? [];
      expect([cost < before, loss > lost]).toEqual([true, true]);
    }
  });

  it('by sensitivity take of each layer the cheapest chain under one threshold', () => {
    const open = layers('y');
    const plans = sensitivityFrontier(open, 'params', 6);
    for (const plan of plans) {
      const most = Math.max(...plan.map(([, { loss }]) => loss));
      expect(plan).toEqual(cheapest(open, 'params', ({ loss }) => loss <= most));
    }
  });
});

it('a rule for every layer takes the most exact chain that is allowed', () => {
  const open = layers('z');
  const plan = mostExact(open, (option, { whole }) => option.costs.macs <= 0.5 * whole.macs);
  for (const { name, whole, options } of open) {
    const allowed = options.filter((option) => option.costs.macs <= 0.5 * whole.macs).map(({ error }) => error);
    const [, taken] = plan.find(([one]) => one === name) ?? [];
    expect(taken?.error).toBe(allowed.length > 0 ? Math.min(...allowed) : undefined);
  }
});
