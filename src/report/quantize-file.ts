// Quantization as a call of the library: one model in, one on 8-bit integers out, with the report as a value.
import type { QuantizeRequest } from '../pipeline/quantization/outcome.js';
import { quantizeFile as quantize } from '../pipeline/quantization/quantize-file.js';
import { DEFAULT_SETTINGS, type QuantizeSettings } from '../pipeline/quantization/settings.js';
import { parseRecipe, RECIPE_VERSION, type RecipeDocument } from '../pipeline/recipe.js';
import { buildQuantizeReport } from './build-quantize-report.js';
import {
  optionWords,
  publishResult,
  sampledCallRequest,
  type CallResult,
  type SampledCallOptions,
} from './call-options.js';
import { valuedWords } from './command-line.js';
import { quantizeCommand } from './quantize-command.js';
import type { QuantizeReport } from './quantize-report.js';
import { missedText } from './quantize-words.js';
import { samplesOf, type SampleOptions } from './sample-options.js';

export interface QuantizeFileOptions extends SampledCallOptions {
  /** `random`: ranges are guessed, and nothing says what the model is worth (docs/quantize.md). */
  readonly samples: SampleOptions | 'random';
  /** Where to write; default: beside the input as `<name>.int8.onnx`. Must differ from the input. */
  readonly output?: string;
  /** What to do before; default: the preset `exact`. Its `quantize` holds settings, too. */
  readonly recipe?: Omit<RecipeDocument, 'version'>;
  /** Settings that win over those of the recipe. */
  readonly settings?: Partial<QuantizeSettings>;
  /** Most samples to score with; default: all that do not calibrate. */
  readonly scoringSamples?: number;
  /** A calibration cache of the model and the samples. */
  readonly calibration?: string;
  /** Whether a layer that ONNX Runtime does not run on integers is a missed gate; default `no`. */
  readonly requireFused?: 'yes' | 'no';
}

export interface QuantizeFileResult extends CallResult<QuantizeReport> {}

/**
 * Quantizes the model at `input` and writes the result.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), InterruptError
 */
export async function quantizeFile(input: string, options: QuantizeFileOptions): Promise<QuantizeFileResult> {
  const started = performance.now();
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.int8.onnx`;
  const { source, request } = requestOf(input, output, options);
  const outcome = await quantize(request);
  try {
    const report = buildQuantizeReport(request, outcome, {
      commandLine: quantizeCommand(input, request.recipe, givenWords(options, request)),
      data: source.facts(),
      requireFused: options.requireFused === 'yes' ? 'on' : 'off',
      elapsedMs: performance.now() - started,
    });
    return await publishResult(outcome, output, { report, missed: missedText(report, 'usual') });
  } finally {
    await outcome.dispose();
  }
}

function requestOf(input: string, output: string, options: QuantizeFileOptions) {
  const { samples, calibration, scoringSamples } = options;
  const recipe = parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe');
  const settings = { ...DEFAULT_SETTINGS, ...recipe.quantize, ...options.settings };
  const source = samplesOf(samples === 'random' ? undefined : samples, recipe.preprocess);
  const request: QuantizeRequest = {
    ...sampledCallRequest(options),
    ...settings,
    input: { path: input },
    output,
    recipe: { ...recipe, quantize: settings },
    openData: source.open,
    ...(calibration === undefined ? {} : { calibration }),
    ...(scoringSamples === undefined ? {} : { scoringSamples }),
  };
  return { source, request };
}

/** What was asked for beside the recipe, as flags. */
function givenWords(options: QuantizeFileOptions, { calibrationSamples }: QuantizeRequest): string[] {
  const { samples, calibration, requireFused, scoringSamples } = options;
  const limit = scoringSamples === undefined ? undefined : calibrationSamples + scoringSamples;
  const fused = requireFused === 'yes' ? ['--require-fused'] : [];
  return optionWords(options, samples === 'random' ? undefined : samples, [
    ...valuedWords({ calibration, limit }),
    ...fused,
  ]);
}
