// Made-up losses of runs that score on samples.
import { pairedDifference, wilson } from '../../src/pipeline/evaluation/statistics.js';
import type { PruneReport } from '../../src/report/prune-report.js';

export const SCORED = 900;

/** Of `SCORED` samples so many are wrong now, and so many right now; another 11 have another wrong answer. */
export function lossOf(lost: number, gained: number): PruneReport['accuracy'] {
  const paired = pairedDifference(lost, gained, SCORED);
  const { value, low, high } = paired.drop;
  const interval = { value: 100 * value, low: 100 * low, high: 100 * high };
  return {
    scored: SCORED,
    loss: { measure: 'top-1 lost', unit: 'points', value: interval.value, interval, verdict: paired.verdict },
    paired,
    agreement: wilson(SCORED - lost - gained - 11, SCORED),
  };
}
