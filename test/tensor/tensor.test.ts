// Tensors and their element codecs: layouts written down by hand or taken from onnx.numpy_helper (onnx 1.23).
import { describe, expect, it } from 'vitest';
import {
  DTYPES,
  dtypeFromCode,
  isFloat,
  isInteger,
  isNumeric,
  storageBytes,
  type DType,
} from '../../src/tensor/dtype.js';
import { sameTensor, Tensor } from '../../src/tensor/tensor.js';

const hex = (tensor: Tensor): string => Buffer.from(tensor.bytes()).toString('hex');

describe('element types', () => {
  it('have the codes of TensorProto.DataType', () => {
    expect(Object.values(DTYPES).map(({ code }) => code)).toEqual(Array.from({ length: 28 }, (_, i) => i + 1));
    for (const [name, { code }] of Object.entries(DTYPES)) expect(dtypeFromCode(code)).toBe(name);
    expect([dtypeFromCode(0), dtypeFromCode(29), dtypeFromCode(-1)]).toEqual([undefined, undefined, undefined]);
  });

  it('take whole bytes in storage, packed below 8 bits', () => {
    expect([
      storageBytes('int4', 3),
      storageBytes('float6e2m3', 5),
      storageBytes('int2', 5),
      storageBytes('complex128', 2),
      storageBytes('bool', 3),
    ]).toEqual([2, 4, 2, 32, 3]);
  });

  it('are sorted into kinds', () => {
    expect([
      isNumeric('bool'),
      isNumeric('string'),
      isNumeric('complex64'),
      isFloat('float8e8m0'),
      isFloat('int4'),
      isInteger('uint2'),
      isInteger('bool'),
    ]).toEqual([true, false, false, true, false, true, false]);
  });
});

