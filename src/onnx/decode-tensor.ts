// TensorProto to Tensor. raw_data and packed floats stay slices of the file, external data stays where it is; only
// numbers stored as varints are rewritten, large ones on demand.
import { InputError, type ErrorPlace, type InputCode } from '../base/errors.js';
import { DTYPES, dtypeFromCode, storageBytes, type DType } from '../tensor/dtype.js';
import { Tensor, type TensorPayload } from '../tensor/tensor.js';
import type { ExternalFolder, ExternalReference } from './external.js';
import { ENTRY, EXTERNAL_LOCATION, TENSOR, WIRE } from './schema.js';
import { VarintReader, WireReader, type Source, type Span } from './wire.js';

/** A model file and the folder its tensors may name files in. */
export interface TensorSource extends Source {
  readonly folder: ExternalFolder | undefined;
}

export interface DecodedTensor {
  readonly name: string;
  readonly dims: readonly number[];
  /** TensorProto.DataType. */
  readonly typeCode: number;
  /** Undefined for an element type that mcompress does not know: kept as bytes. */
  readonly tensor: Tensor | undefined;
  readonly isExternal: boolean;
}

/** What a TensorProto says, before its data is looked at. Regions of data fields are start, end, start, end, ... */
interface Header {
  name: string;
  typeCode: number;
  readonly dims: number[];
  raw: Span | undefined;
  readonly regions: Map<number, number[]>;
  isExternal: boolean;
  readonly external: Span[];
  hasSegment: boolean;
}

/** Varint data above this many bytes is converted whenever it is read, so that loading a model stays cheap. */
const EAGER_BYTES = 65536;
const MAX_ELEMENTS = Number.MAX_SAFE_INTEGER;

/**
 * The tensor in `body`. @throws InputError bad-tensor (dims, type and data disagree), external-data, unsupported, and
 * those of the wire format
 */
export function decodeTensor(source: TensorSource, body: Span): DecodedTensor {
  const header = readHeader(source, body);
  const { name, dims, typeCode, isExternal } = header;
  const at: ErrorPlace = {
    ...(source.file === undefined ? {} : { file: source.file }),
    offset: body.start,
    ...(name === '' ? {} : { tensor: name }),
  };
  const fail = (code: InputCode, message: string): never => {
    throw new InputError(code, message, { at });
  };
  if (header.hasSegment)
    fail('unsupported', 'the tensor is split into segments, which ONNX Runtime does not read either');
  if (typeCode === 0) fail('bad-tensor', 'the tensor has no element type');
  let size = 1;
  for (const dim of dims) {
    if (dim < 0) fail('bad-tensor', `the tensor has a negative dimension: [${dims.join(', ')}]`);
    size *= Math.max(dim, 1);
  }
  if (size > MAX_ELEMENTS) fail('bad-tensor', `the tensor's dimensions are absurd: [${dims.join(', ')}]`);
  const dtype = dtypeFromCode(typeCode);
  if (dtype === undefined) return { name, dims, typeCode, isExternal, tensor: undefined };
  const count = dims.includes(0) ? 0 : size;
  const payload = isExternal
    ? externalPayload(source, header, dtype, count, at)
    : inlinePayload(source, header, dtype, count);
  if (typeof payload === 'string') return fail('bad-tensor', `${dtype}[${dims.join(', ')}] ${payload}`);
  return { name, dims, typeCode, isExternal, tensor: new Tensor(dtype, dims, payload) };
}

