// The IR to model bytes: everything that is as in the file it came from is taken from there, byte for byte.
import { InputError } from '../base/errors.js';
import type { LocalFunction, Model } from '../ir/model.js';
import { decodeOpset } from './decode-header.js';
import type { GraphRecord, OnnxDocument } from './document.js';
import { encodeContext, type EncodeContext, type TensorPlacement } from './encode-context.js';
import { encodeGraph, encodeNodes, encodeTypes, patchedGroups, type Group } from './encode-graph.js';
import { encodeAttributes } from './encode-node.js';
import { fieldsOf, textField } from './messages.js';
import { patched } from './patch.js';
import { Rope } from './rope.js';
import { FUNCTION, MAX_MODEL_BYTES, MODEL, OPSET } from './schema.js';
import { bodyOf, fieldsByNumber, WireReader, type FieldSpan } from './wire.js';

export interface EncodeOptions {
  /**
   * Tensors of the input that stand in other files: `inline` (default) puts them into the model, `keep` leaves the
   * references as they are, which is right only for a result that is read beside the input.
   */
  readonly externalData?: 'inline' | 'keep';
  /** Weights that the file lists as graph inputs: `drop` takes them off that list (and ir_version to 4 at least). */
  readonly weightInputs?: 'keep' | 'drop';
  /** Entries of metadata_props to add, or to put in the place of those with their keys. */
  readonly metadata?: ReadonlyMap<string, string>;
}

/**
 * The model as a list of chunks, to be written one after the other. A model that was not changed gives the bytes it was
 * decoded from (unless external tensors come inside); of a changed one only the changed messages are new.
 * @throws InputError too-large (2 GiB is the limit of the format), external-data
 */
export function encodeModel(
  document: OnnxDocument | undefined,
  model: Model,
  options: EncodeOptions = {},
): Uint8Array[] {
  const rope = encodeRope(document, model, options);
  if (rope.length > MAX_MODEL_BYTES) throw tooLarge(rope.length);
  return rope.chunks();
}

/** Bytes that `encodeModel` gives, without reading a tensor. */
export function encodedSize(document: OnnxDocument | undefined, model: Model, options: EncodeOptions = {}): number {
  return encodeRope(document, model, options).length;
}

/** The model as a rope. @throws InputError too-large */
export function encodeRope(
  document: OnnxDocument | undefined,
  model: Model,
  options: EncodeOptions,
  placement?: TensorPlacement,
): Rope {
  const context = encodeContext(document, model, {
    placement: placement ?? { kind: options.externalData ?? 'inline' },
    weightInputs: options.weightInputs ?? 'keep',
  });
  const records = context.records;
  const graph = encodeGraph(context, model.graph);
  const functions = encodeFunctions(context, model);
  const opsets = encodeOpsets(context, MODEL.opsetImport, model.opsets, records?.model.opsetFields);
  const version = new Rope().push(fieldsOf.model({ irVersion: context.irVersion }));
  if (!records) {
    const rope = version.push(fieldsOf.model({ producerName: 'mcompress' }));
    return rope
      .field(MODEL.graph, graph ?? new Rope())
      .append(opsets.rope)
      .append(encodeMetadata(undefined, options.metadata ?? new Map()))
      .append(functions.rope);
  }
  const { source } = records;
  const groups = new Map<number, Rope>();
  if (context.irVersion !== records.model.irVersion) groups.set(MODEL.irVersion, version);
  if (!opsets.isKept) groups.set(MODEL.opsetImport, opsets.rope);
  if (graph) groups.set(MODEL.graph, new Rope().field(MODEL.graph, graph));
  if (!functions.isKept) groups.set(MODEL.functions, functions.rope);
  if (document && options.metadata && hasNews(document, options.metadata))
    groups.set(MODEL.metadataProps, encodeMetadata(document, options.metadata));
  if (groups.size === 0) return new Rope().copy(records.file, 0, records.file.bytes.length);
  return patched(source, { start: 0, end: source.bytes.length }, groups);
}

const hasNews = ({ header }: OnnxDocument, metadata: ReadonlyMap<string, string>): boolean =>
  [...metadata].some(([key, value]) => header.metadata.get(key) !== value);

/** The entries of the file with `metadata` in the place of those with the same keys, or behind them. */
function encodeMetadata(document: OnnxDocument | undefined, metadata: ReadonlyMap<string, string>): Rope {
  const rope = new Rope();
  for (const [key, value] of new Map([...(document?.header.metadata ?? []), ...metadata]))
    rope.field(MODEL.metadataProps, new Rope().push(fieldsOf.entry({ key, value })));
  return rope;
}

