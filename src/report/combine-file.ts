// The choice among all passes as a call of the library: one model in, the fastest that loses no more than is allowed out, with the report
// as a value.
import { UsageError } from '../base/errors.js';
import { combineFile as combine } from '../pipeline/combining/combine-file.js';
import type { CombineRequest } from '../pipeline/combining/outcome.js';
import {
  COMBINE_SETTINGS,
  DEFAULT_COMBINING,
  hasTarget,
  type CombineSettings,
} from '../pipeline/combining/settings.js';
import { parseRecipe, RECIPE_VERSION, type Recipe, type RecipeDocument } from '../pipeline/recipe.js';
import { buildCombineReport } from './build-combine-report.js';
import {
  checkedSettings,
  optionWords,
  publishResult,
  sampledCallRequest,
  type CallResult,
  type SampledCallOptions,
} from './call-options.js';
import { combineCommand } from './combine-command.js';
import type { CombineReport } from './combine-report.js';
import { missedText } from './combine-words.js';
import { valuedWords } from './command-line.js';
import { samplesOf, type SampleOptions } from './sample-options.js';

/** Passes are chosen by time on this machine: `measure` is always `on`. */
export interface CombineFileOptions extends Omit<SampledCallOptions, 'measure'> {
  /** What changes are fitted to and calibrated on, and what judges them. */
  readonly samples: SampleOptions;
  /** Where to write; default: beside the input as `<name>.slim.onnx`. Must differ from the input. */
  readonly output?: string;
  /** What to do before; default: the preset `exact`. Its `combine` holds settings, too. */
  readonly recipe?: Omit<RecipeDocument, 'version'>;
  /** Settings that win over those of the recipe; where nothing says how small or fast, what a `maxDrop` of 1 allows. */
  readonly settings?: Partial<CombineSettings>;
  /** Most samples to use; default all. */
  readonly limit?: number;
}

export interface CombineFileResult extends CallResult<CombineReport> {}

/**
 * Makes the model at `input` smaller and faster by whatever pays, and writes the result.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), InterruptError
 */
export async function combineFile(input: string, options: CombineFileOptions): Promise<CombineFileResult> {
  const started = performance.now();
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.slim.onnx`;
  const { source, request } = requestOf(input, output, options);
  const outcome = await combine(request);
  try {
    const report = buildCombineReport(request, outcome, {
      commandLine: combineCommand(
        input,
        request.recipe,
        optionWords(options, options.samples, valuedWords({ limit: options.limit })),
      ),
      data: source.facts(),
      elapsedMs: performance.now() - started,
    });
    return await publishResult(outcome, output, { report, missed: missedText(report, 'usual') });
  } finally {
    await outcome.dispose();
  }
}

const USUAL_DROP = 1;

function requestOf(input: string, output: string, options: CombineFileOptions) {
  const { samples, limit } = options;
  const recipe = parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe');
  refuseOthers(recipe);
  const settings = settled({ ...DEFAULT_COMBINING, ...recipe.combine, ...options.settings });
  const source = samplesOf(samples, recipe.preprocess);
  const request: CombineRequest = {
    ...sampledCallRequest(options),
    input: { path: input },
    output,
    recipe: { ...recipe, combine: settings },
    settings,
    openData: source.open,
    ...(limit === undefined ? {} : { limit }),
  };
  return { source, request };
}

/** What the run chooses by itself cannot be asked for. @throws UsageError conflict */
function refuseOthers(recipe: Recipe): void {
  const other = (['deepen', 'factorize', 'prune', 'quantize'] as const).find((key) => recipe[key] !== undefined);
  if (other === undefined) return;
  throw new UsageError('conflict', `the recipe asks for "${other}", which is chosen by the run`, {
    at: { file: 'options.recipe' },
    fix: `leave it out, or call ${other}File`,
  });
}

/** Settings as they are, checked, with a loss that is allowed where nothing says how small or fast. */
function settled(settings: CombineSettings): CombineSettings {
  const read = checkedSettings(COMBINE_SETTINGS, settings, ['kinds', 'classes']);
  return hasTarget(read) || read.maxDrop !== undefined ? read : { ...read, maxDrop: USUAL_DROP };
}
