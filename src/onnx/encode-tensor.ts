// Tensor to TensorProto. A tensor of the input keeps its message; only its name or the place of its data may change.
import { DTYPES } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { TensorRecord } from './document.js';
import type { EncodeContext, ExternalPlace } from './encode-context.js';
import { fieldsOf, int64 } from './messages.js';
import { patched } from './patch.js';
import { Rope } from './rope.js';
import { EXTERNAL_LOCATION, TENSOR } from './schema.js';
import { bodyOf, type FieldSpan } from './wire.js';

const DATA_FIELDS: readonly number[] = [
  TENSOR.floatData,
  TENSOR.int32Data,
  TENSOR.stringData,
  TENSOR.int64Data,
  TENSOR.rawData,
  TENSOR.doubleData,
  TENSOR.uint64Data,
  TENSOR.externalData,
  TENSOR.dataLocation,
];

/** A tensor to encode. */
export interface TensorEntry {
  readonly tensor: Tensor;
  readonly name: string;
  /** The TensorProto it replaces, whose documentation and metadata stay. */
  readonly replaces?: FieldSpan | undefined;
  /** May stand in another file. */
  readonly canBeExternal: boolean;
}

/** Whether `encodeTensor` would write just what stands in the file. */
export function isTensorKept(context: EncodeContext, entry: TensorEntry): boolean {
  const record = context.records?.tensors.get(entry.tensor);
  return record !== undefined && record.name === entry.name && isDataKept(context, entry, record);
}

/** The TensorProto of `entry`. */
export function encodeTensor(context: EncodeContext, entry: TensorEntry): Rope {
  const { tensor, name } = entry;
  const record = context.records?.tensors.get(tensor);
  const named = new Rope().push(fieldsOf.tensor({ name }));
  const source = context.records?.source;
  if (source && record && isDataKept(context, entry, record)) {
    const body = bodyOf(record.field);
    if (record.name === name) return new Rope().copy(source, body.start, body.end);
    return patched(source, body, new Map([[TENSOR.name, named]]));
  }
  const place = placeOf(context, entry);
  const data = place ? externalFields(place) : dataFields(tensor);
  const old = record?.field ?? entry.replaces;
  const head = new Rope().push(fieldsOf.tensor({ dims: tensor.dims.map(int64) }));
  const type = new Rope().push(fieldsOf.tensor({ dataType: DTYPES[tensor.dtype].code }));
  if (!source || !old)
    return new Rope()
      .append(head)
      .append(type)
      .append(name === '' ? new Rope() : named)
      .append(data);
  const groups = new Map<number, Rope>([
    [TENSOR.dims, head],
    [TENSOR.dataType, type],
  ]);
  if (name !== '') groups.set(TENSOR.name, named);
  for (const field of DATA_FIELDS) groups.set(field, new Rope());
  return patched(source, bodyOf(old), groups).append(data);
}

/** The data may stay in the form it has in the input. */
function isDataKept(context: EncodeContext, entry: TensorEntry, record: TensorRecord): boolean {
  if (context.placement.kind === 'keep') return true;
  return !record.isExternal && placeOf(context, entry) === undefined;
}

function placeOf({ placement }: EncodeContext, { tensor, canBeExternal }: TensorEntry): ExternalPlace | undefined {
  return placement.kind === 'external' && canBeExternal && tensor.dtype !== 'string'
    ? placement.place(tensor)
    : undefined;
}

function externalFields({ location, offset, length }: ExternalPlace): Rope {
  const externalData = [
    { key: 'location', value: location },
    { key: 'offset', value: String(offset) },
    { key: 'length', value: String(length) },
  ];
  return new Rope().push(fieldsOf.tensor({ externalData, dataLocation: EXTERNAL_LOCATION }));
}

function dataFields(tensor: Tensor): Rope {
  if (tensor.dtype === 'string') return new Rope().push(fieldsOf.tensor({ stringData: [...tensor.strings()] }));
  return new Rope().field(TENSOR.rawData, new Rope().tensor(tensor));
}
