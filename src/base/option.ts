// Option declarations. One declaration gives the parser, the help line and the JSON Schema; values are typed from it.
import { UsageError } from './errors.js';
import { suggestion } from './suggest.js';

interface OptionBase<T> {
  readonly help: string;
  readonly default: T;
}
export interface NumberOption extends OptionBase<number> {
  readonly kind: 'number';
  readonly integer: boolean;
  readonly min: number | undefined;
  readonly max: number | undefined;
}
export interface FlagOption extends OptionBase<boolean> {
  readonly kind: 'flag';
}
export interface ChoiceOption<C extends string> extends OptionBase<C> {
  readonly kind: 'choice';
  readonly choices: readonly C[];
}
export interface TextOption extends OptionBase<string> {
  readonly kind: 'text';
}
export type Option = NumberOption | FlagOption | ChoiceOption<string> | TextOption;
export type OptionTable = Readonly<Record<string, Option>>;

/** The values an option table parses to. */
export type OptionValues<T extends OptionTable> = { readonly [K in keyof T]: T[K]['default'] };

interface NumberSpec {
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
  readonly help: string;
}
export const num = (spec: NumberSpec): NumberOption => ({
  kind: 'number',
  integer: false,
  min: spec.min,
  max: spec.max,
  default: spec.default,
  help: spec.help,
});
export const int = (spec: NumberSpec): NumberOption => ({ ...num(spec), integer: true });
export const flag = (spec: OptionBase<boolean>): FlagOption => ({ kind: 'flag', ...spec });
export const text = (spec: OptionBase<string>): TextOption => ({ kind: 'text', ...spec });
export const choice = <const C extends string>(
  choices: readonly C[],
  spec: { readonly default: NoInfer<C>; readonly help: string },
): ChoiceOption<C> => ({ kind: 'choice', choices, ...spec });

/**
 * Values for every option of `table`: those in `given` (strings from a command line, or JSON values from a recipe),
 * and the defaults. `owner` names the pass or command in messages.
 * @throws UsageError unknown-option, bad-value
 */
export function parseOptions<T extends OptionTable>(
  table: T,
  given: Readonly<Record<string, unknown>>,
  owner: string,
): OptionValues<T> {
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(table)) values[key] = option.default;
  for (const [key, value] of Object.entries(given)) {
    const option = Object.hasOwn(table, key) ? table[key] : undefined;
    if (!option) {
      const hint = suggestion(key, Object.keys(table)) ?? 'it takes no options';
      throw new UsageError('unknown-option', `${owner} has no option "${key}"`, { fix: hint });
    }
    values[key] = parseOption(option, value, `${owner}:${key}`);
  }
  return values as OptionValues<T>;
}

/** One value, from text or JSON. `label` names it in messages. @throws UsageError bad-value */
export function parseOption(option: Option, value: unknown, label: string): number | boolean | string {
  switch (option.kind) {
    case 'number': {
      const number =
        typeof value === 'number'
          ? value
          : typeof value === 'string' && value.trim() !== ''
            ? Number(value)
            : Number.NaN;
      const wrong =
        !Number.isFinite(number) ||
        (option.integer && !Number.isInteger(number)) ||
        (option.min !== undefined && number < option.min) ||
        (option.max !== undefined && number > option.max);
      if (wrong) throw badValue(label, value, `give ${describeRange(option)}`);
      return number;
    }
    case 'flag':
      if (value === true || value === 'true' || value === '') return true;
      if (value === false || value === 'false') return false;
      throw badValue(label, value, 'give true or false');
    case 'choice':
      if (typeof value === 'string' && option.choices.includes(value)) return value;
      throw badValue(
        label,
        value,
        suggestion(String(value), option.choices) ?? `choose one of: ${option.choices.join(', ')}`,
      );
    case 'text':
      if (typeof value === 'string') return value;
      throw badValue(label, value, 'give text');
    default:
      return option satisfies never;
  }
}

function badValue(label: string, value: unknown, fix: string): UsageError {
  return new UsageError('bad-value', `${label} cannot be ${JSON.stringify(value)}`, { fix });
}

/** `a whole number from 1 to 5`, `a number of at least 0`, ... */
function describeRange(option: NumberOption): string {
  const noun = option.integer ? 'a whole number' : 'a number';
  if (option.min !== undefined && option.max !== undefined) return `${noun} from ${option.min} to ${option.max}`;
  if (option.min !== undefined) return `${noun} of at least ${option.min}`;
  if (option.max !== undefined) return `${noun} of at most ${option.max}`;
  return noun;
}

/** JSON Schema (2020-12) of one option. */
export function optionSchema(option: Option): Record<string, unknown> {
  const common = { description: option.help, default: option.default };
  switch (option.kind) {
    case 'number': {
      const bounds = {
        ...(option.min === undefined ? {} : { minimum: option.min }),
        ...(option.max === undefined ? {} : { maximum: option.max }),
      };
      return { type: option.integer ? 'integer' : 'number', ...bounds, ...common };
    }
    case 'flag':
      return { type: 'boolean', ...common };
    case 'choice':
      return { enum: option.choices, ...common };
    case 'text':
      return { type: 'string', ...common };
    default:
      return option satisfies never;
  }
}

/** The values an option takes, in words: `from 0 to 1`, `a, b`, `true or false`. */
export function describeValues(option: Option): string {
  switch (option.kind) {
    case 'number':
      return describeRange(option);
    case 'choice':
      return option.choices.join(', ');
    case 'flag':
      return 'true or false';
    case 'text':
      return 'text';
    default:
      return option satisfies never;
  }
}
