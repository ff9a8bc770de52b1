// Node and its attributes to NodeProto.
import { invariant } from '../base/errors.js';
import { subgraphsOf, type Attribute, type AttributeMap } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { Tensor } from '../tensor/tensor.js';
import type { EncodeContext } from './encode-context.js';
import { encodeTensor, isTensorKept, type TensorEntry } from './encode-tensor.js';
import { fieldsOf, int64, textField } from './messages.js';
import { patched } from './patch.js';
import { Rope } from './rope.js';
import { ATTRIBUTE, ATTRIBUTE_TYPE, NODE } from './schema.js';
import { encodeText } from './text.js';
import { bodyOf, fieldsByNumber, textOf, WireReader, type FieldSpan, type Source } from './wire.js';

/** Encodes a graph; undefined when it is as in the file. */
export type EncodeGraph = (graph: Graph) => Rope | undefined;

/** Appends `node` as a field with this number. True when it is as in the file. */
export function encodeNode(
  context: EncodeContext,
  rope: Rope,
  number: number,
  node: Node,
  encodeGraph: EncodeGraph,
): boolean {
  const source = context.records?.source;
  const record = context.records?.nodes.get(node);
  const attributes = encodeAttributes(context, NODE.attribute, node.attributes, record?.attributes, encodeGraph);
  if (!source || !record) {
    const { name, opType, domain, overload } = node;
    const head = fieldsOf.node({
      input: namesOf(node.inputs),
      output: namesOf(node.outputs),
      ...(name === '' ? {} : { name }),
      opType,
      ...(domain === '' ? {} : { domain }),
    });
    const contents = new Rope().push(head).append(attributes.rope);
    if (overload !== '') contents.push(textField(NODE.overload, overload));
    rope.field(number, contents);
    return false;
  }
  const groups = new Map<number, Rope>();
  if (areChanged(context, node.inputs, record.inputs))
    groups.set(NODE.input, new Rope().push(fieldsOf.node({ input: namesOf(node.inputs) })));
  if (areChanged(context, node.outputs, record.outputs))
    groups.set(NODE.output, new Rope().push(fieldsOf.node({ output: namesOf(node.outputs) })));
  if (!attributes.isKept) groups.set(NODE.attribute, attributes.rope);
  if (groups.size === 0) rope.copy(source, record.field.start, record.field.end);
  else rope.field(number, patched(source, bodyOf(record.field), groups));
  return groups.size === 0;
}

function namesOf(values: readonly (Value | undefined)[]): string[] {
  return values.map((value) => value?.name ?? '');
}

function areChanged(
  { renamed }: EncodeContext,
  now: readonly (Value | undefined)[],
  before: readonly (Value | undefined)[],
): boolean {
  if (now !== before && (now.length !== before.length || now.some((value, i) => value !== before[i]))) return true;
  return renamed.size > 0 && now.some((value) => value !== undefined && renamed.has(value));
}

/** `attributes` as fields with this number; `before`: those that the file has in their place. */
export function encodeAttributes(
  context: EncodeContext,
  number: number,
  attributes: AttributeMap,
  before: AttributeMap | undefined,
  encodeGraph: EncodeGraph,
): { readonly rope: Rope; readonly isKept: boolean } {
  const rope = new Rope();
  const old = [...(before?.values() ?? [])];
  let isKept = before !== undefined && old.length === attributes.size;
  let index = 0;
  for (const [name, attribute] of attributes) {
    const previous = before?.get(name);
    isKept =
      encodeAttribute(context, rope, { number, name, attribute, previous }, encodeGraph) &&
      isKept &&
      attribute === old[index++];
  }
  return { rope, isKept };
}

interface AttributeEntry {
  readonly number: number;
  readonly name: string;
  readonly attribute: Attribute;
  readonly previous: Attribute | undefined;
}

/** Appends one attribute; true when it is as in the file. */
function encodeAttribute(context: EncodeContext, rope: Rope, entry: AttributeEntry, encodeGraph: EncodeGraph): boolean {
  const { number, name, attribute, previous } = entry;
  const source = context.records?.source;
  const field = context.records?.attributes.get(attribute);
  if (!source || !field) {
    const old = previous && context.records?.attributes.get(previous);
    rope.field(number, newAttribute(context, source, old, entry, encodeGraph));
    return false;
  }
  const groups = new Map<number, Rope>();
  if (attribute !== previous && nameIn(source, field) !== name)
    groups.set(ATTRIBUTE.name, new Rope().push(fieldsOf.attribute({ name })));
  const value = changedValue(context, attribute, encodeGraph);
  if (value) groups.set(...value);
  // An attribute that came from elsewhere may have had another field number there: defaults of functions do.
  if (groups.size === 0 && attribute === previous) rope.copy(source, field.start, field.end);
  else rope.field(number, patched(source, bodyOf(field), groups));
  return groups.size === 0;
}

function nameIn(source: Source, field: FieldSpan): string {
  return textOf(source, fieldsByNumber(new WireReader(source, bodyOf(field), ATTRIBUTE.schema))(ATTRIBUTE.name).at(-1));
}

