// Order statistics and bootstrap intervals for repeated measurements.
// Interval: two-level percentile bootstrap (Davison and Hinkley 1997, section 3.8): blocks of measurements are drawn
// again, then the values in them, so that what varies between blocks (where a session's memory lies) widens it too.
import { createRng, type Rng } from '../base/rng.js';

export interface Percentiles {
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** An estimate with its 95 % interval. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Values measured together. Blocks of one stratum are alike; the strata get equal weight. */
export interface Block {
  readonly stratum: string;
  readonly values: readonly number[];
}

/** The value below which the share `q` (0 to 1) of `values` lies, linear between neighbours; NaN for none. */
export function quantile(values: ArrayLike<number>, q: number): number {
  return sortedQuantile(Float64Array.from(values).sort(), q);
}

/** The middle value; NaN for none. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

function sortedQuantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** Smallest value, median, and the values below which 90 % and 99 % lie; NaN for none. */
export function percentiles(values: ArrayLike<number>): Percentiles {
  const sorted = Float64Array.from(values).sort();
  return {
    min: sorted[0] ?? Number.NaN,
    p50: sortedQuantile(sorted, 0.5),
    p90: sortedQuantile(sorted, 0.9),
    p99: sortedQuantile(sorted, 0.99),
  };
}

/** Geometric mean over the strata of the median of all values of a stratum. Values must be positive. */
export function blockedMedian(blocks: readonly Block[]): number {
  return geometricMean(
    [...byStratum(blocks).values()].map((stratum) => median(stratum.flatMap((block) => [...block.values]))),
  );
}

const RESAMPLES = 400;

/** `blockedMedian` with its 95 % bootstrap interval; the same seed gives the same interval. */
export function blockedInterval(blocks: readonly Block[], seed: number | string): Interval {
  const rng = createRng(seed);
  const strata = [...byStratum(blocks).values()];
  const estimates = Float64Array.from({ length: RESAMPLES }, () =>
    geometricMean(strata.map((stratum) => resampledMedian(stratum, rng))),
  ).sort();
  return {
    value: blockedMedian(blocks),
    low: sortedQuantile(estimates, 0.025),
    high: sortedQuantile(estimates, 0.975),
  };
}

function byStratum(blocks: readonly Block[]): Map<string, Block[]> {
  const strata = new Map<string, Block[]>();
  for (const block of blocks) {
    if (block.values.length > 0) strata.set(block.stratum, [...(strata.get(block.stratum) ?? []), block]);
  }
  return strata;
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function resampledMedian(blocks: readonly Block[], rng: Rng): number {
  const drawn = blocks.map(() => rng.pick(blocks).values);
  const pool = new Float64Array(drawn.reduce((sum, values) => sum + values.length, 0));
  let at = 0;
  for (const values of drawn) {
    const end = at + values.length;
    while (at < end) pool[at++] = rng.pick(values);
  }
  return sortedQuantile(pool.sort(), 0.5);
}

/** What an interval of the ratio after/before says. */
export type RatioVerdict = 'faster' | 'slower' | 'no-difference';

/**
 * `faster` or `slower` when the interval leaves 1 out and the estimate differs from 1 by more than `margin`, since even
 * two sessions of one model differ a little by where their memory lies.
 */
export function ratioVerdict({ value, low, high }: Interval, margin: number): RatioVerdict {
  if (high < 1 && value < 1 - margin) return 'faster';
  if (low > 1 && value > 1 + margin) return 'slower';
  return 'no-difference';
}

/** Half the width of the interval, relative to the estimate. */
export function halfWidth({ value, low, high }: Interval): number {
  return (high - low) / (2 * value);
}
