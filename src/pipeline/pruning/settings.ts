// What a recipe says about pruning: everything that decides what comes out, nothing about files, data or measuring.
import { suggestion } from '../../base/suggest.js';
import { SCORES, type ScoreName } from '../../passes/prune/scores/registry.js';
import { TARGETS, type TargetName } from '../../passes/quantize/target.js';

export const SCORE_NAMES = Object.keys(SCORES) as ScoreName[];
export const SCORE_CHOICES = ['auto', ...SCORE_NAMES] as const;
export const SCOPES = ['auto', 'layer', 'global', 'isomorphic'] as const;
export const WIDTHS = ['auto', 'any', '4', '8', '16'] as const;
export const PRUNE_TARGETS = ['auto', ...(Object.keys(TARGETS) as TargetName[])] as const;
export const SCHEDULES = ['one-shot', 'dropnet'] as const;

/** What is left of a figure of the original: `0.7x`. */
export type Part = `${number}x`;
/** Time of one run against the original, or in milliseconds. */
export type LatencyBudget = Part | `${number}ms`;

export interface PruneSettings {
  /** Part of the units that leave. */
  readonly ratio: number | undefined;
  readonly macs: Part | undefined;
  readonly params: Part | undefined;
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
export const BUDGET_KEYS = ['ratio', 'macs', 'params', 'latency'] as const satisfies readonly (keyof PruneSettings)[];
export type BudgetKey = (typeof BUDGET_KEYS)[number];

/** The budget that is set; undefined where only `maxDrop`, or nothing, says how much leaves. */
export function budgetOf(settings: PruneSettings): BudgetKey | undefined {
  return BUDGET_KEYS.find((key) => settings[key] !== undefined);
}

/** The number of `0.7x`. */
export const partOf = (text: Part): number => Number(text.slice(0, -1));

/** What is allowed of a time: a part of that of the original, or milliseconds. */
export function latencyLimit(text: LatencyBudget): { readonly times: number } | { readonly ms: number } {
  return text.endsWith('ms') ? { ms: Number(text.slice(0, -2)) } : { times: partOf(text as Part) };
}

type Key = keyof PruneSettings;

interface Field {
  /** What a value has to be, in words. */
  readonly expected: string;
  readonly schema: Readonly<Record<string, unknown>>;
  /** The value as settings hold it; undefined where it does not fit. */
  read(value: unknown): PruneSettings[Key];
  /** JSON from the text of a flag. */
  readonly from: 'text' | 'number' | 'list';
}

const oneOf = <C extends string>(choices: readonly C[], description: string): Field => ({
  expected: `one of ${choices.join(', ')}`,
  schema: { enum: choices, description },
  read: (value) => choices.find((choice) => choice === value) as PruneSettings[Key],
  from: 'text',
});

const numberIn = (
  { above, below }: { readonly above: number; readonly below: number },
  description: string,
): Field => ({
  expected: `a number between ${above} and ${below}`,
  schema: { type: 'number', exclusiveMinimum: above, exclusiveMaximum: below, description },
  read: (value) => (typeof value === 'number' && value > above && value < below ? value : undefined),
  from: 'number',
});

const PART = /^(0?\.\d+|0)x$/;
const TIME = /^(\d+(\.\d+)?|\.\d+)ms$/;

const isPart = (value: unknown): value is Part =>
  typeof value === 'string' && PART.test(value) && Number.parseFloat(value) > 0;
const isTime = (value: unknown): value is LatencyBudget =>
  typeof value === 'string' && TIME.test(value) && Number.parseFloat(value) > 0;

const partField = (description: string): Field => ({
  expected: 'what may be left of it, as 0.7x: below 1, above 0',
  schema: { type: 'string', pattern: PART.source, description },
  read: (value) => (isPart(value) ? value : undefined),
  from: 'text',
});

const FIELDS: Readonly<Record<Key, Field>> = {
  ratio: numberIn({ above: 0, below: 1 }, 'Part of the units that leave'),
  macs: partField('What is left of the multiplications, as 0.7x'),
  params: partField('What is left of the parameters, as 0.7x'),
  latency: {
    expected: 'what may be left of it, as 0.8x or 8ms',
    schema: {
      type: 'string',
      pattern: `${PART.source}|${TIME.source}`,
      description: 'Time of one run, as 0.8x or 8ms',
    },
    read: (value) => (isPart(value) || isTime(value) ? value : undefined),
    from: 'text',
  },
  maxDrop: {
    expected: 'a number of at least 0',
    schema: {
      type: 'number',
      minimum: 0,
      description: 'Largest loss: points of classifiers, percent of other outputs; alone it says how much leaves',
    },
    read: (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined),
    from: 'number',
  },
  score: oneOf(SCORE_CHOICES, 'What units are ranked by'),
  scope: oneOf(SCOPES, 'What units are compared over'),
  widths: oneOf(WIDTHS, 'Of what kept widths are multiples'),
  target: oneOf(PRUNE_TARGETS, 'Processor whose kernels widths are to suit'),
  samples: {
    expected: 'a whole number of at least 1',
    schema: { type: 'integer', minimum: 1, description: 'Samples for statistics and refits; the others judge' },
    read: (value) => (Number.isSafeInteger(value) && Number(value) >= 1 ? Number(value) : undefined),
    from: 'number',
  },
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
    schema: { type: 'number', exclusiveMinimum: 0, maximum: 1, description: 'Part of the start at which dropnet ends' },
    read: (value) => (typeof value === 'number' && value > 0 && value <= 1 ? value : undefined),
    from: 'number',
  },
};

