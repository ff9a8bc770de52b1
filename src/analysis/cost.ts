// What nodes and models cost: multiply-accumulates (FLOPs are twice that), bytes moved, energy, and how they divide
// among DeepRebirth's tensor and non-tensor layers. Symbols stand at the sizes that the facts assume.
//
// A node moves its inputs, weights and outputs once; one whose output shares the memory of its input moves nothing, and
// one that reads only dims moves its output; If, Loop and Scan move what their bodies do. One run counts one branch of
// each If (the known one, else the dearer), a Loop as often as its trip count says (once where that is unknown), a Scan
// once per step.
import type { Graph } from '../ir/graph.js';
import { nodesUnder, type Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { opKey } from '../ops/registry.js';
import type { CostSite, LayerKind, OpRecord } from '../ops/record.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { DRAM_PJ_PER_BYTE, macEnergy, trafficEnergy } from './energy.js';
import type { ModelFacts, Scope } from './inference.js';
import { weightsOf } from './weights.js';

export interface NodeCost {
  readonly node: Node;
  /** Undefined for operators without a record. */
  readonly kind: LayerKind | undefined;
  /** Executions in one run: 0 in a branch that is not counted, more than 1 in loops. */
  readonly runs: number;
  /** Of one execution, as all that follow. */
  readonly macs: number;
  /** Elements of its constant inputs. Shared ones count at the first node that reads them. */
  readonly parameters: number;
  readonly weightBytes: number;
  /** Inputs + outputs. */
  readonly activationBytes: number;
  readonly energyPj: number;
  /** False when the operator has no record or a size is unknown: the figures leave something out. */
  readonly counted: boolean;
}

export interface Share {
  readonly nodes: number;
  readonly macs: number;
  readonly bytes: number;
}

export interface ModelCost {
  /** Nodes, those of subgraphs included; bodies of local functions are not. */
  readonly nodes: number;
  /** Elements and bytes of all initializers and Constant tensors, each once. */
  readonly parameters: number;
  readonly weightBytes: number;
  /** One run. */
  readonly macs: number;
  readonly flops: number;
  /** Weights, inputs and outputs of all nodes. */
  readonly bytesMoved: number;
  readonly energyPj: number;
  /** Nodes whose figures leave something out. */
  readonly notCounted: number;
  readonly shares: Readonly<Record<LayerKind, Share>>;
  /** Nodes by operator (`opKey`), most frequent first, then by name. */
  readonly histogram: ReadonlyMap<string, number>;
}

/** Costs of all nodes in order of execution, those of subgraphs after the node that holds them. */
export function nodeCosts(model: Model, facts: ModelFacts): NodeCost[] {
  return graphCosts(model.graph, { facts, scope: facts.scope, seen: new Set() }, 1);
}

interface Counting {
  readonly facts: ModelFacts;
  readonly scope: Scope;
  /** Constants that count already. */
  readonly seen: Set<Value>;
}

function graphCosts(graph: Graph, counting: Counting, runs: number): NodeCost[] {
  return graph.nodes().flatMap((node) => [nodeCost(node, counting, runs), ...innerCosts(node, counting, runs)]);
}

/** Nodes of the subgraphs of `node`, which runs `runs` times. */
function innerCosts(node: Node, counting: Counting, runs: number): NodeCost[] {
  const graphs = node.subgraphs();
  if (graphs.length === 0) return [];
  if (!node.is('If')) return graphs.flatMap((graph) => graphCosts(graph, counting, runs * repetitions(node, counting)));
  const branches = graphs.map((graph) => ({ graph, costs: graphCosts(graph, counting, runs) }));
  const taken =
    takenBranch(node, counting) ?? branches.toSorted((a, b) => weightOf(b.costs) - weightOf(a.costs))[0]?.graph;
  return branches.flatMap(({ graph, costs }) =>
    graph === taken ? costs : costs.map((cost) => ({ ...cost, runs: 0 })),
  );
}

/** MACs weigh more than any traffic: the dearer of two branches is the one that computes more. */
function weightOf(costs: readonly NodeCost[]): number {
  return costs.reduce((sum, { macs, activationBytes, runs }) => sum + runs * (macs + activationBytes / 2 ** 20), 0);
}

function takenBranch(node: Node, { scope }: Counting): Graph | undefined {
  const condition = scope.site(node).input(0)?.data?.[0];
  if (typeof condition !== 'number') return undefined;
  const branch = node.attribute(condition === 0 ? 'else_branch' : 'then_branch');
  return branch?.kind === 'graph' ? branch.value : undefined;
}

/** Trip counts beyond this stand for "until the condition ends it". */
const ENDLESS = 2 ** 31 - 1;

function repetitions(node: Node, { facts, scope }: Counting): number {
  if (node.is('Loop')) {
    const trips = scope.site(node).input(0)?.data?.[0];
    const count = trips === undefined ? ENDLESS : facts.sizeOf(trips);
    return count < ENDLESS ? count : 1;
  }
  const sequence = node.is('Scan') ? node.inputs[node.inputs.length - node.int('num_scan_inputs', 0)] : undefined;
  return (sequence && scope.dims(sequence)?.[node.ints('scan_input_axes')?.[0] ?? 0]) ?? 1;
}

/** A call of a local function costs what its body does. */
function nodeCost(node: Node, counting: Counting, runs: number): NodeCost {
  const called = counting.scope.call(node);
  if (called === undefined) return { node, runs, ...siteCost(node, counting) };
  const parts = graphCosts(called.graph, { ...counting, scope: called }, 1);
  const total = (pick: (part: NodeCost) => number): number =>
    parts.reduce((sum, part) => sum + part.runs * pick(part), 0);
  return {
    node,
    runs,
    kind:
      parts.find(({ kind }) => kind === 'tensor')?.kind ??
      parts.find(({ kind }) => kind === 'non-tensor')?.kind ??
      parts[0]?.kind,
    macs: total((part) => part.macs),
    parameters: parts.reduce((sum, part) => sum + part.parameters, 0),
    weightBytes: total((part) => part.weightBytes),
    activationBytes: total((part) => part.activationBytes),
    energyPj: total((part) => part.energyPj),
    counted: parts.every(({ counted }) => counted),
  };
}

function siteCost(node: Node, { facts, scope, seen }: Counting): Omit<NodeCost, 'node' | 'runs'> {
  const site = scope.site(node);
  const record = facts.record(node);
  const macs = facts.sizeOf(record?.macs?.(site) ?? 0);
  const movesNothing = record?.traits.alias === true || node.is('Constant') || node.subgraphs().length > 0;
  let [parameters, weightBytes] = [0, 0];
  const traffic: (number | undefined)[] = [];
  const move = (value: Value): void => {
    if (!movesNothing) traffic.push(tensorBytes(scope.dtype(value), scope.dims(value)));
  };
  node.inputs.forEach((value, index) => {
    if (value === undefined) return;
    const tensor = site.constant(index);
    if (tensor === undefined) {
      if (index > 0 || record?.traits.dimsOnly !== true) move(value);
      return;
    }
    if (!seen.has(value)) parameters += tensor.size;
    seen.add(value);
    if (!movesNothing) weightBytes += tensor.byteLength;
  });
  for (const value of node.outputs) if (value) move(value);
  const sizes = traffic.map((bytes) => bytes ?? 0);
  return {
    kind: record && kindOf(site, record),
    macs,
    parameters,
    weightBytes,
    activationBytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
    energyPj:
      macs * macEnergy(site.input(0)?.dtype) +
      weightBytes * DRAM_PJ_PER_BYTE +
      sizes.reduce((sum, bytes) => sum + trafficEnergy(bytes), 0),
    counted: record !== undefined && !traffic.includes(undefined),
  };
}

/** Arithmetic on shapes is plumbing, whatever the operator. */
function kindOf(site: CostSite, record: OpRecord): LayerKind {
  return record.traits.layer === 'non-tensor' && site.output(0)?.data !== undefined ? 'plumbing' : record.traits.layer;
}

/** Bytes of a tensor of this type and these dims; undefined when one is unknown. Strings count as none. */
export function tensorBytes(dtype: DType | undefined, dims: readonly number[] | undefined): number | undefined {
  return dtype === undefined || dims === undefined
    ? undefined
    : Math.ceil((dims.reduce((product, dim) => product * dim, 1) * DTYPES[dtype].bits) / 8);
}

/** Totals over one run of `model`; `costs` as `nodeCosts` gives them. */
export function modelCost(
  model: Model,
  facts: ModelFacts,
  costs: readonly NodeCost[] = nodeCosts(model, facts),
): ModelCost {
  const weights = weightsOf(model);
  const shares: Record<LayerKind, Share> = { tensor: NOTHING, 'non-tensor': NOTHING, plumbing: NOTHING };
  let [macs, bytesMoved, energyPj] = [0, 0, 0];
  for (const cost of costs) {
    const bytes = cost.runs * (cost.weightBytes + cost.activationBytes);
    macs += cost.runs * cost.macs;
    bytesMoved += bytes;
    energyPj += cost.runs * cost.energyPj;
    if (cost.kind === undefined) continue;
    const share = shares[cost.kind];
    shares[cost.kind] = {
      nodes: share.nodes + 1,
      macs: share.macs + cost.runs * cost.macs,
      bytes: share.bytes + bytes,
    };
  }
  return {
    nodes: costs.length,
    parameters: weights.reduce((sum, tensor) => sum + tensor.size, 0),
    weightBytes: weights.reduce((sum, tensor) => sum + tensor.byteLength, 0),
    macs,
    flops: 2 * macs,
    bytesMoved,
    energyPj,
    notCounted: costs.filter(({ counted }) => !counted).length,
    shares,
    histogram: histogramOf(model.graph),
  };
}

const NOTHING: Share = { nodes: 0, macs: 0, bytes: 0 };

/** Nodes by operator, subgraphs included, most frequent first. */
export function histogramOf(graph: Graph): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { opType, domain } of nodesUnder(graph))
    counts.set(opKey(opType, domain), (counts.get(opKey(opType, domain)) ?? 0) + 1);
  return new Map([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}
