// Mean, variance and range of a value per channel: for bias correction, bias absorption, cross-layer equalization, and to
// tell whether the data fits the model (its normalization statistics say what to expect).
import { invariant } from '../base/errors.js';
import type { Accumulator, AccumulatorKind, AccumulatorSpec, StreamedBatch } from './accumulator.js';
import { forEachChannelRun, streamedValue } from './channel-runs.js';

export interface ChannelStatisticsSpec extends AccumulatorSpec {
  readonly kind: 'channel-statistics';
  readonly values: readonly [string];
  /** Axis of the channels, from the end where negative. */
  readonly axis: number;
}

/** Sums over all elements of a channel, one entry per channel; empty before the first batch. */
export interface ChannelSums {
  /** Elements per channel. */
  readonly count: number;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
  /** Infinity and -Infinity where there was no number. */
  readonly min: Float64Array;
  readonly max: Float64Array;
}

export interface ChannelStatistics {
  readonly mean: Float64Array;
  /** Population variance. */
  readonly variance: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
}

/** Mean, population variance and range per channel from the sums. */
export function channelStatistics({ count, sum, squares, min, max }: ChannelSums): ChannelStatistics {
  const mean = sum.map((value) => value / count);
  const variance = squares.map((value, i) => Math.max(0, value / count - (mean[i] ?? 0) ** 2));
  return { mean, variance, min, max };
}

const emptySums = (channels: number, count = 0): ChannelSums => ({
  count,
  sum: new Float64Array(channels),
  squares: new Float64Array(channels),
  min: new Float64Array(channels).fill(Infinity),
  max: new Float64Array(channels).fill(-Infinity),
});

function createChannelStatistics({ values: [name], axis }: ChannelStatisticsSpec): Accumulator<ChannelSums> {
  let sums = emptySums(0);
  return {
    add: (batch: StreamedBatch) => {
      const { data, dims } = streamedValue(batch, name);
      const channels = dims.at(axis) ?? 1;
      if (sums.sum.length === 0) sums = emptySums(channels);
      invariant(sums.sum.length === channels, `"${name}" has ${channels} channels, and had ${sums.sum.length}`);
      const { sum, squares, min, max } = sums;
      forEachChannelRun(dims, axis, (channel, from, to, step) => {
        let [s, q, low, high] = [0, 0, min[channel] ?? Infinity, max[channel] ?? -Infinity];
        for (let i = from; i < to; i += step) {
          const x = data[i] as number;
          s += x;
          q += x * x;
          if (x < low) low = x;
          if (x > high) high = x;
        }
        sum[channel] = (sum[channel] ?? 0) + s;
        squares[channel] = (squares[channel] ?? 0) + q;
        min[channel] = low;
        max[channel] = high;
      });
      sums = { ...sums, count: sums.count + data.length / Math.max(1, channels) };
    },
    state: () => sums,
  };
}

/** Exact up to the rounding of float64 sums. */
function mergeSums(a: ChannelSums, b: ChannelSums): ChannelSums {
  if (a.sum.length === 0 || b.sum.length === 0) return a.sum.length === 0 ? b : a;
  return {
    count: a.count + b.count,
    sum: a.sum.map((value, i) => value + (b.sum[i] ?? 0)),
    squares: a.squares.map((value, i) => value + (b.squares[i] ?? 0)),
    min: a.min.map((value, i) => Math.min(value, b.min[i] ?? Infinity)),
    max: a.max.map((value, i) => Math.max(value, b.max[i] ?? -Infinity)),
  };
}

export const CHANNEL_STATISTICS: AccumulatorKind<ChannelStatisticsSpec, ChannelSums> = {
  kind: 'channel-statistics',
  create: createChannelStatistics,
  merge: mergeSums,
};
