// One model with fewer channels, for `prune` and `slim -p prune-filters`: what the flags ask for.
import type { PruneOutcome, PruneRequest } from '../pipeline/pruning/outcome.js';
import { pruneFile } from '../pipeline/pruning/prune-file.js';
import { budgetOf } from '../pipeline/pruning/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { buildPruneReport } from '../report/build-prune-report.js';
import { pruneCommand } from '../report/prune-command.js';
import { pruneLines } from '../report/prune-terminal.js';
import { missedText, WEIGHTS_ONLY_TEXT } from '../report/prune-words.js';
import { dataRequest } from './data-flags.js';
import { readBaseline } from './model-run.js';
import { refuseOtherRuns } from './one-run.js';
import type { CommandInput } from './program.js';
import { pruneSettings, settledBudget } from './prune-flags.js';
import { repeatedWords } from './repeated-flags.js';
import { planOne, runOnSamples } from './sampled-run.js';

/** Replaced in tests. */
export interface PrunePorts {
  readonly prune: (request: PruneRequest) => Promise<PruneOutcome>;
}

/**
 * `net.onnx` goes to `net.<ending>.onnx` unless told otherwise. Returns the exit status.
 * @throws UsageError not-available where the recipe asks for another run, too
 */
export async function runPruning(
  input: CommandInput,
  given: Recipe,
  ending: string,
  ports: PrunePorts = { prune: pruneFile },
): Promise<number> {
  const { args, flags } = input;
  refuseOtherRuns(given, 'prune');
  const asked = dataRequest(flags, given);
  const settings = settledBudget(pruneSettings(flags, given.prune), flags, asked);
  const recipe = { ...given, ...(asked?.preprocess ? { preprocess: asked.preprocess } : {}), prune: settings };
  return runOnSamples(input, {
    job: await planOne(args, flags, ending, 'pruned'),
    baseline: await readBaseline(flags.baseline, 'prune'),
    asked,
    journal: flags.pruneJournal,
    isLong: settings.schedule === 'dropnet' || budgetOf(settings) === undefined,
    request: (common): PruneRequest => ({
      ...common,
      recipe,
      settings,
      ...(asked?.limit === undefined ? {} : { limit: asked.limit }),
    }),
    run: ports.prune,
    report: buildPruneReport,
    command: (model) => pruneCommand(model, recipe, repeatedWords(flags)),
    lines: pruneLines,
    missedText,
    dataFreeText: ({ samples }) => (samples.dataFree === 'yes' ? WEIGHTS_ONLY_TEXT : undefined),
  });
}
