// Learned slimming as a call of the library: one model in, one with blocks replaced out, with the report as a value.
import { deepenFile as deepen } from '../pipeline/deepening/deepen-file.js';
import type { DeepenRequest } from '../pipeline/deepening/outcome.js';
import { DEEPEN_SETTINGS, DEFAULT_DEEPENING, howMuch, type DeepenSettings } from '../pipeline/deepening/settings.js';
import { parseRecipe, RECIPE_VERSION, type RecipeDocument } from '../pipeline/recipe.js';
import { buildDeepenReport } from './build-deepen-report.js';
import {
  checkedSettings,
  optionWords,
  publishResult,
  sampledCallRequest,
  type CallResult,
  type SampledCallOptions,
} from './call-options.js';
import { valuedWords } from './command-line.js';
import { deepenCommand } from './deepen-command.js';
import type { DeepenReport } from './deepen-report.js';
import { missedText } from './deepen-words.js';
import { samplesOf, type SampleOptions } from './sample-options.js';

export interface DeepenFileOptions extends SampledCallOptions {
  /** What new layers are fitted to, and what judges them. */
  readonly samples: SampleOptions;
  /** Where to write; default: beside the input as `<name>.deepened.onnx`. Must differ from the input. */
  readonly output?: string;
  /** What to do before; default: the preset `exact`. Its `deepen` holds settings, too. */
  readonly recipe?: Omit<RecipeDocument, 'version'>;
  /** Settings that win over those of the recipe; where nothing says how much goes, as much as a `maxDrop` of 1 allows. */
  readonly settings?: Partial<DeepenSettings>;
  /** Most samples to use; default all. */
  readonly limit?: number;
}

export interface DeepenFileResult extends CallResult<DeepenReport> {}

/**
 * Replaces blocks of the model at `input` and writes the result.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), GateError (a budget
 *   that no blocks meet), InterruptError
 */
export async function deepenFile(input: string, options: DeepenFileOptions): Promise<DeepenFileResult> {
  const started = performance.now();
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.deepened.onnx`;
  const { source, request } = requestOf(input, output, options);
  const outcome = await deepen(request);
  try {
    const report = buildDeepenReport(request, outcome, {
      commandLine: deepenCommand(
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

function requestOf(input: string, output: string, options: DeepenFileOptions) {
  const { samples, limit } = options;
  const recipe = parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe');
  const settings = settled({ ...DEFAULT_DEEPENING, ...recipe.deepen, ...options.settings });
  const source = samplesOf(samples, recipe.preprocess);
  const request: DeepenRequest = {
    ...sampledCallRequest(options),
    input: { path: input },
    output,
    recipe: { ...recipe, deepen: settings },
    settings,
    openData: source.open,
    ...(limit === undefined ? {} : { limit }),
  };
  return { source, request };
}

/** Settings as they are, checked, with a loss that is allowed where nothing says how much is to go. */
function settled(settings: DeepenSettings): DeepenSettings {
  const read = checkedSettings(DEEPEN_SETTINGS, settings, ['rules']);
  return howMuch(read) === undefined ? { ...read, maxDrop: USUAL_DROP } : read;
}
