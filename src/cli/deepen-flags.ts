// The flags of learned slimming: what they ask for, on top of a recipe, and which of them have no meaning together.
import { UsageError } from '../base/errors.js';
import {
  DEEPEN_SETTINGS,
  DEFAULT_DEEPENING,
  howMuch,
  refuseTwoMeasures,
  type DeepenSettings,
} from '../pipeline/deepening/settings.js';
import type { DataRequest } from './data-flags.js';
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
  for: 'factorFor',
  rules: 'rules',
  start: 'start',
  lrn: 'lrn',
  effort: 'deepenEffort',
  samples: 'fitSamples',
} as const satisfies { readonly [K in keyof DeepenSettings]?: FlagKey };

/** The loss that is allowed where nothing says how much is to go: points of classifiers, percent of other outputs. */
const USUAL_DROP = 1;

/** The settings of the flags, those of the recipe where they are silent. @throws UsageError bad-value, conflict */
export function deepenSettings(flags: FlagValues, recipe: DeepenSettings = DEFAULT_DEEPENING): DeepenSettings {
  const given = settingsFrom(flags, recipe, {
    table: DEEPEN_SETTINGS,
    setBy: SET_BY,
    measures: ['macs', 'params', 'size', 'latency'],
    lists: ['rules'],
  });
  const settings: DeepenSettings = flags.noRepair ? { ...given, repair: 'off' } : given;
  refuseTwoMeasures(settings, (what, fix) => {
    throw new UsageError('conflict', what, { fix });
  });
  return settings;
}

/** `settings`, with a loss that is allowed where nothing says how much is to go. @throws UsageError no-input */
export function settledDrop(settings: DeepenSettings, asked: DataRequest | undefined): DeepenSettings {
  if (!asked)
    throw new UsageError('no-input', 'there is nothing to fit new layers to', {
      fix: 'say where some hundred typical samples are: --data PATH (docs/data.md)',
    });
  return howMuch(settings) === undefined ? { ...settings, maxDrop: USUAL_DROP } : settings;
}
