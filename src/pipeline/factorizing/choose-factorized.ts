// Which factorized models may be the result: the one plan that a budget or a rule gives, or those of a search.
import { cheapest, mostExact } from '../trading/choose.js';
import { byBudgets, byDrop, byRule, searchLatency, type Found } from '../trading/schedule.js';
import type { Trade } from '../trading/trade-run.js';
import { evbmfPlan } from './evbmf-plan.js';
import type { FactorizeRun } from './factorize-run.js';
import { makeFactorized, type FactorizedModel } from './make-factorized.js';
import type { LayerStart } from './planner.js';
import type { ChainPlan, PricedOption } from './priced-chain.js';
import { howMuch } from './settings.js';

export type FactorizeTrade = Trade<PricedOption, FactorizedModel>;

/** The layers of the run and their chains, to choose among. */
export const factorizeTrade = (run: FactorizeRun, layers: readonly LayerStart[]): FactorizeTrade => ({
  run,
  priced: layers.flatMap(({ priced }) => priced ?? []),
  what: 'chains',
  count: (plan) => plan.length,
  make: (plan) => makeFactorized(run, plan),
});

/** @throws GateError when a budget cannot be reached */
export async function chooseFactorized(
  run: FactorizeRun,
  trade: FactorizeTrade,
): Promise<Found<PricedOption, FactorizedModel>> {
  const { settings } = run.request;
  const rule = settings.ranks === 'sensitivity' ? 'each' : 'together';
  return {
    counted: () => byBudgets(trade, rule),
    latency: () => searchLatency(trade, settings.latency ?? '1x'),
    ratio: () => byRule(trade, `ratio ${settings.ratio}`, ratioPlan(run, trade)),
    energy: () => byRule(trade, `energy ${settings.energy}`, energyPlan(run, trade)),
    evbmf: async () => byRule(trade, 'ranks by EVBMF', await evbmfPlan(run, trade.priced)),
    loss: () => byDrop(trade, settings.maxDrop ?? 0, rule),
    nothing: () => byRule(trade, 'nothing', []),
  }[howMuch(settings) ?? 'nothing']();
}

/** The least error of what has this part of the multiplications at most. */
function ratioPlan({ request }: FactorizeRun, { priced }: FactorizeTrade): ChainPlan {
  const { ratio = 1 } = request.settings;
  return mostExact(priced, ({ costs }, { whole }) => costs.macs <= ratio * whole.macs);
}

function energyPlan({ request, aim }: FactorizeRun, { priced }: FactorizeTrade): ChainPlan {
  const { energy = 1 } = request.settings;
  return cheapest(priced, aim, ({ error }) => error <= 1 - energy);
}
