// Types, shapes and small values of every value of a model, on demand. What is known of a value is computed once, from
// its producer, and stays: rewrites keep the meaning of values, and new values are inferred when asked for. Chains are
// walked with a stack of their own, so their length does not matter; only nesting of graphs and calls recurses.
//
// Declared types: a runtime checks the shapes of model inputs and the element types of all values, so those are facts.
// It does not check declared shapes of other values, and exporters get them wrong, so they enter cost estimates only.
import { staticDims, symbolDim, symbolsOf, type Dim } from '../ir/dim.js';
import type { Attribute } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import { nodesUnder, type LocalFunction, type Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { MAX_DATA } from '../ops/data.js';
import { constantTensor, tensorInfo } from '../ops/generate.js';
import type { CostSite, OpRecord, ValueInfo } from '../ops/record.js';
import { OP_RECORDS, opKey } from '../ops/registry.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Facts } from './facts.js';
import { assumedDims, assumedSize, inputDims, UNKNOWN_PREFIX, type Sizes } from './sizes.js';

export interface FactsOptions {
  /** Sizes of symbols, for costs; 1 where none is given. Facts never depend on them. */
  readonly assumedSizes?: Sizes;
}

/** What is known inside the main graph, or inside one call of a local function. */
interface Frame {
  readonly facts: Map<Value, ValueInfo>;
  /** Nodes whose subgraphs were walked. */
  readonly entered: Set<Node>;
  /** Frames of the calls made in this one. */
  readonly calls: Map<Node, Frame>;
  /** The function whose body this is; its operator sets hold here. */
  readonly callee: LocalFunction | undefined;
  /** Attributes of the call, by which references in the body are resolved; undefined: the caller is not known. */
  readonly attributes: ReadonlyMap<string, Attribute> | undefined;
  /** Formal inputs that the call leaves out. */
  readonly omitted: ReadonlySet<Value>;
  readonly depth: number;
}

interface Inference {
  readonly model: Model;
  /** Sizes of the symbols of inputs; undefined: they stay symbols. */
  readonly sizes: Sizes | undefined;
  readonly main: Frame;
  /** Frames of function bodies looked at by themselves, without a call. */
  readonly bodies: Map<Graph, Frame>;
  readonly tensors: WeakMap<Tensor, ValueInfo>;
  /** Local functions by key, of the list they were indexed from. */
  functions: { readonly list: readonly LocalFunction[]; readonly byKey: ReadonlyMap<string, LocalFunction> };
  /** Symbols made so far: they are numbered, so that equal questions in equal order give equal names. */
  symbols: number;
}

/** Calls nested deeper than this are opaque: ONNX forbids recursion, files may not. */
const MAX_CALL_DEPTH = 64;
/** A formula longer than this is given up for a symbol of its own, so that time and memory stay linear. */
const MAX_FORMULA = 2000;

/** A graph in which costs are counted: the main graph, or the body of a local function as one call runs it. */
export interface Scope {
  readonly graph: Graph;
  /** With the attributes of the call in the place of references to them. */
  site(node: Node): CostSite;
  dtype(value: Value): DType | undefined;
  /** Dims at assumed sizes. */
  dims(value: Value): readonly number[] | undefined;
  /** What `node` runs when it calls a local function. */
  call(node: Node): Scope | undefined;
}

/** Facts, and the view that costs need. */
export interface ModelFacts extends Facts {
  /** The main graph, with the symbols of inputs at their assumed sizes. */
  readonly scope: Scope;
}

/**
 * Facts of `model`. Computed as they are asked for; nothing is computed here. Costs rest on an inference of their own, in
 * which inputs have their assumed sizes: it knows more (which branch an If takes at this length of a sequence).
 */
export function createFacts(model: Model, options: FactsOptions = {}): ModelFacts {
  const sizes = options.assumedSizes ?? new Map<string, number>();
  const inference = newInference(model, undefined);
  const concrete = model.graph.inputs.every((input) => staticDims(inputDims(input, undefined)))
    ? inference
    : newInference(model, sizes);
  const of = (value: Value): ValueInfo => infoOf(inference, frameOf(inference, value.graph), value);
  const record = (node: Node): OpRecord | undefined => recordOf(inference, node);
  const sizeOf = (dim: Dim): number => assumedSize(dim, sizes);
  const scope = scopeOf(concrete, model.graph, (graph) => frameOf(concrete, graph), sizes);
  const macs = (node: Node, within: Scope): number => {
    const called = within.call(node);
    if (called === undefined) return sizeOf(record(node)?.macs?.(within.site(node)) ?? 0);
    return [...nodesUnder(called.graph)].reduce((sum, inner) => sum + macs(inner, called), 0);
  };
  return {
    of,
    record,
    sizeOf,
    scope,
    site: (node) => siteOf(inference, frameOf(inference, node.graph), node),
    staticShape: (value) => staticDims(of(value).shape),
    assumed: scope.dims,
    macs: (node) => macs(node, scope),
  };
}

function scopeOf(inference: Inference, graph: Graph, frame: (graph: Graph | undefined) => Frame, sizes: Sizes): Scope {
  const of = (value: Value): ValueInfo => infoOf(inference, frame(value.graph), value);
  return {
    graph,
    site: (node) => siteOf(inference, frame(node.graph), resolveReferences(frame(node.graph), node) ?? node),
    dtype: (value) => of(value).dtype,
    dims: (value) => assumedDims(value, of(value).shape, sizes),
    call: (node) => {
      const callee = functionOf(inference, node);
      if (callee === undefined) return undefined;
      for (const value of node.outputs) if (value) of(value);
      const called = frame(node.graph).calls.get(node);
      return called && scopeOf(inference, callee.graph, () => called, sizes);
    },
  };
}

function newInference(model: Model, sizes: Sizes | undefined): Inference {
  return {
    model,
    sizes,
    main: newFrame({}),
    bodies: new Map(),
    tensors: new WeakMap(),
    functions: { list: [], byKey: new Map() },
    symbols: 0,
  };
}

function newFrame({
  callee,
  attributes,
  omitted = new Set(),
  depth = 0,
}: Partial<Pick<Frame, 'callee' | 'attributes' | 'omitted' | 'depth'>>): Frame {
  return { facts: new Map(), entered: new Set(), calls: new Map(), callee, attributes, omitted, depth };
}

/** The frame a graph outside of any call belongs to. */
function frameOf(inference: Inference, graph: Graph | undefined): Frame {
  let root = graph;
  while (root?.owner?.graph !== undefined) root = root.owner.graph;
  if (root === undefined || root === inference.model.graph) return inference.main;
  const body = inference.bodies.get(root);
  if (body !== undefined) return body;
  const frame = newFrame({ callee: inference.model.functions.find((candidate) => candidate.graph === root) });
  inference.bodies.set(root, frame);
  return frame;
}

function functionOf(inference: Inference, node: Node): LocalFunction | undefined {
  const list = inference.model.functions;
  if (list.length === 0) return undefined;
  if (inference.functions.list !== list)
    inference.functions = {
      list,
      byKey: new Map(list.map((entry) => [`${entry.domain}\n${entry.name}\n${entry.overload}`, entry])),
    };
  return inference.functions.byKey.get(`${node.domain}\n${node.opType}\n${node.overload}`);
}

function recordOf(inference: Inference, node: Node): OpRecord | undefined {
  return functionOf(inference, node) === undefined ? OP_RECORDS.get(opKey(node.opType, node.domain)) : undefined;
}

function constantOf(value: Value | undefined): Tensor | undefined {
  return value?.constant ?? (value?.producer && constantTensor(value.producer));
}

function infoOf(inference: Inference, frame: Frame, value: Value): ValueInfo {
  const known = knownInfo(inference, frame, value);
  if (known !== undefined) return known;
  enterOwners(inference, frame, value.graph);
  if (!frame.facts.has(value)) {
    if (value.producer === undefined) frame.facts.set(value, formalInfo(inference, frame, value));
    else solve(inference, frame, value.producer);
  }
  return frame.facts.get(value) ?? declaredType(value);
}

/** Without computing anything. A constant's facts come from its tensor, which a rewrite may have replaced. */
function knownInfo(inference: Inference, frame: Frame, value: Value): ValueInfo | undefined {
  const tensor = constantOf(value);
  if (tensor === undefined) return frame.facts.get(value);
  const info = inference.tensors.get(tensor) ?? tensorInfo(tensor);
  inference.tensors.set(tensor, info);
  return info;
}

function declaredType(value: Value): ValueInfo {
  return { dtype: value.type?.kind === 'tensor' ? value.type.dtype : undefined };
}

function formalInfo(inference: Inference, frame: Frame, value: Value): ValueInfo {
  const isModelInput = frame === inference.main && value.graph === inference.model.graph && value.isInput;
  return isModelInput ? { ...declaredType(value), shape: inputDims(value, inference.sizes) } : declaredType(value);
}

/** Walks the subgraphs around `graph`, outermost first, so that formal inputs have their facts. */
function enterOwners(inference: Inference, frame: Frame, graph: Graph | undefined): void {
  const owners: Node[] = [];
  for (let owner = graph?.owner; owner !== undefined; owner = owner.graph?.owner) owners.push(owner);
  const outermost = owners.reverse().find((owner) => !frame.entered.has(owner));
  if (outermost !== undefined) solve(inference, frame, outermost);
}

function isSolved(frame: Frame, node: Node): boolean {
  if (node.outputs.some((value) => value && !frame.facts.has(value))) return false;
  return frame.entered.has(node) || node.subgraphs().length === 0;
}

/** Infers `target` and everything it needs, without recursion. */
function solve(inference: Inference, frame: Frame, target: Node): void {
  const stack = [target];
  const opened = new Set<Node>();
  for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
    const missing = isSolved(frame, node) || opened.has(node) ? [] : missingProducers(inference, frame, node);
    opened.add(node);
    if (missing.length > 0) {
      stack.push(...missing);
      continue;
    }
    stack.pop();
    if (!isSolved(frame, node)) inferNode(inference, frame, node, 'missing');
  }
}

