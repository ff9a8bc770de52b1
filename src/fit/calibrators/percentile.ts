// The range that holds a given share of all elements: what lies outside is cut off, half on either side (of the magnitudes
// where the range is symmetric). Edges are those of histogram bins.
import { histogramTotal, type HistogramState } from '../histogram.js';
import type { RangeState } from '../range.js';
import { coverZero, type CalibratedRange, type Calibrator, type Grid } from './calibrator.js';

/** `percent`: of the elements, within the range. */
export function percentile(percent: number): Calibrator {
  const outside = 1 - percent / 100;
  return {
    name: `percentile-${percent}`,
    summary: `the range that holds ${percent} % of the elements`,
    range: (state, grid) => coverZero(central(state, outside, grid), grid),
  };
}

function central({ min, max, histogram }: RangeState, outside: number, { symmetry }: Grid): CalibratedRange {
  const counted = histogramTotal(histogram);
  if (counted === 0) return { min, max };
  const width = 2 ** histogram.exponent;
  if (symmetry === 'symmetric') {
    const magnitudes = bothSides(histogram);
    const reach = Math.min(edge(magnitudes, outside * counted) * width, Math.max(-min, max));
    return { min: 0 - reach, max: reach };
  }
  const cut = (outside / 2) * counted;
  const high = edge(histogram.positive, cut) * width;
  const low = edge(histogram.negative, cut) * width;
  return { min: Math.max(min, 0 - low), max: Math.min(max, high) };
}

/** Bins to keep, counted from 0, so that no more than `cut` elements lie beyond. */
function edge(side: Float64Array, cut: number): number {
  let beyond = 0;
  // Shares like 0.1 % are not exact: a whole number of elements must not become one less.
  return side.findLastIndex((counted) => (beyond += counted) > cut + 1e-6) + 1;
}

function bothSides({ positive, negative }: HistogramState): Float64Array {
  const length = Math.max(positive.length, negative.length);
  return Float64Array.from({ length }, (_, k) => (positive[k] ?? 0) + (negative[k] ?? 0));
}