function readHeader(source: Source, body: Span): Header {
  const header: Header = {
    name: '',
    typeCode: 0,
    dims: [],
    raw: undefined,
    regions: new Map(),
    isExternal: false,
    external: [],
    hasSegment: false,
  };
  const reader = new WireReader(source, body, TENSOR.schema);
  while (reader.next()) {
    switch (reader.number) {
      case TENSOR.dims:
        readInts(reader, header.dims);
        break;
      case TENSOR.dataType:
        header.typeCode = reader.int();
        break;
      case TENSOR.name:
        header.name = reader.text();
        break;
      case TENSOR.rawData:
        header.raw = reader.body();
        break;
      case TENSOR.segment:
        header.hasSegment = true;
        break;
      case TENSOR.dataLocation:
        header.isExternal = reader.int() === EXTERNAL_LOCATION;
        break;
      case TENSOR.externalData:
        header.external.push(reader.body());
        break;
      case TENSOR.floatData:
      case TENSOR.int32Data:
      case TENSOR.int64Data:
      case TENSOR.doubleData:
      case TENSOR.uint64Data:
      case TENSOR.stringData:
        addRegion(header.regions, reader);
        break;
      default:
    }
  }
  return header;
}

/** Appends the integers of the present field, packed or single. */
export function readInts(reader: WireReader, into: number[]): void {
  if (reader.wireType === WIRE.varint) {
    into.push(reader.int());
    return;
  }
  const varints = new VarintReader(reader.source, reader.bodyStart, reader.end);
  while (!varints.isDone) into.push(varints.varint());
}

function addRegion(regions: Map<number, number[]>, reader: WireReader): void {
  const list = regions.get(reader.number);
  if (list) list.push(reader.bodyStart, reader.end);
  else regions.set(reader.number, [reader.bodyStart, reader.end]);
}

/** The data of an inline tensor, or what is wrong with it. */
function inlinePayload(source: Source, { raw, regions }: Header, dtype: DType, count: number): TensorPayload | string {
  const field = dataField(dtype);
  const typed = regions.get(field) ?? [];
  if (dtype === 'string') return stringPayload(source, typed, count, raw);
  const needed = storageBytes(dtype, count);
  if (raw !== undefined && (raw.end > raw.start || typed.length === 0)) {
    if (raw.end - raw.start !== needed) return `needs ${needed} bytes, but raw_data has ${raw.end - raw.start}`;
    const isUnread = (source.unread?.within(raw.start, raw.end).length ?? 0) > 0;
    return isUnread && source.unread ? source.unread.bytes(raw) : source.bytes.subarray(raw.start, raw.end);
  }
  if (field === TENSOR.floatData || field === TENSOR.doubleData) {
    const given = regionBytes(typed);
    return given === needed ? joined(source, typed, given) : `needs ${needed} bytes, but its data has ${given}`;
  }
  return varintPayload(source, typed, dtype, count);
}

/** Field that holds the elements of `dtype` when raw_data does not. */
function dataField(dtype: DType): number {
  const fields: Partial<Record<DType, number>> = {
    float32: TENSOR.floatData,
    complex64: TENSOR.floatData,
    float64: TENSOR.doubleData,
    complex128: TENSOR.doubleData,
    int64: TENSOR.int64Data,
    uint64: TENSOR.uint64Data,
    uint32: TENSOR.uint64Data,
    string: TENSOR.stringData,
  };
  return fields[dtype] ?? TENSOR.int32Data;
}

function stringPayload(
  source: Source,
  regions: readonly number[],
  count: number,
  raw: Span | undefined,
): Uint8Array[] | string {
  if (raw !== undefined && raw.end > raw.start) return 'has raw_data, which strings cannot have';
  if (regions.length / 2 !== count) return `needs ${count} strings, but has ${regions.length / 2}`;
  return Array.from({ length: count }, (_, i) => source.bytes.subarray(regions[2 * i], regions[2 * i + 1]));
}

function regionBytes(regions: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < regions.length; i += 2) sum += (regions[i + 1] ?? 0) - (regions[i] ?? 0);
  return sum;
}

function joined(source: Source, regions: readonly number[], length: number): Uint8Array {
  if (regions.length === 2) return source.bytes.subarray(regions[0], regions[1]);
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (let i = 0; i < regions.length; i += 2) at += source.bytes.copy(bytes, at, regions[i], regions[i + 1]);
  return bytes;
}

/** Entries that int32_data (or int64_data, uint64_data) holds: one per element, or one per byte of packed 4 and 2 bit types. */
function entryCount(dtype: DType, count: number): number {
  const { bits } = DTYPES[dtype];
  return bits === 4 || bits === 2 ? storageBytes(dtype, count) : count;
}

