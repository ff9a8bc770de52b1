// ValueInfoProto and the types in it.
import { dtypeFromCode } from '../tensor/dtype.js';
import type { DeclaredDim, ValueType } from '../ir/value.js';
import { DIMENSION, SHAPE, TENSOR_TYPE, TYPE, VALUE_INFO } from './schema.js';
import { bodyOf, WireReader, type FieldSpan, type Source, type Span } from './wire.js';

/** A ValueInfoProto: name and type, and where it stands. */
export interface DeclaredValue {
  readonly name: string;
  readonly type: ValueType | undefined;
  readonly field: FieldSpan;
}

/** Types already decoded, by their bytes: most values of a model have one of a few types. */
export type TypeMemo = Map<string, ValueType | undefined>;

/** Reads a field that holds a ValueInfoProto. */
export function decodeValueInfo(source: Source, field: FieldSpan, memo: TypeMemo = new Map()): DeclaredValue {
  const reader = new WireReader(source, bodyOf(field), VALUE_INFO.schema);
  let name = '';
  let type: ValueType | undefined;
  while (reader.next()) {
    if (reader.number === VALUE_INFO.name) name = reader.text();
    else if (reader.number === VALUE_INFO.type) {
      const key = source.bytes.toString('latin1', reader.bodyStart, reader.end);
      if (!memo.has(key)) memo.set(key, decodeType(source, reader.body()));
      type = memo.get(key);
    }
  }
  return { name, type, field };
}

/** TypeProto; undefined when it is empty. */
function decodeType(source: Source, body: Span): ValueType | undefined {
  const reader = new WireReader(source, body, TYPE.schema);
  let type: ValueType | undefined;
  while (reader.next()) {
    if (reader.number === TYPE.tensorType) type = decodeTensorType(source, reader.body());
    else if (reader.number !== TYPE.denotation) type = { kind: 'other' };
  }
  return type;
}

function decodeTensorType(source: Source, body: Span): ValueType {
  const reader = new WireReader(source, body, TENSOR_TYPE.schema);
  let code = 0;
  let shape: DeclaredDim[] | undefined;
  while (reader.next()) {
    if (reader.number === TENSOR_TYPE.elemType) code = reader.int();
    else if (reader.number === TENSOR_TYPE.shape) shape = decodeShape(source, reader.body());
  }
  return { kind: 'tensor', dtype: dtypeFromCode(code), shape };
}

function decodeShape(source: Source, body: Span): DeclaredDim[] {
  const reader = new WireReader(source, body, SHAPE.schema);
  const dims: DeclaredDim[] = [];
  while (reader.next()) if (reader.number === SHAPE.dim) dims.push(decodeDim(source, reader.body()));
  return dims;
}

/** A Dimension. Exporters write a size that they do not know as a negative one or as an empty symbol, too. */
export function decodeDim(source: Source, body: Span): DeclaredDim {
  const reader = new WireReader(source, body, DIMENSION.schema);
  let dim: DeclaredDim;
  while (reader.next()) {
    if (reader.number === DIMENSION.dimValue) {
      const size = reader.int();
      dim = size < 0 ? undefined : size;
    } else if (reader.number === DIMENSION.dimParam) dim = reader.text() || undefined;
  }
  return dim;
}