/** Producers of what `node` and its subgraphs read, where nothing is known yet. */
function missingProducers(inference: Inference, frame: Frame, node: Node): Node[] {
  const producers: Node[] = [];
  const need = (value: Value | undefined): void => {
    if (value?.producer !== undefined && knownInfo(inference, frame, value) === undefined)
      producers.push(value.producer);
  };
  node.inputs.forEach(need);
  for (const graph of node.subgraphs()) {
    const inside = new Set<Value>();
    for (const inner of nodesUnder(graph)) for (const output of inner.outputs) if (output) inside.add(output);
    const outer = (value: Value | undefined): void => {
      if (value && !inside.has(value)) need(value);
    };
    for (const inner of nodesUnder(graph)) {
      inner.inputs.forEach(outer);
      for (const nested of inner.subgraphs()) nested.outputs.forEach(outer);
    }
    graph.outputs.forEach(outer);
  }
  return producers;
}

/** Facts of the outputs of `node`, set: those not known yet, or (in a subgraph that is walked again) all. */
function inferNode(inference: Inference, frame: Frame, node: Node, which: 'missing' | 'all'): void {
  frame.entered.add(node);
  const infos = outputInfos(inference, frame, node);
  node.outputs.forEach((value, i) => {
    if (value && (which === 'all' || !frame.facts.has(value)))
      frame.facts.set(value, settled(inference, value, infos[i]));
  });
}

