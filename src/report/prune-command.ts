// The command that prunes the same again, ready to paste.
import { DEFAULT_PRUNING, type PruneSettings } from '../pipeline/pruning/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { commandLine, valuedWords } from './command-line.js';

/** The whole command line; `given` are the words that no recipe holds. */
export function pruneCommand(model: string, recipe: Recipe, given: readonly string[]): string {
  return commandLine('prune', model, recipe, [...settingWords(recipe.prune ?? DEFAULT_PRUNING), ...given]);
}

function settingWords(settings: PruneSettings): string[] {
  const { ratio, macs, params, latency, maxDrop, score, scope, widths, target, samples } = settings;
  const { repair, classes, schedule, share, kappa } = settings;
  const valued = {
    ...{ ratio, macs, params, latency, 'max-drop': maxDrop, score, scope, widths, target, samples },
    ...{ schedule, share, kappa },
  };
  const usual: Readonly<Record<string, unknown>> = { ...DEFAULT_PRUNING };
  return [
    ...valuedWords(Object.fromEntries(Object.entries(valued).filter(([name, value]) => value !== usual[name]))),
    ...(repair === 'off' ? ['--no-repair'] : []),
    ...(classes.length > 0 ? ['--classes', classes.join(',')] : []),
  ];
}
