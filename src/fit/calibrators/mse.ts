// The range with the smallest squared error of quantization over the histogram, every value taken to lie in the middle of its
// bin. The range is shrunk to 1, 2, ... 100 % of what was seen: both ends alike first, then each end alone, in turn, for as
// long as that helps. With running sums of the count, of x and of x^2, a range costs one step per level: in the cell of level
// q, sum (x - q)^2 = sum x^2 - 2 q sum x + q^2 n.
import type { RangeState } from '../range.js';
import { coverZero, type CalibratedRange, type Calibrator, type Grid } from './calibrator.js';
import { runningSums, signedBins } from './signed-bins.js';

const FACTORS = 100;
/** Rounds over both ends; two are mostly enough. */
const MOST_ROUNDS = 8;

export const MSE: Calibrator = {
  name: 'mse',
  summary: 'the range with the smallest squared error of quantization',
  range: (state, grid) => {
    const seen = coverZero(state, grid);
    if (seen.min === seen.max) return seen;
    const error = squaredError(state, grid);
    // With one end at 0, there is one end to move.
    const oneEnd = grid.symmetry === 'symmetric' || seen.min === 0 || seen.max === 0;
    return oneEnd ? shrinkBoth(seen, error) : shrinkEach(seen, error);
  },
};

type ErrorOf = (range: CalibratedRange) => number;

interface Candidate {
  readonly range: CalibratedRange;
  readonly error: number;
}

const shrinkBoth = (seen: CalibratedRange, errorOf: ErrorOf): CalibratedRange =>
  best(errorOf, (factor) => ({ min: seen.min * factor, max: seen.max * factor })).range;

function shrinkEach(seen: CalibratedRange, errorOf: ErrorOf): CalibratedRange {
  const together = shrinkBoth(seen, errorOf);
  let found: Candidate = { range: together, error: errorOf(together) };
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const before = found.error;
    const { min } = found.range;
    const { max } = best(errorOf, (factor) => ({ min, max: seen.max * factor })).range;
    found = best(errorOf, (factor) => ({ min: seen.min * factor, max }));
    if (found.error >= before) break;
  }
  return found.range;
}

/** The best of all factors; of equal ones the widest range. */
function best(errorOf: ErrorOf, shrunk: (factor: number) => CalibratedRange): Candidate {
  const whole = shrunk(1);
  let found: Candidate = { range: whole, error: errorOf(whole) };
  for (let i = FACTORS - 1; i > 0; i--) {
    const range = shrunk(i / FACTORS);
    const error = errorOf(range);
    if (error < found.error) found = { range, error };
  }
  return found;
}

/** Squared error summed over all elements, as a function of the range. Zeros have none. */
function squaredError({ histogram }: RangeState, { levels, symmetry }: Grid): ErrorOf {
  const bins = signedBins(histogram);
  const { origin, width, counts } = bins;
  const middle = (at: number): number => (at - origin + 0.5) * width;
  const numbers = runningSums(bins, (counted) => counted);
  const first = runningSums(bins, (counted, at) => counted * middle(at));
  const second = runningSums(bins, (counted, at) => counted * middle(at) ** 2);
  return ({ min, max }) => {
    const scale = symmetry === 'symmetric' ? max / (levels / 2 - 1) : (max - min) / (levels - 1);
    const zeroPoint = symmetry === 'symmetric' ? levels / 2 : Math.round(-min / scale);
    let [error, from] = [0, 0];
    for (let level = 0; level < levels && from < counts.length; level++) {
      const q = (level - zeroPoint) * scale;
      // The first bin whose middle is nearer to the next level.
      const next = Math.ceil((q + scale / 2) / width + origin - 0.5);
      const to = level === levels - 1 ? counts.length : Math.min(counts.length, Math.max(from, next));
      error += between(second, from, to) - 2 * q * between(first, from, to) + q * q * between(numbers, from, to);
      from = to;
    }
    return error;
  };
}

const between = (sums: Float64Array, from: number, to: number): number => (sums[to] ?? 0) - (sums[from] ?? 0);
