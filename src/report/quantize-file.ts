// Quantization as a call of the library: one model in, one on 8-bit integers out, with the report as a value.
import type { QuantizeRequest } from '../pipeline/quantization/outcome.js';
import { quantizeFile as quantize } from '../pipeline/quantization/quantize-file.js';
import { DEFAULT_SETTINGS, type QuantizeSettings } from '../pipeline/quantization/settings.js';
import { buildQuantizeReport } from './build-quantize-report.js';
import type { CallResult } from './call-options.js';
import { valuedWords } from './command-line.js';
import { quantizeCommand } from './quantize-command.js';
import type { QuantizeReport } from './quantize-report.js';
import { missedText } from './quantize-words.js';
import type { SampleOptions } from './sample-options.js';
import { runSampledCall, type WrittenCallOptions } from './sampled-call.js';

export interface QuantizeFileOptions extends WrittenCallOptions {
  /** `random`: ranges are guessed, and nothing says what the model is worth (docs/quantize.md). */
  readonly samples: SampleOptions | 'random';
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
 * Quantizes the model at `input` and writes the result, by default beside it as `<name>.int8.onnx`. Settings may
 * stand in `recipe.quantize`, too.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), InterruptError
 */
export const quantizeFile = (input: string, options: QuantizeFileOptions): Promise<QuantizeFileResult> =>
  runSampledCall(input, options, {
    ending: 'int8',
    samples: options.samples === 'random' ? undefined : options.samples,
    words: (request) => ownWords(options, request),
    request: (common, recipe): QuantizeRequest => {
      const { calibration, scoringSamples } = options;
      const settings = { ...DEFAULT_SETTINGS, ...recipe.quantize, ...options.settings };
      return {
        ...common,
        ...settings,
        recipe: { ...recipe, quantize: settings },
        ...(calibration === undefined ? {} : { calibration }),
        ...(scoringSamples === undefined ? {} : { scoringSamples }),
      };
    },
    run: quantize,
    report: (request, outcome, setting) =>
      buildQuantizeReport(request, outcome, {
        ...setting,
        requireFused: options.requireFused === 'yes' ? 'on' : 'off',
      }),
    command: quantizeCommand,
    missedText,
  });

/** What was asked for of this call alone, beside the recipe, as flags. */
function ownWords(options: QuantizeFileOptions, { calibrationSamples }: QuantizeRequest): string[] {
  const { calibration, requireFused, scoringSamples } = options;
  const limit = scoringSamples === undefined ? undefined : calibrationSamples + scoringSamples;
  return [...valuedWords({ calibration, limit }), ...(requireFused === 'yes' ? ['--require-fused'] : [])];
}
