// AttributeProto to Attribute.
import type { Attribute } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { Tensor } from '../tensor/tensor.js';
import { decodeTensor, readInts, type TensorSource } from './decode-tensor.js';
import type { TensorRecord } from './document.js';
import { ATTRIBUTE, ATTRIBUTE_TYPE, WIRE } from './schema.js';
import { bodyOf, WireReader, wireError, type FieldSpan } from './wire.js';

/** What attributes are decoded with. */
export interface AttributeContext {
  readonly source: TensorSource;
  readonly tensors: Map<Tensor, TensorRecord>;
  /** Decodes a subgraph in the scope of the node. */
  readonly graph: (field: FieldSpan) => Graph;
}

/** Where the type is not given (IR version 1), the field in use tells it. */
const TYPE_OF_FIELD: ReadonlyMap<number, number> = new Map([
  [ATTRIBUTE.f, ATTRIBUTE_TYPE.float],
  [ATTRIBUTE.i, ATTRIBUTE_TYPE.int],
  [ATTRIBUTE.s, ATTRIBUTE_TYPE.string],
  [ATTRIBUTE.t, ATTRIBUTE_TYPE.tensor],
  [ATTRIBUTE.g, ATTRIBUTE_TYPE.graph],
  [ATTRIBUTE.floats, ATTRIBUTE_TYPE.floats],
  [ATTRIBUTE.ints, ATTRIBUTE_TYPE.ints],
  [ATTRIBUTE.strings, ATTRIBUTE_TYPE.strings],
  [ATTRIBUTE.tensors, ATTRIBUTE_TYPE.tensors],
  [ATTRIBUTE.graphs, ATTRIBUTE_TYPE.graphs],
  [ATTRIBUTE.sparseTensor, ATTRIBUTE_TYPE.sparseTensor],
  [ATTRIBUTE.sparseTensors, ATTRIBUTE_TYPE.sparseTensors],
  [ATTRIBUTE.tp, ATTRIBUTE_TYPE.typeProto],
  [ATTRIBUTE.typeProtos, ATTRIBUTE_TYPE.typeProtos],
]);

/** Name and value of the attribute in `field`. @throws InputError missing-field, too-deep and those of tensors and graphs */
export function decodeAttribute(context: AttributeContext, field: FieldSpan): [name: string, attribute: Attribute] {
  const reader = new WireReader(context.source, bodyOf(field), ATTRIBUTE.schema);
  let name = '';
  let reference = '';
  let type = 0;
  let guess = 0;
  while (reader.next()) {
    if (reader.number === ATTRIBUTE.name) name = reader.text();
    else if (reader.number === ATTRIBUTE.type) type = reader.int();
    else if (reader.number === ATTRIBUTE.refAttrName) reference = reader.text();
    else guess = TYPE_OF_FIELD.get(reader.number) ?? guess;
  }
  const fail = (message: string): never => {
    throw wireError(context.source, field.start, 'missing-field', message);
  };
  if (name === '') fail('an attribute has no name');
  if (type === 0) type = guess;
  if (reference !== '') return [name, { kind: 'reference', name: reference, type }];
  if (type === 0) fail(`attribute ${name} has neither a type nor a value`);
  return [
    name,
    VALUES.get(type)?.(context, field, name) ?? {
      kind: 'opaque',
      type,
      bytes: context.source.bytes.subarray(field.bodyStart, field.end),
    },
  ];
}

/** Reads the value of an attribute; undefined where a part of it is not understood. */
type ReadValue = (context: AttributeContext, field: FieldSpan, name: string) => Attribute | undefined;

