// The values of flags as the parser leaves them, and the shapes and numbers read from them.
import { UsageError } from '../base/errors.js';
import { FLAGS, type FlagKey } from './flags.js';

/** Strings for flags with a value, booleans for switches; lists and counts where they may be repeated. */
export type FlagValues = { readonly [K in FlagKey]?: FlagValue<K> };
type FlagValue<K extends FlagKey> = (typeof FLAGS)[K] extends { value: string }
  ? Repeatable<K> extends true
    ? readonly string[]
    : string
  : Repeatable<K> extends true
    ? number
    : boolean;
type Repeatable<K extends FlagKey> = (typeof FLAGS)[K] extends { repeatable: true } ? true : false;

/** A whole number of at least `min` from a flag. @throws UsageError bad-value */
export function wholeNumber(flag: FlagKey, text: string | undefined, fallback: number, min = 0): number {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < min || !Number.isSafeInteger(number)) {
    throw new UsageError('bad-value', `--${FLAGS[flag].name} cannot be ${JSON.stringify(text)}`, {
      fix: `give a whole number of at least ${min}`,
    });
  }
  return number;
}

/** A number of at least 0 from a flag. @throws UsageError bad-value */
export function notNegative(flag: FlagKey, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (!(number >= 0) || !Number.isFinite(number))
    throw new UsageError('bad-value', `--${FLAGS[flag].name} cannot be ${JSON.stringify(text)}`, {
      fix: 'give a number of at least 0',
    });
  return number;
}

/** One of the declared choices of a flag. @throws UsageError bad-value */
export function choiceOf<C extends string>(
  flag: FlagKey,
  choices: readonly C[],
  text: string | undefined,
  fallback: C,
): C {
  if (text === undefined) return fallback;
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined)
    throw new UsageError('bad-value', `--${FLAGS[flag].name} cannot be ${JSON.stringify(text)}`, {
      fix: `choose one of: ${choices.join(', ')}`,
    });
  return choice;
}
