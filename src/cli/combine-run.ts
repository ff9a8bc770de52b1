// One model, made smaller and faster by whatever pays within a loss, for `slim --data`: what the flags ask for.
import { combineFile } from '../pipeline/combining/combine-file.js';
import type { CombineOutcome, CombineRequest } from '../pipeline/combining/outcome.js';
import type { Recipe } from '../pipeline/recipe.js';
import { buildCombineReport } from '../report/build-combine-report.js';
import { combineCommand } from '../report/combine-command.js';
import { combineLines } from '../report/combine-terminal.js';
import { missedText } from '../report/combine-words.js';
import { combineSettings, refuseBesideCombining, settledCombining } from './combine-flags.js';
import { dataRequest } from './data-flags.js';
import { readBaseline } from './model-run.js';
import { refuseOtherRuns } from './one-run.js';
import type { CommandInput } from './program.js';
import { repeatedWords } from './repeated-flags.js';
import { planOne, runOnSamples } from './sampled-run.js';

/** Replaced in tests. */
export interface CombinePorts {
  readonly combine: (request: CombineRequest) => Promise<CombineOutcome>;
}

/**
 * `net.onnx` goes to `net.slim.onnx` unless told otherwise. Returns the exit status.
 * @throws UsageError conflict, no-input, bad-value; not-available where the recipe asks for another run, too
 */
export async function runCombining(
  input: CommandInput,
  given: Recipe,
  ports: CombinePorts = { combine: combineFile },
): Promise<number> {
  const { args, flags } = input;
  refuseOtherRuns(given, 'combine');
  refuseBesideCombining(flags);
  const asked = dataRequest(flags, given);
  const settings = settledCombining(combineSettings(flags, given.combine), asked);
  const recipe = { ...given, ...(asked?.preprocess ? { preprocess: asked.preprocess } : {}), combine: settings };
  return runOnSamples(input, {
    job: await planOne(args, flags, 'slim', 'slimmed on samples'),
    baseline: await readBaseline(flags.baseline, 'combine'),
    asked,
    journal: flags.journal,
    isLong: true,
    request: (common): CombineRequest => ({
      ...common,
      recipe,
      settings,
      ...(asked?.limit === undefined ? {} : { limit: asked.limit }),
    }),
    run: ports.combine,
    report: buildCombineReport,
    command: (model) => combineCommand(model, recipe, repeatedWords(flags)),
    lines: combineLines,
    missedText,
    dataFreeText: () => undefined,
  });
}
