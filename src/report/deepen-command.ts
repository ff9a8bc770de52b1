// The command that replaces the same blocks again, ready to paste.
import { DEFAULT_DEEPENING, type DeepenSettings } from '../pipeline/deepening/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { commandLine, valuedWords } from './command-line.js';

/** The whole command line; `given` are the words that no recipe holds. */
export function deepenCommand(model: string, recipe: Recipe, given: readonly string[]): string {
  return commandLine('deepen', model, recipe, [...settingWords(recipe.deepen ?? DEFAULT_DEEPENING), ...given]);
}

function settingWords(settings: DeepenSettings): string[] {
  const { rules, repair, maxDrop, samples, ...rest } = settings;
  const usual: Readonly<Record<string, unknown>> = { ...DEFAULT_DEEPENING };
  const valued = { ...rest, 'max-drop': maxDrop, samples };
  return [
    ...valuedWords(Object.fromEntries(Object.entries(valued).filter(([name, value]) => value !== usual[name]))),
    ...(rules.length > 0 ? ['--rules', rules.join(',')] : []),
    ...(repair === 'off' ? ['--no-repair'] : []),
  ];
}
