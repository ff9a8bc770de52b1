// The proof that what was planned as int8 runs as int8: the model is loaded in ONNX Runtime, the graph that it makes of it is read
// back, and every planned node is found there, fused or with the reason why not. What the runtime quantizes or converts
// besides is counted too.
import { createFacts } from '../analysis/inference.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { decodeModel } from '../onnx/decode.js';
import { openModel } from '../onnx/open.js';
import type { RuntimeHost } from '../runtime/host.js';
import type { ModelSource } from '../runtime/model-source.js';
import { optimizedGraph, type OptimizedGraphOptions } from '../runtime/optimized-graph.js';
import { causeOf, wrongnessOf, type CauseContext, type Finding, type FusionCause } from './fusion-proof-cause.js';
import { indexOptimized, isConversion, matchSites, runsOnIntegers, type OptimizedIndex } from './fusion-proof-match.js';
import { knownTensor, plannedSite, QUANTIZE, type PlannedNode, type PlannedSite } from './fusion-proof-source.js';

export interface NodeProof {
  readonly planned: PlannedNode;
  /** It runs on integers, or is not needed any more, and computes what the model says. */
  readonly fused: boolean;
  /** The operator that ran: `QLinearConv`, `FusedConv`; undefined when nothing did. */
  readonly ranAs: string | undefined;
  /** Why it is not fused. */
  readonly cause: FusionCause | undefined;
  /** The cause as a clause with names and numbers. */
  readonly detail: string | undefined;
}

/** A QuantizeLinear or DequantizeLinear that runs. */
export interface Conversion {
  /** `weights`: constants dequantized again in each run, which a float kernel next to them needs. */
  readonly kind: 'quantize' | 'dequantize' | 'weights';
  /** `border`: of an input of the model, or of one that it returns; each other one costs time that fusion would save. */
  readonly place: 'border' | 'inside';
  /** The value it reads. */
  readonly value: string;
  /** What computes that, and what reads the result: operators with their names. */
  readonly behind: string | undefined;
  readonly before: readonly string[];
}

export interface FusionProof {
  /** In the order of `planned`. */
  readonly nodes: readonly NodeProof[];
  readonly conversions: readonly Conversion[];
  /** Nodes with float weights that the runtime quantized by itself, with one scale for all weights. */
  readonly quantizedAtLoad: readonly { readonly node: string; readonly ranAs: string }[];
}

/**
 * Proves that the planned nodes of the QDQ model `model` are fused. `int8Activations: 'kept'` checks models for processors
 * whose kernels take int8 activations on one that would rewrite them.
 * @throws InputError runtime-rejects and what opening the model throws; InterruptError
 */
export async function proveFusion(
  host: RuntimeHost,
  model: ModelSource,
  planned: readonly PlannedNode[],
  options: OptimizedGraphOptions = {},
): Promise<FusionProof> {
  const source = (typeof model === 'string' ? await openModel(model) : decodeModel(model)).model;
  const optimized = decodeModel(await optimizedGraph(host, model, options)).model;
  const index = indexOptimized(optimized);
  const context: CauseContext = { model: source, facts: createFacts(source), int8Activations: options.int8Activations };
  const sites = sitesOf(source, planned);
  const ran = matchSites(inOrder(source, sites), index);
  return {
    nodes: planned.map((one) => proofOf(one, sites.get(one), { ran, index, context })),
    conversions: conversionsOf(index),
    quantizedAtLoad: quantizedAtLoad(source, sites, index),
  };
}

/** Where the planned nodes stand. */
function sitesOf(model: Model, planned: readonly PlannedNode[]): Map<PlannedNode, PlannedSite> {
  const producers = new Map<string, Node>();
  for (const node of model.allNodes()) for (const output of node.outputs) if (output) producers.set(output.name, node);
  const sites = new Map<PlannedNode, PlannedSite>();
  for (const one of planned) {
    const node = producers.get(one.output);
    if (node) sites.set(one, plannedSite(one, node));
  }
  return sites;
}

