// The state of a value as JSON: numbers in short lists, runs of empty bins as one negative number.
import { BINS } from '../../fit/histogram.js';
import type { RangeState } from '../../fit/range.js';

/** Keys in this order; `min` and `max` are null where nothing was seen. */
export interface RangeJson {
  readonly batches: number;
  readonly elements: number;
  readonly nonFinite: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly minima: readonly number[];
  readonly maxima: readonly number[];
  readonly exponent: number;
  readonly zeros: number;
  /** Counts from 0 outwards; -n stands for n empty bins. */
  readonly positive: readonly number[];
  readonly negative: readonly number[];
}

/** The state as plain data; `readRange` takes it back. */
export function writeRange({ histogram, recent, ...state }: RangeState): RangeJson {
  const { batches, elements, nonFinite, min, max } = state;
  return {
    batches,
    elements,
    nonFinite,
    min: Number.isFinite(min) ? min : null,
    max: Number.isFinite(max) ? max : null,
    minima: [...recent.minima],
    maxima: [...recent.maxima],
    exponent: histogram.exponent,
    zeros: histogram.zeros,
    positive: packed(histogram.positive),
    negative: packed(histogram.negative),
  };
}

/** Undefined for what `writeRange` cannot have written. */
export function readRange(found: unknown): RangeState | undefined {
  if (typeof found !== 'object' || found === null) return undefined;
  const json = found as Readonly<Record<keyof RangeJson, unknown>>;
  const { batches, elements, nonFinite, min, max, minima, maxima, exponent, zeros, positive, negative } = json;
  if (!isNumber(batches) || !isNumber(elements) || !isNumber(nonFinite)) return undefined;
  if (!isEnd(min) || !isEnd(max) || !isNumbers(minima) || !isNumbers(maxima)) return undefined;
  if (!isNumber(exponent) || !isNumber(zeros) || !isSide(positive) || !isSide(negative)) return undefined;
  return {
    batches,
    elements,
    nonFinite,
    min: min ?? Infinity,
    max: max ?? -Infinity,
    recent: { minima: Float32Array.from(minima), maxima: Float32Array.from(maxima) },
    histogram: { exponent, zeros, positive: unpacked(positive), negative: unpacked(negative) },
  };
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isEnd = (value: unknown): value is number | null => value === null || isNumber(value);
const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(isNumber);
/** A damaged file must not ask for more bins than there are. */
const isSide = (value: unknown): value is number[] =>
  isNumbers(value) && value.every(Number.isInteger) && value.reduce((bins, run) => bins + Math.max(1, -run), 0) <= BINS;

function packed(bins: Float64Array): number[] {
  const runs: number[] = [];
  for (const counted of bins) {
    const last = runs.at(-1) ?? 0;
    if (counted > 0) runs.push(counted);
    else if (last < 0) runs[runs.length - 1] = last - 1;
    else runs.push(-1);
  }
  return runs;
}

function unpacked(runs: readonly number[]): Float64Array {
  return Float64Array.from(runs.flatMap((run) => (run < 0 ? Array.from({ length: -run }, () => 0) : [run])));
}
