// Quantization as a call of the library: one model in, one on 8-bit integers out, with the report as a value.
import { basename } from 'node:path';
import type { OpenedData } from '../data/open-data.js';
import { bestPath } from '../pipeline/best-path.js';
import type { QuantizeRequest } from '../pipeline/quantization/outcome.js';
import { quantizeFile as quantize } from '../pipeline/quantization/quantize-file.js';
import { DEFAULT_SETTINGS, type QuantizeSettings } from '../pipeline/quantization/settings.js';
import { parseRecipe, RECIPE_VERSION, type RecipeDocument } from '../pipeline/recipe.js';
import { buildQuantizeReport } from './build-quantize-report.js';
import { quantizeCommand } from './quantize-command.js';
import type { QuantizeReport } from './quantize-report.js';
import { missedText } from './quantize-words.js';
import { openSamples, preparationText, type SampleOptions } from './sample-options.js';

export interface QuantizeFileOptions {
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
  /** Where the steps are kept, so that a run that was cut off goes on. */
  readonly journal?: string;
  readonly latencyTable?: string;
  /** Whether a layer that ONNX Runtime does not run on integers is a missed gate; default `no`. */
  readonly requireFused?: 'yes' | 'no';
  /** Timing; default `on`. */
  readonly measure?: 'on' | 'off';
  /** Sizes of inputs, by name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Threads of ONNX Runtime; default 1. */
  readonly threads?: number;
  /** Seed of everything random; default 0. */
  readonly seed?: number;
  readonly externalData?: QuantizeRequest['externalData'];
  readonly signal?: AbortSignal;
}

export interface QuantizeFileResult {
  /** Path of the model that was written: `<output>.best.onnx` where a gate was missed. */
  readonly output: string;
  readonly report: QuantizeReport;
}

/**
 * Quantizes the model at `input` and writes the result.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), InterruptError
 */
export async function quantizeFile(input: string, options: QuantizeFileOptions): Promise<QuantizeFileResult> {
  const started = performance.now();
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.int8.onnx`;
  let data: OpenedData | undefined;
  const request = requestOf(input, output, options, (opened) => void (data = opened));
  const outcome = await quantize(request);
  try {
    const report = buildQuantizeReport(request, outcome, {
      commandLine: quantizeCommand(input, request.recipe, givenWords(options, request)),
      data: data && { name: basename(data.path), preparation: preparationText(data) },
      requireFused: options.requireFused === 'yes' ? 'on' : 'off',
      elapsedMs: performance.now() - started,
    });
    const written = missedText(report, 'usual') === undefined ? output : bestPath(output);
    await outcome.publish(written);
    const named = report.output && { ...report.output, name: basename(written) };
    return { output: written, report: { ...report, output: named } };
  } finally {
    await outcome.dispose();
  }
}

function requestOf(
  input: string,
  output: string,
  options: QuantizeFileOptions,
  onOpened: (data: OpenedData) => void,
): QuantizeRequest {
  const { samples, calibration, journal, latencyTable, scoringSamples } = options;
  const recipe = parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe');
  const settings = { ...DEFAULT_SETTINGS, ...recipe.quantize, ...options.settings };
  return {
    ...settings,
    input: { path: input },
    output,
    recipe: { ...recipe, quantize: settings },
    openData:
      samples === 'random'
        ? undefined
        : async (inputs, signal) => {
            const data = await openSamples(samples, inputs, { signal, usual: recipe.preprocess });
            onOpened(data);
            return data;
          },
    ...(calibration === undefined ? {} : { calibration }),
    ...(latencyTable === undefined ? {} : { latencyTable }),
    ...(scoringSamples === undefined ? {} : { scoringSamples }),
    journal,
    measure: options.measure ?? 'on',
    shapes: new Map(Object.entries(options.shapes ?? {})),
    seed: options.seed ?? 0,
    threads: options.threads ?? 1,
    keepOverridable: false,
    externalData: options.externalData ?? 'auto',
    signal: options.signal ?? new AbortController().signal,
  };
}

/** What was asked for beside the recipe, as flags. */
function givenWords(options: QuantizeFileOptions, { calibrationSamples }: QuantizeRequest): string[] {
  const { samples, calibration, journal, latencyTable, requireFused, measure, shapes = {}, externalData } = options;
  const { path, preprocess, labels } = samples === 'random' ? {} : samples;
  const named = { data: path, labels, preprocess, calibration, journal, 'latency-table': latencyTable };
  const { threads = 1, seed = 0, scoringSamples } = options;
  return [
    ...Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value])),
    ...(samples === 'random' ? ['--data-free'] : []),
    ...(scoringSamples === undefined ? [] : ['--limit', String(calibrationSamples + scoringSamples)]),
    ...(requireFused === 'yes' ? ['--require-fused'] : []),
    ...(measure === 'off' ? ['--no-profile'] : []),
    ...Object.entries(shapes).flatMap(([name, dims]) => ['--input', `${name}:${dims.join('x')}`]),
    ...(externalData === 'always' ? ['--external-data'] : []),
    ...(threads === 1 ? [] : ['--threads', String(threads)]),
    ...(seed === 0 ? [] : ['--seed', String(seed)]),
  ];
}
