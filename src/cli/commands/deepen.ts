// `mcompress deepen MODEL --data PATH`: blocks are replaced by cheaper layers that are fitted to them.
import { runDeepening } from '../deepen-run.js';
import type { CommandInput, CommandRun } from '../program.js';
import { recipeFromFlags } from '../recipe-flags.js';

export const runDeepen: CommandRun = async ({ flags: given, ...rest }) => {
  const { deepened, ...flags } = given;
  const input: CommandInput = { ...rest, flags: deepened === undefined ? flags : { ...flags, output: deepened } };
  const recipe = await recipeFromFlags(flags, (text) => input.terminal.note(text));
  return runDeepening(input, recipe, 'deepened');
};
