// Graph to GraphProto, and to the body of a FunctionProto: field by field, each list only where it differs from the file.
import { invariant } from '../base/errors.js';
import type { Graph } from '../ir/graph.js';
import type { Value } from '../ir/value.js';
import type { AnnotationField, GraphRecord, InitializerField } from './document.js';
import type { EncodeContext } from './encode-context.js';
import { encodeNode } from './encode-node.js';
import { encodeTensor, isTensorKept } from './encode-tensor.js';
import { encodeValueInfo } from './encode-type.js';
import { fieldsOf } from './messages.js';
import { patched } from './patch.js';
import { Rope } from './rope.js';
import { ANNOTATION, ENTRY, GRAPH, SPARSE_TENSOR, TENSOR } from './schema.js';
import { bodyOf, fieldsByNumber, WireReader, type FieldSpan, type Source } from './wire.js';

/** A list of fields and whether it is as in the file. */
export interface Group {
  readonly rope: Rope;
  readonly isKept: boolean;
}

/** The GraphProto of `graph`; undefined when it is as in the file. */
export function encodeGraph(context: EncodeContext, graph: Graph): Rope | undefined {
  const record = context.records?.graphs.get(graph);
  const groups: readonly (readonly [number, Group])[] = [
    [GRAPH.node, encodeNodes(context, GRAPH.node, graph, record)],
    [GRAPH.initializer, encodeInitializers(context, graph, record)],
    [GRAPH.sparseInitializer, encodeSparse(context, graph, record)],
    [GRAPH.input, encodeInputs(context, graph, record)],
    [GRAPH.output, encodeOutputs(context, graph, record)],
    [GRAPH.valueInfo, encodeTypes(context, GRAPH.valueInfo, graph, record)],
    [GRAPH.quantizationAnnotation, encodeAnnotations(context, record)],
  ];
  const source = context.records?.source;
  if (!source || !record) {
    const rope = new Rope().push(fieldsOf.graph({ name: graph.name }));
    for (const [, group] of groups) rope.append(group.rope);
    return rope;
  }
  return patchedGroups(source, record.field, groups);
}

/** The message in `field` with the groups that changed; undefined when none did. */
export function patchedGroups(
  source: Source,
  field: FieldSpan,
  groups: ReadonlyArray<readonly [number, Group]>,
): Rope | undefined {
  const changed = groups.filter(([, { isKept }]) => !isKept);
  if (changed.length === 0) return undefined;
  return patched(source, bodyOf(field), new Map(changed.map(([number, { rope }]) => [number, rope])));
}

/** The nodes of `graph` as fields with this number. */
export function encodeNodes(
  context: EncodeContext,
  number: number,
  graph: Graph,
  record: GraphRecord | undefined,
): Group {
  const rope = new Rope();
  const before = record?.nodes ?? [];
  let isKept = before.length === graph.nodeCount;
  let index = 0;
  for (let node = graph.first; node !== undefined; node = node.next) {
    isKept =
      encodeNode(context, rope, number, node, (inner) => encodeGraph(context, inner)) &&
      isKept &&
      node === before[index++];
  }
  return { rope, isKept };
}

/** Types of values that nodes compute, as fields with this number. */
export function encodeTypes(
  context: EncodeContext,
  number: number,
  graph: Graph,
  record: GraphRecord | undefined,
): Group {
  const rope = new Rope();
  const seen = new Set<Value>();
  const source = context.records?.source;
  let isKept = true;
  for (const entry of record?.valueInfo ?? []) {
    const { value, field } = entry;
    if (value) seen.add(value);
    if (value === undefined && source) rope.copy(source, field.start, field.end);
    else if (!value || value.graph !== graph || !isDescribed(context, value, graph, record)) isKept = false;
    else isKept = encodeValueInfo(context, rope, number, value, entry) && isKept;
  }
  for (let node = graph.first; node !== undefined; node = node.next) {
    for (const value of node.outputs) {
      if (value === undefined || value.type?.kind !== 'tensor' || value.outputOf.has(graph) || seen.has(value))
        continue;
      isKept = false;
      encodeValueInfo(context, rope, number, value, undefined);
    }
  }
  return { rope, isKept };
}

