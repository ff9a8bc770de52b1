// One model with chains in the place of layers, for `factorize` and `slim -p factorize-conv`: what the flags ask for.
import { factorizeFile } from '../pipeline/factorizing/factorize-file.js';
import type { FactorizeOutcome, FactorizeRequest } from '../pipeline/factorizing/outcome.js';
import { howMuch } from '../pipeline/factorizing/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { buildFactorizeReport } from '../report/build-factorize-report.js';
import { factorizeCommand } from '../report/factorize-command.js';
import { factorizeLines } from '../report/factorize-terminal.js';
import { missedText, WEIGHTS_ONLY_TEXT } from '../report/factorize-words.js';
import { dataRequest } from './data-flags.js';
import { factorizeSettings, settledMeasure } from './factorize-flags.js';
import { readBaseline } from './model-run.js';
import { refuseOtherRuns } from './one-run.js';
import type { CommandInput } from './program.js';
import { repeatedWords } from './repeated-flags.js';
import { planOne, runOnSamples } from './sampled-run.js';

/** Replaced in tests. */
export interface FactorizePorts {
  readonly factorize: (request: FactorizeRequest) => Promise<FactorizeOutcome>;
}

/**
 * `net.onnx` goes to `net.<ending>.onnx` unless told otherwise. Returns the exit status.
 * @throws UsageError not-available where the recipe asks for another run, too
 */
export async function runFactorizing(
  input: CommandInput,
  given: Recipe,
  ending: string,
  ports: FactorizePorts = { factorize: factorizeFile },
): Promise<number> {
  const { args, flags } = input;
  refuseOtherRuns(given, 'factorize');
  const asked = dataRequest(flags, given);
  const settings = settledMeasure(factorizeSettings(flags, given.factorize), flags, asked);
  const recipe = { ...given, ...(asked?.preprocess ? { preprocess: asked.preprocess } : {}), factorize: settings };
  return runOnSamples(input, {
    job: await planOne(args, flags, ending, 'factorized'),
    baseline: await readBaseline(flags.baseline, 'factorize'),
    asked,
    journal: flags.pruneJournal,
    isLong: howMuch(settings) === 'loss' || howMuch(settings) === 'latency',
    request: (common): FactorizeRequest => ({
      ...common,
      recipe,
      settings,
      ...(asked?.limit === undefined ? {} : { limit: asked.limit }),
    }),
    run: ports.factorize,
    report: buildFactorizeReport,
    command: (model) => factorizeCommand(model, recipe, repeatedWords(flags)),
    lines: factorizeLines,
    missedText,
    dataFreeText: ({ samples }) => (samples.dataFree === 'yes' ? WEIGHTS_ONLY_TEXT : undefined),
  });
}
