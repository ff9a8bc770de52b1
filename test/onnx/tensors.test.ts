// Tensors in every form a file may give them: raw, in typed fields packed or not, sub-byte types; and what is refused.
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/base/errors.js';
import { decodeTensor } from '../../src/onnx/decode-tensor.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { Model } from '../../src/ir/model.js';
import { DTYPES, type DType } from '../../src/tensor/dtype.js';
import { sameTensor, Tensor } from '../../src/tensor/tensor.js';
import { bytesField, fixed32Field, floats, modelOf, onnx, varint, varintField } from './proto-bytes.js';

const decode = (...fields: readonly Buffer[]): Tensor => {
  const bytes = Buffer.concat(fields);
  const { tensor } = decodeTensor({ bytes, file: undefined, folder: undefined }, { start: 0, end: bytes.length });
  if (!tensor) throw new TypeError('not a known type');
  return tensor;
};

const typed = (dtype: DType, dims: readonly number[]): Buffer =>
  Buffer.concat([varintField(2, DTYPES[dtype].code), ...dims.map((dim) => varintField(1, dim))]);
const packed = (number: number, ...values: readonly (number | bigint)[]): Buffer =>
  bytesField(number, ...values.map(varint));
const unpacked = (number: number, ...values: readonly (number | bigint)[]): Buffer =>
  Buffer.concat(values.map((item) => varintField(number, item)));
const float64 = (...values: readonly number[]): Buffer => Buffer.from(new Uint8Array(Float64Array.from(values).buffer));

function refusal(...fields: readonly Buffer[]): InputError {
  try {
    decode(...fields);
  } catch (error) {
    if (error instanceof InputError) return error;
  }
  throw new TypeError('the tensor was accepted');
}

describe('data in int32_data', () => {
  // Values as the comments of TensorProto ask: bits of floats as unsigned integers, 4 and 2 bit types one byte per entry.
  it.each([
    ['int32', [-1, 2 ** 31 - 1], [-1, 2 ** 31 - 1]],
    ['int16', [-1, 300], [-1, 300]],
    ['uint16', [65535, 3], [65535, 3]],
    ['int8', [-128, 127], [-128, 127]],
    ['uint8', [255, 0], [255, 0]],
    ['bool', [1, 0], [1, 0]],
    ['float16', [0x3c00, 0xc000], [1, -2]],
    ['bfloat16', [0x3f80, 0xc040], [1, -3]],
    ['float8e4m3fn', [0x38, 0xb8], [1, -1]],
    ['float8e5m2', [0x3c, 0xbc], [1, -1]],
    ['float8e8m0', [127, 128], [1, 2]],
    ['float6e2m3', [0x08, 0x28], [1, -1]],
    ['float6e3m2', [0x0c, 0x2c], [1, -1]],
  ] as const)('%s', (dtype, stored, numbers) => {
    const whole = decode(typed(dtype, [2]), packed(5, ...stored));
    expect(whole.toNumbers()).toEqual(numbers);
    expect(decode(typed(dtype, [2]), unpacked(5, ...stored)).toNumbers()).toEqual(numbers);
    expect(decode(packed(5, stored[0]), typed(dtype, [2]), packed(5, stored[1])).toNumbers()).toEqual(numbers);
  });

  it.each([
    // 0x21: low nibble first. 0xe4: 0, 1, 2, 3 from the lowest bits on.
    ['uint4', [3], [0x21, 0x0f], [1, 2, 15]],
    ['int4', [3], [0x21, 0x0f], [1, 2, -1]],
    ['float4e2m1', [2], [0x2a], [-1, 1]],
    ['uint2', [5], [0xe4, 0x02], [0, 1, 2, 3, 2]],
    ['int2', [4], [0xe4], [0, 1, -2, -1]],
  ] as const)('%s, several elements per entry', (dtype, dims, stored, numbers) => {
    expect(decode(typed(dtype, dims), packed(5, ...stored)).toNumbers()).toEqual(numbers);
    expect(decode(typed(dtype, dims), bytesField(9, Buffer.from(stored))).toNumbers()).toEqual(numbers);
  });

  it('6 bit types are packed without gaps', () => {
    const tensor = decode(typed('float6e2m3', [5]), packed(5, 1, 2, 3, 63, 9));
    // x0 | x1 << 6, x1 >> 2 | x2 << 4, x2 >> 4 | x3 << 2, x4
    expect([...tensor.bytes()]).toEqual([0x81, 0x30, 0xfc, 0x09]);
  });
});

