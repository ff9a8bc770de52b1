// Settings of a run that looks at samples, declared once each: what a value has to be, how it is read from JSON and from the text
// of a flag, and its JSON Schema.
import { suggestion } from '../base/suggest.js';

/** Is told what is wrong and what to do. */
export type Fail = (what: string, fix: string) => never;

export interface SettingField {
  /** What a value has to be, in words. */
  readonly expected: string;
  readonly schema: Readonly<Record<string, unknown>>;
  /** The value as settings hold it; undefined where it does not fit. */
  read(value: unknown): unknown;
  /** JSON from the text of a flag. */
  readonly from: 'text' | 'number' | 'list';
}

export interface SettingTable<T extends object> {
  /** The settings of a recipe, defaults where it is silent. */
  read(json: unknown, fail: Fail): T;
  /** Settings from the options behind `-p PASS:`, where names have hyphens and lists `+`. */
  parse(text: string, fail: Fail): T;
  /** A value for `read` out of a text. */
  fromText(key: keyof T, text: string): unknown;
  /** What a value of this setting has to be, in words. */
  expectedOf(key: keyof T): string;
  /** A value of one setting; undefined where it does not fit. */
  settingFrom<K extends keyof T>(key: K, json: unknown): T[K] | undefined;
  /** The settings as JSON, without what is as by default. */
  document(settings: T): Partial<T>;
  /** JSON Schema of `document`. */
  schema(): Record<string, unknown>;
}

export interface SettingDeclaration<T extends object> {
  /** Its key in a recipe, its name behind `-p`, and what it is called in messages. */
  readonly key: string;
  readonly pass: string;
  readonly what: string;
  /** As in `{"ratio": 0.3}`. */
  readonly example: readonly [keyof T & string, number | string];
  readonly description: string;
  readonly defaults: T;
  readonly fields: { readonly [K in keyof T & string]-?: SettingField };
  /** Refuses settings that mean nothing together. */
  check(settings: T, fail: Fail): void;
}

/** How settings that are declared so are read and written. */
export function settingTable<T extends object>(declared: SettingDeclaration<T>): SettingTable<T> {
  const { key: step, pass, what, defaults } = declared;
  const fields: Readonly<Record<string, SettingField>> = declared.fields;
  const names = Object.keys(fields);
  const [sample, value] = declared.example;
  const fieldOf = (name: string): SettingField => fields[name] as SettingField;
  const known = (name: string, fail: Fail): string =>
    names.includes(name)
      ? name
      : fail(`${what} has no setting "${name}"`, suggestion(name, names) ?? `known: ${names.join(', ')}`);
  const readOne = (name: string, given: unknown, fail: Fail): unknown => {
    const { read, expected } = fieldOf(name);
    const found = read(given);
    return found === undefined ? fail(`"${step}.${name}" is ${JSON.stringify(given)}`, `write ${expected}`) : found;
  };
  const read = (json: unknown, fail: Fail): T => {
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      return fail(
        `"${step}" is not an object`,
        `write "${step}": ${JSON.stringify({ [sample]: value }).replace(':', ': ')}`,
      );
    const found = Object.entries(json).map(([name, given]) => {
      const one = known(name, fail);
      return [one, readOne(one, given, fail)] as const;
    });
    const settings = { ...defaults, ...Object.fromEntries(found) };
    declared.check(settings, fail);
    return settings;
  };
  const fromText = (name: string, text: string): unknown => jsonOf(fieldOf(name), text);
  return {
    read,
    parse: (text, fail) => {
      const parts = text === '' ? [] : text.split(',');
      const json = parts.map((part) => {
        const equals = part.indexOf('=');
        if (equals < 0) return fail(`"${part}" is no option of ${pass}`, `write option=value, as ${sample}=${value}`);
        const name = part.slice(0, equals).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
        return [name, fromText(known(name, fail), part.slice(equals + 1))] as const;
      });
      return read(Object.fromEntries(json), fail);
    },
    fromText: (name, text) => fromText(String(name), text),
    expectedOf: (name) => fieldOf(String(name)).expected,
    settingFrom: <K extends keyof T>(name: K, json: unknown) => fieldOf(String(name)).read(json) as T[K] | undefined,
    document: (settings) => {
      const plain = (one: object): Readonly<Record<string, unknown>> => ({ ...one });
      const [now, usual] = [plain(settings), plain(defaults)];
      const changed = names.filter((name) => JSON.stringify(now[name]) !== JSON.stringify(usual[name]));
      return Object.fromEntries(changed.map((name) => [name, now[name]])) as Partial<T>;
    },
    schema: () => ({
      type: 'object',
      additionalProperties: false,
      description: declared.description,
      properties: Object.fromEntries(names.map((name) => [name, fieldOf(name).schema])),
    }),
  };
}

