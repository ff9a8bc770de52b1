// The report value of a pruning run, from what the pipeline hands back.
import type { ClassSubset, PrunedGroup, PruneOutcome, PruneRequest } from '../pipeline/pruning/outcome.js';
import { budgetOf, type PruneSettings } from '../pipeline/pruning/settings.js';
import { lossFacts, lossLimit } from './build-eval-report.js';
import { finite, sampledReport, type SampledSetting } from './build-sampled-report.js';
import type { PruneGroupReport, PruneReport } from './prune-report.js';
import { keepReason } from './prune-words.js';

/** The report of one run. */
export function buildPruneReport(request: PruneRequest, outcome: PruneOutcome, setting: SampledSetting): PruneReport {
  const { settings } = request;
  const { name: dataName, preparation = [] } = setting.data ?? {};
  return {
    ...sampledReport(request, outcome, setting, outcome.comparison?.samples ?? 0),
    kind: 'prune',
    kept: outcome.kept,
    units: outcome.units,
    gates: gatesOf(settings, outcome),
    method: {
      score: outcome.score,
      scope: settings.scope,
      widths: settings.widths,
      schedule: settings.schedule,
      repair: settings.repair,
      refitted: outcome.refitted,
      removalError: finite(outcome.removalError),
    },
    groups: outcome.groups.map(groupReport),
    steps: outcome.steps.map(({ loss: lost, ...step }) => ({ ...step, loss: lossFacts(lost) })),
    subset: outcome.subset && subsetFacts(outcome.subset),
    samples: { ...outcome.samples, dataFree: outcome.dataFree ? 'yes' : 'no', dataName, preparation },
  };
}

function gatesOf(settings: PruneSettings, { budget, gate, loss }: PruneOutcome): PruneReport['gates'] {
  const key = budgetOf(settings);
  const limit = lossLimit(settings, loss);
  return {
    budget: key && budget && { asked: `--${key} ${settings[key]}`, verdict: budget },
    maxDrop: gate && limit !== undefined ? { limit, verdict: gate } : undefined,
  };
}

function groupReport({ name, makers, readers, width, reason, at, scores, error, us }: PrunedGroup): PruneGroupReport {
  return {
    name,
    makers,
    readers,
    widthBefore: width.before,
    widthAfter: width.after,
    code: reason,
    message: reason && keepReason(reason),
    at,
    scores: scores && Object.values(scores).every(Number.isFinite) ? scores : undefined,
    error: finite(error),
    usBefore: us?.before,
    usAfter: us?.after,
  };
}

function subsetFacts({ of, kept, names, by, accuracy, restricted }: ClassSubset): PruneReport['subset'] {
  return {
    of,
    kept,
    names,
    by,
    accuracyOriginal: accuracy?.original,
    accuracyResult: accuracy?.result,
    restrictedMacs: restricted.macs,
    restrictedParameters: restricted.parameters,
    restrictedRatio: restricted.latencyRatio,
  };
}