const KEYS = Object.keys(FIELDS) as Key[];

type Fail = (what: string, fix: string) => never;

/** The settings of a recipe, defaults where it is silent. `fail` is told what is wrong and what to do. */
export function readPruning(json: unknown, fail: Fail): PruneSettings {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return fail('"prune" is not an object', 'write "prune": {"ratio": 0.3}');
  const read = Object.entries(json).map(([key, value]) => {
    const known = knownKey(key, fail);
    return [known, readField(known, value, fail)] as const;
  });
  const settings = { ...DEFAULT_PRUNING, ...Object.fromEntries(read) };
  refuseTwoBudgets(settings, fail);
  return settings;
}

/** Settings from the options behind `-p prune-filters:`, where names have hyphens and lists `+`. */
export function parsePruning(text: string, fail: Fail): PruneSettings {
  const parts = text === '' ? [] : text.split(',');
  const json = parts.map((part) => {
    const equals = part.indexOf('=');
    if (equals < 0) return fail(`"${part}" is no option of prune-filters`, 'write option=value, as ratio=0.3');
    const key = part.slice(0, equals).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return [key, fromText(knownKey(key, fail), part.slice(equals + 1))] as const;
  });
  return readPruning(Object.fromEntries(json), fail);
}

/** A value for `readPruning` out of a text. */
export function fromText(key: Key, text: string): unknown {
  const { from } = FIELDS[key];
  if (from === 'number') return text.trim() === '' ? Number.NaN : Number(text);
  return from === 'list' ? text.split('+') : text;
}

/** What a value of this setting has to be, in words. */
export const expectedOf = (key: Key): string => FIELDS[key].expected;

/** A value of one setting; undefined where it does not fit. */
export function settingFrom<K extends Key>(key: K, json: unknown): PruneSettings[K] | undefined {
  return FIELDS[key].read(json) as PruneSettings[K] | undefined;
}

/** Refuses more than one of the budgets that say how much leaves. */
export function refuseTwoBudgets(settings: PruneSettings, fail: Fail): void {
  const [first, second] = BUDGET_KEYS.filter((key) => settings[key] !== undefined);
  if (first && second) fail(`${first} and ${second} both say how much leaves`, 'leave one of them out');
}

function knownKey(key: string, fail: Fail): Key {
  const known = KEYS.find((one) => one === key);
  return known ?? fail(`pruning has no setting "${key}"`, suggestion(key, KEYS) ?? `known: ${KEYS.join(', ')}`);
}

function readField(key: Key, value: unknown, fail: Fail): PruneSettings[Key] {
  const { read, expected } = FIELDS[key];
  const found = read(value);
  return found === undefined ? fail(`"prune.${key}" is ${JSON.stringify(value)}`, `write ${expected}`) : found;
}

/** The settings as JSON, without what is as by default. */
export function pruningDocument(settings: PruneSettings): Partial<PruneSettings> {
  const changed = KEYS.filter((key) => JSON.stringify(settings[key]) !== JSON.stringify(DEFAULT_PRUNING[key]));
  return Object.fromEntries(changed.map((key) => [key, settings[key]]));
}

/** JSON Schema of `pruningDocument`. */
export function pruningSchema(): Record<string, unknown> {
  return {
    type: 'object',
    additionalProperties: false,
    description: 'Remove channels behind the passes, and before quantization',
    properties: Object.fromEntries(KEYS.map((key) => [key, FIELDS[key].schema])),
  };
}
