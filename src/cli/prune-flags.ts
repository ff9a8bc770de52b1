// The flags of pruning: what they ask for, on top of a recipe, and which of them have no meaning together.
import { UsageError } from '../base/errors.js';
import {
  BUDGET_KEYS,
  DEFAULT_PRUNING,
  budgetOf,
  PRUNE_SETTINGS,
  refuseBudgets,
  type PruneSettings,
} from '../pipeline/pruning/settings.js';
import { refuseUnseen, type DataRequest } from './data-flags.js';
import type { FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';
import { settingsFrom } from './setting-flags.js';

/** Which flag sets what. */
const SET_BY = {
  ratio: 'ratio',
  macs: 'macs',
  params: 'params',
  memory: 'memory',
  latency: 'latency',
  maxDrop: 'maxDropPruned',
  score: 'pruneScore',
  scope: 'scope',
  widths: 'widths',
  target: 'pruneTarget',
  samples: 'fitSamples',
  classes: 'classes',
  schedule: 'schedule',
  share: 'share',
  kappa: 'kappa',
} as const satisfies { readonly [K in keyof PruneSettings]?: FlagKey };

/** Of `dropnet` only. */
const OF_DROPNET = ['share', 'kappa'] as const;

/** The loss that is allowed where nothing says how much is to leave: points of classifiers, percent of other outputs. */
const USUAL_DROP = 1;

/**
 * The settings of the flags, those of the recipe where they are silent.
 * @throws UsageError bad-value, conflict
 */
export function pruneSettings(flags: FlagValues, recipe: PruneSettings = DEFAULT_PRUNING): PruneSettings {
  const given = settingsFrom(flags, recipe, {
    table: PRUNE_SETTINGS,
    setBy: SET_BY,
    measures: BUDGET_KEYS,
    lists: ['classes'],
  });
  const settings: PruneSettings = flags.noRepair ? { ...given, repair: 'off' } : given;
  refuseBudgets(settings, (what, fix) => {
    throw new UsageError('conflict', what, { fix });
  });
  const stray = OF_DROPNET.find((key) => flags[key] !== undefined);
  if (stray && settings.schedule !== 'dropnet')
    throw new UsageError('conflict', `--${stray} belongs to --schedule dropnet`, { fix: 'add --schedule dropnet' });
  return settings;
}

/** `settings`, with a loss that is allowed where nothing says how much is to leave. @throws UsageError conflict, no-input */
export function settledBudget(
  settings: PruneSettings,
  flags: FlagValues,
  asked: DataRequest | undefined,
): PruneSettings {
  refuseUnseen(flags, asked, settings);
  if (!asked && settings.schedule === 'dropnet')
    throw new UsageError('conflict', '--schedule dropnet needs --data: each cycle is judged on samples');
  if (!asked && settings.classes.length > 0 && budgetOf(settings) === undefined) return settings;
  if (budgetOf(settings) !== undefined || settings.maxDrop !== undefined || settings.schedule === 'dropnet')
    return settings;
  if (!asked)
    throw new UsageError('no-input', 'nothing says how much is to leave', {
      fix: 'give a budget: --ratio 0.3, --macs 0.7x, --params 0.7x, --memory 0.7x, --latency 0.8x',
    });
  return { ...settings, maxDrop: USUAL_DROP };
}
