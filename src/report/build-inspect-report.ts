// The report value of `inspect`, from a decoded model. Nothing is run, so neither passes nor ONNX Runtime are loaded.
import { createHash } from 'node:crypto';
import { createFacts, type ModelFacts } from '../analysis/inference.js';
import { mobileObstacles } from '../analysis/mobile-obstacles.js';
import { MOBILE_RUNTIMES } from '../analysis/mobile-operators.js';
import { symbolOf } from '../analysis/sizes.js';
import { weightsByType } from '../analysis/weights.js';
import { formatDim, isStatic } from '../ir/dim.js';
import type { Model } from '../ir/model.js';
import type { Value } from '../ir/value.js';
import type { DecodedModel } from '../onnx/decode.js';
import type { OnnxDocument } from '../onnx/document.js';
import { namedShapes, realInputs } from '../pipeline/freeze.js';
import { assumedSizes, figuresOf, type LayerFigures, type ModelFigures } from '../pipeline/model-facts.js';
import { channelGroupFacts } from './channel-groups.js';
import type { FileFacts } from './facts.js';
import type { InspectReport } from './inspect-report.js';
import { layerFacts } from './layer-facts.js';
import { programVersions } from './surroundings.js';

export interface InspectRequest {
  /** File name without its folder; "-" for standard input. */
  readonly name: string;
  /** Sizes of inputs for costs, by name; '' is the only input. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Default: skip. */
  readonly groups?: 'list' | 'skip';
}

/** What there is to say about a model without running it. @throws InputError bad-feed when shapes do not fit the inputs */
export function buildInspectReport({ model, document }: DecodedModel, request: InspectRequest): InspectReport {
  const sizes = assumedSizes(model, namedShapes(model, request.shapes), undefined);
  const facts = createFacts(model, { assumedSizes: sizes });
  const figures = figuresOf(model, sizes);
  const { cost } = figures;
  const open = openDimensions(model);
  const assumed = open.filter(({ symbol }) => !sizes.has(symbol));
  return {
    version: 1,
    kind: 'inspect',
    file: readFile(document, request.name),
    model: modelPart(model, document),
    inputs: model.graph.inputs.map((value) => port(value, facts)),
    outputs: model.graph.outputs.map((value) => port(value, facts)),
    dynamicDimensions: inputsByDimension(open),
    figures: {
      nodes: cost.nodes,
      parameters: cost.parameters,
      weightBytes: cost.weightBytes,
      macs: cost.macs,
      peakActivationBytes: figures.peakActivationBytes,
      bytesMoved: cost.bytesMoved,
      energyPj: cost.energyPj,
      nodesNotCounted: cost.notCounted,
    },
    weights: [...weightsByType(model)].map(([type, { tensors, bytes }]) => ({ type, count: tensors, bytes })),
    layerKinds: layerKinds(figures),
    operators: operators(model, facts, figures),
    layers: figures.layers.map((layer) => ({ name: layer.name, facts: layerFacts(layer, undefined) })),
    channelGroups: request.groups === 'list' ? channelGroupFacts(model, facts) : undefined,
    obstacles: mobileObstacles(model, facts),
    operatorLists: MOBILE_RUNTIMES.map(({ name, source }) => ({ target: name, source })),
    versions: programVersions(),
    warnings: assumed.length === 0 ? [] : [assumption([...new Set(assumed.map(({ name }) => name))])],
  };
}

const assumption = (names: readonly string[]): string =>
  `costs take the open ${names.length === 1 ? 'dimension' : 'dimensions'} ${names.join(', ')} as 1: give sizes with --input NAME:SHAPE`;

/** Facts of a file that was read. Its compressed size is left out: that takes longer than all the rest. */
function readFile({ records, byteLength }: OnnxDocument, name: string): FileFacts {
  const external = [...records.tensors].filter(([, { isExternal }]) => isExternal);
  const hash = createHash('sha256');
  for (const piece of piecesOf(records.file)) hash.update(piece);
  return {
    name,
    bytes: byteLength + external.reduce((sum, [tensor]) => sum + tensor.byteLength, 0),
    gzipBytes: undefined,
    sha256: hash.digest('hex'),
  };
}