function outputInfos(inference: Inference, frame: Frame, node: Node): readonly ValueInfo[] {
  const resolved = resolveReferences(frame, node);
  if (resolved === undefined) return [];
  const callee = functionOf(inference, node);
  if (callee !== undefined) return callInfos(inference, frame, resolved, callee);
  return OP_RECORDS.get(opKey(node.opType, node.domain))?.infer(siteOf(inference, frame, resolved)) ?? [];
}

/** The node with the attributes of the call, or their defaults, put in; undefined when the call is not known. */
function resolveReferences(frame: Frame, node: Node): Node | undefined {
  if (frame.callee === undefined || ![...node.attributes.values()].some((attribute) => attribute.kind === 'reference'))
    return node;
  if (frame.attributes === undefined) return undefined;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const value =
      attribute.kind === 'reference'
        ? (frame.attributes.get(attribute.name) ?? frame.callee.attributeDefaults?.get(attribute.name))
        : attribute;
    if (value !== undefined) attributes.set(name, value);
  }
  const { name, opType, domain, overload, inputs, outputs } = node;
  return new Node({ name, opType, domain, overload, attributes, inputs, outputs });
}

function callInfos(inference: Inference, caller: Frame, call: Node, callee: LocalFunction): readonly ValueInfo[] {
  if (caller.depth >= MAX_CALL_DEPTH) return [];
  const { graph } = callee;
  const omitted = new Set(graph.inputs.filter((_, i) => call.inputs[i] === undefined));
  const frame = newFrame({ callee, attributes: call.attributes, omitted, depth: caller.depth + 1 });
  graph.inputs.forEach((formal, i) => {
    const actual = call.inputs[i];
    frame.facts.set(formal, actual ? infoOf(inference, caller, actual) : {});
  });
  const output = call.outputs.find((value) => value !== undefined);
  if (output?.producer) caller.calls.set(output.producer, frame);
  for (const node of graph.nodes()) inferNode(inference, frame, node, 'all');
  return graph.outputs.map((value) => infoOf(inference, frame, value));
}

