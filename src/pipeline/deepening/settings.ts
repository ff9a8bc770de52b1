// What a recipe says about learned slimming: everything that decides what comes out, nothing about files, data or measuring.
import { BLOCK_RULES } from '../../passes/learned/rules.js';
import {
  EFFORT_FIELD,
  LATENCY_FIELD,
  lossField,
  oneOf,
  partField,
  settingTable,
  wholeFrom,
  type Effort,
  type Fail,
} from '../setting-table.js';
import { AIMS, aimOf, countedBudgets, type Budgets } from '../trading/budgets.js';

export interface DeepenSettings extends Budgets {
  /** Rules to choose from, by name; empty: all. */
  readonly rules: readonly string[];
  /**
   * Weights of new layers: `fitted` to what the block gave, in closed form; `xavier`: random, as DeepRebirth begins with, for a training
   * that follows.
   */
  readonly start: 'fitted' | 'xavier';
  /** What becomes of normalizations that stay: `expand`: written out in faster operators, where that is faster (`expand-lrn`). */
  readonly lrn: 'expand' | 'keep';
  /** No block is looked at for the first time after that; undefined: all are. */
  readonly effort: Effort | undefined;
  /** Samples for fits; the others judge. Undefined: half of them, and no more than 1000. */
  readonly samples: number | undefined;
  readonly repair: 'on' | 'off';
}

export const DEFAULT_DEEPENING: DeepenSettings = {
  macs: undefined,
  params: undefined,
  size: undefined,
  latency: undefined,
  maxDrop: undefined,
  for: 'auto',
  rules: [],
  start: 'fitted',
  lrn: 'expand',
  effort: undefined,
  samples: undefined,
  repair: 'on',
};

export const RULE_NAMES: readonly string[] = BLOCK_RULES.map(({ name }) => name);

/** What says how much goes: a budget, or (`loss`) only what may be lost. */
export function howMuch(settings: DeepenSettings): 'counted' | 'latency' | 'loss' | undefined {
  if (settings.latency !== undefined) return 'latency';
  if (countedBudgets(settings).length > 0) return 'counted';
  return settings.maxDrop === undefined ? undefined : 'loss';
}

/** Refuses settings that mean nothing together. */
export function refuseTwoMeasures(settings: DeepenSettings, fail: Fail): void {
  const [counted] = countedBudgets(settings);
  if (settings.latency !== undefined && counted)
    fail(`latency and ${counted[0]} both say how much goes`, 'leave one of them out');
  if (settings.latency !== undefined && aimOf(settings) !== 'latency')
    fail(`a budget of time cannot be for ${settings.for}`, 'leave "for" out');
}

/** How settings of learned slimming are read and written. */
export const DEEPEN_SETTINGS = settingTable<DeepenSettings>({
  key: 'deepen',
  pass: 'slim-streamline',
  what: 'learned slimming',
  example: ['maxDrop', 2],
  description: 'Replace blocks by cheaper layers that are fitted to them, behind the passes',
  defaults: DEFAULT_DEEPENING,
  fields: {
    macs: partField('What is left of the multiplications, as 0.7x'),
    params: partField('What is left of the parameters, as 0.7x'),
    size: partField('What is left of the bytes of the file, as 0.7x'),
    latency: LATENCY_FIELD,
    maxDrop: lossField('Largest loss: points of classifiers, percent of other outputs; alone it says how much goes'),
    for: oneOf(AIMS, 'What has to get smaller for a block to stay replaced'),
    rules: {
      expected: `a list of ${RULE_NAMES.join(', ')}`,
      schema: { type: 'array', items: { enum: RULE_NAMES }, description: 'Rules to choose from' },
      read: (value) =>
        Array.isArray(value) && value.length > 0 && value.every((one) => RULE_NAMES.some((name) => name === one))
          ? value
          : undefined,
      from: 'list',
    },
    start: oneOf(['fitted', 'xavier'], 'Weights of new layers: fitted in closed form, or random for a training'),
    lrn: oneOf(['expand', 'keep'], 'Normalizations that stay: written out in faster operators, or kept'),
    effort: EFFORT_FIELD,
    samples: wholeFrom(1, 'Samples for fits; the others judge'),
    repair: oneOf(['on', 'off'], 'Fit new layers and what lies behind them to the outputs of the original'),
  },
  check: refuseTwoMeasures,
});
