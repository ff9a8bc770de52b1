// What a recipe says about pruning: everything that decides what comes out, nothing about files, data or measuring.
import { SCORES, type ScoreName } from '../../passes/prune/scores/registry.js';
import { TARGETS, type TargetName } from '../../passes/quantize/target.js';
import {
  LATENCY_FIELD,
  lossField,
  numberIn,
  oneOf,
  partField,
  settingTable,
  wholeFrom,
  type Fail,
  type LatencyBudget,
  type Part,
} from '../setting-table.js';

export const SCORE_NAMES = Object.keys(SCORES) as ScoreName[];
export const SCORE_CHOICES = ['auto', ...SCORE_NAMES] as const;
export const SCOPES = ['auto', 'layer', 'global', 'isomorphic'] as const;
export const WIDTHS = ['auto', 'any', '4', '8', '16'] as const;
export const PRUNE_TARGETS = ['auto', ...(Object.keys(TARGETS) as TargetName[])] as const;
export const SCHEDULES = ['one-shot', 'dropnet'] as const;

export interface PruneSettings {
  /** Part of the units that leave. */
  readonly ratio: number | undefined;
  readonly macs: Part | undefined;
  readonly params: Part | undefined;
  /** Of the peak of activations. */
  readonly memory: Part | undefined;
  readonly latency: LatencyBudget | undefined;
  /** Largest loss, in the unit of the loss (DESIGN.md 1). Alone: as much leaves as that allows. */
  readonly maxDrop: number | undefined;
  /** `auto`: `obs` with data, `folding` without. */
  readonly score: (typeof SCORE_CHOICES)[number];
  /** What units are compared over; `auto`: what the score is meant for. */
  readonly scope: (typeof SCOPES)[number];
  /** Of what kept widths are multiples; `auto`: of what the kernels like. */
  readonly widths: (typeof WIDTHS)[number];
  /** Whose kernels widths are to suit; `auto`: those of this machine. */
  readonly target: (typeof PRUNE_TARGETS)[number];
  /** Samples for statistics and refits; the others judge. Undefined: half of them, and no more than 1000. */
  readonly samples: number | undefined;
  readonly repair: 'on' | 'off';
  /** Classes that stay, by name or index; empty: all. */
  readonly classes: readonly string[];
  readonly schedule: (typeof SCHEDULES)[number];
  /** Of `dropnet`: the part of what remains that leaves in each cycle. */
  readonly share: number;
  /** Of `dropnet`: it ends when accuracy or agreement falls under this part of that at the start. */
  readonly kappa: number;
}

export const DEFAULT_PRUNING: PruneSettings = {
  ratio: undefined,
  macs: undefined,
  params: undefined,
  memory: undefined,
  latency: undefined,
  maxDrop: undefined,
  score: 'auto',
  scope: 'auto',
  widths: 'auto',
  target: 'auto',
  samples: undefined,
  repair: 'on',
  classes: [],
  schedule: 'one-shot',
  share: 0.2,
  kappa: 0.99,
};

/** Budgets that say how much leaves: one at a time. */
export const BUDGET_KEYS = [
  'ratio',
  'macs',
  'params',
  'memory',
  'latency',
] as const satisfies readonly (keyof PruneSettings)[];
export type BudgetKey = (typeof BUDGET_KEYS)[number];

/** The budget that is set; undefined where only `maxDrop`, or nothing, says how much leaves. */
export function budgetOf(settings: PruneSettings): BudgetKey | undefined {
  return BUDGET_KEYS.find((key) => settings[key] !== undefined);
}

/** Refuses more than one of the budgets that say how much leaves, and one that cycles cannot go towards. */
export function refuseBudgets(settings: PruneSettings, fail: Fail): void {
  const [first, second] = BUDGET_KEYS.filter((key) => settings[key] !== undefined);
  if (first && second) fail(`${first} and ${second} both say how much leaves`, 'leave one of them out');
  if (settings.memory !== undefined && settings.schedule === 'dropnet')
    fail('a budget of memory is met at once, not in cycles', 'leave out the schedule dropnet, or give macs or params');
}

/** How settings of pruning are read and written. */
export const PRUNE_SETTINGS = settingTable<PruneSettings>({
  key: 'prune',
  pass: 'prune-filters',
  what: 'pruning',
  example: ['ratio', 0.3],
  description: 'Remove channels behind the passes, and before quantization',
  defaults: DEFAULT_PRUNING,
  fields: {
    ratio: numberIn({ above: 0, below: 1 }, 'Part of the units that leave'),
    macs: partField('What is left of the multiplications, as 0.7x'),
    params: partField('What is left of the parameters, as 0.7x'),
    memory: partField('What is left of the peak of activations, as 0.7x'),
    latency: LATENCY_FIELD,
    maxDrop: lossField('Largest loss: points of classifiers, percent of other outputs; alone it says how much leaves'),
    score: oneOf(SCORE_CHOICES, 'What units are ranked by'),
    scope: oneOf(SCOPES, 'What units are compared over'),
    widths: oneOf(WIDTHS, 'Of what kept widths are multiples'),
    target: oneOf(PRUNE_TARGETS, 'Processor whose kernels widths are to suit'),
    samples: wholeFrom(1, 'Samples for statistics and refits; the others judge'),
    repair: oneOf(['on', 'off'], 'Refit what is left to the outputs of the original'),
    classes: {
      expected: 'a list of names or indices of classes',
      schema: { type: 'array', items: { type: 'string' }, description: 'Classes that stay; all by default' },
      read: (value) => {
        const texts = Array.isArray(value) && value.every((one) => ['string', 'number'].includes(typeof one));
        return texts ? value.map(String) : undefined;
      },
      from: 'list',
    },
    schedule: oneOf(SCHEDULES, 'All at once, or a share of what remains in each cycle'),
    share: numberIn({ above: 0, below: 1 }, 'Of what remains, what leaves in a cycle of dropnet'),
    kappa: {
      expected: 'a number above 0 and at most 1',
      schema: {
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 1,
        description: 'Part of the start at which dropnet ends',
      },
      read: (value) => (typeof value === 'number' && value > 0 && value <= 1 ? value : undefined),
      from: 'number',
    },
  },
  check: refuseBudgets,
});
