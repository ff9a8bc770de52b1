// What a calibrator is: it chooses the range that 8 bits stand for, out of the range that a value was seen in.
import type { RangeState } from '../range.js';

/** The numbers that a quantized value can have. */
export interface Grid {
  /** How many: 256, or 128 for 7 bits. */
  readonly levels: number;
  /** `asymmetric`: the range holds 0 anywhere. `symmetric`: it reaches as far below 0 as above, zero point 0. */
  readonly symmetry: 'asymmetric' | 'symmetric';
}

/** Holds 0. Both are 0 where nothing was seen. */
export interface CalibratedRange {
  readonly min: number;
  readonly max: number;
}

export interface Calibrator {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  range(state: RangeState, grid: Grid): CalibratedRange;
}

/** The smallest range of the grid's form that holds `min`, `max` and 0; nothing seen (`min` above `max`) gives 0. */
export function coverZero({ min, max }: CalibratedRange, { symmetry }: Grid): CalibratedRange {
  if (!(min <= max)) return { min: 0, max: 0 };
  if (symmetry === 'asymmetric') return { min: Math.min(0, min), max: Math.max(0, max) };
  const reach = Math.max(Math.abs(min), Math.abs(max));
  return { min: 0 - reach, max: reach };
}