function inOrder(model: Model, sites: ReadonlyMap<PlannedNode, PlannedSite>): PlannedSite[] {
  const byNode = new Map([...sites.values()].map((site) => [site.node, site]));
  return [...model.allNodes()].flatMap((node) => byNode.get(node) ?? []);
}

interface Matching {
  readonly ran: ReadonlyMap<PlannedSite, Node>;
  readonly index: OptimizedIndex;
  readonly context: CauseContext;
}

function proofOf(planned: PlannedNode, site: PlannedSite | undefined, { ran, index, context }: Matching): NodeProof {
  const missed = (ranAs: string | undefined, { cause, detail }: Finding): NodeProof => {
    return { planned, fused: false, ranAs, cause, detail };
  };
  if (!site)
    return missed(undefined, { cause: 'unknown', detail: `no node of the model computes "${planned.output}"` });
  const node = ran.get(site);
  const isFused = node ? runsOnIntegers(node, index) : DISPENSABLE.has(site.node.opType);
  if (!isFused) return missed(node && operatorOf(node), causeOf(site, context));
  const wrong = wrongnessOf(site);
  if (wrong) return missed(node?.opType, wrong);
  return { planned, fused: true, ranAs: node?.opType, cause: undefined, detail: undefined };
}

/** What moves nothing, or cuts off what the QuantizeLinear behind cuts off anyway: the runtime leaves such nodes out. */
const DISPENSABLE: ReadonlySet<string> = new Set([
  'Clip',
  'Expand',
  'Flatten',
  'Identity',
  'Relu',
  'Reshape',
  'Slice',
  'Squeeze',
  'Tile',
  'Transpose',
  'Unsqueeze',
]);

/** `FusedConv with Relu`. */
function operatorOf(node: Node): string {
  const activation = node.string('activation', '');
  return activation === '' ? node.opType : `${node.opType} with ${activation}`;
}

function conversionsOf({ nodes }: OptimizedIndex): Conversion[] {
  return nodes.filter(isConversion).flatMap((node) => {
    const [value] = node.inputs;
    const { output } = node;
    if (!value || !output) return [];
    const isQuantize = node.is(QUANTIZE);
    const isBorder = isQuantize ? value.isInput : output.isGraphOutput && output.slots.size === 0;
    return [
      {
        kind: isQuantize ? 'quantize' : value.initializer ? 'weights' : 'dequantize',
        place: isBorder ? 'border' : 'inside',
        value: value.name,
        behind: value.producer && named(value.producer),
        before: output.consumers().map(named),
      },
    ];
  });
}

const named = (node: Node): string => (node.name === '' ? node.label : `${node.opType} ${node.name}`);

/** Operators whose float weights the runtime quantizes where a DequantizeLinear stands before and a QuantizeLinear behind. */
const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);

function quantizedAtLoad(
  model: Model,
  sites: ReadonlyMap<PlannedNode, PlannedSite>,
  index: OptimizedIndex,
): { node: string; ranAs: string }[] {
  const expected = new Set([...sites.values()].map(({ node }) => node));
  const candidates = [...model.allNodes()].filter(
    (node) => node.domain === '' && WEIGHTED.has(node.opType) && isFloatConstant(node.inputs[1]) && !expected.has(node),
  );
  const floats = candidates.map((node) => {
    const planned = { node: node.name, opType: node.opType, output: node.output?.name ?? '', kind: '' };
    return plannedSite(planned, node);
  });
  return [...matchSites(floats, index)].flatMap(([{ node }, ran]) => {
    const isRounded = ran.inputs[1]?.producer !== undefined && isConversion(ran.inputs[1].producer);
    return isRounded || runsOnIntegers(ran, index) ? [{ node: node.label, ranAs: ran.opType }] : [];
  });
}

const isFloatConstant = (value: Value | undefined): boolean => knownTensor(value)?.dtype === 'float32';
