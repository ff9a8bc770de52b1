// The whole range that was seen.
import { coverZero, type Calibrator } from './calibrator.js';

export const MIN_MAX: Calibrator = {
  name: 'min-max',
  summary: 'the smallest and the largest value of all',
  range: coverZero,
};
