// The command that does the same again, ready to paste.
import { formatPass, matchingPreset, type Recipe } from '../pipeline/recipe.js';

/** The whole command line; `words` say what the passes, the freezes and the operator set of the recipe do not. */
export function commandLine(verb: string, model: string, recipe: Recipe, words: readonly string[]): string {
  return ['mcompress', verb, model, ...recipeWords(recipe), ...words].map(shellWord).join(' ');
}

/** The flags that make this recipe; quantization and pruning are not among them. */
function recipeWords(recipe: Recipe): string[] {
  const passes =
    matchingPreset(recipe.passes) === 'exact' ? [] : recipe.passes.flatMap((pass) => ['-p', formatPass(pass)]);
  const freeze = Object.entries(recipe.freeze).flatMap(([name, shape]) => ['--freeze', `${name}:${shape.join('x')}`]);
  return [...passes, ...freeze, ...valuedWords({ opset: recipe.opset })];
}

/** `--name value` for each that has a value. */
export const valuedWords = (values: Readonly<Record<string, string | number | undefined>>): string[] =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]));

/** A word as shells take it. */
const shellWord = (word: string): string =>
  /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
