// Figures as text, the same in every output form. Numbers carry three or four digits: more is noise to a reader, and
// the JSON report has them all.

interface Unit {
  readonly suffix: string;
  readonly size: number;
}
/** Units of one kind from small to large, and the decimals that a number in them gets. */
interface Ladder {
  readonly units: readonly Unit[];
  decimals(scaled: number, unit: Unit): number;
}

const BYTES: Ladder = {
  units: ['B', 'KiB', 'MiB', 'GiB', 'TiB'].map((suffix, power) => ({ suffix, size: 1024 ** power })),
  decimals: (_, unit) => (unit.size === 1 ? 0 : 1),
};
const COUNTS: Ladder = {
  units: ['', 'k', 'M', 'G', 'T'].map((suffix, power) => ({ suffix, size: 1000 ** power })),
  decimals: (scaled, unit) => (unit.size === 1 ? 0 : scaled < 99.995 ? 2 : 1),
};
const TIMES: Ladder = {
  units: [
    { suffix: 'µs', size: 1e-3 },
    { suffix: 'ms', size: 1 },
    { suffix: 's', size: 1000 },
  ],
  decimals: (scaled) => (scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0),
};
const ENERGIES: Ladder = {
  units: ['pJ', 'nJ', 'µJ', 'mJ', 'J'].map((suffix, power) => ({ suffix, size: 1000 ** power })),
  decimals: (scaled) => (scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0),
};
const WHOLE: Ladder = { units: [{ suffix: '', size: 1 }], decimals: () => 0 };

const LADDERS = { bytes: BYTES, count: COUNTS, time: TIMES, energy: ENERGIES, whole: WHOLE };
/** What a figure is: bytes, a count, milliseconds, picojoules, or a whole number shown in full. */
export type Quantity = keyof typeof LADDERS;

function inUnit(value: number, unit: Unit, ladder: Ladder): string {
  const scaled = value / unit.size;
  const digits = value === 0 ? '0' : scaled.toFixed(ladder.decimals(Math.abs(scaled), unit));
  return unit.suffix === '' ? digits : `${digits} ${unit.suffix}`;
}

function unitFor(value: number, { units, decimals }: Ladder): Unit {
  let best = units[0] ?? { suffix: '', size: 1 };
  for (const unit of units) {
    // 1023.99 KiB would print as 1024.0 KiB: the next unit takes over where rounding reaches it.
    const below = Math.abs(value) / best.size;
    if (Number(below.toFixed(decimals(below, best))) >= unit.size / best.size) best = unit;
  }
  return best;
}

/** One figure with its unit: `13.6 MiB`, `3.54 M`, `8.90 ms`, `221`. */
export function figure(value: number, quantity: Quantity): string {
  const ladder = LADDERS[quantity];
  return inUnit(value, unitFor(value, ladder), ladder);
}

/** Two figures in the unit of the larger one, unless that would leave the smaller one without digits. */
export function figurePair(before: number, after: number, quantity: Quantity): readonly [string, string] {
  const ladder = LADDERS[quantity];
  const unit = unitFor(Math.max(Math.abs(before), Math.abs(after)), ladder);
  const one = (value: number): string =>
    value !== 0 && Math.abs(value) < unit.size / 10 ? figure(value, quantity) : inUnit(value, unit, ladder);
  return [one(before), one(after)];
}

/** `figure` with its sign, for differences: `-33.9 k`, `+12`, `0`. */
export function difference(delta: number, quantity: Quantity): string {
  return delta > 0 ? `+${figure(delta, quantity)}` : figure(delta, quantity);
}

function signedPercent(fraction: number): string {
  const percent = fraction * 100;
  const decimals = Math.abs(percent) < 0.95 || (percent < -99 && percent > -100) ? 1 : 0;
  const rounded = Number(percent.toFixed(decimals));
  if (rounded === 0) return '0';
  // Rounding must not turn "nearly all" into "all".
  const shown = percent > -100 && rounded <= -100 ? -99.9 : rounded;
  return `${shown > 0 ? '+' : ''}${shown.toFixed(Number.isInteger(shown) ? 0 : decimals)}`;
}

/** Relative change: `-55 %`, `+3 %`, `-0.4 %`, `0 %`; `new` where there was nothing before. */
export function change(before: number, after: number): string {
  if (before === 0) return after === 0 ? '0 %' : 'new';
  return `${signedPercent(after / before - 1)} %`;
}

/** 95 % interval of a ratio as changes: `95 %: -4 … +1 %`. */
export function interval(ratio: { readonly low: number; readonly high: number }): string {
  return `95 %: ${signedPercent(ratio.low - 1)} … ${signedPercent(ratio.high - 1)} %`;
}

/** `part` of `whole` as a share: `37 %`, `0.4 %`. */
export function share(part: number, total: number): string {
  return `${total === 0 ? '0' : signedPercent(part / total).replace('+', '')} %`;
}

/** A small number for errors: `1.6e-6`, `0`. */
export function scientific(value: number): string {
  return value === 0 ? '0' : value.toExponential(1).replace('e+', 'e');
}

/** `1 site`, `3 sites`. `many` where an s is not enough. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`;
}

/**
 * `7 Constant nodes made initializers`, `1 Constant node made an initializer`. Labels of passes speak of many; what is
 * counted is a plural among their first three words.
 */
export function countOf(count: number, label: string): string {
  if (count !== 1) return `${count} ${label}`;
  const words = label.split(' ');
  const noun = words.slice(0, 3).findIndex((word) => /[^s]s$/.test(word) && word !== 'its');
  if (noun < 0) return `1 ${label}`;
  words[noun] = words[noun]?.replace(/(ch)?e?s$/, (ending, ch: string | undefined) => ch ?? ending.slice(0, -1)) ?? '';
  const verb = words[noun + 1] === 'that' && words[noun + 2] !== 'no' ? noun + 2 : -1;
  if (verb > 0) words[verb] = words[verb]?.replace(/o?$/, (o) => (o === '' ? 's' : 'oes')) ?? '';
  return `1 ${words.join(' ')}`
    .replace(/\btheir\b/, 'its')
    .replace(/\bthem$/, 'it')
    .replace(
      /\bmade (\w)(\w*)s$/,
      (_, initial: string, rest: string) => `made ${'aeiou'.includes(initial) ? 'an' : 'a'} ${initial}${rest}`,
    );
}

/** `1×32×112×112`; `scalar` for no dimensions. */
export function dimensions(shape: readonly (number | string)[]): string {
  return shape.length === 0 ? 'scalar' : shape.join('×');
}

/** `show(value)`, or no text for a value that is absent. */
export const given = <T>(value: T | undefined, show: (value: T) => string): string =>
  value === undefined ? '' : show(value);

/** The text without characters that could forge a line, hide or reorder what follows: shown as `\u{1b}`. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** At most `length` characters, with `…` in the middle, where names differ least. */
export function shorten(text: string, length: number): string {
  const characters = [...text];
  if (characters.length <= length) return text;
  const tail = Math.floor((length - 1) / 2);
  return `${characters.slice(0, length - 1 - tail).join('')}…${tail === 0 ? '' : characters.slice(-tail).join('')}`;
}
