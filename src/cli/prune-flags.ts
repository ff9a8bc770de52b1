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
import type { DataRequest } from './data-flags.js';
import { FLAGS, type FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';

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
  const given = Object.entries(SET_BY).flatMap(([key, flag]) => {
    const text = flags[flag];
    return text === undefined ? [] : [[key, readFlag(key as keyof typeof SET_BY, text)] as const];
  });
  // A budget on the command line takes the place of that in the recipe.
  const isBudget = given.some(([key]) => BUDGET_KEYS.some((budget) => budget === key));
  const base = isBudget ? { ...recipe, ...Object.fromEntries(BUDGET_KEYS.map((key) => [key, undefined])) } : recipe;
  const settings: PruneSettings = {
    ...base,
    ...Object.fromEntries(given),
    ...(flags.noRepair ? { repair: 'off' } : {}),
    ...(flags.classes === undefined ? {} : { classes: flags.classes.split(',').map((one) => one.trim()) }),
  };
  refuseBudgets(settings, (what, fix) => {
    throw new UsageError('conflict', what, { fix });
  });
  const stray = OF_DROPNET.find((key) => flags[key] !== undefined);
  if (stray && settings.schedule !== 'dropnet')
    throw new UsageError('conflict', `--${stray} belongs to --schedule dropnet`, { fix: 'add --schedule dropnet' });
  return settings;
}

function readFlag(key: keyof typeof SET_BY, text: string): unknown {
  const found = PRUNE_SETTINGS.settingFrom(key, PRUNE_SETTINGS.fromText(key, text));
  if (found === undefined)
    throw new UsageError('bad-value', `--${FLAGS[SET_BY[key]].name} cannot be ${JSON.stringify(text)}`, {
      fix: `give ${PRUNE_SETTINGS.expectedOf(key)}`,
    });
  return found;
}

/** `settings`, with a loss that is allowed where nothing says how much is to leave. @throws UsageError conflict, no-input */
export function settledBudget(
  settings: PruneSettings,
  flags: FlagValues,
  asked: DataRequest | undefined,
): PruneSettings {
  const isFree = flags.weightsOnly === true || flags.dataFree === true;
  if (asked && isFree)
    throw new UsageError('conflict', '--data-free means: without --data', { fix: 'leave one of them out' });
  if (!asked && !isFree)
    throw new UsageError('no-input', 'there is nothing to look at the model with', {
      fix: 'say where some hundred typical samples are: --data PATH (docs/data.md); or judge by weights alone, at a loss: --data-free',
    });
  if (!asked && settings.maxDrop !== undefined)
    throw new UsageError('conflict', '--max-drop needs --data: without samples no loss can be measured');
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
