// Model bytes to the IR. Weights stay where they are; the document remembers where everything stood in the file.
import { dirname } from 'node:path';
import { InputError } from '../base/errors.js';
import { Model, type LocalFunction } from '../ir/model.js';
import { checkFunctions } from './check-functions.js';
import { decodeFunction } from './decode-function.js';
import { decodeGraph, scanGraph, type GraphFields } from './decode-graph.js';
import { decodeHeader, decodeOpset, intOf, trainingNames } from './decode-header.js';
import { inPlace, type DecodeContext, type Scope } from './decode-scope.js';
import type { TensorSource } from './decode-tensor.js';
import type { OnnxDocument } from './document.js';
import { ExternalFolder } from './external.js';
import { joinRepeated } from './join-repeated.js';
import { MODEL } from './schema.js';
import { sniff } from './sniff.js';
import { fieldsByNumber, SplitMessageError, WireReader, wireError, type FieldSpan, type Source } from './wire.js';

export interface DecodeOptions {
  /** Path of the model file: for messages, and its folder is where external data is looked for. */
  readonly path?: string;
  /** Folder of external data, where the bytes have no path. */
  readonly folder?: string;
  /**
   * Initializers that are also graph inputs stay inputs that a caller may override. Otherwise they are constants: the
   * model does not list them as inputs, and the encoder writes their input entries as long as they are there.
   */
  readonly keepOverridable?: boolean;
}

export interface DecodedModel {
  readonly model: Model;
  /** Give it to `encodeModel` and `writeModel`. */
  readonly document: OnnxDocument;
}

/**
 * Decodes an ONNX model. The bytes must not be changed afterwards: tensors are slices of them.
 * @throws InputError not-onnx, truncated, malformed, too-deep, missing-field, missing-value, duplicate-name, cyclic,
 * bad-tensor, external-data, unsupported; `at` names the place
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): DecodedModel {
  return decodeRead({ bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) }, options);
}

/** As `decodeModel`, where data may have stayed on disk. */
export function decodeRead(read: Pick<Source, 'bytes' | 'unread'>, options: DecodeOptions = {}): DecodedModel {
  const folder = options.folder ?? (options.path === undefined ? undefined : dirname(options.path));
  const source: TensorSource = {
    ...read,
    file: options.path,
    folder: folder === undefined ? undefined : new ExternalFolder(folder),
  };
  try {
    return decodeSource(source, source, options);
  } catch (error) {
    if (!(error instanceof SplitMessageError)) throw error;
    return decodeJoined(source, options);
  }
}

function decodeJoined(source: TensorSource, options: DecodeOptions): DecodedModel {
  try {
    return decodeSource({ ...source, bytes: joinRepeated(source), unread: undefined }, source, options);
  } catch (error) {
    throw error instanceof SplitMessageError ? error.reported : error;
  }
}

/** Decodes `source`, which stands for the bytes of the `file`. */
function decodeSource(source: TensorSource, file: Source, options: DecodeOptions): DecodedModel {
  const of = scanModel(source);
  const [graphField] = of(MODEL.graph);
  const irVersion = intOf(source, of(MODEL.irVersion).at(-1));
  if (graphField === undefined)
    throw irVersion > 0 ? wireError(source, 0, 'missing-field', 'the model has no graph') : notOnnx(source);
  if (irVersion < 1) throw wireError(source, 0, 'missing-field', 'the model does not say its IR version (ir_version)');
  const opsets = new Map(of(MODEL.opsetImport).map((field) => decodeOpset(source, field)));
  if (irVersion >= 3 && opsets.size === 0)
    throw wireError(source, 0, 'missing-field', 'the model does not say its operator sets (opset_import)');
  const fields = scanGraph(source, graphField);
  const model = new Model({
    graphName: fields.name,
    opsets,
    irVersion,
    keepOverridable: options.keepOverridable ?? false,
  });
  const context: DecodeContext = {
    source,
    model,
    graphs: new Map(),
    nodes: new Map(),
    attributes: new Map(),
    tensors: new Map(),
    values: [],
    weightInputs: new Set(),
    types: new Map(),
    unsorted: new Set(),
  };
  const functions = model.journal.unrecorded(() =>
    inPlace(
      () => (source.file === undefined ? {} : { file: source.file }),
      () => fillModel(context, fields, of),
    ),
  );
  model.touched.clear();
  const { graphs, nodes, attributes, tensors, values, weightInputs } = context;
  const opsetFields = new Map(of(MODEL.opsetImport).map((field) => [decodeOpset(source, field)[0], field]));
  const document: OnnxDocument = {
    byteLength: file.bytes.length,
    header: decodeHeader(source, of),
    weightInputs,
    hasExternalData: [...tensors.values()].some((tensor) => tensor.isExternal),
    externalFiles: source.folder?.locations ?? [],
    dataFiles: source.folder?.paths ?? [],
    hasTraining: of(MODEL.trainingInfo).length > 0,
    records: { source, file, graphs, nodes, attributes, tensors, values, model: { irVersion, functions, opsetFields } },
  };
  return { model, document };
}

/** Decodes the main graph and the functions into the model of `context`. */
function fillModel(
  context: DecodeContext,
  fields: GraphFields,
  of: (number: number) => readonly FieldSpan[],
): readonly LocalFunction[] {
  const { model, source } = context;
  const scope = decodeGraph(context, model.graph, fields, undefined);
  const functions = of(MODEL.functions).map((field) => decodeFunction(context, field));
  checkFunctions(context, functions);
  if (functions.length > 0) model.setFunctions(functions);
  protectValues(model, scope, trainingNames(source, of(MODEL.trainingInfo)));
  return functions;
}

function scanModel(source: TensorSource): (number: number) => readonly FieldSpan[] {
  try {
    return fieldsByNumber(new WireReader(source, { start: 0, end: source.bytes.length }, MODEL.schema));
  } catch (error) {
    if (error instanceof SplitMessageError) throw error;
    // A damaged model begins like a model; what breaks off at its first byte was never one.
    const isDamaged = error instanceof InputError && (error.at.offset ?? 0) > 0 && sniff(source.bytes) === undefined;
    throw isDamaged ? error : notOnnx(source, error);
  }
}

function notOnnx(source: TensorSource, cause?: unknown): InputError {
  const format = sniff(source.bytes);
  return new InputError('not-onnx', `the file ${format?.says ?? 'is not an ONNX model'}`, {
    at: source.file === undefined ? {} : { file: source.file },
    ...(format?.fix === undefined ? {} : { fix: format.fix }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Keeps rewrites from the values that training_info names, and from its other names. */
function protectValues(model: Model, scope: Scope, names: ReadonlySet<string>): void {
  const values = [...names].map((name) => scope.values.get(name)).filter((value) => value !== undefined);
  model.outside.setOutputs(values);
  for (const name of names) if (!scope.values.has(name)) model.names.take(name);
}