/** Walks a subgraph with these facts of its formal inputs; symbols made inside stay inside. */
function walkSubgraph(
  inference: Inference,
  frame: Frame,
  graph: Graph,
  inputs: readonly (ValueInfo | undefined)[],
): ValueInfo[] {
  const first = inference.symbols;
  graph.inputs.forEach((value, i) => frame.facts.set(value, settled(inference, value, inputs[i])));
  for (const node of graph.nodes()) inferNode(inference, frame, node, 'all');
  const isInner = (dim: Dim): boolean =>
    [...symbolsOf(dim)].some((name) => name.startsWith(UNKNOWN_PREFIX) && Number(name.slice(1)) >= first);
  const before = inference.symbols;
  return graph.outputs.map((value) => {
    const info = infoOf(inference, frame, value);
    if (before === first) return info;
    const shape = info.shape?.map((dim) => (isInner(dim) ? unknownDim(inference) : dim));
    return { dtype: info.dtype, shape, data: info.data?.some(isInner) ? undefined : info.data };
  });
}

function unknownDim(inference: Inference): Dim {
  return symbolDim(`${UNKNOWN_PREFIX}${inference.symbols++}`, 0);
}

/** What a record said, with the declared element type where it said none, and without formulas that grew too long. */
function settled(inference: Inference, value: Value, info: ValueInfo | undefined): ValueInfo {
  const dtype = info?.dtype ?? declaredType(value).dtype;
  const shape = info?.shape?.map((dim) =>
    isUsable(dim) && (typeof dim !== 'number' || dim >= 0) ? dim : unknownDim(inference),
  );
  const data = info?.data;
  const size = staticDims(shape)?.reduce((product, dim) => product * dim, 1);
  const keep =
    data !== undefined &&
    data.length === size &&
    size <= MAX_DATA &&
    data.every((dim) => typeof dim === 'number' || isUsable(dim));
  return { dtype, shape, data: keep ? data : undefined };
}

function isUsable(dim: Dim): boolean {
  return typeof dim === 'number' ? Number.isSafeInteger(dim) : dim.key.length <= MAX_FORMULA;
}

function siteOf(inference: Inference, frame: Frame, node: Node): CostSite {
  const info = (value: Value | undefined): ValueInfo | undefined =>
    value === undefined || frame.omitted.has(value) ? undefined : infoOf(inference, frame, value);
  const opsets = frame.callee?.opsets ?? inference.model.opsets;
  return {
    node,
    opset: opsets.get(node.domain) ?? 1,
    input: (index) => info(node.inputs[index]),
    output: (index) => info(node.outputs[index]),
    constant: (index) => constantOf(node.inputs[index]),
    unknownDim: () => unknownDim(inference),
    subgraph: (graph, inputs) => walkSubgraph(inference, frame, graph, inputs),
  };
}
