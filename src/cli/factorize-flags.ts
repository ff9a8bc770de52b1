// The flags of factorization: what they ask for, on top of a recipe, and which of them have no meaning together.
import { UsageError } from '../base/errors.js';
import {
  DEFAULT_FACTORIZING,
  FACTORIZE_SETTINGS,
  howMuch,
  refuseTwoMeasures,
  type FactorizeSettings,
} from '../pipeline/factorizing/settings.js';
import type { DataRequest } from './data-flags.js';
import { FLAGS, type FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';

/** Which flag sets what. */
const SET_BY = {
  macs: 'macs',
  params: 'params',
  size: 'size',
  latency: 'latency',
  maxDrop: 'maxDropPruned',
  ratio: 'factorRatio',
  energy: 'energy',
  ranks: 'ranks',
  for: 'factorFor',
  metric: 'metric',
  layers: 'factorLayers',
  schemes: 'schemes',
  groupSize: 'groupSize',
  samples: 'fitSamples',
} as const satisfies { readonly [K in keyof FactorizeSettings]?: FlagKey };

/** What says how much goes. */
const MEASURES = ['macs', 'params', 'size', 'latency', 'ratio', 'energy'] as const;

/** The loss that is allowed where nothing says how much is to go: points of classifiers, percent of other outputs. */
const USUAL_DROP = 1;

/**
 * The settings of the flags, those of the recipe where they are silent.
 * @throws UsageError bad-value, conflict
 */
export function factorizeSettings(
  flags: FlagValues,
  recipe: FactorizeSettings = DEFAULT_FACTORIZING,
): FactorizeSettings {
  const given = Object.entries(SET_BY).flatMap(([key, flag]) => {
    const text = flags[flag];
    return text === undefined ? [] : [[key, readFlag(key as keyof typeof SET_BY, text)] as const];
  });
  // A measure on the command line takes the place of those in the recipe.
  const isMeasure = given.some(([key]) => MEASURES.some((measure) => measure === key));
  const base = isMeasure ? { ...recipe, ...Object.fromEntries(MEASURES.map((key) => [key, undefined])) } : recipe;
  const settings: FactorizeSettings = {
    ...base,
    ...Object.fromEntries(given),
    ...(flags.noRepair ? { repair: 'off' } : {}),
  };
  refuseTwoMeasures(settings, (what, fix) => {
    throw new UsageError('conflict', what, { fix });
  });
  return settings;
}

function readFlag(key: keyof typeof SET_BY, text: string): unknown {
  const json = key === 'schemes' ? text.split(',').map((one) => one.trim()) : FACTORIZE_SETTINGS.fromText(key, text);
  const found = FACTORIZE_SETTINGS.settingFrom(key, json);
  if (found === undefined)
    throw new UsageError('bad-value', `--${FLAGS[SET_BY[key]].name} cannot be ${JSON.stringify(text)}`, {
      fix: `give ${FACTORIZE_SETTINGS.expectedOf(key)}`,
    });
  return found;
}

/** `settings`, with a loss that is allowed where nothing says how much is to go. @throws UsageError conflict, no-input */
export function settledMeasure(
  settings: FactorizeSettings,
  flags: FlagValues,
  asked: DataRequest | undefined,
): FactorizeSettings {
  const isFree = flags.weightsOnly === true || flags.dataFree === true;
  if (asked && isFree)
    throw new UsageError('conflict', '--data-free means: without --data', { fix: 'leave one of them out' });
  if (!asked && !isFree)
    throw new UsageError('no-input', 'there is nothing to look at the model with', {
      fix: 'say where some hundred typical samples are: --data PATH (docs/data.md); or judge by weights alone, at a loss: --data-free',
    });
  if (!asked && settings.maxDrop !== undefined)
    throw new UsageError('conflict', '--max-drop needs --data: without samples no loss can be measured');
  if (howMuch(settings) !== undefined) return settings;
  if (!asked)
    throw new UsageError('no-input', 'nothing says how much is to go', {
      fix: 'give a budget: --macs 0.7x, --params 0.7x, --size 0.7x, --latency 0.8x, --ratio 0.5',
    });
  return { ...settings, maxDrop: USUAL_DROP };
}
