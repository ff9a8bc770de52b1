// What float16 can hold, and which operators take it. float16 has 11 bits: largest number 65504, smallest normal 2^-14,
// smallest of all 2^-24.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { constantTensor } from '../ops/generate.js';
import { Tensor } from '../tensor/tensor.js';
import { graphOf } from './edit.js';
import { refuse, type Refusal } from './plan.js';

const LARGEST = 65504;
const SMALLEST_NORMAL = 2 ** -14;
/** Half of the smallest number, and what is below, becomes 0. */
const VANISHING = 2 ** -25;

export const HALF_DECLINES = {
  operator: 'ONNX Runtime has no {op} of float16 that keeps its accuracy, so it stays float32.',
  range: '{value} holds {number}, which float16 cannot: the node stays float32.',
  'type-unknown': 'The element type of {value} is not known.',
} as const;

export type HalfCode = keyof typeof HALF_DECLINES;

/**
 * Operators that stay float32. By their schema (ONNX 1.23, opsets 7 to 23) or for want of a kernel or of a sound expansion in
 * ONNX Runtime 1.30 (the one-node models of the ONNX backend tests were loaded in float16): the first groups. Because sums,
 * powers or reciprocals soon leave the range of float16: the last.
 */
const FLOAT32_ONLY: ReadonlySet<string> = new Set([
  'Celu',
  'CumSum',
  'DequantizeLinear',
  'DynamicQuantizeLinear',
  'IsInf',
  'MatMulInteger',
  'ConvInteger',
  'NonMaxSuppression',
  'QLinearConv',
  'QLinearMatMul',
  'QuantizeLinear',
  'Range',
  'TfIdfVectorizer',

  'Bernoulli',
  'BlackmanWindow',
  'DFT',
  'EyeLike',
  'HammingWindow',
  'HannWindow',
  'MeanVarianceNormalization',
  'MelWeightMatrix',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'STFT',

  'Exp',
  'Pow',
  'Reciprocal',
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceProd',
  'ReduceSum',
  'ReduceSumSquare',
]);

/** Inputs that are float32 whatever the data is, by operator: where the input stands since the given opset. */
const FLOAT32_INPUTS: Readonly<Record<string, (opset: number) => number>> = {
  Resize: (opset) => (opset < 11 ? 1 : 2),
  Upsample: () => 1,
};

/** Operators whose weights are summed over: a small one that becomes 0 is lost in the sum anyway. */
const SUMMING: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'LSTM', 'GRU', 'RNN']);

/** Operators whose constants only bound: a bound beyond the range of float16 is none. */
const BOUNDING: ReadonlySet<string> = new Set(['Clip', 'Max', 'Min']);

/** The constants of `node` only bound its result. */
export function isBounding(node: Node): boolean {
  return BOUNDING.has(node.opType);
}

/** The tensor of an initializer or Constant node. */
export function tensorOf(value: Value): Tensor | undefined {
  return value.constant ?? (value.producer && constantTensor(value.producer));
}

/** Whether input `index` of `node` stays float32 when the node does not. */
export function staysFloat32(node: Node, index: number): boolean {
  return FLOAT32_INPUTS[node.opType]?.(graphOf(node).model.opset) === index;
}

/** Numbers rounded to float16; what bounds the result of `node` is kept within its range. */
export function halfTensor(tensor: Tensor, node: Node): Tensor {
  const compute = (): Float64Array => {
    const numbers = tensor.toFloat64();
    if (!isBounding(node)) return numbers;
    return numbers.map((x) => (Number.isFinite(x) ? Math.min(Math.max(x, -LARGEST), LARGEST) : x));
  };
  return Tensor.derived('float16', tensor.dims, [tensor], compute);
}

/** The first number of `tensor` that `node` needs and float16 cannot hold. */
export function unfitNumber(tensor: Tensor, node: Node): number | undefined {
  if (isBounding(node)) return undefined;
  const isSummed = SUMMING.has(node.opType);
  let largest = 0;
  for (const x of tensor.toFloat64()) {
    const magnitude = Math.abs(x);
    const isLost = !isSummed && magnitude > 0 && magnitude <= VANISHING;
    if ((magnitude > LARGEST && magnitude !== Infinity) || isLost) return x;
    if (magnitude > largest) largest = magnitude;
  }
  return isSummed && largest > 0 && largest < SMALLEST_NORMAL ? largest : undefined;
}

/**
 * Whether `node` can compute in float16: undefined when it has nothing to do with float32, converts between both types, or
 * only holds the nodes that compute (If, Loop); a refusal when it must stay.
 */
export function halfRefusal(node: Node, facts: Facts): Refusal<HalfCode> | 'convertible' | undefined {
  const read = node.inputs.filter((_, index) => !staysFloat32(node, index));
  const values = [...read, ...node.outputs].filter((value) => value !== undefined);
  const types = values.map((value) => facts.of(value).dtype);
  if (node.is('Constant') || node.subgraphs().length > 0 || !types.includes('float32') || dimsOnly(node, facts))
    return undefined;
  if (node.is('Cast') && types.includes('float16')) return undefined;
  const isCall = graphOf(node).model.functionOf(node) !== undefined;
  const hasMoments = node.opType === 'LayerNormalization' && node.outputs.slice(1).some((value) => value !== undefined);
  if (node.domain !== '' || isCall || hasMoments || FLOAT32_ONLY.has(node.opType))
    return refuse('operator', { op: node.opType });
  const unknown = values.find((_, i) => types[i] === undefined);
  if (unknown) return refuse('type-unknown', { value: unknown.name });
  for (const [index, value] of node.inputs.entries()) {
    const tensor = value && !staysFloat32(node, index) ? tensorOf(value) : undefined;
    const number = tensor?.dtype === 'float32' ? unfitNumber(tensor, node) : undefined;
    if (value && number !== undefined) return refuse('range', { value: value.name, number });
  }
  return 'convertible';
}

/** The node reads only the dims of its input. */
export function dimsOnly(node: Node, facts: Facts): boolean {
  return facts.record(node)?.traits.dimsOnly === true;
}