/**
 * A value may keep its value_info: nobody took its type away, and it has not become an output, which has an entry of its
 * own.
 */
function isDescribed({ retyped }: EncodeContext, value: Value, graph: Graph, record: GraphRecord | undefined): boolean {
  if (value.type === undefined && retyped.has(value)) return false;
  return !value.outputOf.has(graph) || (record?.outputs.some((output) => output.value === value) ?? false);
}

function encodeInputs(context: EncodeContext, graph: Graph, record: GraphRecord | undefined): Group {
  const rope = new Rope();
  const seen = new Set<Value>();
  let isKept = true;
  for (const entry of record?.inputs ?? []) {
    const { value } = entry;
    if (value) seen.add(value);
    if (value && value.graph === graph && (value.isInput || context.weightInputs.has(value))) {
      isKept = encodeValueInfo(context, rope, GRAPH.input, value, entry) && isKept;
    } else isKept = false;
  }
  for (const value of graph.inputs) {
    if (seen.has(value)) continue;
    isKept = false;
    encodeValueInfo(context, rope, GRAPH.input, value, undefined);
  }
  return { rope, isKept };
}

function encodeOutputs(context: EncodeContext, graph: Graph, record: GraphRecord | undefined): Group {
  const rope = new Rope();
  let isKept = record?.outputs.length === graph.outputs.length;
  graph.outputs.forEach((value, i) => {
    isKept = encodeValueInfo(context, rope, GRAPH.output, value, record?.outputs[i]) && isKept;
  });
  return { rope, isKept };
}

/** Dense initializers, and those of an element type that is not known: the old ones in place, new ones after them. */
function encodeInitializers(context: EncodeContext, graph: Graph, record: GraphRecord | undefined): Group {
  const rope = new Rope();
  const source = context.records?.source;
  const entries = record?.initializers ?? [];
  let isKept = true;
  for (const entry of entries) {
    const { field, value } = entry;
    if (entry.initializer === undefined && source) rope.copy(source, field.start, field.end);
    else if (value.graph !== graph || !graph.initializers.has(value) || value.initializer?.kind === 'sparse')
      isKept = false;
    else isKept = encodeInitializer(context, rope, value, entry) && isKept;
  }
  const known = new Set(entries.map(({ value }) => value));
  const added = [...graph.initializers]
    .filter((value) => !known.has(value) && value.initializer?.kind !== 'sparse')
    .sort((a, b) => a.ordinal - b.ordinal);
  for (const value of added) encodeInitializer(context, rope, value, undefined);
  return { rope, isKept: isKept && added.length === 0 };
}

/** Appends one dense or opaque initializer; true when it is as in the file. */
function encodeInitializer(
  context: EncodeContext,
  rope: Rope,
  value: Value,
  entry: InitializerField | undefined,
): boolean {
  const { initializer, name } = value;
  const source = context.records?.source;
  if (initializer?.kind === 'opaque') {
    if (entry && source && entry.initializer === initializer && !context.renamed.has(value)) {
      rope.copy(source, entry.field.start, entry.field.end);
      return true;
    }
    rope.field(GRAPH.initializer, renamed(initializer.bytes, TENSOR.name, fieldsOf.tensor({ name })));
    return false;
  }
  invariant(initializer?.kind === 'dense', `initializer ${name} has no tensor`);
  const tensorEntry = { tensor: initializer.tensor, name, replaces: entry?.field, canBeExternal: true };
  const isSame =
    entry !== undefined && entry.initializer?.kind === 'dense' && entry.initializer.tensor === initializer.tensor;
  if (source && isSame && isTensorKept(context, tensorEntry)) {
    rope.copy(source, entry.field.start, entry.field.end);
    return true;
  }
  rope.field(GRAPH.initializer, encodeTensor(context, tensorEntry));
  return false;
}

