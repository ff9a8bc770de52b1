// The command that factorizes the same again, ready to paste.
import { DEFAULT_FACTORIZING, type FactorizeSettings } from '../pipeline/factorizing/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { commandLine, valuedWords } from './command-line.js';

/** The whole command line; `given` are the words that no recipe holds. */
export function factorizeCommand(model: string, recipe: Recipe, given: readonly string[]): string {
  return commandLine('factorize', model, recipe, [...settingWords(recipe.factorize ?? DEFAULT_FACTORIZING), ...given]);
}

function settingWords(settings: FactorizeSettings): string[] {
  const { schemes, repair, maxDrop, groupSize, ...rest } = settings;
  const valued = { ...rest, 'max-drop': maxDrop, 'group-size': groupSize };
  const usual: Readonly<Record<string, unknown>> = {
    ...DEFAULT_FACTORIZING,
    'group-size': DEFAULT_FACTORIZING.groupSize,
  };
  return [
    ...valuedWords(Object.fromEntries(Object.entries(valued).filter(([name, value]) => value !== usual[name]))),
    ...(schemes.length > 0 ? ['--schemes', schemes.join(',')] : []),
    ...(repair === 'off' ? ['--no-repair'] : []),
  ];
}
