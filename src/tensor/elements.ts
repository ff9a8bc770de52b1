// Reading and writing the elements of a tensor's bytes (little-endian `raw_data` layout) as numbers or bigints.
import { DTYPES, type DType } from './dtype.js';
import {
  decodeFloat,
  decodeScale,
  encodeFloat,
  encodeScale,
  FLOAT_FORMATS,
  roundHalfEven,
  type SmallFloat,
} from './float-formats.js';

type Access = {
  readonly get: (view: DataView, i: number) => number;
  readonly set: (view: DataView, i: number, x: number) => void;
};

const clampRound =
  (low: number, high: number) =>
  (x: number): number => {
    const rounded = x < 0 ? -roundHalfEven(-x) : roundHalfEven(x);
    return Math.min(high, Math.max(low, Number.isNaN(rounded) ? 0 : rounded));
  };
const int8 = clampRound(-128, 127);
const uint8 = clampRound(0, 255);
const int16 = clampRound(-32768, 32767);
const uint16 = clampRound(0, 65535);
const int32 = clampRound(-(2 ** 31), 2 ** 31 - 1);
const uint32 = clampRound(0, 2 ** 32 - 1);

const NUMBERS: Partial<Record<DType, Access>> = {
  float32: { get: (v, i) => v.getFloat32(4 * i, true), set: (v, i, x) => v.setFloat32(4 * i, x, true) },
  float64: { get: (v, i) => v.getFloat64(8 * i, true), set: (v, i, x) => v.setFloat64(8 * i, x, true) },
  int8: { get: (v, i) => v.getInt8(i), set: (v, i, x) => v.setInt8(i, int8(x)) },
  uint8: { get: (v, i) => v.getUint8(i), set: (v, i, x) => v.setUint8(i, uint8(x)) },
  bool: { get: (v, i) => (v.getUint8(i) ? 1 : 0), set: (v, i, x) => v.setUint8(i, x ? 1 : 0) },
  int16: { get: (v, i) => v.getInt16(2 * i, true), set: (v, i, x) => v.setInt16(2 * i, int16(x), true) },
  uint16: { get: (v, i) => v.getUint16(2 * i, true), set: (v, i, x) => v.setUint16(2 * i, uint16(x), true) },
  int32: { get: (v, i) => v.getInt32(4 * i, true), set: (v, i, x) => v.setInt32(4 * i, int32(x), true) },
  uint32: { get: (v, i) => v.getUint32(4 * i, true), set: (v, i, x) => v.setUint32(4 * i, uint32(x), true) },
  int64: {
    get: (v, i) => Number(v.getBigInt64(8 * i, true)),
    set: (v, i, x) => v.setBigInt64(8 * i, toInt64(x), true),
  },
  uint64: {
    get: (v, i) => Number(v.getBigUint64(8 * i, true)),
    set: (v, i, x) => v.setBigUint64(8 * i, toUint64(x), true),
  },
  float8e8m0: { get: (v, i) => decodeScale(v.getUint8(i)), set: (v, i, x) => v.setUint8(i, encodeScale(x)) },
};

/** An int64 from a number; beyond the range of int64 it saturates, so that 2^63 from a file comes back as 2^63-1. NaN is 0. */
function toInt64(x: number): bigint {
  if (Number.isNaN(x)) return 0n;
  if (x >= 2 ** 63) return 2n ** 63n - 1n;
  if (x <= -(2 ** 63)) return -(2n ** 63n);
  return BigInt(x < 0 ? -roundHalfEven(-x) : roundHalfEven(x));
}

function toUint64(x: number): bigint {
  if (x >= 2 ** 64) return 2n ** 64n - 1n;
  return x > 0 ? BigInt(roundHalfEven(x)) : 0n;
}

const isSmallFloat = (dtype: DType): dtype is DType & SmallFloat => dtype in FLOAT_FORMATS;

/** `count` elements of `bytes` as float64 (int64 beyond 2^53 loses its low bits: use `readBigInts`). */
export function readNumbers(dtype: DType, bytes: Uint8Array, count: number): Float64Array {
  const out = new Float64Array(count);
  if (dtype === 'float32' || dtype === 'float64') {
    // Not `slice`: that of a Buffer copies nothing.
    const { buffer, byteOffset } = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
    out.set(
      dtype === 'float32' ? new Float32Array(buffer, byteOffset, count) : new Float64Array(buffer, byteOffset, count),
    );
    return out;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const access = NUMBERS[dtype];
  if (access) {
    for (let i = 0; i < count; i++) out[i] = access.get(view, i);
    return out;
  }
  const { bits, kind } = DTYPES[dtype];
  for (let i = 0; i < count; i++) {
    const code = readBits(bytes, i * bits, bits);
    if (isSmallFloat(dtype)) out[i] = decodeFloat(dtype, code);
    else out[i] = kind === 'int' && code >= 1 << (bits - 1) ? code - (1 << bits) : code;
  }
  return out;
}

/** Numbers rounded once (half to even; integers saturate) to `dtype`, in `raw_data` layout. */
export function writeNumbers(dtype: DType, numbers: ArrayLike<number>): Uint8Array {
  const { bits, kind } = DTYPES[dtype];
  if (dtype === 'float32') return new Uint8Array(new Float32Array(numbers).buffer);
  const bytes = new Uint8Array(Math.ceil((bits * numbers.length) / 8));
  const view = new DataView(bytes.buffer);
  const access = NUMBERS[dtype];
  const round = kind === 'int' ? clampRound(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) : clampRound(0, 2 ** bits - 1);
  for (let i = 0; i < numbers.length; i++) {
    const x = numbers[i] ?? 0;
    if (access) access.set(view, i, x);
    else writeBits(bytes, i * bits, bits, isSmallFloat(dtype) ? encodeFloat(dtype, x) : round(x) & ((1 << bits) - 1));
  }
  return bytes;
}

/** 64-bit integer elements, exact. `dtype` must be int64 or uint64. */
export function readBigInts(dtype: 'int64' | 'uint64', bytes: Uint8Array, count: number): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) =>
    dtype === 'int64' ? view.getBigInt64(8 * i, true) : view.getBigUint64(8 * i, true),
  );
}

function readBits(bytes: Uint8Array, start: number, bits: number): number {
  let value = 0;
  for (let k = 0; k < bits; k++) value |= (((bytes[(start + k) >> 3] ?? 0) >> ((start + k) & 7)) & 1) << k;
  return value;
}

function writeBits(bytes: Uint8Array, start: number, bits: number, value: number): void {
  for (let k = 0; k < bits; k++) {
    const at = (start + k) >> 3;
    bytes[at] = (bytes[at] ?? 0) | (((value >> k) & 1) << ((start + k) & 7));
  }
}
