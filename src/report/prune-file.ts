// Pruning as a call of the library: one model in, one with fewer channels out, with the report as a value.
import { UsageError } from '../base/errors.js';
import type { PruneRequest } from '../pipeline/pruning/outcome.js';
import { pruneFile as prune } from '../pipeline/pruning/prune-file.js';
import { budgetOf, DEFAULT_PRUNING, PRUNE_SETTINGS, type PruneSettings } from '../pipeline/pruning/settings.js';
import { buildPruneReport } from './build-prune-report.js';
import type { CallResult } from './call-options.js';
import { valuedWords } from './command-line.js';
import { pruneCommand } from './prune-command.js';
import type { PruneReport } from './prune-report.js';
import { missedText } from './prune-words.js';
import type { SampleOptions } from './sample-options.js';
import { runSampledCall, type WrittenCallOptions } from './sampled-call.js';

export interface PruneFileOptions extends WrittenCallOptions {
  /** `none`: nothing but weights is looked at, and nothing says what the model is worth (docs/prune.md). */
  readonly samples: SampleOptions | 'none';
  /** Settings that win over those of the recipe; without a budget, as much leaves as a `maxDrop` of 1 allows. */
  readonly settings?: Partial<PruneSettings>;
  /** Most samples to use; default all. */
  readonly limit?: number;
}

export interface PruneFileResult extends CallResult<PruneReport> {}

/**
 * Prunes the model at `input` and writes the result, by default beside it as `<name>.pruned.onnx`. Settings may
 * stand in `recipe.prune`, too.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), GateError (a budget
 *   that no widths meet), InterruptError
 */
export const pruneFile = (input: string, options: PruneFileOptions): Promise<PruneFileResult> =>
  runSampledCall(input, options, {
    ending: 'pruned',
    samples: options.samples === 'none' ? undefined : options.samples,
    words: () => valuedWords({ limit: options.limit }),
    request: (common, recipe): PruneRequest => {
      const settings = settled({ ...DEFAULT_PRUNING, ...recipe.prune, ...options.settings }, options.samples);
      const { limit } = options;
      return { ...common, recipe: { ...recipe, prune: settings }, settings, ...(limit === undefined ? {} : { limit }) };
    },
    run: prune,
    report: buildPruneReport,
    command: pruneCommand,
    missedText,
  });

const USUAL_DROP = 1;

/** Settings as they are, checked, with a loss that is allowed where nothing says how much is to leave. */
function settled(settings: PruneSettings, samples: PruneFileOptions['samples']): PruneSettings {
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const read = PRUNE_SETTINGS.read(given, (what, fix) => {
    throw new UsageError('bad-value', what, { fix });
  });
  const isOpen = budgetOf(read) === undefined && read.maxDrop === undefined && read.schedule === 'one-shot';
  return isOpen && samples !== 'none' ? { ...read, maxDrop: USUAL_DROP } : read;
}
