// Small float formats against float-formats.json: values of codes from ml_dtypes 0.6.0 (all codes up to 8 bits, a sample of
// 16-bit ones), and nearest codes found by search over all values with exact fractions (ties, their neighbours, random).
import { describe, expect, it } from 'vitest';
import type { DType } from '../../src/tensor/dtype.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { roundHalfEven } from '../../src/tensor/float-formats.js';
import table from './float-formats.json' with { type: 'json' };

interface FormatTable {
  readonly decode: Readonly<Record<string, string>>;
  readonly encode: readonly (readonly [string, number])[];
}

const FORMATS = Object.entries(table as unknown as Record<string, FormatTable>) as [DType, FormatTable][];

/** The code of one element. Elements under 8 bits stand in the low bits. */
function codeOf(tensor: Tensor): number {
  const [low = 0, high = 0] = tensor.bytes();
  return low + 256 * high;
}

function decode(dtype: DType, code: number): number {
  const bytes = Uint8Array.of(code & 255, code >> 8);
  return new Tensor(dtype, [1], bytes.subarray(0, dtype.endsWith('float16') || dtype === 'float16' ? 2 : 1)).scalar();
}

const encode = (dtype: DType, value: number): number => codeOf(Tensor.scalar(dtype, value));

describe.each(FORMATS)('%s', (dtype, { decode: values, encode: codes }) => {
  it('decodes', () => {
    for (const [code, value] of Object.entries(values))
      expect([code, decode(dtype, Number(code))]).toEqual([code, Number(value)]);
  });

  it('encodes to the nearest, ties to even', () => {
    for (const [value, code] of codes) expect([value, encode(dtype, Number(value))]).toEqual([value, code]);
  });

  it('gives back what it decoded', () => {
    const wrong = Object.entries(values).filter(([code, value]) => {
      const back = encode(dtype, decode(dtype, Number(code)));
      return value === 'NaN' ? !Number.isNaN(decode(dtype, back)) : back !== Number(code);
    });
    expect(wrong).toEqual([]);
  });
});

describe('beyond the largest number', () => {
  it.each([
    ['float16', 65519.99, 0x7bff],
    ['float16', 65520, 0x7c00],
    ['float16', -1e9, 0xfc00],
    ['float16', Infinity, 0x7c00],
    ['bfloat16', 3.4e38, 0x7f80],
    ['float8e5m2', 61440, 0x7c],
    ['float8e5m2', 61439, 0x7b],
    ['float8e4m3fn', 1e9, 0x7e],
    ['float8e4m3fn', -Infinity, 0xfe],
    ['float8e4m3fnuz', 1e9, 0x7f],
    ['float8e5m2fnuz', Infinity, 0x7f],
    ['float4e2m1', 100, 7],
    ['float4e2m1', -100, 15],
    ['float6e2m3', Infinity, 31],
    ['float6e3m2', -1e9, 63],
    ['float8e8m0', 1e39, 254],
    ['float8e8m0', 0, 0],
  ] as const)('%s of %d is %i: infinity where there is one, else the largest', (dtype, value, code) => {
    expect(encode(dtype, value)).toBe(code);
  });

  it.each([
    ['float4e2m1', 8],
    ['float6e2m3', 32],
    ['float6e3m2', 32],
  ] as const)('%s has no NaN: -0', (dtype, code) => {
    expect(encode(dtype, Number.NaN)).toBe(code);
  });
});

describe('roundHalfEven', () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [2.4999999999999996, 2],
    [0.49999999999999994, 0],
    [2 ** 51 + 0.5, 2 ** 51],
    [2 ** 51 + 1.5, 2 ** 51 + 2],
    [Infinity, Infinity],
  ])('%d -> %d', (value, rounded) => {
    expect(roundHalfEven(value)).toBe(rounded);
  });
});
