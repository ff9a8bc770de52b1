// `mcompress factorize MODEL --data PATH`: layers become chains of smaller ones, and what is there is repaired.
import { runFactorizing } from '../factorize-run.js';
import type { CommandInput, CommandRun } from '../program.js';
import { recipeFromFlags } from '../recipe-flags.js';

export const runFactorize: CommandRun = async ({ flags: given, ...rest }) => {
  const { factorized, ...flags } = given;
  const input: CommandInput = { ...rest, flags: factorized === undefined ? flags : { ...flags, output: factorized } };
  const recipe = await recipeFromFlags(flags, (text) => input.terminal.note(text));
  return runFactorizing(input, recipe, 'factorized');
};