describe('data in other fields', () => {
  it('int64_data keeps all 64 bits', () => {
    const tensor = decode(typed('int64', [3]), packed(7, 2n ** 63n - 1n, -(2n ** 63n), -7));
    expect(tensor.toBigInts()).toEqual([2n ** 63n - 1n, -(2n ** 63n), -7n]);
  });

  it('uint64_data holds uint64 and uint32', () => {
    expect(decode(typed('uint64', [1]), packed(11, 2n ** 64n - 1n)).toBigInts()).toEqual([2n ** 64n - 1n]);
    expect(decode(typed('uint32', [2]), packed(11, 2 ** 32 - 1, 5)).toNumbers()).toEqual([2 ** 32 - 1, 5]);
  });

  it('float_data holds floats and complex64, packed as one slice of the file', () => {
    const data = Buffer.from(new Uint8Array(Float32Array.of(1.5, -2).buffer));
    const bytes = Buffer.concat([typed('float32', [2]), bytesField(4, data)]);
    const { tensor } = decodeTensor({ bytes, file: undefined, folder: undefined }, { start: 0, end: bytes.length });
    expect(tensor?.toNumbers()).toEqual([1.5, -2]);
    expect(tensor?.bytes().buffer).toBe(bytes.buffer);
    expect(decode(typed('float32', [2]), fixed32Field(4, 1.5), fixed32Field(4, -2)).toNumbers()).toEqual([1.5, -2]);
    expect([
      ...new Float32Array(Uint8Array.from(decode(typed('complex64', [1]), bytesField(4, data)).bytes()).buffer),
    ]).toEqual([1.5, -2]);
  });

  it('double_data holds doubles and complex128', () => {
    expect(decode(typed('float64', [2]), bytesField(10, float64(1e300, -0.5))).toNumbers()).toEqual([1e300, -0.5]);
    expect(decode(typed('complex128', [1]), bytesField(10, float64(1, 2))).byteLength).toBe(16);
  });

  it('string_data holds bytes that need not be UTF-8', () => {
    const tensor = decode(typed('string', [3]), bytesField(6, 'a'), bytesField(6), bytesField(6, Buffer.of(0xff)));
    expect(tensor.strings().map((bytes) => [...bytes])).toEqual([[0x61], [], [0xff]]);
  });

  it('large varint data is converted when it is read, and only then', () => {
    const numbers = Array.from({ length: 70_000 }, (_, i) => i - 35_000);
    const tensor = decode(typed('int32', [numbers.length]), bytesField(5, Buffer.concat(numbers.map(varint))));
    expect(tensor.isLazy).toBe(true);
    expect(tensor.toNumbers()).toEqual(numbers);
  });
});

