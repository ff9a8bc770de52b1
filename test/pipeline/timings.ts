// Timings as a measurement would give them, with a verdict of choice.
import type { TimedPair } from '../../src/pipeline/measure.js';
import type { TimingComparison } from '../../src/runtime/latency.js';
import type { Percentiles, RatioVerdict } from '../../src/runtime/statistics.js';

const spread = (p50: number): Percentiles => ({ min: p50, p50, p90: p50, p99: p50 });

const comparison = (verdict: RatioVerdict): TimingComparison => {
  const ratio = { faster: 0.9, slower: 1.1, 'no-difference': 1 }[verdict];
  const interval = { value: ratio, low: ratio - 0.02, high: ratio + 0.02 };
  const summary = { wall: spread(ratio), cpu: spread(ratio) };
  return {
    threads: 1,
    rounds: 10,
    blocks: 4,
    batch: 1,
    settled: true,
    cpuShare: 1,
    contended: false,
    before: summary,
    after: summary,
    wall: interval,
    cpu: interval,
    decidedBy: 'wall',
    verdict,
  };
};
/** Runs and loads of a result against its original. */
export const timedPair = (latency: RatioVerdict, load: RatioVerdict = 'no-difference'): TimedPair => ({
  latency: comparison(latency),
  load: comparison(load),
});
