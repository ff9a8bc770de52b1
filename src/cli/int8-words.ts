// The command that quantizes the same again, ready to paste.
import type { Recipe } from '../pipeline/recipe.js';
import { quantizeCommand } from '../report/quantize-command.js';
import { FLAGS, type FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';

/** Flags that are said again as they were given. */
const REPEATED = [
  ...(['data', 'labels', 'preprocess', 'limit', 'dataFree', 'requireFused', 'journal', 'layerLatencies'] as const),
  ...(['calibrationCache'] as const),
  ...(['noProfile', 'input', 'keepOverridable', 'externalData', 'threads', 'seed'] as const),
] as const satisfies readonly FlagKey[];

/** The whole command line, whether settings came from flags or from a recipe. */
export function int8Words(model: string, flags: FlagValues, recipe: Recipe): string {
  const given = REPEATED.flatMap((key) => {
    const value: string | boolean | readonly string[] | undefined = flags[key];
    const name = `--${FLAGS[key].name}`;
    if (value === undefined || value === false) return [];
    return value === true ? [name] : [value].flat().flatMap((one) => [name, one]);
  });
  return quantizeCommand(model, recipe, given);
}