/** The bytes of the file, those that stayed on disk included. */
function* piecesOf({ bytes, unread }: OnnxDocument['records']['file']): Generator<Uint8Array> {
  let read = 0;
  for (const region of unread?.within(0, bytes.length) ?? []) {
    yield bytes.subarray(read, region.start);
    if (unread) yield* unread.bytes(region).pieces();
    read = region.end;
  }
  yield bytes.subarray(read);
}

function modelPart(model: Model, { header, externalFiles, weightInputs }: OnnxDocument): InspectReport['model'] {
  const producer = `${header.producerName} ${header.producerVersion}`.trim();
  return {
    irVersion: model.irVersion,
    opsets: [...model.opsets].map(([domain, version]) => ({ domain: domain || 'ai.onnx', version })),
    producer: producer || undefined,
    graph: model.graph.name || undefined,
    functions: model.functions.length,
    subgraphs: model.graphs().length - 1,
    externalFiles,
    weightInputs: weightInputs.size,
  };
}

function port(value: Value, facts: ModelFacts): InspectReport['inputs'][number] {
  const declared = value.type?.kind === 'tensor' ? value.type : undefined;
  const { dtype, shape } = facts.of(value);
  const inferred = shape?.map((dim) => (isStatic(dim) ? dim : formatDim(dim)));
  return {
    name: value.name,
    type: declared?.dtype ?? dtype ?? (value.type?.kind === 'other' ? 'not a tensor' : 'unknown'),
    shape: declared?.shape?.map((dim) => (dim === undefined || dim === '' ? '?' : dim)) ?? inferred,
    overridable: value.isInput && value.initializer !== undefined ? 'open' : undefined,
  };
}

interface OpenDimension {
  /** As the file names it, "?" where it does not. */
  readonly name: string;
  /** As inference names it. */
  readonly symbol: string;
  readonly input: string;
}

/** Open dimensions of the inputs that have to be fed. */
function openDimensions(model: Model): OpenDimension[] {
  return realInputs(model).flatMap(({ name: input, type }) =>
    ((type?.kind === 'tensor' ? type.shape : undefined) ?? []).flatMap((dim, axis) =>
      typeof dim === 'number' && dim >= 0
        ? []
        : [{ name: String(dim ?? '') || '?', symbol: symbolOf(input, axis, dim), input }],
    ),
  );
}

function inputsByDimension(open: readonly OpenDimension[]): InspectReport['dynamicDimensions'] {
  const names = [...new Set(open.map(({ name }) => name))];
  return names.map((name) => ({
    name,
    values: [...new Set(open.filter((one) => one.name === name).map(({ input }) => input))],
  }));
}

function layerKinds({ cost: { shares, nodes } }: ModelFigures): InspectReport['layerKinds'] {
  const { tensor, plumbing } = shares;
  const other = shares['non-tensor'];
  return {
    tensorNodes: tensor.nodes,
    nonTensorNodes: nodes - tensor.nodes,
    tensorMacs: tensor.macs,
    nonTensorMacs: other.macs + plumbing.macs,
    tensorBytes: tensor.bytes,
    nonTensorBytes: other.bytes + plumbing.bytes,
  };
}

/** Operators, most frequent first. */
function operators(model: Model, facts: ModelFacts, { cost, layers }: ModelFigures): InspectReport['operators'] {
  const byOperator = new Map<string, LayerFigures[]>([...cost.histogram.keys()].map((opType) => [opType, []]));
  for (const layer of layers) byOperator.get(layer.opType)?.push(layer);
  return [...byOperator].map(([opType, group]) => {
    const [first] = group;
    return {
      opType,
      count: group.length,
      parameters: group.reduce((sum, { parameters }) => sum + parameters, 0),
      macs: totalMacs(group),
      support: first && !facts.record(first.node) && !model.functionOf(first.node) ? 'opaque' : 'known',
    };
  });
}

/** Nothing where no layer of the group was counted. */
function totalMacs(group: readonly LayerFigures[]): number | undefined {
  const counted = group.flatMap(({ macs }) => macs ?? []);
  return counted.length === 0 ? undefined : counted.reduce((sum, macs) => sum + macs, 0);
}
