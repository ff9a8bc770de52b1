// What is asked of a run of one kind on a model on the way: its samples are those for fits and for selection, never those of the report.
import { dataParts, type DataPart } from '../../data/data-parts.js';
import type { OpenedData } from '../../data/open-data.js';
import { TARGETS, type TargetName } from '../../passes/quantize/target.js';
import { instructionSet } from '../../runtime/machine.js';
import { DEFAULT_DEEPENING } from '../deepening/settings.js';
import type { DeepenRequest } from '../deepening/outcome.js';
import type { FactorizeRequest } from '../factorizing/outcome.js';
import { DEFAULT_FACTORIZING } from '../factorizing/settings.js';
import type { PruneRequest } from '../pruning/outcome.js';
import { DEFAULT_PRUNING } from '../pruning/settings.js';
import type { QuantizeRequest } from '../quantization/outcome.js';
import { DEFAULT_SETTINGS } from '../quantization/settings.js';
import type { ConfiguredPass } from '../configured-pass.js';
import { matchingPreset, type Recipe } from '../recipe.js';
import type { SampledRunRequest } from '../run-request.js';
import { isLast } from '../slimmed-start.js';
import { aimOf } from '../trading/budgets.js';
import { timeLeft, type CombineRun } from './combine-run.js';

/** One run to come. */
export interface Asked {
  /** As the step that comes of it will be called. */
  readonly name: string;
  /** The file that is changed, and the place of the result within the workspace. */
  readonly input: string;
  readonly output: string;
  /** Loss against the original that is allowed; undefined: whatever is no broken model. */
  readonly limit: number | undefined;
  /** The best so far, in words, for progress. */
  readonly best: string;
  /** When looking ends, on the clock of `performance.now`. */
  readonly until: number;
}

/** The parts that a run may see. */
function partsOf({ samples: { counts, select } }: CombineRun): Record<'fit' | 'select', DataPart> {
  const { from = 0, to = counts.selected } = select;
  return { fit: { from: 0, to: counts.fitted }, select: { from, to } };
}

/** Models on the way are timed once more when they have come out, and the result at length. */
const TIMING_MS = 3000;
/** Each kind of change is looked at several times, with other limits: a coarse search is enough. */
const SEARCH_POINTS = 16;

function common(run: CombineRun, asked: Asked, data: OpenedData): Omit<SampledRunRequest, 'recipe'> {
  const { request, reference } = run;
  const {
    seed,
    threads,
    keepOverridable,
    signal,
    onStage,
    shapes,
    latencyTable,
    journal,
    timingMs = TIMING_MS,
  } = request;
  return {
    input: { path: asked.input },
    output: asked.output,
    measure: 'on',
    compression: 'skip',
    externalData: 'auto',
    ...{ seed, threads, keepOverridable, signal },
    openData: () => Promise.resolve(data),
    journal: journal === undefined ? undefined : stageJournal(journal, asked.name),
    against: reference.path,
    until: asked.until,
    timingMs: Math.min(TIMING_MS, timingMs),
    searchPoints: SEARCH_POINTS,
    onStage: (text) => onStage?.(`${asked.name}: ${text} (best: ${asked.best}; ${timeLeft(run)} left)`),
    ...(shapes ? { shapes } : {}),
    ...(latencyTable === undefined ? {} : { latencyTable }),
  };
}

/** Where the journal of a run within the run lies. */
export const stageJournal = (journal: string, name: string): string => `${journal}.${name.replaceAll(/[^\w]+/g, '-')}`;

/** The exact passes where the user's recipe has them: others were run at the start, once. */
function recipeOf({ request: { recipe } }: CombineRun, last: readonly ConfiguredPass[]): Recipe {
  const own = recipe.passes.filter((one) => !isLast(one));
  const passes = [...(matchingPreset(own) === 'exact' ? own : []), ...last];
  return { freeze: {}, opset: undefined, passes, ...(recipe.preprocess ? { preprocess: recipe.preprocess } : {}) };
}

/** Samples fit, the others select; and since those of the report are not to be seen, the same judge in the end. */
function judged(run: CombineRun, asked: Asked) {
  const { fit, select } = partsOf(run);
  const data = dataParts(run.data, [fit, select, select], run.request.seed);
  return { ...common(run, asked, data), selected: select.to - select.from };
}

const fitted = ({ samples }: CombineRun): number => samples.counts.fitted;

/** Blocks replaced by fitted layers; normalizations are written out by the passes at the end of the whole run. */
export function deepenRequest(run: CombineRun, asked: Asked): DeepenRequest {
  const aim = aimOf({ ...run.request.settings, for: 'auto' });
  const own = { maxDrop: asked.limit, for: aim, lrn: 'keep', samples: fitted(run) } as const;
  const settings = { ...DEFAULT_DEEPENING, ...own };
  return { ...judged(run, asked), recipe: { ...recipeOf(run, run.last), deepen: settings }, settings };
}

/** Layers replaced by chains of smaller ones. */
export function factorizeRequest(run: CombineRun, asked: Asked): FactorizeRequest {
  const aim = aimOf({ ...run.request.settings, for: 'auto' });
  const settings = { ...DEFAULT_FACTORIZING, maxDrop: asked.limit, for: aim, samples: fitted(run) };
  return { ...judged(run, asked), recipe: { ...recipeOf(run, run.last), factorize: settings }, settings };
}

/** Channels removed. It refuses passes that belong behind it: the caller runs them over what comes out. */
export function pruneRequest(run: CombineRun, asked: Asked): PruneRequest {
  const settings = { ...DEFAULT_PRUNING, maxDrop: asked.limit, samples: fitted(run) };
  return { ...judged(run, asked), recipe: { ...recipeOf(run, []), prune: settings }, settings };
}

/** The processor that integers are chosen for: this one; undefined where it is none that they are known for. */
export function int8Target(): TargetName | undefined {
  const here = instructionSet();
  return here !== undefined && here in TARGETS ? here : undefined;
}

/** 8-bit integers for this processor. */
export function int8Request(run: CombineRun, asked: Asked, target: TargetName): QuantizeRequest {
  const { fit, select } = partsOf(run);
  const calibrationSamples = Math.min(DEFAULT_SETTINGS.calibrationSamples, fit.to - fit.from);
  const parts = [{ from: fit.from, to: fit.from + calibrationSamples }, select];
  const settings = { ...DEFAULT_SETTINGS, target, calibrationSamples, maxDrop: asked.limit };
  return {
    ...common(run, asked, dataParts(run.data, parts, run.request.seed)),
    ...settings,
    recipe: { ...recipeOf(run, []), quantize: settings },
  };
}
