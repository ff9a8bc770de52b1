// Mean absolute value and share of zeros of a value per channel: what DropNet and APoZ rank units by.
import { invariant } from '../base/errors.js';
import type { Accumulator, AccumulatorKind, AccumulatorSpec, StreamedBatch } from './accumulator.js';
import { forEachChannelRun, streamedValue } from './channel-runs.js';

export interface ChannelMagnitudesSpec extends AccumulatorSpec {
  readonly kind: 'channel-magnitudes';
  readonly values: readonly [string];
  /** Axis of the channels, from the end where negative. */
  readonly axis: number;
}

/** Sums over all elements of a channel, one entry per channel; empty before the first batch. */
export interface ChannelMagnitudes {
  /** Elements per channel. */
  readonly count: number;
  readonly absolute: Float64Array;
  readonly zeros: Float64Array;
}

function createChannelMagnitudes({ values: [name], axis }: ChannelMagnitudesSpec): Accumulator<ChannelMagnitudes> {
  let absolute = new Float64Array(0);
  let zeros = new Float64Array(0);
  let count = 0;
  return {
    add: (batch: StreamedBatch) => {
      const { data, dims } = streamedValue(batch, name);
      const channels = dims.at(axis) ?? 1;
      if (absolute.length === 0) [absolute, zeros] = [new Float64Array(channels), new Float64Array(channels)];
      invariant(absolute.length === channels, `"${name}" has ${channels} channels, and had ${absolute.length}`);
      forEachChannelRun(dims, axis, (channel, from, to, step) => {
        let [sum, none] = [0, 0];
        for (let i = from; i < to; i += step) {
          const x = data[i] as number;
          sum += Math.abs(x);
          if (x === 0) none++;
        }
        absolute[channel] = (absolute[channel] ?? 0) + sum;
        zeros[channel] = (zeros[channel] ?? 0) + none;
      });
      count += data.length / Math.max(1, channels);
    },
    state: () => ({ count, absolute, zeros }),
  };
}

/** Exact up to the rounding of float64 sums. */
function mergeMagnitudes(a: ChannelMagnitudes, b: ChannelMagnitudes): ChannelMagnitudes {
  if (a.absolute.length === 0 || b.absolute.length === 0) return a.absolute.length === 0 ? b : a;
  return {
    count: a.count + b.count,
    absolute: a.absolute.map((value, i) => value + (b.absolute[i] ?? 0)),
    zeros: a.zeros.map((value, i) => value + (b.zeros[i] ?? 0)),
  };
}

export const CHANNEL_MAGNITUDES: AccumulatorKind<ChannelMagnitudesSpec, ChannelMagnitudes> = {
  kind: 'channel-magnitudes',
  create: createChannelMagnitudes,
  merge: mergeMagnitudes,
};
