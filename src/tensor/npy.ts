// Arrays in numpy's formats: .npy (one array) and .npz (a zip of them).
// Source: NumPy Enhancement Proposal 1 and numpy.lib.format, versions 1.0 to 3.0.
import { InputError } from '../base/errors.js';
import type { DType } from './dtype.js';
import { elementCount, Tensor } from './tensor.js';
import { readZip } from './zip.js';

/** Largest array that is read, in bytes. */
const SIZE_LIMIT = 2 ** 31;
const HEADER_LIMIT = 2 ** 20;
const MAGIC = [0x93, ...Buffer.from('NUMPY')];

const NUMERIC: Readonly<Record<string, DType>> = {
  b1: 'bool',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
};

/** What the header of a .npy file says. */
export interface NpyHeader {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Offset of the first element. */
  readonly start: number;
  /** Bytes of one element. */
  readonly itemBytes: number;
  /** The elements stand as in a tensor: little-endian, row-major, no texts. Any slice of them can be read alone. */
  readonly plain: boolean;
  readonly bigEndian: boolean;
  readonly columnMajor: boolean;
  /** Texts in UTF-32. */
  readonly wideText: boolean;
}

/**
 * The header of a .npy file from its first bytes (at most 1 MiB and 12). `file` names it in messages.
 * @throws InputError bad-feed
 */
export function readNpyHeader(bytes: Uint8Array, file: string): NpyHeader {
  const { text, start } = readHeader(bytes, file);
  const descr = /'descr':\s*'([<>|=])([a-zA-Z])(\d+)'/.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(text)?.[1];
  if (order === undefined || shape === undefined) throw broken(file, 'its header is damaged');
  if (!descr) throw broken(file, 'its elements are records or Python objects');
  const dims = shape
    .split(',')
    .filter((dim) => dim.trim() !== '')
    .map(Number);
  const [, endian = '<', kind = '', width = ''] = descr;
  const wideText = kind === 'U';
  const dtype = wideText || kind === 'S' ? 'string' : NUMERIC[kind + width];
  if (!dtype) throw broken(file, `its element type ${kind}${width} is not supported`);
  const itemBytes = Number(width) * (wideText ? 4 : 1);
  const bigEndian = endian === '>';
  const columnMajor = order === 'True';
  const plain = (!bigEndian || itemBytes === 1) && (!columnMajor || dims.length < 2) && dtype !== 'string';
  return { dtype, dims, start, itemBytes, plain, bigEndian, columnMajor, wideText };
}

/**
 * The array of a .npy file as a tensor (row-major; byte order and Fortran order are undone). `file` names it in messages.
 * @throws InputError bad-feed
 */
export function readNpy(bytes: Uint8Array, file: string): Tensor {
  const { dtype, dims, start, itemBytes, bigEndian, columnMajor, wideText } = readNpyHeader(bytes, file);
  const count = elementCount(dims);
  const needed = count * itemBytes;
  if (needed > SIZE_LIMIT) throw broken(file, `it needs ${needed} bytes, more than ${SIZE_LIMIT}`);
  if (bytes.byteLength - start < needed)
    throw broken(file, `it is cut off: ${needed} bytes expected, ${bytes.byteLength - start} there`);
  let data = new Uint8Array(bytes.subarray(start, start + needed));
  if (bigEndian) swapBytes(data, wideText ? 4 : itemBytes);
  if (columnMajor) data = rowMajor(data, dims, itemBytes);
  return dtype === 'string'
    ? new Tensor('string', dims, splitText(data, count, wideText ? 'utf-32' : 'bytes'))
    : new Tensor(dtype, dims, data);
}

/**
 * The arrays of a .npz file by name (without `.npy`).
 * @throws InputError bad-feed
 */
export function readNpz(bytes: Uint8Array, file: string): Map<string, Tensor> {
  const arrays = new Map<string, Tensor>();
  let total = 0;
  for (const entry of readZip(bytes, file)) {
    total += entry.size;
    if (!entry.name.endsWith('.npy')) throw broken(file, `entry "${entry.name}" is not a numpy array`);
    if (total > SIZE_LIMIT + HEADER_LIMIT) throw broken(file, `it holds more than ${SIZE_LIMIT} bytes`);
    arrays.set(entry.name.slice(0, -'.npy'.length), readNpy(entry.read(), `${file}:${entry.name}`));
  }
  return arrays;
}

function readHeader(bytes: Uint8Array, file: string): { text: string; start: number } {
  if (bytes.byteLength < 12 || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw broken(file, 'it is not a numpy array');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = view.getUint8(6);
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (major < 1 || major > 3 || length > HEADER_LIMIT || start + length > bytes.byteLength)
    throw broken(file, 'its header is damaged');
  return { text: new TextDecoder('latin1').decode(bytes.subarray(start, start + length)), start: start + length };
}

function swapBytes(data: Uint8Array, width: number): void {
  for (let at = 0; at < data.length; at += width) data.subarray(at, at + width).reverse();
}

/** Column-major elements of `itemBytes` bytes in row-major order. */
function rowMajor(data: Uint8Array, dims: readonly number[], itemBytes: number): Uint8Array<ArrayBuffer> {
  const strides: number[] = [];
  let stride = 1;
  for (const dim of dims) {
    strides.push(stride);
    stride *= dim;
  }
  const out = new Uint8Array(data.length);
  const index = dims.map(() => 0);
  let from = 0;
  for (let to = 0; to < data.length; to += itemBytes) {
    out.set(data.subarray(from * itemBytes, (from + 1) * itemBytes), to);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      from += strides[axis] ?? 0;
      if (next < (dims[axis] ?? 0)) {
        index[axis] = next;
        break;
      }
      from -= next * (strides[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return out;
}

/** Fixed-width texts, padded with zeros: UTF-32 or bytes. */
function splitText(data: Uint8Array, count: number, coding: 'utf-32' | 'bytes'): Uint8Array[] {
  const width = count === 0 ? 0 : data.length / count;
  return Array.from({ length: count }, (_, i) => {
    const item = data.subarray(i * width, (i + 1) * width);
    if (coding === 'bytes') return item.subarray(0, item.findLastIndex((byte) => byte !== 0) + 1);
    const view = new DataView(item.buffer, item.byteOffset, item.byteLength);
    const points = Array.from({ length: width / 4 }, (_unused, k) => view.getUint32(4 * k, true));
    const used = points.slice(0, points.findLastIndex((point) => point !== 0) + 1);
    return new TextEncoder().encode(String.fromCodePoint(...used.map((point) => (point > 0x10ffff ? 0xfffd : point))));
  });
}

function broken(file: string, why: string): InputError {
  return new InputError('bad-feed', `the file cannot be read: ${why}`, {
    at: { file },
    fix: 'write it with numpy.save or numpy.savez',
  });
}
