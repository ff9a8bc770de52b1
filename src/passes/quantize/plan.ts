// What of a model runs on integers: the nodes, the values to be quantized, and which of them share a scale. A plan changes
// nothing; insert.ts carries it out once ranges are known.
import type { Facts } from '../../analysis/facts.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { ConvMap } from '../conv-map.js';
import { clippingOf, type Interval } from '../value-range.js';
import { poolAsConv } from './average-pool.js';
import { dataInputs, INT8_OPERATORS, type FloatCode, type Int8Operator } from './int8-operators.js';

/** A node that runs on integers, with the Relu or Clip that the runtime takes into it. */
export interface PlannedNode {
  readonly node: Node;
  readonly operator: Int8Operator;
  readonly activation: Node | undefined;
  /** Activations that it reads. */
  readonly inputs: readonly Value[];
  /** What leaves it, behind the activation. */
  readonly outputs: readonly Value[];
  /** `float`: the product is scaled back by the runtime, nothing is quantized behind it (the last layer). */
  readonly result: 'integers' | 'float';
  /** The rule by which it is taken to be slower on integers than in float. */
  readonly slower: FloatCode | undefined;
  /** The convolution that an AveragePool becomes. */
  readonly pool: ConvMap | undefined;
  /** Nodes in front of `node` that stand for a part of it; once it was carried out. */
  readonly inner?: readonly Node[];
}

/** Values of one scale and zero point. */
export interface ValueGroup {
  readonly values: readonly Value[];
  /** What may be represented: behind a Relu or Clip that must go into the node. */
  readonly bounds: Interval;
  /** Sigmoid and its like: the range is known. */
  readonly fixed: Interval | undefined;
}

export interface QuantizationPlan {
  readonly nodes: readonly PlannedNode[];
  readonly groups: readonly ValueGroup[];
  /** Nodes of the main graph that could be thought of and stay in float. */
  readonly floats: ReadonlyMap<Node, FloatCode>;
}

export interface PlanOptions {
  /** Labels of nodes that stay in float. */
  readonly float: ReadonlySet<string>;
  /** Values whose range is known; nodes that need another stay in float. All when left out. */
  readonly known?: ReadonlyMap<Value, unknown>;
}

/** Plans the main graph. Weights of float32 only: other types are left alone. */
export function planQuantization(model: Model, facts: Facts, options: PlanOptions): QuantizationPlan {
  const floats = new Map<Node, FloatCode>();
  const candidates = new Map<Node, PlannedNode>();
  const activations = new Set<Node>();
  for (const node of model.graph.nodes()) {
    if (node.domain !== '' || activations.has(node)) continue;
    const candidate = candidateOf(node, model.graph, facts, options);
    if (candidate === undefined) continue;
    if (typeof candidate === 'string') floats.set(node, candidate);
    else {
      candidates.set(node, candidate);
      if (candidate.activation) activations.add(candidate.activation);
    }
  }
  demote(candidates, floats, model.graph);
  const nodes = [...candidates.values()];
  return { nodes, groups: groupValues(nodes, facts), floats };
}

/** Operators that only rearrange constants or shapes need no reason to stay as they are. */
function candidateOf(
  node: Node,
  graph: Graph,
  facts: Facts,
  { float, known }: PlanOptions,
): PlannedNode | FloatCode | undefined {
  const operator = INT8_OPERATORS.get(node.opType);
  const { output } = node;
  if (!output || node.inputs[0]?.constant !== undefined) return undefined;
  if (operator === undefined) return isComputation(node, facts) ? 'no-int8-kernel' : undefined;
  const inputs = dataInputs(node, operator);
  if ([...inputs, output].some((value) => facts.of(value).dtype !== 'float32')) {
    return facts.of(output).dtype === 'int64' ? undefined : 'not-float32';
  }
  if (float.has(node.label)) return 'asked';
  const refusal = operator.refuse?.(node, facts);
  if (refusal) return refusal;
  if (operator.within && isLastActivation(node)) return 'last-activation';
  const activation = operator.role === 'same' ? undefined : absorbedActivation(output, facts);
  const last = activation?.output ?? output;
  const quantized = [...inputs.filter((value) => value.constant === undefined), last];
  const isFloatResult = node.opType === 'Gemm' && activation === undefined && endsInFloat(last);
  if (known && !quantized.every((value) => known.has(value) || (isFloatResult && value === last))) return 'no-range';
  return {
    node,
    operator,
    activation,
    inputs: inputs.filter((value) => value.constant === undefined),
    outputs: activation ? [last] : node.outputs.filter((value): value is Value => value !== undefined),
    result: isFloatResult && graph === node.graph ? 'float' : 'integers',
    slower: operator.slower?.(node),
    pool: poolAsConv(node, facts),
  };
}

const isComputation = (node: Node, facts: Facts): boolean => facts.record(node)?.traits.layer !== 'plumbing';

/** Sigmoid or another activation that only the caller reads: as float it costs little and keeps its digits. */
function isLastActivation(node: Node): boolean {
  return node.output !== undefined && node.output.slots.size === 0;
}

/** Nobody that could compute on integers reads the value: it goes to the caller, perhaps in another shape. */
function endsInFloat(value: Value): boolean {
  return value.consumers().every((node) => {
    const role = INT8_OPERATORS.get(node.opType)?.role;
    if (role === 'same') return node.outputs.every((output) => output === undefined || endsInFloat(output));
    return role === undefined || node.opType === 'Sigmoid';
  });
}

