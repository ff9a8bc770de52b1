// The recipe that the flags of a command line ask for.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { UsageError } from '../base/errors.js';
import { parsePass, parseRecipe, presetPasses, type Recipe } from '../pipeline/recipe.js';
import { PRUNE_SETTINGS, type PruneSettings } from '../pipeline/pruning/settings.js';
import { DEFAULT_SETTINGS } from '../pipeline/quantization/settings.js';
import { wholeNumber, type FlagValues } from './parsed-flags.js';
import { shapeFlags } from './shape-flags.js';

/** Read without being named, where it lies in the working directory. */
export const LOCAL_RECIPE = 'mcompress.recipe.json';

/**
 * Passes from `-p`, else from `--recipe`, else from a recipe in the working directory (announced), else the preset.
 * `--freeze` and `--opset` come on top.
 * @throws UsageError conflict, bad-recipe, unknown-pass, unknown-option, bad-value
 */
export async function recipeFromFlags(flags: FlagValues, announce: (text: string) => void): Promise<Recipe> {
  if (flags.pass && flags.recipe !== undefined)
    throw new UsageError('conflict', '-p and --recipe cannot be given together', {
      fix: 'put the pass into the recipe',
    });
  const base = flags.pass ? passRecipe(flags.pass) : await baseRecipe(flags, announce);
  const opset = flags.opset === undefined ? base.opset : wholeNumber('opset', flags.opset, 0, 1);
  return { ...base, freeze: { ...base.freeze, ...Object.fromEntries(shapeFlags('freeze', flags.freeze)) }, opset };
}

/** Steps that are no passes: `-p quantize` at the end, and `-p prune-filters` behind all passes. */
const STEP = /^(quantize|prune-filters)(:|$)/;

/** A recipe of the passes that are named, with the steps behind them. @throws UsageError conflict, bad-value */
function passRecipe(texts: readonly string[]): Recipe {
  const at = texts.findIndex((text) => STEP.test(text));
  const base = { freeze: {}, opset: undefined };
  if (at < 0) return { ...base, passes: texts.map(parsePass) };
  const steps = texts.slice(at);
  const later = steps.findIndex((text) => !STEP.test(text));
  if (later >= 0)
    throw new UsageError('conflict', `nothing can come after -p ${stepName(steps[later - 1])}`, {
      fix: 'put it at the end',
    });
  const [first, second, ...more] = steps.map(stepName);
  const isOrdered = more.length === 0 && (second === undefined || (first === 'prune-filters' && second === 'quantize'));
  if (!isOrdered)
    throw new UsageError('conflict', `nothing can come after -p ${first}`, {
      fix: 'what is pruned can be quantized behind it, once: -p prune-filters:ratio=0.3 -p quantize',
    });
  const prune = steps.find((text) => stepName(text) === 'prune-filters');
  const quantize = steps.find((text) => stepName(text) === 'quantize');
  if (quantize !== undefined && quantize !== 'quantize')
    throw new UsageError('bad-value', `-p cannot be ${JSON.stringify(quantize)}`, {
      fix: 'options of quantization are flags: --target, --max-drop, ... (mcompress quantize --help)',
    });
  return {
    ...base,
    passes: texts.slice(0, at).map(parsePass),
    ...(prune === undefined ? {} : { prune: pruningOf(prune) }),
    ...(quantize === undefined ? {} : { quantize: DEFAULT_SETTINGS }),
  };
}

const stepName = (text = ''): string => text.replace(/:.*$/s, '');

function pruningOf(text: string): PruneSettings {
  return PRUNE_SETTINGS.parse(text.slice(text.indexOf(':') < 0 ? text.length : text.indexOf(':') + 1), (what, fix) => {
    throw new UsageError('bad-value', `-p ${text}: ${what}`, { fix });
  });
}

async function baseRecipe(flags: FlagValues, announce: (text: string) => void): Promise<Recipe> {
  if (flags.recipe !== undefined) return readRecipe(flags.recipe);
  if (!flags.noRecipe && existsSync(LOCAL_RECIPE)) {
    announce(`using ${LOCAL_RECIPE} (--no-recipe leaves it)`);
    return readRecipe(LOCAL_RECIPE);
  }
  return { freeze: {}, opset: undefined, passes: presetPasses('exact') };
}

async function readRecipe(file: string): Promise<Recipe> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new UsageError('bad-recipe', 'the recipe cannot be read', { at: { file }, cause, fix: 'check its name' });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UsageError('bad-recipe', `the recipe is not JSON: ${cause instanceof Error ? cause.message : ''}`, {
      at: { file },
      cause,
    });
  }
  return parseRecipe(json, file);
}
