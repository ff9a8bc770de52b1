// The flags of factorization: what they ask for, on top of a recipe, and which of them have no meaning together.
import { UsageError } from '../base/errors.js';
import {
  DEFAULT_FACTORIZING,
  FACTORIZE_SETTINGS,
  howMuch,
  refuseTwoMeasures,
  type FactorizeSettings,
} from '../pipeline/factorizing/settings.js';
import { refuseUnseen, type DataRequest } from './data-flags.js';
import type { FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';
import { settingsFrom } from './setting-flags.js';

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
  const given = settingsFrom(flags, recipe, {
    table: FACTORIZE_SETTINGS,
    setBy: SET_BY,
    measures: ['macs', 'params', 'size', 'latency', 'ratio', 'energy'],
    lists: ['schemes'],
  });
  const settings: FactorizeSettings = flags.noRepair ? { ...given, repair: 'off' } : given;
  refuseTwoMeasures(settings, (what, fix) => {
    throw new UsageError('conflict', what, { fix });
  });
  return settings;
}

/** `settings`, with a loss that is allowed where nothing says how much is to go. @throws UsageError conflict, no-input */
export function settledMeasure(
  settings: FactorizeSettings,
  flags: FlagValues,
  asked: DataRequest | undefined,
): FactorizeSettings {
  refuseUnseen(flags, asked, settings);
  if (howMuch(settings) !== undefined) return settings;
  if (!asked)
    throw new UsageError('no-input', 'nothing says how much is to go', {
      fix: 'give a budget: --macs 0.7x, --params 0.7x, --size 0.7x, --latency 0.8x, --ratio 0.5',
    });
  return { ...settings, maxDrop: USUAL_DROP };
}
