// `mcompress prune MODEL --data PATH`: channels leave, and what is left is repaired.
import type { CommandInput, CommandRun } from '../program.js';
import { recipeFromFlags } from '../recipe-flags.js';
import { runPruning } from '../prune-run.js';

export const runPrune: CommandRun = async ({ flags: given, ...rest }) => {
  const { pruned, ...flags } = given;
  const input: CommandInput = { ...rest, flags: pruned === undefined ? flags : { ...flags, output: pruned } };
  const recipe = await recipeFromFlags(flags, (text) => input.terminal.note(text));
  return runPruning(input, recipe, 'pruned');
};
