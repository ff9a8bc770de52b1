// How far a value is from its reference: energies of signal and error, and the mean error per channel (what bias correction
// adds to the bias).
import { invariant } from '../base/errors.js';
import type { Accumulator, AccumulatorKind, AccumulatorSpec, StreamedBatch } from './accumulator.js';
import { forEachChannelRun, streamedValue } from './channel-runs.js';

export interface SignalErrorSpec extends AccumulatorSpec {
  readonly kind: 'signal-error';
  /** The reference and the value: `teacher/NAME`, `student/NAME`. */
  readonly values: readonly [string, string];
  /** Axis of the channels, from the end where negative; all elements are one channel by default. */
  readonly axis?: number;
}

/** Sums per channel; empty before the first batch. */
export interface SignalError {
  /** Elements per channel. */
  readonly count: number;
  /** Sum of reference^2. */
  readonly signal: Float64Array;
  /** Sum of (reference - value)^2. */
  readonly noise: Float64Array;
  /** Sum of reference - value. */
  readonly difference: Float64Array;
}

const total = (sums: Float64Array): number => sums.reduce((all, x) => all + x, 0);

/** Noise over signal energy of all channels: 0 where equal, Infinity where only the reference is 0. */
export function relativeNoise({ signal, noise }: SignalError): number {
  const energy = total(noise);
  return energy === 0 ? 0 : energy / total(signal);
}

/** Signal to quantization noise of all channels, in dB: Infinity where equal. */
export function signalToNoise(error: SignalError): number {
  return -10 * Math.log10(relativeNoise(error));
}

/** The mean of reference - value per channel. */
export function meanErrors({ count, difference }: SignalError): Float64Array {
  return difference.map((sum) => sum / Math.max(1, count));
}

const emptySums = (channels: number): SignalError => ({
  count: 0,
  signal: new Float64Array(channels),
  noise: new Float64Array(channels),
  difference: new Float64Array(channels),
});

function createSignalError({ values: [reference, value], axis }: SignalErrorSpec): Accumulator<SignalError> {
  let sums = emptySums(0);
  return {
    add: (batch: StreamedBatch) => {
      const [a, b] = [streamedValue(batch, reference), streamedValue(batch, value)];
      invariant(a.dims.join() === b.dims.join(), `"${reference}" is [${a.dims.join()}], "${value}" [${b.dims.join()}]`);
      const channels = axis === undefined ? 1 : (a.dims.at(axis) ?? 1);
      if (sums.signal.length === 0) sums = emptySums(channels);
      const { signal, noise, difference } = sums;
      invariant(signal.length === channels, `"${reference}" has ${channels} channels, and had ${signal.length}`);
      forEachChannelRun(a.dims, axis ?? a.dims.length, (channel, from, to, step) => {
        let [s, n, d] = [0, 0, 0];
        for (let i = from; i < to; i += step) {
          const x = a.data[i] as number;
          const e = x - (b.data[i] as number);
          s += x * x;
          n += e * e;
          d += e;
        }
        signal[channel] = (signal[channel] ?? 0) + s;
        noise[channel] = (noise[channel] ?? 0) + n;
        difference[channel] = (difference[channel] ?? 0) + d;
      });
      sums = { ...sums, count: sums.count + a.data.length / Math.max(1, channels) };
    },
    state: () => sums,
  };
}

/** Exact up to the rounding of float64 sums. */
function mergeSums(a: SignalError, b: SignalError): SignalError {
  if (a.signal.length === 0 || b.signal.length === 0) return a.signal.length === 0 ? b : a;
  const sum = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, i) => value + (y[i] ?? 0));
  return {
    count: a.count + b.count,
    signal: sum(a.signal, b.signal),
    noise: sum(a.noise, b.noise),
    difference: sum(a.difference, b.difference),
  };
}

export const SIGNAL_ERROR: AccumulatorKind<SignalErrorSpec, SignalError> = {
  kind: 'signal-error',
  create: createSignalError,
  merge: mergeSums,
};
