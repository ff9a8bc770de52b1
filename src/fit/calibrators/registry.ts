// Every calibrator by name, in the order in which they are listed.
import type { Calibrator } from './calibrator.js';
import { ENTROPY } from './entropy.js';
import { MIN_MAX } from './min-max.js';
import { MOVING_AVERAGE } from './moving-average.js';
import { MSE } from './mse.js';
import { percentile } from './percentile.js';

export const CALIBRATORS = {
  'min-max': MIN_MAX,
  'moving-average': MOVING_AVERAGE,
  'percentile-99.9': percentile(99.9),
  'percentile-99.99': percentile(99.99),
  'percentile-99.999': percentile(99.999),
  entropy: ENTROPY,
  mse: MSE,
} as const satisfies Readonly<Record<string, Calibrator>>;

export type CalibratorName = keyof typeof CALIBRATORS;
export const CALIBRATOR_NAMES = Object.keys(CALIBRATORS) as CalibratorName[];
