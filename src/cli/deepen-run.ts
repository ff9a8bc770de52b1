// One model with blocks replaced by fitted layers, for `deepen` and `slim -p slim-streamline`: what the flags ask for.
import { deepenFile } from '../pipeline/deepening/deepen-file.js';
import type { DeepenOutcome, DeepenRequest } from '../pipeline/deepening/outcome.js';
import { howMuch } from '../pipeline/deepening/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { buildDeepenReport } from '../report/build-deepen-report.js';
import { deepenCommand } from '../report/deepen-command.js';
import { deepenLines } from '../report/deepen-terminal.js';
import { missedText } from '../report/deepen-words.js';
import { dataRequest } from './data-flags.js';
import { deepenSettings, settledDrop } from './deepen-flags.js';
import { readBaseline } from './model-run.js';
import { refuseOtherRuns } from './one-run.js';
import type { CommandInput } from './program.js';
import { repeatedWords } from './repeated-flags.js';
import { planOne, runOnSamples } from './sampled-run.js';

/** Replaced in tests. */
export interface DeepenPorts {
  readonly deepen: (request: DeepenRequest) => Promise<DeepenOutcome>;
}

/**
 * `net.onnx` goes to `net.<ending>.onnx` unless told otherwise. Returns the exit status.
 * @throws UsageError not-available where the recipe asks for another run, too
 */
export async function runDeepening(
  input: CommandInput,
  given: Recipe,
  ending: string,
  ports: DeepenPorts = { deepen: deepenFile },
): Promise<number> {
  const { args, flags } = input;
  refuseOtherRuns(given, 'deepen');
  const asked = dataRequest(flags, given);
  const settings = settledDrop(deepenSettings(flags, given.deepen), asked);
  const recipe = { ...given, ...(asked?.preprocess ? { preprocess: asked.preprocess } : {}), deepen: settings };
  return runOnSamples(input, {
    job: await planOne(args, flags, ending, 'deepened'),
    baseline: await readBaseline(flags.baseline, 'deepen'),
    asked,
    journal: flags.pruneJournal,
    isLong: howMuch(settings) === 'loss' || howMuch(settings) === 'latency',
    request: (common): DeepenRequest => ({
      ...common,
      recipe,
      settings,
      ...(asked?.limit === undefined ? {} : { limit: asked.limit }),
    }),
    run: ports.deepen,
    report: buildDeepenReport,
    command: (model) => deepenCommand(model, recipe, repeatedWords(flags)),
    lines: deepenLines,
    missedText,
    dataFreeText: () => undefined,
  });
}
