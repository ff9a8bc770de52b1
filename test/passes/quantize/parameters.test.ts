// Scales, zero points, weights and biases against hand-worked numbers, and the bounds that fusion needs.
import { describe, expect, it } from 'vitest';
import {
  activationParameters,
  quantizeBias,
  representable,
  roundHalfEven,
  roundWeights,
  scalesForBias,
  weightScales,
} from '../../../src/passes/quantize/parameters.js';

describe('activationParameters', () => {
  it('takes the whole range in 255 steps, 0 being one of the numbers', () => {
    expect(activationParameters({ low: 0, high: 255 }, 'uint8')).toEqual({ dtype: 'uint8', scale: 1, zeroPoint: 0 });
    expect(activationParameters({ low: -1, high: 1.5 }, 'uint8')).toEqual({
      dtype: 'uint8',
      scale: Math.fround(2.5 / 255),
      zeroPoint: 102,
    });
    expect(activationParameters({ low: -1, high: 3 }, 'int8').zeroPoint).toBe(-64);
  });

  it('widens a range to 0', () => {
    expect(activationParameters({ low: 51, high: 255 }, 'uint8')).toMatchObject({ scale: 1, zeroPoint: 0 });
    expect(activationParameters({ low: -255, high: -3 }, 'uint8')).toMatchObject({ scale: 1, zeroPoint: 255 });
    expect(activationParameters({ low: -255, high: -3 }, 'int8').zeroPoint).toBe(127);
  });

  it.each([
    { low: 0, high: 0 },
    { low: 0, high: 1e-45 },
    { low: Infinity, high: -Infinity },
    { low: Number.NaN, high: 1 },
  ])('gives %o a scale of 1', (range) => {
    expect(activationParameters(range, 'uint8')).toMatchObject({ scale: 1 });
  });

  it('stays finite where an element was infinite', () => {
    const { scale, zeroPoint } = activationParameters({ low: -Infinity, high: Infinity }, 'uint8');
    expect(Number.isFinite(Math.fround(scale))).toBe(true);
    expect([127, 128]).toContain(zeroPoint);
  });

  it('never reaches beyond a Clip, as the runtime would keep it', () => {
    for (let high = 0.001; high < 1e4; high *= 1.37) {
      const bound = Math.fround(high);
      const clipped = activationParameters({ low: -1, high: 2 * bound }, 'uint8', { low: 0, high: bound });
      expect(clipped.zeroPoint).toBe(0);
      expect(Math.fround(representable(clipped).high)).toBeLessThanOrEqual(bound);
      const both = { low: -bound, high: bound };
      const reached = representable(activationParameters({ low: -9 * bound, high: 9 * bound }, 'int8', both));
      expect(Math.fround(reached.high)).toBeLessThanOrEqual(bound);
      expect(Math.fround(-reached.low)).toBeLessThanOrEqual(bound);
    }
    expect(activationParameters({ low: 0, high: 9 }, 'uint8', { low: 0, high: 6 }).scale).toBe(Math.fround(6 / 255));
  });
});

it('rounds halves to even', () => {
  expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4, -2.6].map((x) => roundHalfEven(x) + 0)).toEqual([
    0, 2, 2, 0, -2, -2, 2, -3,
  ]);
});

describe('weights', () => {
  const rows = Float64Array.of(1.27, -0.638, 0, 0, -63, 31.4);

  it('have a scale per row, 1 for a row of zeros', () => {
    const scales = weightScales(rows, 3, 127);
    expect([...scales]).toEqual([Math.fround(0.01), 1, Math.fround(63 / 127)]);
    expect([...roundWeights(rows, scales, 127)]).toEqual([127, -64, 0, 0, -127, 63]);
  });

  it('stay within 7 bits', () => {
    expect([...roundWeights(rows, weightScales(rows, 3, 63), 63)]).toEqual([63, -32, 0, 0, -63, 31]);
  });
});

describe('biases', () => {
  it('of dead filters get a scale in which they fit into int32', () => {
    // A filter that training left near zero, behind a BatchNormalization that was folded into it (mobilenetv1-vww).
    const scales = weightScales(Float64Array.of(1e-12, 0.5), 2, 127);
    const wide = scalesForBias(scales, Float64Array.of(3, 3), 0.02);
    const { integers, scales: biasScales } = quantizeBias(Float64Array.of(3, 3), wide, 0.02);
    expect(wide[0]).toBeGreaterThan(scales[0] ?? 0);
    expect(wide[1]).toBe(scales[1]);
    for (const row of [0, 1]) {
      expect(Math.abs(integers[row] ?? 0)).toBeLessThan(2 ** 31 - 2 ** 23);
      expect((integers[row] ?? 0) * (biasScales[row] ?? 0)).toBeCloseTo(3, 4);
    }
  });

  it('have the product of both scales in float32', () => {
    const scales = Float32Array.of(0.1, 0.3);
    const { scales: products } = quantizeBias(Float64Array.of(1, 1), scales, 0.7);
    expect([...products]).toEqual([...scales].map((scale) => Math.fround(scale * Math.fround(0.7))));
  });
});