function jsonOf({ from }: SettingField, text: string): unknown {
  if (from === 'number') return text.trim() === '' ? Number.NaN : Number(text);
  return from === 'list' ? text.split('+') : text;
}

export const oneOf = <C extends string>(choices: readonly C[], description: string): SettingField => ({
  expected: `one of ${choices.join(', ')}`,
  schema: { enum: choices, description },
  read: (value) => choices.find((choice) => choice === value),
  from: 'text',
});

export const numberIn = (
  { above, below }: { readonly above: number; readonly below: number },
  description: string,
): SettingField => ({
  expected: `a number between ${above} and ${below}`,
  schema: { type: 'number', exclusiveMinimum: above, exclusiveMaximum: below, description },
  read: (value) => (typeof value === 'number' && value > above && value < below ? value : undefined),
  from: 'number',
});

export const wholeFrom = (least: number, description: string): SettingField => ({
  expected: `a whole number of at least ${least}`,
  schema: { type: 'integer', minimum: least, description },
  read: (value) => (Number.isSafeInteger(value) && Number(value) >= least ? Number(value) : undefined),
  from: 'number',
});

export const lossField = (description: string): SettingField => ({
  expected: 'a number of at least 0',
  schema: { type: 'number', minimum: 0, description },
  read: (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined),
  from: 'number',
});

/** What is left of a figure of the original: `0.7x`. */
export type Part = `${number}x`;
/** Time of one run against the original, or in milliseconds. */
export type LatencyBudget = Part | `${number}ms`;

/** The number of `0.7x`. */
export const partOf = (text: Part): number => Number(text.slice(0, -1));

/** What is allowed of a time: a part of that of the original, or milliseconds. */
export function latencyLimit(text: LatencyBudget): { readonly times: number } | { readonly ms: number } {
  return text.endsWith('ms') ? { ms: Number(text.slice(0, -2)) } : { times: partOf(text as Part) };
}

const PART = /^(0?\.\d+|0)x$/;
const TIME = /^(\d+(\.\d+)?|\.\d+)ms$/;

const isPart = (value: unknown): value is Part =>
  typeof value === 'string' && PART.test(value) && Number.parseFloat(value) > 0;
const isTime = (value: unknown): value is LatencyBudget =>
  typeof value === 'string' && TIME.test(value) && Number.parseFloat(value) > 0;

export const partField = (description: string): SettingField => ({
  expected: 'what may be left of it, as 0.7x: below 1, above 0',
  schema: { type: 'string', pattern: PART.source, description },
  read: (value) => (isPart(value) ? value : undefined),
  from: 'text',
});

/** How long a run may look for something better: seconds, minutes, hours. */
export type Effort = `${number}${'s' | 'm' | 'h'}`;

const SECONDS = { s: 1, m: 60, h: 3600 } as const;
const EFFORT = /^(\d+(?:\.\d+)?|\.\d+)([smh])$/;

const isEffort = (value: unknown): value is Effort =>
  typeof value === 'string' && EFFORT.test(value) && Number.parseFloat(value) > 0;

/** Milliseconds of `90s`, `10m`, `2h`. */
export function effortMs(effort: Effort): number {
  const unit = effort.slice(-1) as keyof typeof SECONDS;
  return 1000 * SECONDS[unit] * Number(effort.slice(0, -1));
}

export const EFFORT_FIELD: SettingField = {
  expected: 'a time, as 90s, 10m or 2h',
  schema: { type: 'string', pattern: EFFORT.source, description: 'How long to look for something better' },
  read: (value) => (isEffort(value) ? value : undefined),
  from: 'text',
};

export const LATENCY_FIELD: SettingField = {
  expected: 'what may be left of it, as 0.8x or 8ms',
  schema: { type: 'string', pattern: `${PART.source}|${TIME.source}`, description: 'Time of one run, as 0.8x or 8ms' },
  read: (value) => (isPart(value) || isTime(value) ? value : undefined),
  from: 'text',
};
