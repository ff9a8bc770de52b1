// Figures of an evaluation and how sure they are.
// Proportions: Wilson interval (Wilson 1927). Two models on the same samples: exact McNemar test, and the normal interval of
// a difference of paired proportions. b: right before and wrong now; c: the reverse; n = b + c; N samples.
//   p = min(1, 2 sum_{i <= min(b,c)} C(n,i) / 2^n)          drop = (b - c)/N +- z sqrt(n - (b - c)^2/N)/N
import type { Interval } from '../../runtime/statistics.js';

/** 97.5 % quantile of the normal distribution: all intervals hold with 95 %. */
const Z = 1.959963984540054;
/** A difference is called significant below this probability of being chance. */
const SIGNIFICANT = 0.05;

/** `count` of `total`, as a share with its interval; all from 0 to 1. */
export interface Proportion extends Interval {
  readonly count: number;
  readonly total: number;
}

/** The share `count / total` with its Wilson interval. Without samples nothing is known: 0, from 0 to 1. */
export function wilson(count: number, total: number): Proportion {
  if (total === 0) return { count, total, value: 0, low: 0, high: 1 };
  const share = count / total;
  const square = Z * Z;
  const middle = share + square / (2 * total);
  const reach = Z * Math.sqrt((share * (1 - share)) / total + square / (4 * total * total));
  const scale = 1 + square / total;
  // At the ends the formula gives 0 and 1 up to rounding.
  const low = count === 0 ? 0 : (middle - reach) / scale;
  const high = count === total ? 1 : (middle + reach) / scale;
  return { count, total, value: share, low, high };
}

/** Two models on the same samples. */
export interface PairedDifference {
  /** Samples that the first has right and the second wrong. */
  readonly lost: number;
  /** The reverse. */
  readonly gained: number;
  readonly samples: number;
  /** Share of right answers lost, with its interval; below 0 where the second is better. */
  readonly drop: Interval;
  /** Probability of a difference as large or larger between two models that are equally good. */
  readonly p: number;
  readonly verdict: 'significant' | 'not-significant';
}

/** Exact McNemar test and interval of the difference. Where no sample differs, the interval is that of 0 changes of `samples`. */
export function pairedDifference(lost: number, gained: number, samples: number): PairedDifference {
  const p = mcnemar(lost, gained);
  return {
    lost,
    gained,
    samples,
    drop: dropInterval(lost, gained, samples),
    p,
    verdict: p < SIGNIFICANT ? 'significant' : 'not-significant',
  };
}

function dropInterval(lost: number, gained: number, samples: number): Interval {
  const changed = lost + gained;
  if (changed === 0) {
    const { high } = wilson(0, samples);
    return { value: 0, low: -high, high };
  }
  const value = (lost - gained) / samples;
  const reach = (Z * Math.sqrt(changed - (lost - gained) ** 2 / samples)) / samples;
  return { value, low: value - reach, high: value + reach };
}

/** Two-sided exact probability, in logarithms so that thousands of changed samples do not overflow. */
export function mcnemar(lost: number, gained: number): number {
  const changed = lost + gained;
  let logarithm = -changed * Math.LN2;
  let sum = Math.exp(logarithm);
  for (let i = 1; i <= Math.min(lost, gained); i++) {
    logarithm += Math.log((changed - i + 1) / i);
    sum += Math.exp(logarithm);
  }
  return Math.min(1, 2 * sum);
}

/** Sums over the elements of a reference y and of what should equal it. */
export interface ErrorSums {
  /** sum of y^2. */
  readonly signal: number;
  /** sum of (y - y')^2. */
  readonly noise: number;
}

/** Error relative to the energy of the output (normalized mean square error): 0 for equal; infinite where y is all 0 and y' not. */
export function relativeError({ signal, noise }: ErrorSums): number {
  return noise === 0 ? 0 : noise / signal;
}

/** Signal to (quantization) noise ratio, dB; infinite for equal. */
export function signalToNoise({ signal, noise }: ErrorSums): number {
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}

/** Peak signal to noise ratio of an image whose values span `peak`, dB; infinite for equal. */
export function peakSignalToNoise(meanSquareError: number, peak: number): number {
  return meanSquareError === 0 ? Infinity : 10 * Math.log10((peak * peak) / meanSquareError);
}

/** Values a little outside the range of an image, as networks without a last clip give them. */
const OVERSHOOT = 0.1;

/** The span that an image with values from `low` to `high` is made for: 1, 2 (from -1 to 1) or 255; else its own. */
export function imagePeak(low: number, high: number): number {
  const within = (least: number, most: number): boolean => {
    const slack = OVERSHOOT * (most - least);
    return low >= least - slack && high <= most + slack;
  };
  if (within(0, 1)) return 1;
  if (within(-1, 1)) return 2;
  // Style transfer and super-resolution nets overshoot more, and are clipped by whoever shows the image.
  return low >= -255 && high >= 64 && high <= 2 * 255 ? 255 : high - low;
}
