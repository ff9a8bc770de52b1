// What the reports of runs that look at samples have in common, from what the pipeline hands back.
import { recipeDocument } from '../pipeline/recipe.js';
import type { SampledRunOutcome } from '../pipeline/run-outcome.js';
import type { SampledRunRequest } from '../pipeline/run-request.js';
import type { TradeOutcome } from '../pipeline/trading/conclude.js';
import { countedBudgets, type Budgets } from '../pipeline/trading/budgets.js';
import { lossFacts, lossLimit } from './build-eval-report.js';
import { fileFacts, operatorCounts, pairFigures } from './build-slim-report.js';
import type { FactorizeReport } from './factorize-report.js';
import type { PruneReport } from './prune-report.js';
import type { RUN } from './run-facts.js';
import type { SampleFacts } from './sample-options.js';
import type { JsonValue } from './shape.js';
import { surroundings } from './surroundings.js';

/** What the run itself does not know. */
export interface SampledSetting {
  readonly commandLine: string;
  /** Undefined without data. */
  readonly data: SampleFacts | undefined;
  /** Duration of the run so far. */
  readonly elapsedMs: number;
}

type SampledReport = Pick<
  PruneReport,
  'version' | 'input' | 'output' | 'figures' | 'speed' | 'accuracy' | keyof typeof RUN
>;

/** The common part; `scored`: samples that both models answered. */
export function sampledReport(
  request: SampledRunRequest,
  outcome: SampledRunOutcome,
  { commandLine, elapsedMs }: SampledSetting,
  scored: number,
): SampledReport {
  const { before, after, comparison, loss, warnings } = outcome;
  const { input, recipe, seed, threads } = request;
  const measurement = outcome.speedMeasured ? outcome.measurement : undefined;
  return {
    version: 1,
    input: 'path' in input ? fileFacts(before) : { ...fileFacts(before), name: '-' },
    output: fileFacts(after),
    figures: pairFigures({ before, after, measurement }, threads),
    speed: speedOf(request, outcome),
    accuracy: { scored, loss: loss && lossFacts(loss), paired: comparison?.paired, agreement: comparison?.agreement },
    operators: operatorCounts(before, after),
    recipe: { commandLine, document: recipeDocument(recipe) as unknown as JsonValue },
    baseline: undefined,
    ...surroundings(),
    seed,
    threads,
    elapsedMs,
    warnings,
  };
}

function speedOf(
  { measure }: SampledRunRequest,
  { speedMeasured, measurement }: SampledRunOutcome,
): PruneReport['speed'] {
  if (measure === 'off') return 'not-measured';
  if (!speedMeasured) return 'unmeasured-here';
  return measurement ? 'measured' : 'not-measured';
}

/** The gates of a run that has budgets. */
export function tradeGates(
  settings: Budgets,
  { budget, gate, loss }: Pick<TradeOutcome, 'budget' | 'gate' | 'loss'>,
): FactorizeReport['gates'] {
  const { latency } = settings;
  const asked = [
    ...countedBudgets(settings).map(([key, part]) => `--${key} ${part}`),
    ...(latency === undefined ? [] : [`--latency ${latency}`]),
  ].join(' ');
  const limit = lossLimit(settings, loss);
  return {
    budget: budget && { asked, verdict: budget },
    maxDrop: gate && limit !== undefined ? { limit, verdict: gate } : undefined,
  };
}

/** Reports hold numbers only: what is infinite or none is left out. */
export const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined;
