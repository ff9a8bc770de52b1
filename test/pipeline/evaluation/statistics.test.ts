// Intervals and tests against values worked out with exact fractions in Python, and by hand.
import { describe, expect, it } from 'vitest';
import {
  imagePeak,
  mcnemar,
  pairedDifference,
  peakSignalToNoise,
  relativeError,
  signalToNoise,
  wilson,
} from '../../../src/pipeline/evaluation/statistics.js';

it.each([
  [915, 1000, 0.8960871089966438, 0.9307366814603455],
  [8, 10, 0.4901624715366418, 0.9433178485456247],
  [1, 10, 0.01787621309507289, 0.4041500267952385],
  [0, 10, 0, 0.2775327998628892],
  [10, 10, 0.7224672001371106, 1],
])('%d of %d: Wilson interval', (count, total, low, high) => {
  const interval = wilson(count, total);
  expect(interval.value).toBe(count / total);
  expect(interval.low).toBeCloseTo(low, 12);
  expect(interval.high).toBeCloseTo(high, 12);
});

it('knows nothing about no samples', () => {
  expect(wilson(0, 0)).toEqual({ count: 0, total: 0, value: 0, low: 0, high: 1 });
});

describe('McNemar', () => {
  it.each([
    [13, 10, 0.6776394844055176],
    [25, 8, 0.004551384132355452],
    [3, 0, 0.25],
    [10, 2, 0.03857421875],
    [700, 560, 8.869232897811355e-5],
    [6000, 5900, 0.3641263861114634],
    [0, 0, 1],
    [4, 4, 1],
  ])('b %d, c %d: p as by exact fractions', (lost, gained, p) => {
    expect(mcnemar(lost, gained) / p).toBeCloseTo(1, 8);
    expect(mcnemar(gained, lost)).toBe(mcnemar(lost, gained));
  });

  it('does not call 0.3 points on 1000 images significant, however few changed', () => {
    for (let gained = 0; gained <= 300; gained++)
      expect(pairedDifference(gained + 3, gained, 1000).verdict).toBe('not-significant');
  });

  it('calls 1.7 points on 1000 significant when 33 changed', () => {
    const { drop, verdict, p } = pairedDifference(25, 8, 1000);
    expect(verdict).toBe('significant');
    expect(p).toBeCloseTo(0.0045514, 6);
    // 1.96 sqrt(33 - 17^2/1000) / 1000
    expect([drop.value, drop.low, drop.high].map((one) => one.toFixed(6))).toEqual([
      '0.017000',
      '0.005790',
      '0.028210',
    ]);
  });

  it('does not claim to know the drop exactly when nothing changed', () => {
    const { drop, p } = pairedDifference(0, 0, 1000);
    expect([drop.value, p]).toEqual([0, 1]);
    expect(drop.high).toBeCloseTo(0.003827, 6);
    expect(drop.low).toBe(-drop.high);
  });
});

it('relates errors to the energy of the output', () => {
  // y = (3, 4), y' = (3, 3.5): 0.25 of 25.
  const sums = { signal: 25, noise: 0.25 };
  expect(relativeError(sums)).toBe(0.01);
  expect(signalToNoise(sums)).toBeCloseTo(20, 12);
  expect(relativeError({ signal: 0, noise: 0 })).toBe(0);
  expect(relativeError({ signal: 0, noise: 1 })).toBe(Infinity);
  expect(signalToNoise({ signal: 4, noise: 0 })).toBe(Infinity);
  expect(peakSignalToNoise(6.5025, 255)).toBeCloseTo(40, 12);
});

it.each([
  [0, 1, 1],
  [-0.05, 1.04, 1],
  [-1, 1, 2],
  [0, 255, 255],
  [-31, 290, 255],
  [-3, 5, 8],
])('an image from %d to %d has the span %d', (low, high, peak) => {
  expect(imagePeak(low, high)).toBe(peak);
});