function encodeSparse(context: EncodeContext, graph: Graph, record: GraphRecord | undefined): Group {
  const rope = new Rope();
  const source = context.records?.source;
  const entries = record?.sparseInitializers ?? [];
  const known = new Map(entries.map((entry) => [entry.value, entry]));
  let isKept = true;
  for (const entry of entries) {
    if (entry.initializer === undefined && source) rope.copy(source, entry.field.start, entry.field.end);
    else if (!graph.initializers.has(entry.value)) isKept = false;
  }
  for (const value of [...graph.initializers].sort((a, b) => a.ordinal - b.ordinal)) {
    if (value.initializer?.kind !== 'sparse') continue;
    const entry = known.get(value);
    if (entry && source && entry.initializer === value.initializer && !context.renamed.has(value))
      rope.copy(source, entry.field.start, entry.field.end);
    else {
      isKept = false;
      rope.field(GRAPH.sparseInitializer, renamedSparse(value));
    }
  }
  return { rope, isKept };
}

/** A SparseTensorProto under another name: it bears the name of its values. */
function renamedSparse(value: Value): Rope {
  invariant(
    value.initializer?.kind === 'sparse' && value.initializer.bytes,
    `sparse initializer ${value.name} has no bytes`,
  );
  const source = sourceOf(value.initializer.bytes);
  const body = { start: 0, end: source.bytes.length };
  const [values] = fieldsByNumber(new WireReader(source, body, SPARSE_TENSOR.schema))(SPARSE_TENSOR.values);
  invariant(values, `sparse initializer ${value.name} has no values`);
  const named = patched(
    source,
    bodyOf(values),
    new Map([[TENSOR.name, new Rope().push(fieldsOf.tensor({ name: value.name }))]]),
  );
  return patched(source, body, new Map([[SPARSE_TENSOR.values, new Rope().field(SPARSE_TENSOR.values, named)]]));
}

function renamed(bytes: Uint8Array, number: number, name: Uint8Array): Rope {
  return patched(sourceOf(bytes), { start: 0, end: bytes.length }, new Map([[number, new Rope().push(name)]]));
}

function sourceOf(bytes: Uint8Array): Source {
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), file: undefined };
}

/** Quantization annotations: they go with any of the values they name. */
function encodeAnnotations(context: EncodeContext, record: GraphRecord | undefined): Group {
  const rope = new Rope();
  const source = context.records?.source;
  let isKept = true;
  for (const annotation of record?.annotations ?? []) {
    const named = [annotation.value, ...annotation.parameters].filter((value) => value !== undefined);
    if (!source || named.some((value) => value.graph === undefined)) isKept = false;
    else if (!named.some((value) => context.renamed.has(value)))
      rope.copy(source, annotation.field.start, annotation.field.end);
    else {
      isKept = false;
      rope.field(GRAPH.quantizationAnnotation, renamedAnnotation(context, source, annotation));
    }
  }
  return { rope, isKept };
}

function renamedAnnotation(
  context: EncodeContext,
  source: Source,
  { field, value, parameters }: AnnotationField,
): Rope {
  const of = fieldsByNumber(new WireReader(source, bodyOf(field), ANNOTATION.schema));
  const entries = new Rope();
  of(ANNOTATION.quantParameterTensorNames).forEach((entry, i) => {
    const parameter = parameters[i];
    const name =
      parameter && context.renamed.has(parameter)
        ? new Rope().push(fieldsOf.entry({ value: parameter.name }))
        : undefined;
    entries.field(
      ANNOTATION.quantParameterTensorNames,
      patched(source, bodyOf(entry), new Map(name ? [[ENTRY.value, name]] : [])),
    );
  });
  const groups = new Map<number, Rope>([[ANNOTATION.quantParameterTensorNames, entries]]);
  if (value) groups.set(ANNOTATION.tensorName, new Rope().push(fieldsOf.annotation({ tensorName: value.name })));
  return patched(source, bodyOf(field), groups);
}
