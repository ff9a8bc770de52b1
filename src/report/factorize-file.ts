// Factorization as a call of the library: one model in, one with chains in the place of layers out, with the report as a value.
import { factorizeFile as factorize } from '../pipeline/factorizing/factorize-file.js';
import type { FactorizeRequest } from '../pipeline/factorizing/outcome.js';
import {
  DEFAULT_FACTORIZING,
  FACTORIZE_SETTINGS,
  howMuch,
  type FactorizeSettings,
} from '../pipeline/factorizing/settings.js';
import { parseRecipe, RECIPE_VERSION, type RecipeDocument } from '../pipeline/recipe.js';
import { buildFactorizeReport } from './build-factorize-report.js';
import {
  checkedSettings,
  optionWords,
  publishResult,
  sampledCallRequest,
  type CallResult,
  type SampledCallOptions,
} from './call-options.js';
import { valuedWords } from './command-line.js';
import { factorizeCommand } from './factorize-command.js';
import type { FactorizeReport } from './factorize-report.js';
import { missedText } from './factorize-words.js';
import { samplesOf, type SampleOptions } from './sample-options.js';

export interface FactorizeFileOptions extends SampledCallOptions {
  /** `none`: nothing but weights is looked at, and nothing says what the model is worth (docs/factorize.md). */
  readonly samples: SampleOptions | 'none';
  /** Where to write; default: beside the input as `<name>.factorized.onnx`. Must differ from the input. */
  readonly output?: string;
  /** What to do before; default: the preset `exact`. Its `factorize` holds settings, too. */
  readonly recipe?: Omit<RecipeDocument, 'version'>;
  /** Settings that win over those of the recipe; where nothing says how much goes, as much as a `maxDrop` of 1 allows. */
  readonly settings?: Partial<FactorizeSettings>;
  /** Most samples to use; default all. */
  readonly limit?: number;
}

export interface FactorizeFileResult extends CallResult<FactorizeReport> {}

/**
 * Factorizes the model at `input` and writes the result.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), GateError (a budget
 *   that no chains meet), InterruptError
 */
export async function factorizeFile(input: string, options: FactorizeFileOptions): Promise<FactorizeFileResult> {
  const started = performance.now();
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.factorized.onnx`;
  const { source, request } = requestOf(input, output, options);
  const outcome = await factorize(request);
  try {
    const samples = options.samples === 'none' ? undefined : options.samples;
    const report = buildFactorizeReport(request, outcome, {
      commandLine: factorizeCommand(
        input,
        request.recipe,
        optionWords(options, samples, valuedWords({ limit: options.limit })),
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

function requestOf(input: string, output: string, options: FactorizeFileOptions) {
  const { samples, limit } = options;
  const recipe = parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe');
  const settings = settled({ ...DEFAULT_FACTORIZING, ...recipe.factorize, ...options.settings }, samples);
  const source = samplesOf(samples === 'none' ? undefined : samples, recipe.preprocess);
  const request: FactorizeRequest = {
    ...sampledCallRequest(options),
    input: { path: input },
    output,
    recipe: { ...recipe, factorize: settings },
    settings,
    openData: source.open,
    ...(limit === undefined ? {} : { limit }),
  };
  return { source, request };
}

/** Settings as they are, checked, with a loss that is allowed where nothing says how much is to go. */
function settled(settings: FactorizeSettings, samples: FactorizeFileOptions['samples']): FactorizeSettings {
  const read = checkedSettings(FACTORIZE_SETTINGS, settings, ['schemes']);
  return howMuch(read) === undefined && samples !== 'none' ? { ...read, maxDrop: USUAL_DROP } : read;
}
