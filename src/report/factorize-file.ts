// Factorization as a call of the library: one model in, one with chains in the place of layers out, with the report as a value.
import { factorizeFile as factorize } from '../pipeline/factorizing/factorize-file.js';
import type { FactorizeRequest } from '../pipeline/factorizing/outcome.js';
import {
  DEFAULT_FACTORIZING,
  FACTORIZE_SETTINGS,
  howMuch,
  type FactorizeSettings,
} from '../pipeline/factorizing/settings.js';
import { buildFactorizeReport } from './build-factorize-report.js';
import { checkedSettings, type CallResult } from './call-options.js';
import { valuedWords } from './command-line.js';
import { factorizeCommand } from './factorize-command.js';
import type { FactorizeReport } from './factorize-report.js';
import { missedText } from './factorize-words.js';
import type { SampleOptions } from './sample-options.js';
import { runSampledCall, type WrittenCallOptions } from './sampled-call.js';

export interface FactorizeFileOptions extends WrittenCallOptions {
  /** `none`: nothing but weights is looked at, and nothing says what the model is worth (docs/factorize.md). */
  readonly samples: SampleOptions | 'none';
  /** Settings that win over those of the recipe; where nothing says how much goes, as much as a `maxDrop` of 1 allows. */
  readonly settings?: Partial<FactorizeSettings>;
  /** Most samples to use; default all. */
  readonly limit?: number;
}

export interface FactorizeFileResult extends CallResult<FactorizeReport> {}

/**
 * Factorizes the model at `input` and writes the result, by default beside it as `<name>.factorized.onnx`. Settings may
 * stand in `recipe.factorize`, too.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), GateError (a budget
 *   that no chains meet), InterruptError
 */
export const factorizeFile = (input: string, options: FactorizeFileOptions): Promise<FactorizeFileResult> =>
  runSampledCall(input, options, {
    ending: 'factorized',
    samples: options.samples === 'none' ? undefined : options.samples,
    words: () => valuedWords({ limit: options.limit }),
    request: (common, recipe): FactorizeRequest => {
      const settings = settled({ ...DEFAULT_FACTORIZING, ...recipe.factorize, ...options.settings }, options.samples);
      const { limit } = options;
      return {
        ...common,
        recipe: { ...recipe, factorize: settings },
        settings,
        ...(limit === undefined ? {} : { limit }),
      };
    },
    run: factorize,
    report: buildFactorizeReport,
    command: factorizeCommand,
    missedText,
  });

const USUAL_DROP = 1;

/** Settings as they are, checked, with a loss that is allowed where nothing says how much is to go. */
function settled(settings: FactorizeSettings, samples: FactorizeFileOptions['samples']): FactorizeSettings {
  const read = checkedSettings(FACTORIZE_SETTINGS, settings, ['schemes']);
  return howMuch(read) === undefined && samples !== 'none' ? { ...read, maxDrop: USUAL_DROP } : read;
}
