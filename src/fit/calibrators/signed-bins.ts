// A histogram as one row of bins from the lowest to the highest value, with running sums for questions about parts of it.
import type { HistogramState } from '../histogram.js';

export interface SignedBins {
  /** Counts, lowest values first; zeros are not among them. */
  readonly counts: Float64Array;
  /** Place of the first bin above 0: bin i holds (i - origin) w to (i - origin + 1) w. */
  readonly origin: number;
  readonly width: number;
}

/** `coarser`: doublings of the width. */
export function signedBins({ exponent, positive, negative }: HistogramState, coarser = 0): SignedBins {
  const origin = ((negative.length - 1) >> coarser) + 1;
  const counts = new Float64Array(origin + ((positive.length - 1) >> coarser) + 1);
  const put = (at: number, counted: number): void => void (counts[at] = (counts[at] ?? 0) + counted);
  positive.forEach((counted, k) => put(origin + (k >> coarser), counted));
  negative.forEach((counted, k) => put(origin - 1 - (k >> coarser), counted));
  return { counts, origin, width: 2 ** (exponent + coarser) };
}

/** `sums[i]` is the sum of `of` over the bins before i. */
export function runningSums({ counts }: SignedBins, of: (counted: number, at: number) => number): Float64Array {
  const sums = new Float64Array(counts.length + 1);
  counts.forEach((counted, at) => void (sums[at + 1] = (sums[at] ?? 0) + of(counted, at)));
  return sums;
}
