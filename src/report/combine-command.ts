// The command that chooses among all passes again, ready to paste.
import { DEFAULT_COMBINING, type CombineSettings } from '../pipeline/combining/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { commandLine, valuedWords } from './command-line.js';

/** The whole command line; `given` are the words that no recipe holds, with those that say where the samples are. */
export function combineCommand(model: string, recipe: Recipe, given: readonly string[]): string {
  return commandLine('slim', model, recipe, [...settingWords(recipe.combine ?? DEFAULT_COMBINING), ...given]);
}

function settingWords({
  maxDrop,
  latency,
  macs,
  params,
  size,
  kinds,
  classes,
  effort,
  samples,
}: CombineSettings): string[] {
  return [
    ...valuedWords({ 'max-drop': maxDrop, latency, macs, params, size, samples }),
    ...(kinds.length > 0 ? ['--try', kinds.join(',')] : []),
    ...(classes.length > 0 ? ['--classes', classes.join(',')] : []),
    ...(effort === DEFAULT_COMBINING.effort ? [] : ['--effort', effort]),
  ];
}
