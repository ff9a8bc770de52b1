// Pruning as a call of the library: one model in, one with fewer channels out, with the report as a value.
import { basename } from 'node:path';
import { UsageError } from '../base/errors.js';
import type { OpenedData } from '../data/open-data.js';
import { bestPath } from '../pipeline/best-path.js';
import type { PruneRequest } from '../pipeline/pruning/outcome.js';
import { pruneFile as prune } from '../pipeline/pruning/prune-file.js';
import { budgetOf, DEFAULT_PRUNING, readPruning, type PruneSettings } from '../pipeline/pruning/settings.js';
import { parseRecipe, RECIPE_VERSION, type RecipeDocument } from '../pipeline/recipe.js';
import { buildPruneReport } from './build-prune-report.js';
import { pruneCommand } from './prune-command.js';
import type { PruneReport } from './prune-report.js';
import { missedText } from './prune-words.js';
import { openSamples, preparationText, type SampleOptions } from './sample-options.js';

export interface PruneFileOptions {
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
  /** Where the steps are kept, so that a run that was cut off goes on. */
  readonly journal?: string;
  readonly latencyTable?: string;
  /** Timing; default `on`. */
  readonly measure?: 'on' | 'off';
  /** Sizes of inputs, by name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Threads of ONNX Runtime; default 1. */
  readonly threads?: number;
  /** Seed of everything random; default 0. */
  readonly seed?: number;
  readonly externalData?: PruneRequest['externalData'];
  readonly signal?: AbortSignal;
}

export interface PruneFileResult {
  /** Path of the model that was written: `<output>.best.onnx` where a gate was missed. */
  readonly output: string;
  readonly report: PruneReport;
}

/**
 * Prunes the model at `input` and writes the result.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), GateError (a budget
 *   that no widths meet), InterruptError
 */
export async function pruneFile(input: string, options: PruneFileOptions): Promise<PruneFileResult> {
  const started = performance.now();
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.pruned.onnx`;
  let data: OpenedData | undefined;
  const request = requestOf(input, output, options, (opened) => void (data = opened));
  const outcome = await prune(request);
  try {
    const report = buildPruneReport(request, outcome, {
      commandLine: pruneCommand(input, request.recipe, givenWords(options)),
      data: data && { name: basename(data.path), preparation: preparationText(data) },
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

const USUAL_DROP = 1;

function requestOf(
  input: string,
  output: string,
  options: PruneFileOptions,
  onOpened: (data: OpenedData) => void,
): PruneRequest {
  const { samples, limit, journal, latencyTable } = options;
  const recipe = parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe');
  const settings = settled({ ...DEFAULT_PRUNING, ...recipe.prune, ...options.settings }, samples);
  return {
    input: { path: input },
    output,
    recipe: { ...recipe, prune: settings },
    settings,
    openData:
      samples === 'none'
        ? undefined
        : async (inputs, signal) => {
            const data = await openSamples(samples, inputs, { signal, usual: recipe.preprocess });
            onOpened(data);
            return data;
          },
    ...(limit === undefined ? {} : { limit }),
    ...(latencyTable === undefined ? {} : { latencyTable }),
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

/** Settings as they are, checked, with a loss that is allowed where nothing says how much is to leave. */
function settled(settings: PruneSettings, samples: PruneFileOptions['samples']): PruneSettings {
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const read = readPruning(given, (what, fix) => {
    throw new UsageError('bad-value', what, { fix });
  });
  const isOpen = budgetOf(read) === undefined && read.maxDrop === undefined && read.schedule === 'one-shot';
  return isOpen && samples !== 'none' ? { ...read, maxDrop: USUAL_DROP } : read;
}

/** What was asked for beside the recipe, as flags. */
function givenWords(options: PruneFileOptions): string[] {
  const { samples, limit, journal, latencyTable, measure, shapes = {}, externalData, threads = 1, seed = 0 } = options;
  const { path, preprocess, labels } = samples === 'none' ? {} : samples;
  const named = { data: path, labels, preprocess, limit, journal, 'latency-table': latencyTable };
  return [
    ...Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)])),
    ...(samples === 'none' ? ['--data-free'] : []),
    ...(measure === 'off' ? ['--no-profile'] : []),
    ...Object.entries(shapes).flatMap(([name, dims]) => ['--input', `${name}:${dims.join('x')}`]),
    ...(externalData === 'always' ? ['--external-data'] : []),
    ...(threads === 1 ? [] : ['--threads', String(threads)]),
    ...(seed === 0 ? [] : ['--seed', String(seed)]),
  ];
}
