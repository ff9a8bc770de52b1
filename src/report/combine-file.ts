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
import type { Recipe } from '../pipeline/recipe.js';
import { buildCombineReport } from './build-combine-report.js';
import { checkedSettings, type CallResult } from './call-options.js';
import { combineCommand } from './combine-command.js';
import type { CombineReport } from './combine-report.js';
import { missedText } from './combine-words.js';
import { valuedWords } from './command-line.js';
import type { SampleOptions } from './sample-options.js';
import { runSampledCall, type WrittenCallOptions } from './sampled-call.js';

/** Passes are chosen by time on this machine: `measure` is always `on`. */
export interface CombineFileOptions extends Omit<WrittenCallOptions, 'measure'> {
  /** What changes are fitted to and calibrated on, and what judges them. */
  readonly samples: SampleOptions;
  /** Settings that win over those of the recipe; where nothing says how small or fast, what a `maxDrop` of 1 allows. */
  readonly settings?: Partial<CombineSettings>;
  /** Most samples to use; default all. */
  readonly limit?: number;
}

export interface CombineFileResult extends CallResult<CombineReport> {}

/**
 * Makes the model at `input` smaller and faster by whatever pays, and writes the result, by default beside it as `<name>.slim.onnx`. Settings may
 * stand in `recipe.combine`, too.
 * @throws UsageError (recipe, options, output equal to the input), InputError (model, samples, output), InterruptError
 */
export const combineFile = (input: string, options: CombineFileOptions): Promise<CombineFileResult> =>
  runSampledCall(input, options, {
    ending: 'slim',
    samples: options.samples,
    words: () => valuedWords({ limit: options.limit }),
    request: (common, recipe): CombineRequest => {
      refuseOthers(recipe);
      const settings = settled({ ...DEFAULT_COMBINING, ...recipe.combine, ...options.settings });
      const { limit } = options;
      return {
        ...common,
        recipe: { ...recipe, combine: settings },
        settings,
        ...(limit === undefined ? {} : { limit }),
      };
    },
    run: combine,
    report: buildCombineReport,
    command: combineCommand,
    missedText,
  });

const USUAL_DROP = 1;

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