describe('shapes', () => {
  it('a scalar has no dims, an empty tensor needs no data', () => {
    expect(decode(typed('float32', []), bytesField(9, Buffer.alloc(4))).dims).toEqual([]);
    expect(decode(typed('float32', [2, 0, 3])).size).toBe(0);
    expect(decode(typed('string', [0])).strings()).toEqual([]);
    expect(decode(typed('int64', [0]), bytesField(9)).size).toBe(0);
  });

  it('dims may be packed', () => {
    expect(decode(varintField(2, 2), packed(1, 2, 3), bytesField(9, Buffer.alloc(6))).dims).toEqual([2, 3]);
  });

  it.each([
    [
      'data shorter than the shape',
      [typed('float32', [3]), bytesField(9, Buffer.alloc(8))],
      'bad-tensor',
      /needs 12 bytes, but raw_data has 8/,
    ],
    [
      'data longer than the shape',
      [typed('uint8', [3]), bytesField(9, Buffer.alloc(4))],
      'bad-tensor',
      /needs 3 bytes, but raw_data has 4/,
    ],
    ['no data', [typed('float32', [3])], 'bad-tensor', /needs 12 bytes, but its data has 0/],
    ['too few numbers', [typed('int64', [3]), packed(7, 1, 2)], 'bad-tensor', /needs 3 numbers, but its data has 2/],
    [
      'too many packed nibbles',
      [typed('int4', [3]), packed(5, 1, 2, 3)],
      'bad-tensor',
      /needs 2 numbers, but its data has 3/,
    ],
    ['too few strings', [typed('string', [2]), bytesField(6, 'a')], 'bad-tensor', /needs 2 strings, but has 1/],
    ['raw strings', [typed('string', [1]), bytesField(9, 'a')], 'bad-tensor', /strings cannot have/],
    ['data of another type', [typed('int64', [1]), packed(5, 1)], 'bad-tensor', /needs 1 numbers, but its data has 0/],
    [
      'a negative dimension',
      [typed('float32', [-1]), bytesField(9, Buffer.alloc(4))],
      'bad-tensor',
      /negative dimension: \[-1\]/,
    ],
    ['an absurd size', [typed('uint8', [2 ** 40, 2 ** 40])], 'bad-tensor', /dimensions are absurd/],
    ['an absurd size beside a zero', [typed('uint8', [0, 2 ** 62, 2 ** 62])], 'bad-tensor', /dimensions are absurd/],
    ['no element type', [varintField(1, 1)], 'bad-tensor', /no element type/],
    ['segments', [typed('float32', [0]), bytesField(3)], 'unsupported', /segments/],
    [
      'external data without a folder',
      [typed('float32', [1]), bytesField(13, bytesField(1, 'location'), bytesField(2, 'w')), varintField(14, 1)],
      'external-data',
      /another file/,
    ],
    [
      'a number cut off in packed data',
      [typed('int64', [1]), bytesField(7, Buffer.of(0x80)), bytesField(12, 'doc')],
      'malformed',
      /cut off/,
    ],
  ] as const)('refuse %s', (_, fields, code, message) => {
    const error = refusal(...fields, bytesField(8, 'weight'));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('of nothing that is allocated before it was compared with the file', () => {
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 50; i++) refusal(typed('float32', [2 ** 28]), bytesField(9, Buffer.alloc(4)));
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  });
});

describe('element types that are not known', () => {
  const future = Buffer.concat([varintField(2, 77), varintField(1, 3), bytesField(8, 'w'), bytesField(9, 'abc')]);

  it('stay as bytes, under another name too', () => {
    const bytes = modelOf({ node: [{ opType: 'New', input: ['w'], output: ['y'] }], output: [{ name: 'y' }] }, {});
    const whole = Buffer.concat([
      bytes.subarray(0, bytes.indexOf(0x3a)),
      bytesField(
        7,
        bytesField(5, future),
        onnx.GraphProto.encode({
          name: 'g',
          node: [{ opType: 'New', input: ['w'], output: ['y'] }],
          output: [{ name: 'y' }],
        }).finish(),
      ),
    ]);
    const { model, document } = decodeModel(whole);
    const [w] = model.graph.initializers;
    expect(w?.initializer?.kind).toBe('opaque');
    expect(w?.type).toEqual({ kind: 'tensor', dtype: undefined, shape: [3] });
    if (w) model.graph.rename(w, 'renamed');
    const written = Buffer.concat(encodeModel(document, model));
    expect(
      written.includes(
        Buffer.concat([varintField(2, 77), varintField(1, 3), bytesField(8, 'renamed'), bytesField(9, 'abc')]),
      ),
    ).toBe(true);
    expect(decodeModel(written).model.graph.nodes()[0]?.inputs[0]?.name).toBe('renamed');
  });
});

describe('every element type', () => {
  it.each(Object.keys(DTYPES) as DType[])('%s comes back as it was written', (dtype) => {
    const model = new Model({ graphName: 'g', opsets: new Map([['', 25]]), irVersion: 14 });
    const { bits } = DTYPES[dtype];
    const strings = ['a', '', 'ü'].map((text) => Buffer.from(text));
    const data = Buffer.from(
      Array.from(
        { length: Math.ceil((3 * bits) / 8) },
        (_, i) => (17 * i + 5) & (i * 8 + 8 > 3 * bits ? (1 << ((3 * bits) % 8)) - 1 : 255),
      ),
    );
    const tensor = new Tensor(dtype, [3, 1], dtype === 'string' ? strings : data);
    model.graph.setOutputs([model.graph.addInitializer(tensor, 'w')]);
    const read = decodeModel(Buffer.concat(encodeModel(undefined, model))).model.graph.outputs[0]?.constant;
    expect(read && sameTensor(read, tensor)).toBe(true);
  });

  it('is read by onnx-proto as we wrote it', () => {
    const model = new Model({ graphName: 'g', opsets: new Map([['', 17]]), irVersion: 8 });
    model.graph.setOutputs([model.graph.addInitializer(Tensor.fromNumbers('float32', [2], [1, 2]), 'w')]);
    const [written] = onnx.ModelProto.decode(Buffer.concat(encodeModel(undefined, model))).graph?.initializer ?? [];
    const expected = floats('w', [1, 2]);
    expect([written?.name, written?.dataType, written?.dims?.map(Number), Buffer.from(written?.rawData ?? [])]).toEqual(
      [expected.name, 1, [2], Buffer.from(expected.rawData ?? [])],
    );
  });
});
