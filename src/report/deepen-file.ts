// Learned slimming as a call of the library: one model in, one with blocks replaced out, with the report as a value.
import { deepenFile as deepen } from '../pipeline/deepening/deepen-file.js';
import type { DeepenRequest } from '../pipeline/deepening/outcome.js';
import { DEEPEN_SETTINGS, DEFAULT_DEEPENING, howMuch, type DeepenSettings } from '../pipeline/deepening/settings.js';
import { buildDeepenReport } from './build-deepen-report.js';
import { checkedSettings, type CallResult } from './call-options.js';
import { valuedWords } from './command-line.js';
import { deepenCommand } from './deepen-command.js';
import type { DeepenReport } from './deepen-report.js';
import { missedText } from './deepen-words.js';
import type { SampleOptions } from './sample-options.js';
import { runSampledCall, type WrittenCallOptions } from './sampled-call.js';

export interface DeepenFileOptions extends WrittenCallOptions {
  /** What new layers are fitted to, and what judges them. */
  readonly samples: SampleOptions;
  /** Settings that win over those of the recipe; where nothing says how much goes, as much as a `maxDrop` of 1 allows. */
  readonly settings?: Partial<DeepenSettings>;
  /** Most samples to use; default all. */
  readonly limit?: number;
}

export interface DeepenFileResult extends CallResult<DeepenReport> {}

/**
 * Replaces blocks of the model at `input` and writes the result, by default beside it as `<name>.deepened.onnx`. Settings may
 * stand in `recipe.deepen`, too.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), GateError (a budget
 *   that no blocks meet), InterruptError
 */
export const deepenFile = (input: string, options: DeepenFileOptions): Promise<DeepenFileResult> =>
  runSampledCall(input, options, {
    ending: 'deepened',
    samples: options.samples,
    words: () => valuedWords({ limit: options.limit }),
    request: (common, recipe): DeepenRequest => {
      const settings = settled({ ...DEFAULT_DEEPENING, ...recipe.deepen, ...options.settings });
      const { limit } = options;
      return {
        ...common,
        recipe: { ...recipe, deepen: settings },
        settings,
        ...(limit === undefined ? {} : { limit }),
      };
    },
    run: deepen,
    report: buildDeepenReport,
    command: deepenCommand,
    missedText,
  });

const USUAL_DROP = 1;

/** Settings as they are, checked, with a loss that is allowed where nothing says how much is to go. */
function settled(settings: DeepenSettings): DeepenSettings {
  const read = checkedSettings(DEEPEN_SETTINGS, settings, ['rules']);
  return howMuch(read) === undefined ? { ...read, maxDrop: USUAL_DROP } : read;
}
