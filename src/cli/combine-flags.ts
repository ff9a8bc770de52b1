// The flags of the choice among all passes: what they ask for, on top of a recipe, and which of them have no meaning together.
import { UsageError } from '../base/errors.js';
import {
  COMBINE_SETTINGS,
  DEFAULT_COMBINING,
  hasTarget,
  type CombineSettings,
} from '../pipeline/combining/settings.js';
import { dataRequest, type DataRequest } from './data-flags.js';
import { FLAGS, type FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';
import { INT8_FORM, refuseFlags } from './quantize-flags.js';
import { settingsFrom } from './setting-flags.js';

/** Which flag sets what. */
const SET_BY = {
  macs: 'macs',
  params: 'params',
  size: 'size',
  latency: 'latency',
  maxDrop: 'maxDropSlim',
  kinds: 'tryKinds',
  classes: 'classes',
  effort: 'effort',
  samples: 'fitSamples',
} as const satisfies { readonly [K in keyof CombineSettings]-?: FlagKey };

/** Flags of `slim` that say something of a choice among passes. */
const COMBINE_FORM: readonly FlagKey[] = Object.values(SET_BY);

/** Flags of `slim` that ask for integers in a certain form. */
const OF_INT8 = [...INT8_FORM, 'float', 'quantizeTarget', 'dataFree'] as const satisfies readonly FlagKey[];

const DATA_FIX = 'say where some hundred typical samples are: --data PATH (docs/data.md)';

/** The loss that is allowed where nothing says how small or fast: points of classifiers, percent of other outputs. */
const USUAL_DROP = 1;

/** The settings of the flags, those of the recipe where they are silent. @throws UsageError bad-value */
export const combineSettings = (flags: FlagValues, recipe: CombineSettings = DEFAULT_COMBINING): CombineSettings =>
  settingsFrom(flags, recipe, {
    table: COMBINE_SETTINGS,
    setBy: SET_BY,
    measures: ['macs', 'params', 'size', 'latency'],
    lists: ['kinds', 'classes'],
  });

/** `settings`, with a loss that is allowed where nothing says how small or fast. @throws UsageError no-input */
export function settledCombining(settings: CombineSettings, asked: DataRequest | undefined): CombineSettings {
  if (!asked) throw new UsageError('no-input', 'there is nothing to choose passes by', { fix: DATA_FIX });
  return hasTarget(settings) || settings.maxDrop !== undefined ? settings : { ...settings, maxDrop: USUAL_DROP };
}

/** Refuses flags that a choice among passes has no use for. @throws UsageError conflict */
export function refuseBesideCombining(flags: FlagValues): void {
  refuseFlags(flags, OF_INT8, 'belongs to --int8', 'add --int8, which chooses nothing, or leave it out');
  refuseFlags(flags, ['verify', 'feed'], 'has no meaning with --data: what is lost is measured on the samples');
  refuseFlags(
    flags,
    ['noProfile'],
    'leaves nothing to choose passes by: they are timed on this machine',
    'leave it out, or name what to do: -p prune-filters, --int8, ...',
  );
}

/** Refuses flags of runs on samples where there are none. @throws UsageError no-input, conflict */
export function refuseWithoutData(flags: FlagValues): void {
  const stray = COMBINE_FORM.find((key) => flags[key] !== undefined);
  if (stray !== undefined)
    throw new UsageError('no-input', `--${FLAGS[stray].name} needs samples: without them no loss can be measured`, {
      fix: DATA_FIX,
    });
  dataRequest(flags);
  refuseFlags(flags, ['journal', 'layerLatencies'], 'needs --data', DATA_FIX);
  refuseFlags(flags, OF_INT8, 'belongs to --int8');
}

/** Refuses, where a run was named, flags of the choice among all but those that `run` has, too. @throws UsageError conflict */
export function refuseChoice(flags: FlagValues, run: string, own: readonly (keyof CombineSettings)[]): void {
  const keys = (Object.keys(SET_BY) as (keyof typeof SET_BY)[]).filter((key) => !own.includes(key));
  refuseFlags(
    flags,
    keys.map((key) => SET_BY[key]),
    `has no meaning with ${run}`,
  );
}