/** Attributes are immutable, but the graphs in them are not, and external tensors may have to come inside. */
function changedValue(
  context: EncodeContext,
  attribute: Attribute,
  encodeGraph: EncodeGraph,
): [number, Rope] | undefined {
  const graphs = subgraphsOf(attribute);
  if (graphs.length > 0) {
    const encoded = graphs.map((graph) => encodeGraph(graph));
    if (encoded.every((body) => body === undefined)) return undefined;
    const number = attribute.kind === 'graph' ? ATTRIBUTE.g : ATTRIBUTE.graphs;
    const rope = new Rope();
    graphs.forEach((graph, i) => rope.field(number, encoded[i] ?? unchangedGraph(context, graph)));
    return [number, rope];
  }
  const tensors = tensorsOf(attribute);
  if (tensors.every((tensor) => isTensorKept(context, tensorEntry(context, tensor)))) return undefined;
  const number = attribute.kind === 'tensor' ? ATTRIBUTE.t : ATTRIBUTE.tensors;
  const rope = new Rope();
  for (const tensor of tensors) rope.field(number, encodeTensor(context, tensorEntry(context, tensor)));
  return [number, rope];
}

function unchangedGraph({ records }: EncodeContext, graph: Graph): Rope {
  const field = records?.graphs.get(graph)?.field;
  invariant(records && field, `graph ${graph.name} is not in the file`);
  return new Rope().copy(records.source, field.bodyStart, field.end);
}

function tensorsOf(attribute: Attribute): readonly Tensor[] {
  if (attribute.kind === 'tensor') return [attribute.value];
  return attribute.kind === 'tensors' ? attribute.value : [];
}

/** A tensor of an attribute keeps the name it has in the file; it has no use. */
function tensorEntry({ records }: EncodeContext, tensor: Tensor): TensorEntry {
  return { tensor, name: records?.tensors.get(tensor)?.name ?? '', canBeExternal: false };
}

const VALUE_FIELDS: readonly number[] = [
  ATTRIBUTE.f,
  ATTRIBUTE.i,
  ATTRIBUTE.s,
  ATTRIBUTE.t,
  ATTRIBUTE.g,
  ATTRIBUTE.floats,
  ATTRIBUTE.ints,
  ATTRIBUTE.strings,
  ATTRIBUTE.tensors,
  ATTRIBUTE.graphs,
  ATTRIBUTE.tp,
  ATTRIBUTE.typeProtos,
  ATTRIBUTE.type,
  ATTRIBUTE.refAttrName,
  ATTRIBUTE.sparseTensor,
  ATTRIBUTE.sparseTensors,
];

/** An attribute that is not in the file. It takes over the documentation of the one it replaces. */
function newAttribute(
  context: EncodeContext,
  source: Source | undefined,
  old: FieldSpan | undefined,
  entry: AttributeEntry,
  encodeGraph: EncodeGraph,
): Rope {
  const { name, attribute } = entry;
  if (attribute.kind === 'opaque') return opaqueAttribute(attribute, name);
  const value = valueFields(context, attribute, encodeGraph);
  if (!source || !old) return new Rope().push(fieldsOf.attribute({ name })).append(value);
  return patched(source, bodyOf(old), new Map(VALUE_FIELDS.map((number) => [number, new Rope()]))).append(value);
}

function opaqueAttribute({ bytes }: Extract<Attribute, { kind: 'opaque' }>, name: string): Rope {
  invariant(bytes, `attribute ${name} has no bytes`);
  const source: Source = { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), file: undefined };
  return patched(
    source,
    { start: 0, end: bytes.byteLength },
    new Map([[ATTRIBUTE.name, new Rope().push(fieldsOf.attribute({ name }))]]),
  );
}

/** Type and value of an attribute. */
function valueFields(
  context: EncodeContext,
  attribute: Exclude<Attribute, { kind: 'opaque' }>,
  encodeGraph: EncodeGraph,
): Rope {
  if (attribute.kind === 'reference')
    return new Rope().push(fieldsOf.attribute({ refAttrName: attribute.name, type: attribute.type }));
  const rope = new Rope();
  switch (attribute.kind) {
    case 'int':
      rope.push(fieldsOf.attribute({ i: int64(attribute.value) }));
      break;
    case 'float':
      rope.push(fieldsOf.attribute({ f: attribute.value }));
      break;
    case 'string':
      rope.push(fieldsOf.attribute({ s: encodeText(attribute.value) }));
      break;
    case 'ints':
      rope.push(fieldsOf.attribute({ ints: attribute.value.map(int64) }));
      break;
    case 'floats':
      rope.push(fieldsOf.attribute({ floats: [...attribute.value] }));
      break;
    case 'strings':
      rope.push(fieldsOf.attribute({ strings: attribute.value.map(encodeText) }));
      break;
    case 'tensor':
      rope.field(ATTRIBUTE.t, encodeTensor(context, tensorEntry(context, attribute.value)));
      break;
    case 'tensors':
      for (const tensor of attribute.value)
        rope.field(ATTRIBUTE.tensors, encodeTensor(context, tensorEntry(context, tensor)));
      break;
    case 'graph':
      rope.field(ATTRIBUTE.g, encodeGraph(attribute.value) ?? unchangedGraph(context, attribute.value));
      break;
    case 'graphs':
      for (const graph of attribute.value)
        rope.field(ATTRIBUTE.graphs, encodeGraph(graph) ?? unchangedGraph(context, graph));
      break;
    default:
      attribute satisfies never;
  }
  // Key order of ATTRIBUTE_TYPE is the kind of the IR, so a lookup needs no second table.
  return rope.push(fieldsOf.attribute({ type: ATTRIBUTE_TYPE[attribute.kind] }));
}
