// Which operators ONNX Runtime runs on 8-bit integers, and under which conditions: one record per operator. The rules were
// run on the runtime (docs/quantization-rules.md).
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { uniformNumber } from '../constants.js';

/**
 * `product`: weights against activations. `own`: an integer kernel with scales of its own on both sides. `same`: moves or
 * picks integers, so that the output has the scale of the input.
 */
export type Int8Role = 'product' | 'own' | 'same';

/** Why a node stays in float: a code of the declines of the pass. */
export type FloatCode =
  | 'no-int8-kernel'
  | 'weights-not-constant'
  | 'grouped'
  | 'bias'
  | 'attributes'
  | 'resize-mode'
  | 'float-neighbours'
  | 'not-float32'
  | 'asked'
  | 'last-activation'
  | 'slower-on-integers'
  | 'no-range';

export interface Int8Operator {
  readonly role: Int8Role;
  /** The runtime does not take the conversions around it away: the node is given the integers themselves. */
  readonly onIntegers?: true;
  /** Input slots that hold activations; by default the first. */
  data?(node: Node): readonly number[];
  /** Why this node cannot run on integers, if so. */
  refuse?(node: Node, facts: Facts): FloatCode | undefined;
  /** Why this node is taken to be slower on integers, if so: a rule that measurements may overrule. */
  slower?(node: Node): FloatCode | undefined;
}

const everyInput = (node: Node): readonly number[] => node.inputs.map((_, i) => i);
const same: Int8Operator = { role: 'same' };
const binary: Int8Operator = { role: 'own', data: everyInput };

const isConstant = (value: Value | undefined): boolean => value?.constant !== undefined;

/** A bias of one float number per output, or none. */
function hasFoldableBias(node: Node, outputs: number | undefined): boolean {
  const value = node.inputs[2];
  return value === undefined || (outputs !== undefined && value.constant?.size === outputs);
}

/** From this many groups on the integer kernel, which works group by group, is slower than the float one. */
const FEWEST_SLOW_GROUPS = 8;

const conv: Int8Operator = {
  role: 'product',
  refuse: (node) => {
    const weights = node.inputs[1]?.constant;
    if (!weights) return 'weights-not-constant';
    return hasFoldableBias(node, weights.dims[0]) ? undefined : 'bias';
  },
  slower: (node) => {
    const [outputs = 0, inputs = 0] = node.inputs[1]?.constant?.dims ?? [];
    const group = node.int('group', 1);
    const isDepthwise = inputs === 1 && group === outputs;
    return group >= FEWEST_SLOW_GROUPS && !isDepthwise ? 'grouped' : undefined;
  },
};

const gemm: Int8Operator = {
  role: 'product',
  refuse: (node) => {
    const weights = node.inputs[1]?.constant;
    if (!weights || weights.dims.length !== 2) return 'weights-not-constant';
    const isPlain = node.float('alpha', 1) === 1 && node.int('transA', 0) === 0 && node.float('beta', 1) === 1;
    if (!isPlain) return 'attributes';
    return hasFoldableBias(node, weights.dims[node.int('transB', 0) === 0 ? 1 : 0]) ? undefined : 'bias';
  },
};

const matMul: Int8Operator = {
  role: 'product',
  refuse: (node) => (node.inputs[1]?.constant?.dims.length === 2 ? undefined : 'weights-not-constant'),
};

const maxPool: Int8Operator = {
  role: 'same',
  refuse: (node) => (node.outputs[1] === undefined ? undefined : 'attributes'),
};

const resize: Int8Operator = {
  role: 'same',
  refuse: (node) => (node.string('mode', 'nearest') === 'nearest' ? undefined : 'resize-mode'),
};

/** Factors of a constant operand must be of one sign and size to keep 8 bits of the other operand. */
const mul: Int8Operator = {
  role: 'own',
  data: everyInput,
  refuse: (node, facts) =>
    node.inputs.some((value) => isConstant(value) && uniformNumber(facts, value) === undefined)
      ? 'attributes'
      : undefined,
};

/** Three times the time of the float pool, as measured: the integer kernel does not know the layout around it. */
const averagePool: Int8Operator = { role: 'own', refuse: () => 'slower-on-integers' };

/** Zeros at the borders: the zero point. Only with the value known to be 0. */
const pad: Int8Operator = {
  role: 'same',
  onIntegers: true,
  refuse: (node, facts) => {
    const value = node.inputs[2];
    const isZero = value === undefined || uniformNumber(facts, value) === 0;
    return node.string('mode', 'constant') === 'constant' && isZero && node.inputs.length > 1
      ? undefined
      : 'attributes';
  },
};

export const INT8_OPERATORS: ReadonlyMap<string, Int8Operator> = new Map([
  ['Conv', conv],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['Add', binary],
  ['Mul', mul],
  ['Concat', binary],
  ['AveragePool', averagePool],
  ['GlobalAveragePool', { role: 'own' }],
  ['LeakyRelu', { role: 'own' }],
  ['Sigmoid', { role: 'own' }],
  ['MaxPool', maxPool],
  ['Resize', resize],
  ['Pad', pad],
  ...['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose', 'Slice', 'Split'].map(
    (opType) => [opType, same] as const,
  ),
]);

/** The activations that `node` reads. */
export function dataInputs(node: Node, operator: Int8Operator): Value[] {
  const slots = operator.data?.(node) ?? [0];
  return slots.flatMap((slot) => node.inputs[slot] ?? []);
}