/** The Relu or Clip that alone reads `value`, when its range holds 0: the runtime drops it before a QuantizeLinear. */
function absorbedActivation(value: Value, facts: Facts): Node | undefined {
  const node = value.soleConsumer;
  if (!node || (node.opType !== 'Relu' && node.opType !== 'Clip')) return undefined;
  const clipping = clippingOf(node, facts);
  return clipping && clipping.low <= 0 && clipping.high > 0 ? node : undefined;
}

/**
 * Takes out what would stand alone. A node without weights runs on integers only where what it reads comes as integers;
 * it is cheap, and the way to integers and back costs more than it. A last global mean stays in float, too: it gives the
 * scores of classes, and rounded to 256 steps two of them are often the same.
 */
function demote(candidates: Map<Node, PlannedNode>, floats: Map<Node, FloatCode>, graph: Graph): void {
  const producers = new Map<Value, Node>();
  for (const { node, outputs, result } of candidates.values())
    for (const output of outputs) if (result === 'integers') producers.set(output, node);
  const comesAsIntegers = (value: Value): boolean => {
    const producer = producers.get(value);
    return producer !== undefined && candidates.has(producer);
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const [node, candidate] of candidates) {
      const { operator, inputs, outputs } = candidate;
      if (operator.role === 'product') continue;
      const isLed =
        operator.role === 'own'
          ? inputs.some(comesAsIntegers)
          : inputs.every((value) => comesAsIntegers(value) || feedsOnly(value, graph, candidates));
      const readers = outputs.flatMap((value) => value.consumers());
      const isAlone =
        inputs.every((value) => !comesAsIntegers(value)) && !readers.some((reader) => candidates.has(reader));
      const isLast = node.is('GlobalAveragePool') && outputs.every((value) => endsInFloat(value));
      if (isLed && !isAlone && !isLast) continue;
      candidates.delete(node);
      floats.set(node, isLast ? 'last-activation' : 'float-neighbours');
      changed = true;
    }
  }
}

/** A graph input that only nodes on integers read: it is quantized at once, before it is moved around. */
function feedsOnly(value: Value, graph: Graph, candidates: ReadonlyMap<Node, PlannedNode>): boolean {
  return graph.inputs.includes(value) && value.consumers().every((node) => candidates.has(node));
}

const ANYTHING: Interval = { low: -Infinity, high: Infinity };

/** Values by scale: those of a `same` node together, and those that only a Concat reads with its result. */
function groupValues(nodes: readonly PlannedNode[], facts: Facts): ValueGroup[] {
  const parents = new Map<Value, Value>();
  const find = (value: Value): Value => {
    let root = value;
    for (let next = parents.get(root); next !== undefined && next !== root; next = parents.get(root)) root = next;
    return root;
  };
  const producers = new Map(nodes.flatMap((planned) => planned.outputs.map((value) => [value, planned] as const)));
  const boundsOf = (value: Value): Interval => {
    const activation = producers.get(value)?.activation;
    return (activation && clippingOf(activation, facts)) ?? ANYTHING;
  };
  const join = (a: Value, b: Value): void => void parents.set(find(a), find(b));
  for (const { inputs, outputs, result } of nodes)
    for (const value of result === 'integers' ? [...inputs, ...outputs] : inputs)
      if (!parents.has(value)) parents.set(value, value);
  for (const { node, operator, inputs, outputs } of nodes) {
    const [output] = outputs;
    if (output === undefined) continue;
    if (operator.role === 'same' || picksChannels(node, output))
      for (const value of [...inputs, ...outputs]) join(value, output);
    else if (node.opType === 'Concat')
      for (const value of alike(inputs, boundsOf)) if (value.soleConsumer) join(value, output);
  }
  const members = new Map<Value, Value[]>();
  for (const value of parents.keys()) {
    const root = find(value);
    members.set(root, [...(members.get(root) ?? []), value]);
  }
  return [...members.values()].map((values) => {
    const planned = values.map((value) => producers.get(value));
    const bounds = values.map(boundsOf);
    const within = planned.flatMap((one) => one?.operator.within ?? []);
    const isKnown = planned.every((one) => one?.operator.within !== undefined || one?.operator.role === 'same');
    return {
      values,
      bounds: { low: Math.max(...bounds.map(({ low }) => low)), high: Math.min(...bounds.map(({ high }) => high)) },
      fixed: isKnown ? within[0] : undefined,
    };
  });
}

/**
 * A 1x1 convolution that copies channels, as use-strided-conv makes it: every filter holds one 1, or nothing. With one scale
 * on both sides its integers are those that it reads.
 */
function picksChannels(node: Node, output: Value): boolean {
  const weights = node.is('Conv') && !node.inputs[2] && node.output === output ? node.inputs[1]?.constant : undefined;
  const [rows = 0, width = 0, ...kernel] = weights?.dims ?? [];
  if (!weights || kernel.some((size) => size !== 1)) return false;
  const numbers = weights.toFloat64();
  for (let row = 0; row < rows; row++) {
    const filter = numbers.subarray(row * width, (row + 1) * width);
    if (filter.some((w) => w !== 0 && w !== 1) || filter.reduce((sum, w) => sum + w, 0) > 1) return false;
  }
  return true;
}

/**
 * The inputs of a Concat that may have the scale of its result: all, when they have the same bounds, else those without
 * bounds. A range that one of them needs would make the runtime keep the Relu of another.
 */
function alike(inputs: readonly Value[], boundsOf: (value: Value) => Interval): readonly Value[] {
  const [first = ANYTHING, ...others] = inputs.map(boundsOf);
  const isCommon = others.every(({ low, high }) => low === first.low && high === first.high);
  return isCommon ? inputs : inputs.filter((value) => boundsOf(value) === ANYTHING);
}
