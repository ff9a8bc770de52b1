// Initializers of a graph, dense and sparse, and the quantization annotations that name some of them.
import { locate } from '../base/errors.js';
import type { Initializer, Value, ValueType } from '../ir/value.js';
import { dtypeFromCode } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { decodeTensor, readEntry, readInts, type TensorSource } from './decode-tensor.js';
import type { AnnotationField, TensorRecord } from './document.js';
import { ANNOTATION, SPARSE_TENSOR } from './schema.js';
import { bodyOf, bytesOf, WireReader, wireError, type FieldSpan, type Source } from './wire.js';

/** An initializer as a file gives it. */
export interface NamedInitializer {
  readonly name: string;
  readonly field: FieldSpan;
  readonly initializer: Initializer;
  readonly type: ValueType;
}

interface InitializerContext {
  readonly source: TensorSource;
  readonly tensors: Map<Tensor, TensorRecord>;
}

/** The initializers of a graph by name. @throws InputError missing-field, duplicate-name and those of tensors */
export function decodeInitializers(
  context: InitializerContext,
  fields: {
    readonly name: string;
    readonly initializers: readonly FieldSpan[];
    readonly sparseInitializers: readonly FieldSpan[];
  },
): ReadonlyMap<string, NamedInitializer> {
  const found = new Map<string, NamedInitializer>();
  const add = (initializer: NamedInitializer): void => {
    const { name, field } = initializer;
    const at = { graph: fields.name };
    if (name === '')
      throw locate(wireError(context.source, field.start, 'missing-field', 'an initializer has no name'), at);
    if (found.has(name))
      throw locate(wireError(context.source, field.start, 'duplicate-name', `"${name}" is defined twice`), at);
    found.set(name, initializer);
  };
  for (const field of fields.initializers) add(denseInitializer(context, field));
  for (const field of fields.sparseInitializers) add(sparseInitializer(context, field));
  return found;
}

function denseInitializer({ source, tensors }: InitializerContext, field: FieldSpan): NamedInitializer {
  const { name, tensor, dims, typeCode, isExternal } = decodeTensor(source, bodyOf(field));
  if (tensor) tensors.set(tensor, { field, name, isExternal });
  const initializer: Initializer = tensor
    ? { kind: 'dense', tensor }
    : { kind: 'opaque', bytes: bytesOf(source, bodyOf(field)) };
  return { name, field, initializer, type: { kind: 'tensor', dtype: dtypeFromCode(typeCode), shape: dims } };
}

/** A SparseTensorProto: its name is that of its values. */
function sparseInitializer({ source }: InitializerContext, field: FieldSpan): NamedInitializer {
  const reader = new WireReader(source, bodyOf(field), SPARSE_TENSOR.schema);
  const dims: number[] = [];
  let name = '';
  let typeCode = 0;
  while (reader.next()) {
    if (reader.number === SPARSE_TENSOR.values) ({ name, typeCode } = decodeTensor(source, reader.body()));
    else if (reader.number === SPARSE_TENSOR.indices) decodeTensor(source, reader.body());
    else if (reader.number === SPARSE_TENSOR.dims) readInts(reader, dims);
  }
  const bytes = source.bytes.subarray(field.bodyStart, field.end);
  return {
    name,
    field,
    initializer: { kind: 'sparse', bytes },
    type: { kind: 'tensor', dtype: dtypeFromCode(typeCode), shape: dims },
  };
}

/** Quantization annotations with the values they speak of. */
export function decodeAnnotations(
  source: Source,
  fields: readonly FieldSpan[],
  lookUp: (name: string) => Value | undefined,
): AnnotationField[] {
  return fields.map((field) => {
    const reader = new WireReader(source, bodyOf(field), ANNOTATION.schema);
    const parameters: (Value | undefined)[] = [];
    let value: Value | undefined;
    while (reader.next()) {
      if (reader.number === ANNOTATION.tensorName) value = lookUp(reader.text());
      else if (reader.number === ANNOTATION.quantParameterTensorNames)
        parameters.push(lookUp(readEntry(source, reader.body())[1]));
    }
    return { field, value, parameters };
  });
}
