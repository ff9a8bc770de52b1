// Averages of the extrema of the batches, later ones weighing more: m += c (new - m), c = 0.01, beginning with the first
// batch (of those that the state still has, see RangeState.recent).
import { coverZero, type Calibrator } from './calibrator.js';

const WEIGHT = 0.01;

export const MOVING_AVERAGE: Calibrator = {
  name: 'moving-average',
  summary: 'moving averages of the smallest and largest value of each sample',
  range: ({ recent }, grid) =>
    coverZero({ min: average(recent.minima, Infinity), max: average(recent.maxima, -Infinity) }, grid),
};

function average(extrema: Float32Array, empty: number): number {
  return extrema.reduce((mean, x, at) => (at === 0 ? x : mean + WEIGHT * (x - mean)), empty);
}
