// The report value of a choice among all passes, from what the pipeline hands back.
import type { CombineOutcome, CombineRequest, Int8Alone, Stage } from '../pipeline/combining/outcome.js';
import { kindsOf } from '../pipeline/combining/settings.js';
import { aimOf } from '../pipeline/trading/budgets.js';
import { buildDeepenReport, kindsReport } from './build-deepen-report.js';
import { lossFacts } from './build-eval-report.js';
import { buildFactorizeReport } from './build-factorize-report.js';
import { buildPruneReport } from './build-prune-report.js';
import { buildQuantizeReport } from './build-quantize-report.js';
import { sampledReport, tradeGates, type SampledSetting } from './build-sampled-report.js';
import type { CombineReport, StageReport } from './combine-report.js';
import { idleDetail, idleReason } from './combine-words.js';

/** The report of one run. */
export function buildCombineReport(
  request: CombineRequest,
  outcome: CombineOutcome,
  setting: SampledSetting,
): CombineReport {
  const budgets = { ...request.settings, for: 'auto' } as const;
  const { name: dataName, preparation = [] } = setting.data ?? {};
  const { allowed, taken } = outcome.effort;
  return {
    ...sampledReport(request, outcome, setting, outcome.comparison?.samples ?? 0),
    kind: 'combine',
    kept: outcome.kept,
    result: outcome.result,
    gates: tradeGates(budgets, outcome),
    int8Alone: outcome.int8Alone && int8Facts(outcome.int8Alone),
    method: { aim: aimOf(budgets), tried: kindsOf(request.settings) },
    steps: outcome.steps.map(({ loss, ...step }) => ({ ...step, loss: lossFacts(loss) })),
    idle: outcome.idle.map(({ kind, on, reason, message }) => ({
      ...{ kind, on, code: reason, message: idleReason(reason), detail: idleDetail(kind, message) },
    })),
    explored: outcome.explored.map(({ loss, ...model }) => ({ ...model, loss: lossFacts(loss) })),
    kinds: kindsReport(outcome.kinds),
    stages: outcome.stages.map((stage) => stageReport(stage, setting)),
    subset: outcome.subset,
    samples: { ...outcome.samples, dataName, preparation },
    effort: { allowedSeconds: allowed, takenSeconds: taken },
  };
}

const int8Facts = ({ loss, ...alone }: Int8Alone): CombineReport['int8Alone'] => ({ ...alone, loss: lossFacts(loss) });

/** A run within this one; its command is that of the whole, since nothing else makes its input again. */
function stageReport({ name, run, elapsedMs }: Stage, whole: SampledSetting): StageReport {
  const setting = { ...whole, elapsedMs };
  switch (run.kind) {
    case 'deepen':
      return { name, kind: run.kind, deepen: buildDeepenReport(run.request, run.outcome, setting) };
    case 'prune':
      return { name, kind: run.kind, prune: buildPruneReport(run.request, run.outcome, setting) };
    case 'factorize':
      return { name, kind: run.kind, factorize: buildFactorizeReport(run.request, run.outcome, setting) };
    case 'int8':
      return {
        name,
        kind: run.kind,
        quantize: buildQuantizeReport(run.request, run.outcome, { ...setting, requireFused: 'off' }),
      };
    default:
      return run satisfies never;
  }
}