const VALUES: ReadonlyMap<number, ReadValue> = new Map<number, ReadValue>([
  [
    ATTRIBUTE_TYPE.float,
    (context, field) => ({
      kind: 'float',
      value: collect(context, field, ATTRIBUTE.f, (reader) => reader.float()).at(-1) ?? 0,
    }),
  ],
  [
    ATTRIBUTE_TYPE.int,
    (context, field) => ({
      kind: 'int',
      value: collect(context, field, ATTRIBUTE.i, (reader) => reader.int()).at(-1) ?? 0,
    }),
  ],
  [
    ATTRIBUTE_TYPE.string,
    (context, field) => ({
      kind: 'string',
      value: collect(context, field, ATTRIBUTE.s, (reader) => reader.text()).at(-1) ?? '',
    }),
  ],
  [
    ATTRIBUTE_TYPE.floats,
    (context, field) => ({ kind: 'floats', value: collectInto(context, field, ATTRIBUTE.floats, readFloats) }),
  ],
  [
    ATTRIBUTE_TYPE.ints,
    (context, field) => ({ kind: 'ints', value: collectInto(context, field, ATTRIBUTE.ints, readInts) }),
  ],
  [
    ATTRIBUTE_TYPE.strings,
    (context, field) => ({
      kind: 'strings',
      value: collect(context, field, ATTRIBUTE.strings, (reader) => reader.text()),
    }),
  ],
  [
    ATTRIBUTE_TYPE.graph,
    (context, field, name) => ({ kind: 'graph', value: context.graph(only(context, field, ATTRIBUTE.g, name)) }),
  ],
  [
    ATTRIBUTE_TYPE.graphs,
    (context, field) => ({
      kind: 'graphs',
      value: collect(context, field, ATTRIBUTE.graphs, (reader) => reader.field()).map(context.graph),
    }),
  ],
  [
    ATTRIBUTE_TYPE.tensor,
    (context, field, name) => {
      const tensor = tensorOf(context, only(context, field, ATTRIBUTE.t, name));
      return tensor && { kind: 'tensor', value: tensor };
    },
  ],
  [
    ATTRIBUTE_TYPE.tensors,
    (context, field) => {
      const tensors = collect(context, field, ATTRIBUTE.tensors, (reader) => tensorOf(context, reader.field()));
      const known = tensors.filter((tensor) => tensor !== undefined);
      return known.length === tensors.length ? { kind: 'tensors', value: known } : undefined;
    },
  ],
]);

/** What `read` gives at each of the attribute's fields with this number. */
function collect<T>(
  { source }: AttributeContext,
  field: FieldSpan,
  number: number,
  read: (reader: WireReader) => T,
): T[] {
  const found: T[] = [];
  const reader = new WireReader(source, bodyOf(field), ATTRIBUTE.schema);
  while (reader.next()) if (reader.number === number) found.push(read(reader));
  return found;
}

function collectInto(
  context: AttributeContext,
  field: FieldSpan,
  number: number,
  read: (reader: WireReader, into: number[]) => void,
): number[] {
  const found: number[] = [];
  collect(context, field, number, (reader) => read(reader, found));
  return found;
}

function only(context: AttributeContext, field: FieldSpan, number: number, name: string): FieldSpan {
  const [found] = collect(context, field, number, (reader) => reader.field());
  if (!found)
    throw wireError(context.source, field.start, 'missing-field', `attribute ${name} has a type but no value`);
  return found;
}

function readFloats(reader: WireReader, into: number[]): void {
  const { bytes } = reader.source;
  if (reader.wireType === WIRE.fixed32) into.push(reader.float());
  else if ((reader.end - reader.bodyStart) % 4 === 0)
    for (let at = reader.bodyStart; at < reader.end; at += 4) into.push(bytes.readFloatLE(at));
  else throw wireError(reader.source, reader.start, 'malformed', 'a list of floats is cut off');
}

/** The tensor in `field`; undefined when its element type is not known. */
function tensorOf({ source, tensors }: AttributeContext, field: FieldSpan): Tensor | undefined {
  const { tensor, name, isExternal } = decodeTensor(source, bodyOf(field));
  if (tensor) tensors.set(tensor, { field, name, isExternal });
  return tensor;
}
