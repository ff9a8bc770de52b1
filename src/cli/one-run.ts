// One run does one thing to a model beyond the exact passes: which of them a recipe asks for, and what is said of two.
import { UsageError } from '../base/errors.js';
import type { Recipe } from '../pipeline/recipe.js';

const RUNS = ['deepen', 'factorize', 'prune', 'quantize', 'combine'] as const satisfies readonly (keyof Recipe)[];

/** Of a recipe or flags that ask for more than one of these runs. */
export const twoRuns = (): UsageError =>
  new UsageError('not-available', 'replacing blocks, pruning, factorizing and quantizing are runs of their own', {
    fix:
      'one after the other, in this order: mcompress prune MODEL -o pruned.onnx, then mcompress quantize pruned.onnx; ' +
      'or the choice among all: mcompress slim MODEL --data PATH',
  });

/** Refuses a recipe that asks for another run than this. @throws UsageError not-available */
export function refuseOtherRuns(recipe: Recipe, own: (typeof RUNS)[number]): void {
  if (RUNS.some((run) => run !== own && recipe[run] !== undefined)) throw twoRuns();
}