describe('numbers in raw_data layout', () => {
  it.each([
    ['float32', [1, -2.5], '0000803f000020c0'],
    ['float64', [1], '000000000000f03f'],
    ['int8', [-1, 127], 'ff7f'],
    ['int16', [-2], 'feff'],
    ['uint16', [65534], 'feff'],
    ['int32', [-2], 'feffffff'],
    ['uint32', [4294967295], 'ffffffff'],
    ['int64', [-2, 3], 'feffffffffffffff0300000000000000'],
    ['uint64', [258], '0201000000000000'],
    ['bool', [1, 0, 1], '010001'],
    ['float16', [1, -1], '003c00bc'],
    ['bfloat16', [1, 2, -1, 0, 1], '803f004080bf0000803f'],
    ['float6e2m3', [1, 2, -1, 0, 1], '08840208'],
    ['float6e3m2', [1, 2, -1, 0, 1], '0cc4020c'],
    ['float4e2m1', [1, 2, -1, 0, 1], '420a02'],
    ['int4', [1, 2, -1, 0, 1], '210f01'],
    ['uint4', [1, 2, 1, 0, 1], '210101'],
    ['int2', [1, -2, -1, 0, 1], '3901'],
    ['uint2', [1, 2, 1, 0, 1], '1901'],
  ] as const)('%s %j', (dtype, numbers, bytes) => {
    const tensor = Tensor.fromNumbers(dtype, [numbers.length], numbers);
    expect(hex(tensor)).toBe(bytes);
    expect(tensor.toNumbers()).toEqual([...numbers]);
    expect(tensor.byteLength).toBe(bytes.length / 2);
  });

  it.each([
    ['int8', [127.5, -129, 1e9, 2.5, -2.5, 0.5, Number.NaN], [127, -128, 127, 2, -2, 0, 0]],
    ['uint8', [-1, 255.5, 0.5, 1.5, Infinity], [0, 255, 0, 2, 255]],
    ['int16', [-32769, 32768], [-32768, 32767]],
    ['uint16', [-1, 65536], [0, 65535]],
    ['int32', [2 ** 31, -(2 ** 31) - 1], [2 ** 31 - 1, -(2 ** 31)]],
    ['uint32', [2 ** 32, -1], [2 ** 32 - 1, 0]],
    ['int4', [8, -9, 2.5], [7, -8, 2]],
    ['uint4', [16, -1], [15, 0]],
    ['int2', [2, -3], [1, -2]],
    ['uint2', [4, -1], [3, 0]],
    ['bool', [2, 0, Number.NaN], [1, 0, 0]],
  ] as const)('%s %j saturate and round half to even', (dtype, numbers, expected) => {
    expect(Tensor.fromNumbers(dtype, [numbers.length], numbers).toNumbers()).toEqual([...expected]);
  });

  it('saturate at the ends of 64 bits, exactly', () => {
    const big = (dtype: DType, ...numbers: number[]) =>
      Tensor.fromNumbers(dtype, [numbers.length], numbers).toBigInts();
    expect(big('int64', 2 ** 63, -(2 ** 63), Infinity, -Infinity, Number.NaN, 2.5, -3.5)).toEqual([
      2n ** 63n - 1n,
      -(2n ** 63n),
      2n ** 63n - 1n,
      -(2n ** 63n),
      0n,
      2n,
      -4n,
    ]);
    expect(big('uint64', 2 ** 64, -1, Infinity, Number.NaN, 2.5, 2 ** 63)).toEqual([
      2n ** 64n - 1n,
      0n,
      2n ** 64n - 1n,
      0n,
      2n,
      2n ** 63n,
    ]);
  });

  it('are read from any offset, and back from float32 with their bits', () => {
    const file = new Uint8Array(21);
    file.set(Tensor.fromNumbers('float32', [5], [1, 2, 3, 4, 5]).bytes(), 1);
    expect(new Tensor('float32', [5], file.subarray(1)).toNumbers()).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('a tensor', () => {
  it('needs as many bytes as its dims say', () => {
    expect(() => new Tensor('float32', [2], new Uint8Array(7))).toThrow(/needs 8 bytes, got 7/);
    expect(() => new Tensor('string', [2], [new Uint8Array()])).toThrow(/needs 2 bytes, got 1/);
    expect(new Tensor('float32', [0, 3], new Uint8Array()).size).toBe(0);
    expect(Tensor.scalar('float32', 2).dims).toEqual([]);
  });

  it('refuses questions that its type has no answer to', () => {
    const text = new Tensor('string', [1], [new Uint8Array(3)]);
    expect(text.byteLength).toBe(3);
    expect(() => text.toFloat64()).toThrow(/no real numbers/);
    expect(() => text.bytes()).toThrow(/no raw bytes/);
    expect(() => Tensor.scalar('int8', 1).strings()).toThrow(/no strings/);
    expect(() => Tensor.scalar('int8', 1).toBigInts()).toThrow(/no 64-bit integers/);
    expect(() => Tensor.fromNumbers('complex64', [1], [1])).toThrow(/not made of real numbers/);
    expect(() => Tensor.int64s([1, 2]).scalar()).toThrow(/not a scalar/);
  });

  it('reads lazy bytes each time, and only then', () => {
    let reads = 0;
    const lazy = new Tensor('int8', [2], {
      byteLength: 2,
      read: () => {
        reads++;
        return Uint8Array.of(1, 2);
      },
    });
    const negated = Tensor.derived('int8', [2], [lazy], () => lazy.toFloat64().map((x) => -x));
    expect([lazy.isLazy, negated.isLazy, reads]).toEqual([true, true, 0]);
    expect(negated.toNumbers()).toEqual([-1, -2]);
    expect(negated.reshaped([1, 2]).toNumbers()).toEqual([-1, -2]);
    expect(reads).toBe(2);
    expect(Tensor.derived('int8', [1], [Tensor.scalar('int8', 1)], () => [5]).isLazy).toBe(false);
  });

  it('equals another of the same type, dims and bits', () => {
    const of = (numbers: number[], dims = [numbers.length]): Tensor => Tensor.fromNumbers('float32', dims, numbers);
    const text = (...words: string[]): Tensor =>
      new Tensor(
        'string',
        [words.length],
        words.map((word) => Buffer.from(word)),
      );
    expect(sameTensor(of([1, Number.NaN]), of([1, Number.NaN]))).toBe(true);
    expect(sameTensor(of([0]), of([-0]))).toBe(false);
    expect(sameTensor(of([1, 2]), of([1, 2], [2, 1]))).toBe(false);
    expect(sameTensor(Tensor.scalar('int8', 1), Tensor.scalar('uint8', 1))).toBe(false);
    expect([sameTensor(text('a', 'b'), text('a', 'b')), sameTensor(text('ab', ''), text('a', 'b'))]).toEqual([
      true,
      false,
    ]);
  });
});

describe('the fingerprint', () => {
  it('is equal for equal type, dims and bytes only', () => {
    const all = [
      Tensor.fromNumbers('float32', [2], [1, 2]),
      Tensor.fromNumbers('float32', [2, 1], [1, 2]),
      Tensor.fromNumbers('float32', [2], [1, 3]),
      Tensor.fromNumbers('int32', [2], [1065353216, 1073741824]),
      Tensor.fromNumbers('float32', [1], [0]),
      Tensor.fromNumbers('float32', [1], [-0]),
      new Tensor('string', [2], [Buffer.from('a'), Buffer.from('bc')]),
      new Tensor('string', [2], [Buffer.from('ab'), Buffer.from('c')]),
    ];
    expect(new Set(all.map((tensor) => tensor.fingerprint())).size).toBe(all.length);
    expect(Tensor.fromNumbers('float32', [2], [1, 2]).fingerprint()).toBe(all[0]?.fingerprint());
  });

  it('of bytes in pieces is that of the whole', () => {
    const bytes = Tensor.fromNumbers('float32', [3], [1, 2, 3]).bytes();
    const lazy = new Tensor('float32', [3], {
      byteLength: 12,
      read: () => bytes,
      pieces: () => [bytes.subarray(0, 5), bytes.subarray(5)],
    });
    expect(lazy.fingerprint()).toBe(new Tensor('float32', [3], bytes).fingerprint());
  });
});
