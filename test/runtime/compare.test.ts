// Figures worked out by hand.
import { describe, expect, it } from 'vitest';
import { compareOutputs, outputScales, type Tolerance } from '../../src/runtime/compare.js';
import type { DType } from '../../src/tensor/dtype.js';
import { Tensor } from '../../src/tensor/tensor.js';

const bits: Tolerance = { mode: 'bits' };
const within = (limit: number): Tolerance => ({ mode: 'scale', limit });
const row = (numbers: readonly number[], dtype: DType = 'float32'): Tensor =>
  Tensor.fromNumbers(dtype, [numbers.length], numbers);
const compare = (a: Tensor, b: Tensor, tolerance: Tolerance) =>
  compareOutputs(new Map([['y', a]]), new Map([['y', b]]), { tolerance });

describe('compareOutputs', () => {
  it('measures against the scale of the output', () => {
    const agreement = compare(row([3, -4, 0, 0]), row([3, -4, 0, 0.5]), within(0.2));
    expect(agreement.agrees).toBe(true);
    expect(agreement.worst).toMatchObject({ maxError: 0.5, scale: 4, relativeError: 0.125 });
    // Energy 25 against 0.25; peak 7, root mean square error 0.25.
    expect(agreement.worst?.snr).toBeCloseTo(20, 10);
    expect(agreement.worst?.psnr).toBeCloseTo(20 * Math.log10(28), 10);
    expect(compare(row([3, -4, 0, 0]), row([3, -4, 0, 0.5]), within(0.12))).toMatchObject({
      agrees: false,
      worst: { reason: 'values' },
    });
  });

  it('asks for every bit when told, also of zeros', () => {
    expect(compare(row([1, 0]), row([1, 0]), bits).agrees).toBe(true);
    expect(compare(row([1, 0]), row([1, -0]), bits)).toMatchObject({
      agrees: false,
      worst: { reason: 'values', maxError: 0 },
    });
    expect(compare(row([1, 0]), row([1, -0]), within(0)).agrees).toBe(true);
  });

  it('wants NaN and infinities in the same places', () => {
    const reference = row([Number.NaN, Infinity, 1]);
    expect(compare(reference, row([Number.NaN, Infinity, 1]), within(0)).agrees).toBe(true);
    for (const other of [
      [0, Infinity, 1],
      [Number.NaN, -Infinity, 1],
      [Number.NaN, Infinity, Number.NaN],
      [Number.NaN, 3e38, 1],
    ]) {
      expect(compare(reference, row(other), within(1e9))).toMatchObject({
        agrees: false,
        worst: { reason: 'special-values' },
      });
    }
  });

  it('has an infinite relative error on an output that is all zero, unless its scale is known', () => {
    const reference = new Map([['y', row([0, 0])]]);
    const candidate = new Map([['y', row([1e-9, 0])]]);
    expect(compareOutputs(reference, candidate, { tolerance: within(1e-4) })).toMatchObject({
      agrees: false,
      worst: { relativeError: Infinity },
    });
    const scales = outputScales([reference, new Map([['y', row([-2, Infinity])]])]);
    expect(scales.get('y')).toBe(2);
    expect(compareOutputs(reference, candidate, { tolerance: within(1e-4), scales }).agrees).toBe(true);
  });

  it('does not let extreme samples hide an error on ordinary ones', () => {
    const reference = new Map([['y', row([2, -4])]]);
    const candidate = new Map([['y', row([2, -4.01])]]);
    const scales = outputScales([reference, new Map([['y', row([500, 0])]])]);
    // 0.01 is 2e-5 of the scale over both, but 2e-3 of a hundredth of it, which is what holds.
    expect(compareOutputs(reference, candidate, { tolerance: within(1e-4), scales })).toMatchObject({ agrees: false });
    expect(compareOutputs(reference, candidate, { tolerance: within(1e-4), scales }).worst?.scale).toBe(5);
  });

  it('takes one NaN for another when every bit is asked for', () => {
    const [quiet, other] = [0x7fc00000, 0xffc00001].map(
      (word) => new Tensor('float32', [1], new Uint8Array(Uint32Array.of(word).buffer)),
    );
    expect(quiet && other && compare(quiet, other, bits).agrees).toBe(true);
    expect(quiet && compare(quiet, row([0]), bits).agrees).toBe(false);
  });

  it('wants other types than floats to be equal', () => {
    expect(compare(row([1, 2, 3], 'int64'), row([1, 2, 4], 'int64'), within(1))).toMatchObject({
      agrees: false,
      worst: { reason: 'values', differing: 1, maxError: 1 },
    });
    expect(compare(row([1, 0], 'bool'), row([1, 0], 'bool'), within(0)).agrees).toBe(true);
    const words = (list: readonly string[]): Tensor =>
      new Tensor(
        'string',
        [list.length],
        list.map((word) => new TextEncoder().encode(word)),
      );
    expect(compare(words(['a', 'b']), words(['a', 'c']), within(1))).toMatchObject({
      agrees: false,
      worst: { differing: 1 },
    });
    const wide = (value: bigint): Tensor => new Tensor('int64', [1], new Uint8Array(BigInt64Array.of(value).buffer));
    expect(compare(wide(2n ** 60n), wide(2n ** 60n + 1n), within(1))).toMatchObject({
      agrees: false,
      worst: { differing: 1 },
    });
    expect(compare(row([1, -2], 'int4'), row([1, -3], 'int4'), within(1))).toMatchObject({
      agrees: false,
      worst: { differing: 1 },
    });
  });

  it('notices types, shapes and names', () => {
    expect(compare(row([1]), row([1], 'float64'), within(1)).worst?.reason).toBe('dtype');
    expect(compare(row([1, 2]), row([1, 2]).reshaped([2, 1]), within(1)).worst?.reason).toBe('shape');
    const reference = new Map([
      ['a', row([1])],
      ['b', row([1])],
    ]);
    const candidate = new Map([
      ['b', row([1])],
      ['c', row([1])],
    ]);
    const { agrees, outputs } = compareOutputs(reference, candidate, { tolerance: bits });
    expect(agrees).toBe(false);
    expect(outputs.map(({ name, reason }) => [name, reason])).toEqual([
      ['a', 'missing'],
      ['b', undefined],
      ['c', 'unexpected'],
    ]);
  });

  it('names the worst output: one that disagrees before one that is merely far', () => {
    const reference = new Map([
      ['far', row([1])],
      ['shape', row([1, 1])],
      ['near', row([1])],
    ]);
    const candidate = new Map([
      ['far', row([1.5])],
      ['shape', row([1])],
      ['near', row([1.25])],
    ]);
    expect(compareOutputs(reference, candidate, { tolerance: within(1) }).worst?.name).toBe('shape');
    candidate.set('shape', row([1, 1]));
    expect(compareOutputs(reference, candidate, { tolerance: within(1) })).toMatchObject({
      agrees: true,
      worst: { name: 'far' },
    });
  });

  it('agrees when there is nothing to compare', () => {
    expect(compareOutputs(new Map(), new Map(), { tolerance: bits })).toEqual({
      agrees: true,
      outputs: [],
      worst: undefined,
    });
    expect(compare(row([]), row([]), within(0)).agrees).toBe(true);
  });
});
