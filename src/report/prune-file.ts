// Pruning as a call of the library: one model in, one with fewer channels out, with the report as a value.
import { UsageError } from '../base/errors.js';
import type { PruneRequest } from '../pipeline/pruning/outcome.js';
import { pruneFile as prune } from '../pipeline/pruning/prune-file.js';
import { budgetOf, DEFAULT_PRUNING, PRUNE_SETTINGS, type PruneSettings } from '../pipeline/pruning/settings.js';
import { parseRecipe, RECIPE_VERSION, type RecipeDocument } from '../pipeline/recipe.js';
import { buildPruneReport } from './build-prune-report.js';
import {
  optionWords,
  publishResult,
  sampledCallRequest,
  type CallResult,
  type SampledCallOptions,
} from './call-options.js';
import { valuedWords } from './command-line.js';
import { pruneCommand } from './prune-command.js';
import type { PruneReport } from './prune-report.js';
import { missedText } from './prune-words.js';
import { samplesOf, type SampleOptions } from './sample-options.js';

export interface PruneFileOptions extends SampledCallOptions {
  /** `none`: nothing but weights is looked at, and nothing says what the model is worth (docs/prune.md). */
  readonly samples: SampleOptions | 'none';
  /** Where to write; default: beside the input as `<name>.pruned.onnx`. Must differ from the input. */
  readonly output?: string;
  /** What to do before; default: the preset `exact`. Its `prune` holds settings, too. */
  readonly recipe?: Omit<RecipeDocument, 'version'>;
  /** Settings that win over those of the recipe; without a budget, as much leaves as a `maxDrop` of 1 allows. */
  readonly settings?: Partial<PruneSettings>;
  /** Most samples to use; default all. */
  readonly limit?: number;
}

export interface PruneFileResult extends CallResult<PruneReport> {}

/**
 * Prunes the model at `input` and writes the result.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), GateError (a budget
 *   that no widths meet), InterruptError
 */
export async function pruneFile(input: string, options: PruneFileOptions): Promise<PruneFileResult> {
  const started = performance.now();
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.pruned.onnx`;
  const { source, request } = requestOf(input, output, options);
  const outcome = await prune(request);
  try {
    const report = buildPruneReport(request, outcome, {
      commandLine: pruneCommand(input, request.recipe, givenWords(options)),
      data: source.facts(),
      elapsedMs: performance.now() - started,
    });
    return await publishResult(outcome, output, { report, missed: missedText(report, 'usual') });
  } finally {
    await outcome.dispose();
  }
}

const USUAL_DROP = 1;

function requestOf(input: string, output: string, options: PruneFileOptions) {
  const { samples, limit } = options;
  const recipe = parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe');
  const settings = settled({ ...DEFAULT_PRUNING, ...recipe.prune, ...options.settings }, samples);
  const source = samplesOf(samples === 'none' ? undefined : samples, recipe.preprocess);
  const request: PruneRequest = {
    ...sampledCallRequest(options),
    input: { path: input },
    output,
    recipe: { ...recipe, prune: settings },
    settings,
    openData: source.open,
    ...(limit === undefined ? {} : { limit }),
  };
  return { source, request };
}

/** Settings as they are, checked, with a loss that is allowed where nothing says how much is to leave. */
function settled(settings: PruneSettings, samples: PruneFileOptions['samples']): PruneSettings {
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const read = PRUNE_SETTINGS.read(given, (what, fix) => {
    throw new UsageError('bad-value', what, { fix });
  });
  const isOpen = budgetOf(read) === undefined && read.maxDrop === undefined && read.schedule === 'one-shot';
  return isOpen && samples !== 'none' ? { ...read, maxDrop: USUAL_DROP } : read;
}

/** What was asked for beside the recipe, as flags. */
const givenWords = (options: PruneFileOptions): string[] =>
  optionWords(options, options.samples === 'none' ? undefined : options.samples, valuedWords({ limit: options.limit }));
