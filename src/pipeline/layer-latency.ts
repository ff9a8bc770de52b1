// How long each layer of a model takes when it runs alone: layers that differ in nothing a kernel sees share a signature,
// which is timed once as a model of one node and kept in the latency table of the machine. Symbolic sizes stand at those
// that the facts assume. Real weights are used, random inputs are fed.
import { createHash } from 'node:crypto';
import { AppError, InterruptError } from '../base/errors.js';
import type { ModelFacts, Scope } from '../analysis/inference.js';
import type { Attribute } from '../ir/attribute.js';
import { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { encodeModel } from '../onnx/encode.js';
import { opKey } from '../ops/registry.js';
import type { LatencyTable } from '../runtime/latency-table.js';
import { isInteger, type DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

/** Why a node has no latency of its own. */
export type NotTimed =
  /** The runtime computes it while it loads the model: its inputs, or its result, do not depend on what is fed. */
  | 'constant'
  /** It holds graphs or calls a local function: its nodes count, not it. */
  | 'nested'
  /** A size or type is not known, or an attribute cannot be compared. */
  | 'unknown'
  /** It does not run alone, on inputs that are random. */
  | 'failed'
  /** The table is of another machine and does not have it. */
  | 'not-in-table';

export interface LayerLatency {
  readonly node: Node;
  readonly signature: string | undefined;
  /** Microseconds per run. */
  readonly us: number | undefined;
  readonly notTimed: NotTimed | undefined;
}

export interface LayerLatencies {
  readonly layers: readonly LayerLatency[];
  /** Distinct signatures that were looked up, and how many of these were measured now. */
  readonly distinct: number;
  readonly measured: number;
}

export interface LatencyOptions {
  /** Told before each measurement: how many signatures are done, of how many. */
  readonly onProgress?: (done: number, all: number) => void;
}

/**
 * Latencies of the nodes of the main graph from `table`; what it lacks is measured and saved there, also when the run is
 * interrupted. @throws InterruptError; InputError not-writable
 */
export async function layerLatencies(
  model: Model,
  facts: ModelFacts,
  table: LatencyTable,
  { onProgress }: LatencyOptions = {},
): Promise<LayerLatencies> {
  const layers = model.graph.nodes().map((node) => layerOf(model, node, facts));
  const bySignature = new Map(layers.flatMap((layer) => (layer.kind === 'timed' ? [[layer.signature, layer]] : [])));
  const found = new Map<string, number | NotTimed>();
  let measured = 0;
  try {
    for (const [signature, layer] of bySignature) {
      const known = table.lookup(signature);
      if (known === undefined) onProgress?.(found.size, bySignature.size);
      found.set(signature, known ?? (await measureOne(table, layer)));
      if (known === undefined && typeof found.get(signature) === 'number') measured++;
    }
  } finally {
    table.save();
  }
  const rows = layers.map((layer): LayerLatency => {
    if (layer.kind === 'left') return { node: layer.node, signature: undefined, us: undefined, notTimed: layer.why };
    const { node, signature } = layer;
    const us = found.get(signature) ?? 'unknown';
    return typeof us === 'number'
      ? { node, signature, us, notTimed: undefined }
      : { node, signature, us: undefined, notTimed: us };
  });
  return { layers: rows, distinct: bySignature.size, measured };
}

/** Under what a node stands in a latency table; undefined where it has no latency of its own. */
export function layerSignature(model: Model, node: Node, facts: ModelFacts): string | undefined {
  const layer = layerOf(model, node, facts);
  return layer.kind === 'timed' ? layer.signature : undefined;
}

async function measureOne(table: LatencyTable, layer: TimedLayer): Promise<number | NotTimed> {
  try {
    return (await table.measure(layer.signature, () => buildLayer(layer))) ?? 'not-in-table';
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof InterruptError) throw error;
    return 'failed';
  }
}

/** What an input slot of a layer is: fed, known (a weight, or a computed shape), or left out. */
type Operand =
  | { readonly kind: 'fed'; readonly value: Value; readonly dtype: DType; readonly dims: readonly number[] }
  | { readonly kind: 'known'; readonly tensor: Tensor }
  | { readonly kind: 'omitted' };

interface TimedLayer {
  readonly kind: 'timed';
  readonly node: Node;
  readonly model: Model;
  readonly operands: readonly Operand[];
  readonly signature: string;
}
type Layer = TimedLayer | { readonly kind: 'left'; readonly node: Node; readonly why: NotTimed };

function layerOf(model: Model, node: Node, facts: ModelFacts): Layer {
  const left = (why: NotTimed): Layer => ({ kind: 'left', node, why });
  const { scope } = facts;
  const site = scope.site(node);
  if (node.is('Constant') || site.output(0)?.data !== undefined) return left('constant');
  if (node.subgraphs().length > 0 || model.functionOf(node)) return left('nested');
  const operands = node.inputs.map((value, index) => operandOf(value, { index, node, scope, facts }));
  if (operands.includes(undefined)) return left('unknown');
  const known = operands.filter((operand) => operand !== undefined);
  if (node.inputs.length > 0 && !known.some(({ kind }) => kind === 'fed')) return left('constant');
  const attributes = [...node.attributes].map(([name, attribute]) => [name, attributeText(attribute)] as const);
  if (attributes.some(([, text]) => text === undefined)) return left('unknown');
  const settings = attributes.map(([name, text]) => `${name}=${text}`).sort();
  const outputs = node.outputs.map((value) => (value ? '1' : '0')).join('');
  const text = [
    `${opKey(node.opType, node.domain)}-${site.opset}`,
    ...known.map(operandText),
    ...settings,
    ...(outputs === '1' ? [] : [`outputs=${outputs}`]),
  ].join(' ');
  return { kind: 'timed', node, model, operands: known, signature: bounded(text) };
}

interface OperandPlace {
  readonly index: number;
  readonly node: Node;
  readonly scope: Scope;
  readonly facts: ModelFacts;
}

function operandOf(value: Value | undefined, { index, node, scope, facts }: OperandPlace): Operand | undefined {
  if (value === undefined) return { kind: 'omitted' };
  const site = scope.site(node);
  const constant = site.constant(index);
  if (constant) return { kind: 'known', tensor: constant };
  const dtype = scope.dtype(value);
  const dims = scope.dims(value);
  if (dtype === undefined || dims === undefined) return undefined;
  const data = site.input(index)?.data;
  if (data === undefined) return { kind: 'fed', value, dtype, dims };
  return {
    kind: 'known',
    tensor: Tensor.fromNumbers(
      dtype,
      dims,
      data.map((element) => facts.sizeOf(element)),
    ),
  };
}

/** Whole numbers of at most this many elements are sizes and axes: they decide what a kernel does. */
const SETTINGS = 16;

function operandText(operand: Operand): string {
  if (operand.kind === 'omitted') return '-';
  if (operand.kind === 'fed') return `${operand.dtype}[${operand.dims.join('x')}]`;
  const { tensor } = operand;
  const isSetting = isInteger(tensor.dtype) && tensor.size <= SETTINGS;
  return `w${tensor.dtype}[${tensor.dims.join('x')}]${isSetting ? `{${tensor.toNumbers().join(',')}}` : ''}`;
}

function attributeText(attribute: Attribute): string | undefined {
  switch (attribute.kind) {
    case 'int':
    case 'float':
    case 'string':
      return String(attribute.value);
    case 'ints':
    case 'floats':
    case 'strings':
      return attribute.value.join(',');
    case 'tensor':
      return attribute.value.fingerprint();
    case 'tensors':
    case 'graph':
    case 'graphs':
    case 'reference':
    case 'opaque':
      return undefined;
    default:
      return attribute satisfies never;
  }
}

const SIGNATURE_LIMIT = 400;

/** Long signatures end in a digest: tables refuse keys without bounds. */
function bounded(text: string): string {
  if (text.length <= SIGNATURE_LIMIT) return text;
  return `${text.slice(0, SIGNATURE_LIMIT)} sha1:${createHash('sha1').update(text).digest('hex')}`;
}

/** The layer as a model of its own, with everything that is fed as inputs of fixed sizes. */
function buildLayer({ node, model: source, operands }: TimedLayer): Uint8Array {
  const model = new Model({ graphName: 'layer', opsets: source.opsets, irVersion: Math.max(source.irVersion, 4) });
  const fed = new Map<Value, Value>();
  const inputs = operands.map((operand, index) => {
    if (operand.kind === 'omitted') return undefined;
    if (operand.kind === 'known') return model.graph.addInitializer(operand.tensor, `w${index}`);
    const { value, dtype, dims } = operand;
    const input = fed.get(value) ?? model.graph.addInput(`x${index}`, { kind: 'tensor', dtype, shape: dims });
    fed.set(value, input);
    return input;
  });
  const { opType, domain, overload, attributes } = node;
  const outputs = node.outputs.map((value, index) => value && `y${index}`);
  const copy = model.graph.addNode({ opType, domain, overload, attributes, inputs, outputs });
  model.graph.setOutputs(copy.outputs.filter((value) => value !== undefined));
  return Buffer.concat(encodeModel(undefined, model));
}
