// What a recipe says about the choice among all passes: everything that decides what comes out, nothing about files, data or measuring.
import {
  EFFORT_FIELD,
  LATENCY_FIELD,
  lossField,
  partField,
  settingTable,
  wholeFrom,
  type Effort,
} from '../setting-table.js';
import { countedBudgets, type Budgets } from '../trading/budgets.js';

/** Kinds of changes that are chosen among; `int8` comes last whatever else is done. */
export const CHANGE_KINDS = ['deepen', 'prune', 'factorize', 'int8'] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export interface CombineSettings extends Omit<Budgets, 'for'> {
  /** What is chosen among; empty: all. */
  readonly kinds: readonly ChangeKind[];
  /** Classes that stay, by name or index; empty: all. */
  readonly classes: readonly string[];
  /** No search begins after that; what is under way is ended, so that a run takes somewhat longer. */
  readonly effort: Effort;
  /** Samples for calibration and fits; the others judge. Undefined: half of them, and no more than 1000. */
  readonly samples: number | undefined;
}

export const DEFAULT_COMBINING: CombineSettings = {
  maxDrop: undefined,
  latency: undefined,
  macs: undefined,
  params: undefined,
  size: undefined,
  kinds: [],
  classes: [],
  effort: '20m',
  samples: undefined,
};

/** Whether something says how small or fast the model has to be, whatever may be lost. */
export const hasTarget = (settings: CombineSettings): boolean =>
  settings.latency !== undefined || countedBudgets({ ...settings, for: 'auto' }).length > 0;

/** The kinds that are chosen among. */
export const kindsOf = ({ kinds }: CombineSettings): readonly ChangeKind[] =>
  kinds.length === 0 ? CHANGE_KINDS : CHANGE_KINDS.filter((kind) => kinds.includes(kind));

const isTexts = (value: unknown): value is readonly unknown[] =>
  Array.isArray(value) && value.every((one) => ['string', 'number'].includes(typeof one));

/** How settings of the choice among all passes are read and written. */
export const COMBINE_SETTINGS = settingTable<CombineSettings>({
  key: 'combine',
  pass: 'combine',
  what: 'the choice among all passes',
  example: ['maxDrop', 1],
  description:
    'Learned slimming, pruning, factorization and 8-bit integers, as far as together they pay, behind the passes',
  defaults: DEFAULT_COMBINING,
  fields: {
    maxDrop: lossField('Largest loss: points of classifiers, percent of other outputs; alone it says how much goes'),
    latency: LATENCY_FIELD,
    macs: partField('What is left of the multiplications, as 0.7x'),
    params: partField('What is left of the parameters, as 0.7x'),
    size: partField('What is left of the bytes of the file, as 0.7x'),
    kinds: {
      expected: `a list of ${CHANGE_KINDS.join(', ')}`,
      schema: { type: 'array', items: { enum: CHANGE_KINDS }, description: 'What to choose among; all by default' },
      read: (value) => {
        if (!isTexts(value) || value.length === 0) return undefined;
        const found = CHANGE_KINDS.filter((kind) => value.includes(kind));
        return found.length === new Set(value).size ? found : undefined;
      },
      from: 'list',
    },
    classes: {
      expected: 'a list of names or indices of classes',
      schema: { type: 'array', items: { type: 'string' }, description: 'Classes that stay; all by default' },
      read: (value) => (isTexts(value) ? value.map(String) : undefined),
      from: 'list',
    },
    effort: EFFORT_FIELD,
    samples: wholeFrom(1, 'Samples for calibration and fits; the others judge'),
  },
  check: () => undefined,
});
