// The recipe that the flags of a command line ask for.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { UsageError } from '../base/errors.js';
import { parsePass, parseRecipe, presetPasses, type Recipe } from '../pipeline/recipe.js';
import { DEEPEN_SETTINGS, RULE_NAMES, type DeepenSettings } from '../pipeline/deepening/settings.js';
import { FACTORIZE_SETTINGS, type FactorizeSettings } from '../pipeline/factorizing/settings.js';
import { PRUNE_SETTINGS } from '../pipeline/pruning/settings.js';
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

/** Steps that are no passes, in the order in which they may stand behind all passes. */
const STEPS: readonly string[] = [...RULE_NAMES, 'factorize-conv', 'factorize-dense', 'prune-filters', 'quantize'];

const stepName = (text: string): string | undefined => {
  const name = text.replace(/:.*$/s, '');
  return STEPS.find((step) => step === name);
};

/** A recipe of the passes that are named, with the steps behind them. @throws UsageError conflict, bad-value */
function passRecipe(texts: readonly string[]): Recipe {
  const at = texts.findIndex((text) => stepName(text) !== undefined);
  const base = { freeze: {}, opset: undefined };
  if (at < 0) return { ...base, passes: texts.map(parsePass) };
  const steps = new Map<string, string>();
  let last: string | undefined;
  for (const text of texts.slice(at)) {
    const name = stepName(text);
    if (last !== undefined && (name === undefined || STEPS.indexOf(name) <= STEPS.indexOf(last)))
      throw new UsageError('conflict', `nothing can come after -p ${last}`, {
        fix: `at the end stand, in this order and once each: ${STEPS.join(', ')}`,
      });
    if (name !== undefined) steps.set(name, text);
    last = name;
  }
  const quantize = steps.get('quantize');
  if (quantize !== undefined && quantize !== 'quantize')
    throw new UsageError('bad-value', `-p cannot be ${JSON.stringify(quantize)}`, {
      fix: 'options of quantization are flags: --target, --max-drop, ... (mcompress quantize --help)',
    });
  const prune = steps.get('prune-filters');
  const deepen = deepeningOf(RULE_NAMES.flatMap((rule) => steps.get(rule) ?? []));
  const factorize = factorizingOf(steps.get('factorize-conv'), steps.get('factorize-dense'));
  return {
    ...base,
    passes: texts.slice(0, at).map(parsePass),
    ...(deepen ? { deepen } : {}),
    ...(factorize ? { factorize } : {}),
    ...(prune === undefined ? {} : { prune: PRUNE_SETTINGS.parse(optionsOf(prune), failFor(prune)) }),
    ...(quantize === undefined ? {} : { quantize: DEFAULT_SETTINGS }),
  };
}

/** Options stand behind the first rule. */
function deepeningOf(texts: readonly string[]): DeepenSettings | undefined {
  const [first, ...others] = texts;
  if (first === undefined) return undefined;
  const stray = others.find((text) => optionsOf(text) !== '');
  if (stray !== undefined)
    throw new UsageError('conflict', `-p ${stray.replace(/:.*$/s, '')} has options of its own`, {
      fix: 'one set of options holds for all rules: put them behind the first',
    });
  const rules = texts.map((text) => text.replace(/:.*$/s, ''));
  return { ...DEEPEN_SETTINGS.parse(optionsOf(first), failFor(first)), rules };
}

/** Options stand behind the first of the two. */
function factorizingOf(conv: string | undefined, dense: string | undefined): FactorizeSettings | undefined {
  const first = conv ?? dense;
  if (first === undefined) return undefined;
  if (conv !== undefined && dense !== undefined && optionsOf(dense) !== '')
    throw new UsageError('conflict', '-p factorize-dense has options of its own', {
      fix: 'one set of options holds for both: put them behind factorize-conv',
    });
  const settings = FACTORIZE_SETTINGS.parse(optionsOf(first), failFor(first));
  if (conv !== undefined && dense !== undefined) return settings;
  return { ...settings, layers: conv === undefined ? 'dense' : 'conv' };
}

const optionsOf = (text: string): string => (text.includes(':') ? text.slice(text.indexOf(':') + 1) : '');

const failFor =
  (text: string) =>
  (what: string, fix: string): never => {
    throw new UsageError('bad-value', `-p ${text}: ${what}`, { fix });
  };

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
