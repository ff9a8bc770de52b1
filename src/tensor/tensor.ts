// An immutable tensor. Its bytes stay where they are (a slice of the model file, a region of an external file) until
// someone reads numbers, so that a model can be loaded, changed and written without touching its weights.
import { createHash } from 'node:crypto';
import { invariant } from '../base/errors.js';
import { DTYPES, isNumeric, storageBytes, type DType } from './dtype.js';
import { readBigInts, readNumbers, writeNumbers } from './elements.js';

/** Bytes that are fetched when asked for, and not kept: each `read` may touch the disk. */
export interface LazyBytes {
  readonly byteLength: number;
  /** All bytes, `raw_data` layout. @throws InputError when the place they stand in cannot be read */
  read(): Uint8Array;
  /** The same bytes in order, in pieces of bounded size: each must be used before the next is asked for. */
  pieces?(): Iterable<Uint8Array>;
}

export type TensorPayload = Uint8Array | LazyBytes | readonly Uint8Array[];

export class Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Number of elements; 1 for a scalar (no dims). */
  readonly size: number;
  readonly #payload: TensorPayload;
  #fingerprint: string | undefined;

  /**
   * `payload`: little-endian `raw_data` layout, row-major (bytes, or a lazy source of them); for dtype `string` one
   * UTF-8 byte array per element. Bytes handed over must not be changed afterwards.
   */
  constructor(dtype: DType, dims: readonly number[], payload: TensorPayload) {
    this.dtype = dtype;
    this.dims = dims;
    this.size = elementCount(dims);
    this.#payload = payload;
    const given = Array.isArray(payload) ? payload.length : (payload as LazyBytes).byteLength;
    const needed = dtype === 'string' ? this.size : storageBytes(dtype, this.size);
    invariant(given === needed, `tensor of ${dtype}[${dims.join(',')}] needs ${needed} bytes, got ${given}`);
  }

  /** Bytes in `raw_data` layout (for strings: the sum of their lengths). */
  get byteLength(): number {
    if (this.dtype !== 'string') return storageBytes(this.dtype, this.size);
    return this.strings().reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** True when reading the bytes reads a file. */
  get isLazy(): boolean {
    return !(this.#payload instanceof Uint8Array) && !Array.isArray(this.#payload);
  }

  /** `raw_data` layout; not for strings. The array must not be written to. */
  bytes(): Uint8Array {
    const payload = this.#payload;
    if (payload instanceof Uint8Array) return payload;
    invariant(!isStringPayload(payload), 'a string tensor has no raw bytes');
    return payload.read();
  }

  /** `bytes()` in pieces, so that writing a large tensor needs no room for all of it. Use each before the next. */
  pieces(): Iterable<Uint8Array> {
    const payload = this.#payload;
    if (payload instanceof Uint8Array || isStringPayload(payload)) return [this.bytes()];
    return payload.pieces?.() ?? [payload.read()];
  }

  /** The elements of a string tensor, UTF-8. */
  strings(): readonly Uint8Array[] {
    invariant(isStringPayload(this.#payload), `a ${this.dtype} tensor has no strings`);
    return this.#payload;
  }

  /** All elements as float64, row-major: a fresh array. int64 beyond 2^53 loses low bits. Not for strings, complex. */
  toFloat64(): Float64Array {
    const { kind } = DTYPES[this.dtype];
    invariant(kind !== 'string' && kind !== 'complex', `a ${this.dtype} tensor has no real numbers`);
    return readNumbers(this.dtype, this.bytes(), this.size);
  }

  /** All elements as plain numbers: for shapes, axes and other short lists. */
  toNumbers(): number[] {
    return Array.from(this.toFloat64());
  }

  /** All elements of an int64 or uint64 tensor, exact. */
  toBigInts(): bigint[] {
    invariant(this.dtype === 'int64' || this.dtype === 'uint64', `a ${this.dtype} tensor has no 64-bit integers`);
    return readBigInts(this.dtype, this.bytes(), this.size);
  }

  /** The single element of a one-element numeric tensor. */
  scalar(): number {
    invariant(this.size === 1, `tensor [${this.dims.join(',')}] is not a scalar`);
    return this.toFloat64()[0] ?? Number.NaN;
  }

  /**
   * A text that is the same for tensors of the same type, dims and bytes, and differs for others (SHA-256). Computed once:
   * asking again reads nothing.
   */
  fingerprint(): string {
    this.#fingerprint ??= this.#hash();
    return this.#fingerprint;
  }

  #hash(): string {
    const hash = createHash('sha256').update(`${this.dtype}[${this.dims.join(',')}]`);
    if (this.dtype === 'string') for (const bytes of this.strings()) hash.update(`${bytes.length}:`).update(bytes);
    else for (const piece of this.pieces()) hash.update(piece);
    return hash.digest('base64');
  }

  /** The same elements under other dims of equal size. */
  reshaped(dims: readonly number[]): Tensor {
    return new Tensor(this.dtype, dims, this.#payload);
  }

  /** Numbers rounded once to `dtype` (half to even, integers saturate), row-major. */
  static fromNumbers(dtype: DType, dims: readonly number[], numbers: ArrayLike<number>): Tensor {
    invariant(isNumeric(dtype), `a ${dtype} tensor is not made of real numbers`);
    return new Tensor(dtype, dims, writeNumbers(dtype, numbers));
  }

  /**
   * A tensor computed from others: numbers rounded once to `dtype`, row-major. When a source is lazy the result is
   * lazy too and computes on every read, so that folding the weights of a large external model keeps none in memory.
   */
  static derived(
    dtype: DType,
    dims: readonly number[],
    sources: readonly Tensor[],
    compute: () => ArrayLike<number>,
  ): Tensor {
    if (!sources.some((source) => source.isLazy)) return Tensor.fromNumbers(dtype, dims, compute());
    return new Tensor(dtype, dims, {
      byteLength: storageBytes(dtype, elementCount(dims)),
      read: () => writeNumbers(dtype, compute()),
    });
  }

  /** A one-dimensional int64 tensor: shapes, axes, pads. */
  static int64s(numbers: readonly number[]): Tensor {
    return Tensor.fromNumbers('int64', [numbers.length], numbers);
  }

  /** A tensor without dims. */
  static scalar(dtype: DType, value: number): Tensor {
    return Tensor.fromNumbers(dtype, [], [value]);
  }
}

/** Product of `dims`; 1 for none. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Same type, dims and bytes (so NaN equals the same NaN, and 0 differs from -0). Reads both when shapes agree. */
export function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a === b) return true;
  if (a.dtype !== b.dtype || a.dims.length !== b.dims.length || a.dims.some((dim, i) => dim !== b.dims[i]))
    return false;
  if (a.dtype === 'string') {
    const other = b.strings();
    return a.strings().every((bytes, i) => Buffer.compare(bytes, other[i] ?? new Uint8Array()) === 0);
  }
  return Buffer.compare(a.bytes(), b.bytes()) === 0;
}

function isStringPayload(payload: TensorPayload): payload is readonly Uint8Array[] {
  return Array.isArray(payload);
}
