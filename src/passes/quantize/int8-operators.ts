// Which of the operators that ONNX Runtime has integer kernels for (src/analysis/int8-kernels.ts) are quantized, and when not:
// one record per operator.
import type { Facts } from '../../analysis/facts.js';
import { int8Kernel, type Int8Form } from '../../analysis/int8-kernels.js';
import { invariant } from '../../base/errors.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { uniformNumber } from '../constants.js';
import type { Interval } from '../value-range.js';
import { poolAsConv } from './average-pool.js';
import { hardGate } from './hard-activations.js';

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

/** What is decided about an operator, beyond what its kernel takes. */
interface Decision {
  /** Why this node is not quantized, if so. */
  refuse?(node: Node, facts: Facts): FloatCode | undefined;
  /** Why this node is taken to be slower on integers, if so: a rule that measurements may overrule. */
  slower?(node: Node): FloatCode | undefined;
  /** What its results lie in, whatever it reads: they need no calibration. */
  readonly within?: Interval;
}

export interface Int8Operator extends Decision {
  readonly role: Int8Form;
  /** Inputs that hold activations. */
  readonly quantized: 'first' | 'all';
  /** The runtime does not take the conversions around it away: the node is given the integers themselves. */
  readonly onIntegers?: true;
}

/** An operator with an integer kernel. */
function kernelOf(opType: string, { refuse, ...decision }: Decision = {}): readonly [string, Int8Operator] {
  const kernel = int8Kernel({ opType, domain: '' });
  invariant(kernel, `no integer kernel for ${opType}`);
  return [
    opType,
    {
      role: kernel.form,
      quantized: kernel.quantized,
      refuse: (node, facts) => kernel.refuse?.(node)?.code ?? refuse?.(node, facts),
      ...decision,
    },
  ];
}

const isConstant = (value: Value | undefined): boolean => value?.constant !== undefined;

/** A bias of one float number per output, or none. */
function hasFoldableBias(node: Node, outputs: number | undefined): boolean {
  const value = node.inputs[2];
  return value === undefined || (outputs !== undefined && value.constant?.size === outputs);
}

/** From this many groups on the integer kernel, which works group by group, is slower than the float one. */
const FEWEST_SLOW_GROUPS = 8;

const conv: Decision = {
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

const gemm: Decision = {
  refuse: (node) => {
    const weights = node.inputs[1]?.constant;
    if (!weights || weights.dims.length !== 2) return 'weights-not-constant';
    const isPlain = node.float('alpha', 1) === 1 && node.int('transA', 0) === 0 && node.float('beta', 1) === 1;
    if (!isPlain) return 'attributes';
    return hasFoldableBias(node, weights.dims[node.int('transB', 0) === 0 ? 1 : 0]) ? undefined : 'bias';
  },
};

const matMul: Decision = {
  refuse: (node) => (node.inputs[1]?.constant?.dims.length === 2 ? undefined : 'weights-not-constant'),
};

/** Factors of a constant operand must be of one sign and size to keep 8 bits of the other operand. */
const mul: Decision = {
  refuse: (node, facts) =>
    node.inputs.some((value) => isConstant(value) && uniformNumber(facts, value) === undefined)
      ? 'attributes'
      : undefined,
};

/** Becomes a convolution, or stays in float: its own kernel is slow. */
const averagePool: Decision = { refuse: (node, facts) => (poolAsConv(node, facts) ? undefined : 'slower-on-integers') };

/** Zeros at the borders: the zero point. Only with the value known to be 0. */
const pad: Int8Operator = {
  role: 'same',
  quantized: 'first',
  onIntegers: true,
  refuse: (node, facts) => {
    const value = node.inputs[2];
    const isZero = value === undefined || uniformNumber(facts, value) === 0;
    return node.string('mode', 'constant') === 'constant' && isZero && node.inputs.length > 1
      ? undefined
      : 'attributes';
  },
};

const UNIT: Interval = { low: 0, high: 1 };

/** Becomes sums and products, which have kernels (hard-activations.ts). */
const hard: Int8Operator = {
  role: 'own',
  quantized: 'first',
  refuse: (node) => {
    const { slope = 0, offset = 0 } = hardGate(node) ?? {};
    return slope > 0 && offset > 0 ? undefined : 'attributes';
  },
};

export const INT8_OPERATORS: ReadonlyMap<string, Int8Operator> = new Map([
  kernelOf('Conv', conv),
  kernelOf('Gemm', gemm),
  kernelOf('MatMul', matMul),
  kernelOf('Mul', mul),
  kernelOf('AveragePool', averagePool),
  kernelOf('Sigmoid', { within: UNIT }),
  ['HardSigmoid', { ...hard, within: UNIT }],
  ['HardSwish', hard],
  ...['Add', 'Concat', 'GlobalAveragePool', 'LeakyRelu', 'MaxPool', 'Resize'].map((one) => kernelOf(one)),
  ...['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose', 'Slice', 'Split'].map((one) => kernelOf(one)),
  // Has no kernel: it moves integers, as what the runtime has for them.
  ['Pad', pad],
]);

/** The activations that `node` reads. */
export function dataInputs({ inputs }: Node, { quantized }: Int8Operator): Value[] {
  return inputs.slice(0, quantized === 'all' ? inputs.length : 1).flatMap((value) => value ?? []);
}