/** Operator sets as fields with this number; `before`: the entries of the file. */
function encodeOpsets(
  context: EncodeContext,
  number: number,
  opsets: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, FieldSpan> | undefined,
): Group {
  const source = context.records?.source;
  const rope = new Rope();
  let isKept = before?.size === opsets.size;
  for (const [domain, version] of opsets) {
    const field = before?.get(domain);
    if (source && field && decodeOpset(source, field)[1] === version) rope.copy(source, field.start, field.end);
    else {
      isKept = false;
      const changed = new Rope().push(fieldsOf.opset({ version }));
      rope.field(
        number,
        source && field
          ? patched(source, bodyOf(field), new Map([[OPSET.version, changed]]))
          : new Rope().push(fieldsOf.opset({ domain, version })),
      );
    }
  }
  return { rope, isKept };
}

function encodeFunctions(context: EncodeContext, model: Model): Group {
  const { records } = context;
  const before = records?.model.functions ?? [];
  const byGraph = new Map(before.map((f) => [f.graph, f]));
  const rope = new Rope();
  let isKept = before.length === model.functions.length;
  model.functions.forEach((f, i) => {
    const original = byGraph.get(f.graph);
    const field = records?.graphs.get(f.graph)?.field;
    const changed = encodeFunction(context, f, original);
    if (changed) rope.field(MODEL.functions, changed);
    else if (records && field) rope.copy(records.source, field.start, field.end);
    isKept &&= changed === undefined && original === before[i];
  });
  return { rope, isKept };
}

/** The FunctionProto of `f`; undefined when it is as in the file, where it was `original`. */
function encodeFunction(
  context: EncodeContext,
  f: LocalFunction,
  original: LocalFunction | undefined,
): Rope | undefined {
  const source = context.records?.source;
  const record = context.records?.graphs.get(f.graph);
  const parts =
    source && record && original
      ? fieldsByNumber(new WireReader(source, bodyOf(record.field), FUNCTION.schema))
      : undefined;
  const opsetFields =
    source && parts
      ? new Map(parts(FUNCTION.opsetImport).map((field) => [decodeOpset(source, field)[0], field]))
      : undefined;
  const groups: readonly FieldGroup[] = [
    ...functionNames(f, original),
    ...functionSignature(f, original, record),
    [
      FUNCTION.attributeProto,
      encodeAttributes(
        context,
        FUNCTION.attributeProto,
        f.attributeDefaults ?? new Map(),
        original?.attributeDefaults,
        (inner) => encodeGraph(context, inner),
      ),
    ],
    [FUNCTION.node, encodeNodes(context, FUNCTION.node, f.graph, record)],
    [FUNCTION.valueInfo, encodeTypes(context, FUNCTION.valueInfo, f.graph, record)],
    [FUNCTION.opsetImport, encodeOpsets(context, FUNCTION.opsetImport, f.opsets, opsetFields)],
  ];
  if (source && record && original) return patchedGroups(source, record.field, groups);
  const rope = new Rope();
  for (const [, group] of groups) rope.append(group.rope);
  return rope;
}

type FieldGroup = readonly [field: number, group: Group];

/** What calls find the function by. */
function functionNames({ name, domain, overload }: LocalFunction, original: LocalFunction | undefined): FieldGroup[] {
  const overloadField = overload === '' ? new Uint8Array() : textField(FUNCTION.overload, overload);
  return [
    [FUNCTION.name, fieldGroup(fieldsOf.function({ name }), name, original?.name)],
    [FUNCTION.domain, fieldGroup(fieldsOf.function({ domain }), domain, original?.domain)],
    [FUNCTION.overload, fieldGroup(overloadField, overload, original?.overload)],
  ];
}

/** Names of the inputs, outputs and attributes that a call may give. */
function functionSignature(
  { graph, attributeNames }: LocalFunction,
  original: LocalFunction | undefined,
  record: GraphRecord | undefined,
): FieldGroup[] {
  const input = graph.inputs.map((value) => value.name);
  const output = graph.outputs.map((value) => value.name);
  const attribute = [...attributeNames];
  return [
    [FUNCTION.input, fieldGroup(fieldsOf.function({ input }), input, namesOf(record?.inputs))],
    [FUNCTION.output, fieldGroup(fieldsOf.function({ output }), output, namesOf(record?.outputs))],
    [FUNCTION.attribute, fieldGroup(fieldsOf.function({ attribute }), attribute, original?.attributeNames)],
  ];
}

const namesOf = (entries: readonly { readonly name: string }[] | undefined): string[] | undefined =>
  entries?.map((entry) => entry.name);

/** Fields that say `now`; kept when the file said the same. */
function fieldGroup<T extends string | readonly string[]>(contents: Uint8Array, now: T, before: T | undefined): Group {
  const isKept =
    typeof now === 'string' || typeof before !== 'object'
      ? now === before
      : now.length === before.length && now.every((name, i) => name === before[i]);
  return { rope: new Rope().push(contents), isKept };
}

/** The error for a model that needs external data. */
export function tooLarge(bytes: number, limit: number = MAX_MODEL_BYTES): InputError {
  const gib = (size: number): string => `${Number((size / 2 ** 30).toPrecision(3))} GiB`;
  const message = `the model takes ${gib(bytes)}, and a model file cannot pass ${gib(limit)}`;
  return new InputError('too-large', message, { fix: 'write the weights to a file of their own with --external-data' });
}
