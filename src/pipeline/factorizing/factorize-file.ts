// One factorization run over one model: it is slimmed and looked at on samples, layers become chains as the settings say, what is
// there is repaired, and the result is scored and timed against the original. It lies in a private folder until the caller publishes
// it.
import { concludeTrade, keepCandidate } from '../trading/conclude.js';
import { withTradeRun } from '../trading/open-run.js';
import { chooseFactorized, factorizeTrade } from './choose-factorized.js';
import type { FactorizeRun } from './factorize-run.js';
import { withoutLosers } from './keep-paying.js';
import { layerRows } from './layer-rows.js';
import { emptyCache } from './observe-layers.js';
import type { FactorizeOutcome, FactorizeRequest } from './outcome.js';
import { planLayers } from './planner.js';
import { FACTORIZE_SETTINGS } from './settings.js';

/**
 * Factorizes one model. Whatever comes out runs, is not slower than the original where that can be measured (unless something else was
 * asked for in so many words), and is never a model that is surely broken.
 * @throws InputError unsupported (quantized already), bad-data, and what reading, slimming and running throw; UsageError
 *   would-overwrite, conflict; GateError where a budget cannot be reached; InterruptError
 */
export function factorizeFile(request: FactorizeRequest): Promise<FactorizeOutcome> {
  const { settings } = request;
  const kind = {
    repair: settings.repair,
    // What may be lost changes nothing that is found: a run with another limit goes on from the journal.
    settings: FACTORIZE_SETTINGS.document({ ...settings, maxDrop: undefined }),
    dataFree: (asked: FactorizeRequest) => ({ ...asked, settings: { ...asked.settings, metric: 'plain' as const } }),
  };
  return withTradeRun(request, kind, async (opened) => {
    const run: FactorizeRun = { ...opened, cache: emptyCache() };
    const layers = await planLayers(run);
    const trade = factorizeTrade(run, layers);
    const chosen = await chooseFactorized(run, trade);
    const kept = await keepCandidate(run, chosen, (candidate) => withoutLosers(run, trade, candidate));
    const outcome = await concludeTrade(run, kept);
    const models = { before: run.original.decoded.model, after: kept.decoded.model };
    return {
      ...outcome,
      layers: layerRows(layers, { ...kept, models, times: outcome.times }),
      aim: run.aim,
      steps: chosen.steps.map(({ changes, ...step }) => ({ ...step, chains: changes })),
      refitted: kept.made?.refitted ?? 0,
      kept: kept.made ? 'factorized' : 'original',
      samples: run.samples.counts,
      dataFree: run.samples.dataFree,
    };
  });
}