function varintPayload(
  source: Source,
  regions: readonly number[],
  dtype: DType,
  count: number,
): TensorPayload | string {
  const needed = entryCount(dtype, count);
  let given = 0;
  for (let i = 0; i < regions.length; i += 2) given += countVarints(source, regions[i] ?? 0, regions[i + 1] ?? 0);
  if (given !== needed) return `needs ${needed} numbers, but its data has ${given}`;
  const read = (): Uint8Array => convertVarints(source, regions, dtype, count);
  return regionBytes(regions) <= EAGER_BYTES ? read() : { byteLength: storageBytes(dtype, count), read };
}

/** Numbers in a packed region. Each is checked against 64 bits, so that reading them later cannot fail. */
function countVarints(source: Source, start: number, end: number): number {
  const varints = new VarintReader(source, start, end);
  let count = 0;
  for (; !varints.isDone; count++) varints.varint();
  return count;
}

function convertVarints(source: Source, regions: readonly number[], dtype: DType, count: number): Uint8Array {
  const { bits } = DTYPES[dtype];
  const bytes = new Uint8Array(storageBytes(dtype, count));
  const view = new DataView(bytes.buffer);
  let index = 0;
  for (let i = 0; i < regions.length; i += 2) {
    const varints = new VarintReader(source, regions[i] ?? 0, regions[i + 1] ?? 0);
    for (; !varints.isDone; index++) {
      varints.varint();
      if (bits === 64) {
        view.setInt32(8 * index, varints.low, true);
        view.setInt32(8 * index + 4, varints.high, true);
      } else if (bits === 32) view.setInt32(4 * index, varints.low, true);
      else if (bits === 16) view.setInt16(2 * index, varints.low, true);
      else if (bits === 6) putSixBits(bytes, index, varints.low);
      else bytes[index] = varints.low;
    }
  }
  return bytes;
}

/** 6-bit elements form one stream, lowest bits first. */
function putSixBits(bytes: Uint8Array, index: number, value: number): void {
  const at = (6 * index) >> 3;
  const shifted = (value & 63) << ((6 * index) & 7);
  bytes[at] = (bytes[at] ?? 0) | (shifted & 255);
  if (shifted > 255) bytes[at + 1] = (bytes[at + 1] ?? 0) | (shifted >> 8);
}

function externalPayload(
  source: TensorSource,
  header: Header,
  dtype: DType,
  count: number,
  at: ErrorPlace,
): TensorPayload | string {
  if (dtype === 'string') return 'is external, which strings cannot be';
  if (source.folder === undefined) {
    const fix = 'give the path of the model file';
    throw new InputError(
      'external-data',
      'the tensor stands in another file, and the model did not come from a folder',
      { at, fix },
    );
  }
  const reference = readReference(source, header.external);
  if (reference === undefined) return 'has external data without a good location, offset or length';
  return source.folder.bytes(reference, storageBytes(dtype, count), at);
}

function readReference(source: Source, entries: readonly Span[]): ExternalReference | undefined {
  const pairs = new Map(entries.map((span) => readEntry(source, span)));
  const whole = (key: string): number | undefined => {
    const text = pairs.get(key);
    return text === undefined ? undefined : /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  };
  const location = pairs.get('location');
  const offset = whole('offset') ?? 0;
  const length = whole('length');
  if (location === undefined || Number.isNaN(offset) || Number.isNaN(length)) return undefined;
  return { location, offset, length, checksum: pairs.get('checksum') };
}

/** Key and value of a StringStringEntryProto. */
export function readEntry(source: Source, body: Span): [key: string, value: string] {
  const reader = new WireReader(source, body, ENTRY.schema);
  let key = '';
  let value = '';
  while (reader.next()) {
    if (reader.number === ENTRY.key) key = reader.text();
    else if (reader.number === ENTRY.value) value = reader.text();
  }
  return [key, value];
}
