// One run of learned slimming over one model: it is slimmed, blocks are looked at on samples, some are replaced as the settings say, all
// behind them is refitted, and the result is scored and timed against the original. It lies in a private folder until the caller
// publishes it.
import { findPass } from '../../passes/registry.js';
import { configure, type ConfiguredPass } from '../configured-pass.js';
import { concludeTrade, keepCandidate } from '../trading/conclude.js';
import { withTradeRun } from '../trading/open-run.js';
import { byBudgets, byDrop, byRule, searchLatency, type Found } from '../trading/schedule.js';
import type { Trade } from '../trading/trade-run.js';
import { formatPass } from '../recipe.js';
import { effortMs } from '../setting-table.js';
import { rulesNamed } from './blocks.js';
import { blockRows } from './block-rows.js';
import { blockSites, proposalsOf, type BlockOption, type BlockPlan } from './components.js';
import { kindTimes } from './kind-times.js';
import { withoutIdleBlocks } from './keep-paying.js';
import { makeDeepened, type DeepenedModel } from './make-deepened.js';
import type { DeepenOutcome, DeepenRequest } from './outcome.js';
import { DEEPEN_SETTINGS, howMuch, type DeepenSettings } from './settings.js';
import { roughRatio, studyBlocks } from './study.js';

/**
 * Replaces blocks of one model. Whatever comes out runs, is not slower than the original where that can be measured (unless something else
 * was asked for in so many words), and is never a model that is surely broken.
 * @throws InputError unsupported (quantized already), bad-data, and what reading, slimming and running throw; UsageError
 *   would-overwrite, conflict; GateError where a budget cannot be reached; InterruptError
 */
export function deepenFile(asked: DeepenRequest): Promise<DeepenOutcome> {
  const { settings } = asked;
  const { effort } = settings;
  const request: DeepenRequest =
    effort === undefined ? asked : { ...asked, until: performance.now() + effortMs(effort) };
  const rules = rulesNamed(settings.rules);
  const kind = {
    repair: settings.repair,
    // Neither changes what is found of a block or a model: a run with more goes on from the journal.
    settings: DEEPEN_SETTINGS.document({ ...settings, maxDrop: undefined, effort: undefined }),
    last: lastPasses(settings),
    dataFree: (same: DeepenRequest) => same,
  };
  return withTradeRun(request, kind, async (run) => {
    const studied = await studyBlocks(run, rules);
    const priced = studied.proposals.flatMap((one) => one.priced ?? []);
    const trade: Trade<BlockOption, DeepenedModel> = {
      run,
      priced: blockSites(priced, run.aim),
      what: 'other blocks',
      count: (plan) => proposalsOf(plan).length,
      make: (plan) => makeDeepened(run, rules, plan),
      timeOf: run.timed ? (path) => roughRatio(run, path) : undefined,
    };
    const chosen = await choose(trade, settings);
    const putBack = new Map<BlockPlan, readonly string[]>();
    const kept = await keepCandidate(run, chosen, async (candidate) => {
      const paying = await withoutIdleBlocks(run, rules, { trade, candidate });
      const left = new Set(proposalsOf(paying.plan));
      putBack.set(
        paying.plan,
        proposalsOf(candidate.plan).filter((name) => !left.has(name)),
      );
      return paying;
    });
    const outcome = await concludeTrade(run, kept);
    const { times } = outcome;
    const models = { before: run.original.decoded.model, after: kept.decoded.model };
    return {
      ...outcome,
      blocks: blockRows(studied.proposals, { ...kept, models, times, putBack: putBack.get(kept.plan) ?? [] }),
      declined: studied.declined,
      aim: run.aim,
      steps: chosen.steps,
      refitted: kept.made?.refitted ?? 0,
      kept: kept.made ? 'deepened' : 'original',
      kinds: times && { before: kindTimes(models.before, times.before), after: kindTimes(models.after, times.after) },
      last: run.last.map(formatPass),
      samples: run.samples.counts,
      dataFree: run.samples.dataFree,
    };
  });
}

function choose(
  trade: Trade<BlockOption, DeepenedModel>,
  settings: DeepenSettings,
): Promise<Found<BlockOption, DeepenedModel>> {
  const found = {
    counted: () => Promise.resolve(byBudgets(trade)),
    latency: () => searchLatency(trade, settings.latency ?? '1x'),
    loss: () => byDrop(trade, settings.maxDrop ?? 0),
    nothing: () => Promise.resolve(byRule(trade, 'nothing', [])),
  };
  return found[howMuch(settings) ?? 'nothing']();
}

/** What becomes of normalizations that no block takes in. */
function lastPasses({ lrn }: DeepenSettings): readonly ConfiguredPass[] {
  const pass = lrn === 'expand' ? findPass('expand-lrn') : undefined;
  return pass ? [configure(pass)] : [];
}
