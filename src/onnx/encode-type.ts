// ValueInfoProto and the types in it. Documentation, metadata and denotations stay where name or type change.
import type { DeclaredDim, Value, ValueType } from '../ir/value.js';
import { DTYPES } from '../tensor/dtype.js';
import { decodeDim } from './decode-type.js';
import type { ValueField } from './document.js';
import type { EncodeContext } from './encode-context.js';
import { fieldsOf } from './messages.js';
import { fieldGroups, patched } from './patch.js';
import { Rope } from './rope.js';
import { DIMENSION, SHAPE, TENSOR_TYPE, TYPE, VALUE_INFO } from './schema.js';
import { bodyOf, fieldsByNumber, WireReader, type FieldSpan, type Source } from './wire.js';

type TensorType = Extract<ValueType, { kind: 'tensor' }>;

type DimMessage = Parameters<typeof fieldsOf.dimension>[0];

/**
 * Appends the entry for `value` as a field. `entry`: what stood in its place in the file. True when that stays as it is.
 */
export function encodeValueInfo(
  context: EncodeContext,
  rope: Rope,
  number: number,
  value: Value,
  entry: ValueField | undefined,
): boolean {
  const source = context.records?.source;
  if (!source || !entry) {
    rope.field(
      number,
      new Rope().push(
        fieldsOf.valueInfo({
          name: value.name,
          ...(value.type?.kind === 'tensor' ? { type: typeMessage(value.type) } : {}),
        }),
      ),
    );
    return false;
  }
  const isSameName = value.name === entry.name;
  const isSameType = value === entry.value ? !context.retyped.has(value) : value.type === entry.type;
  const { start, end } = entry.field;
  if (isSameName && isSameType) {
    rope.copy(source, start, end);
    return true;
  }
  const groups = new Map<number, Rope>();
  if (!isSameName) groups.set(VALUE_INFO.name, new Rope().push(fieldsOf.valueInfo({ name: value.name })));
  if (!isSameType) groups.set(VALUE_INFO.type, typeField(source, entry.field, value.type));
  rope.field(number, patched(source, bodyOf(entry.field), groups));
  return false;
}

/** The type field for a value whose entry so far is in `field`. */
function typeField(source: Source, field: FieldSpan, type: ValueType | undefined): Rope {
  const [old] = fieldsByNumber(new WireReader(source, bodyOf(field), VALUE_INFO.schema))(VALUE_INFO.type);
  // What is not a tensor has no form in the IR: it can only have been there before.
  if (type?.kind === 'other') return old ? new Rope().copy(source, old.start, old.end) : new Rope();
  if (type === undefined) return new Rope();
  const [oldTensor] = old ? fieldsByNumber(new WireReader(source, bodyOf(old), TYPE.schema))(TYPE.tensorType) : [];
  if (!old || !oldTensor) return new Rope().push(fieldsOf.valueInfo({ type: typeMessage(type) }));
  const tensorType = new Rope().field(TYPE.tensorType, patchedTensorType(source, oldTensor, type));
  return new Rope().field(VALUE_INFO.type, patched(source, bodyOf(old), new Map([[TYPE.tensorType, tensorType]])));
}

function patchedTensorType(source: Source, old: FieldSpan, type: TensorType): Rope {
  const [oldShape] = fieldsByNumber(new WireReader(source, bodyOf(old), TENSOR_TYPE.schema))(TENSOR_TYPE.shape);
  const groups = new Map<number, Rope>();
  if (type.dtype !== undefined)
    groups.set(TENSOR_TYPE.elemType, new Rope().push(fieldsOf.tensorType({ elemType: elemType(type) })));
  const shape = new Rope();
  if (type.shape) shape.field(TENSOR_TYPE.shape, patchedShape(source, oldShape, type.shape));
  groups.set(TENSOR_TYPE.shape, shape);
  return patched(source, bodyOf(old), groups);
}

/** Dimensions keep their messages where rank is kept: a new size leaves the denotation in place. */
function patchedShape(source: Source, old: FieldSpan | undefined, shape: readonly DeclaredDim[]): Rope {
  const fields = old ? fieldsByNumber(new WireReader(source, bodyOf(old), SHAPE.schema))(SHAPE.dim) : [];
  const dims = new Rope();
  shape.forEach((dim, i) => {
    const field = fields.length === shape.length ? fields[i] : undefined;
    if (!field) dims.field(SHAPE.dim, new Rope().push(fieldsOf.dimension(dimMessage(dim))));
    else if (decodeDim(source, bodyOf(field)) === dim) dims.copy(source, field.start, field.end);
    else {
      const kept = patched(
        source,
        bodyOf(field),
        fieldGroups([
          [DIMENSION.dimValue, undefined],
          [DIMENSION.dimParam, undefined],
        ]),
      );
      dims.field(SHAPE.dim, new Rope().push(fieldsOf.dimension(dimMessage(dim))).append(kept));
    }
  });
  return dims;
}

function typeMessage(type: TensorType): Parameters<typeof fieldsOf.type>[0] {
  return {
    tensorType: { elemType: elemType(type), ...(type.shape ? { shape: { dim: type.shape.map(dimMessage) } } : {}) },
  };
}

function elemType({ dtype }: TensorType): number {
  return dtype === undefined ? 0 : DTYPES[dtype].code;
}

function dimMessage(dim: DeclaredDim): DimMessage {
  if (dim === undefined) return {};
  return typeof dim === 'number' ? { dimValue: dim } : { dimParam: dim };
}
