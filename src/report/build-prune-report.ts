// The report value of a pruning run, from what the pipeline hands back.
import type { ClassSubset, PrunedGroup, PruneOutcome, PruneRequest } from '../pipeline/pruning/outcome.js';
import { budgetOf, type PruneSettings } from '../pipeline/pruning/settings.js';
import { recipeDocument } from '../pipeline/recipe.js';
import { lossFacts } from './build-eval-report.js';
import { fileFacts, operatorCounts, pairFigures } from './build-slim-report.js';
import type { PruneGroupReport, PruneReport } from './prune-report.js';
import { keepReason } from './prune-words.js';
import type { JsonValue } from './shape.js';
import { surroundings } from './surroundings.js';

/** What the run itself does not know. */
export interface PruneSetting {
  readonly commandLine: string;
  /** Undefined without data. */
  readonly data: { readonly name: string; readonly preparation: readonly string[] } | undefined;
  /** Duration of the run so far. */
  readonly elapsedMs: number;
}

/** The report of one run. */
export function buildPruneReport(
  request: PruneRequest,
  outcome: PruneOutcome,
  { commandLine, data, elapsedMs }: PruneSetting,
): PruneReport {
  const { before, after, comparison, loss, samples } = outcome;
  const { settings } = request;
  const measurement = outcome.speedMeasured ? outcome.measurement : undefined;
  return {
    version: 1,
    kind: 'prune',
    input: 'path' in request.input ? fileFacts(before) : { ...fileFacts(before), name: '-' },
    output: fileFacts(after),
    kept: outcome.kept,
    figures: pairFigures({ before, after, measurement }, request.threads),
    speed: speedOf(request, outcome),
    units: outcome.units,
    accuracy: {
      scored: comparison?.samples ?? 0,
      loss: loss && lossFacts(loss),
      paired: comparison?.paired,
      agreement: comparison?.agreement,
    },
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
    samples: {
      ...samples,
      dataFree: outcome.dataFree ? 'yes' : 'no',
      dataName: data?.name,
      preparation: data?.preparation ?? [],
    },
    operators: operatorCounts(before, after),
    recipe: { commandLine, document: recipeDocument(request.recipe) as unknown as JsonValue },
    baseline: undefined,
    ...surroundings(),
    seed: request.seed,
    threads: request.threads,
    elapsedMs,
    warnings: outcome.warnings,
  };
}

const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined;

function gatesOf(settings: PruneSettings, { budget, gate }: PruneOutcome): PruneReport['gates'] {
  const key = budgetOf(settings);
  return {
    budget: key && budget && { asked: `--${key} ${settings[key]}`, verdict: budget },
    maxDrop: gate && settings.maxDrop !== undefined ? { limit: settings.maxDrop, verdict: gate } : undefined,
  };
}

function speedOf({ measure }: PruneRequest, { speedMeasured, measurement }: PruneOutcome): PruneReport['speed'] {
  if (measure === 'off') return 'not-measured';
  if (!speedMeasured) return 'unmeasured-here';
  return measurement ? 'measured' : 'not-measured';
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
