// The range whose quantized distribution tells most of the distribution that was seen. For each half-width t, P is what lies
// within -t..t (and within what was seen), with all that lies outside added to the bins at its ends; Q is the same without
// what lies outside, merged to one bin per level and spread evenly over those of its bins that P has something in. The t with
// the smallest divergence sum p log(p/q) is taken. Zeros are exact on every grid, so they are left out: a net of Relus would
// have little else to say. As Q is constant over the bins of a level, running sums of p and p log p give it level by level.
import type { RangeState } from '../range.js';
import { coverZero, type Calibrator, type Grid } from './calibrator.js';
import { runningSums, signedBins, type SignedBins } from './signed-bins.js';

/** Pairs of the histogram's bins are taken together, for fewer chance gaps: 1024 to 2048 on the longer side. */
const COARSER = 1;
/** Bins from one half-width to the next. */
const STEP = 8;
/** What Q has, in elements, where it has none and P has some. */
const TRACE = 1e-4;

export const ENTROPY: Calibrator = {
  name: 'entropy',
  summary: 'the range whose quantized distribution diverges least from what was seen',
  range: (state, grid) => {
    const seen = coverZero(state, grid);
    const reach = Math.max(-seen.min, seen.max);
    const half = bestHalfWidth(state, grid);
    if (half === undefined || half >= reach) return seen;
    return coverZero({ min: Math.max(seen.min, 0 - half), max: Math.min(seen.max, half) }, grid);
  },
};

/** Undefined where there are fewer bins than levels. */
function bestHalfWidth({ histogram }: RangeState, { levels, symmetry }: Grid): number | undefined {
  const bins = signedBins(histogram, COARSER);
  const { origin, counts, width } = bins;
  const sums = {
    counts: runningSums(bins, (counted) => counted),
    filled: runningSums(bins, (counted) => Math.sign(counted)),
    logs: runningSums(bins, (counted) => (counted === 0 ? 0 : counted * Math.log(counted))),
  };
  const longest = Math.max(origin, counts.length - origin);
  let found: { readonly half: number; readonly divergence: number } | undefined;
  for (let half = longest; half > 0; half -= STEP) {
    const from = Math.max(0, origin - half);
    const to = Math.min(counts.length, origin + half);
    // The bins that the levels are shared out to: of a symmetric grid, on both sides.
    const [first, total] = symmetry === 'symmetric' ? [origin - half, 2 * half] : [from, to - from];
    if (total < levels) break;
    const divergence = divergenceOf(bins, sums, { from, to, first, total, levels });
    if (!found || divergence < found.divergence) found = { half, divergence };
  }
  return found && found.half * width;
}

interface Sums {
  readonly counts: Float64Array;
  /** Bins that are not empty. */
  readonly filled: Float64Array;
  /** Count times its logarithm. */
  readonly logs: Float64Array;
}

interface Slice {
  readonly from: number;
  readonly to: number;
  /** Where the first level begins: bin i belongs to level floor((i - first) levels / total). */
  readonly first: number;
  readonly total: number;
  readonly levels: number;
}

function divergenceOf({ counts }: SignedBins, sums: Sums, { from, to, first, total, levels }: Slice): number {
  const over = (of: Float64Array, low: number, high: number): number => (of[high] ?? 0) - (of[low] ?? 0);
  const below = over(sums.counts, 0, from);
  const above = over(sums.counts, to, counts.length);
  const all = over(sums.counts, 0, counts.length);
  const inside = all - below - above;
  if (inside === 0) return Infinity;
  // sum p log p, the bins at the ends with what lies outside.
  let logs = over(sums.logs, from, to);
  const ends = new Map([[from, below]]).set(to - 1, above + (to - 1 === from ? below : 0));
  const plogp = (p: number): number => (p === 0 ? 0 : p * Math.log(p));
  for (const [at, outside] of ends) logs += plogp((counts[at] ?? 0) + outside) - plogp(counts[at] ?? 0);
  let cross = 0;
  for (let low = from; low < to;) {
    const level = Math.floor(((low - first) * levels) / total);
    const high = Math.min(to, first + Math.ceil(((level + 1) * total) / levels));
    let [p, filled] = [over(sums.counts, low, high), over(sums.filled, low, high)];
    const merged = p;
    for (const [at, outside] of ends) {
      if (at < low || at >= high || outside === 0) continue;
      p += outside;
      if ((counts[at] ?? 0) === 0) filled++;
    }
    if (p > 0) cross += p * Math.log(Math.max(TRACE, merged / filled));
    low = high;
  }
  // Both as shares of their totals.
  return (logs - cross) / all - Math.log(all) + Math.log(inside);
}
