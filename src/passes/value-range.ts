// Clip-like nodes as intervals, and the interval that the elements of a value are known to lie in.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { staysAs } from '../ops/broadcast.js';
import { isFloat } from '../tensor/dtype.js';
import { uniformNumber } from './constants.js';
import { isReshaping } from './element-order.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A node that computes min(max(x, low), high). */
export interface Clipping extends Interval {
  readonly source: Value;
}

/** Smallest and largest float32: the defaults of Clip while its bounds were attributes. */
const LARGEST = 3.4028234663852886e38;

/** `node` as a clipping with constant bounds: Relu, Clip, or Max or Min with a constant (all of floats). */
export function clippingOf(node: Node, facts: Facts): Clipping | undefined {
  const dtype = node.output && facts.of(node.output).dtype;
  const [source] = node.inputs;
  if (node.domain !== '' || !source || dtype === undefined || !isFloat(dtype)) return undefined;
  const { opset } = facts.site(node);
  if (node.opType === 'Relu') return { source, low: 0, high: Infinity };
  if (node.opType === 'Clip') {
    if (opset < 6) return undefined;
    if (opset < 11) return interval(source, node.float('min', -LARGEST), node.float('max', LARGEST));
    const low = node.inputs[1] ? uniformNumber(facts, node.inputs[1]) : -Infinity;
    const high = node.inputs[2] ? uniformNumber(facts, node.inputs[2]) : Infinity;
    return low === undefined || high === undefined ? undefined : interval(source, low, high);
  }
  // Before opset 11 a Clip without one bound could not be written.
  return opset >= 11 ? boundedBy(node, facts) : undefined;
}

/** Max or Min of a value and a constant that does not broadcast it. */
function boundedBy(node: Node, facts: Facts): Clipping | undefined {
  if ((node.opType !== 'Max' && node.opType !== 'Min') || node.inputs.length !== 2) return undefined;
  for (const side of [0, 1] as const) {
    const bound = uniformNumber(facts, node.inputs[side]);
    const source = node.inputs[1 - side];
    const by = node.inputs[side] && facts.of(node.inputs[side]).shape;
    const shape = source && facts.of(source).shape;
    if (bound === undefined || Number.isNaN(bound) || !source || source.constant || !by) continue;
    if (by.length > 0 && !(shape && staysAs(shape, by))) continue;
    return node.opType === 'Max' ? { source, low: bound, high: Infinity } : { source, low: -Infinity, high: bound };
  }
  return undefined;
}

/** Where the bounds cross, Clip gives the upper one. */
function interval(source: Value, low: number, high: number): Clipping | undefined {
  return Number.isNaN(low) || Number.isNaN(high) ? undefined : { source, low: Math.min(low, high), high };
}

const ANYTHING: Interval = { low: -Infinity, high: Infinity };

const UNIT: Interval = { low: 0, high: 1 };
const POSITIVE: Interval = { low: 0, high: Infinity };

/** As computed: the runtime's Sigmoid and Tanh pass 1 by a rounding error. */
const RANGES: Readonly<Record<string, Interval>> = {
  HardSigmoid: UNIT,
  Softmax: UNIT,
  Sigmoid: POSITIVE,
  Abs: POSITIVE,
  Sqrt: POSITIVE,
  Exp: POSITIVE,
  Softplus: POSITIVE,
};

/** Their results are among the elements of their input. */
const WITHIN_INPUT: ReadonlySet<string> = new Set([
  'MaxPool',
  'GlobalMaxPool',
  'Transpose',
  'Identity',
  'Slice',
  'Gather',
  'ReduceMax',
  'ReduceMin',
]);

/** Sums and means round, but keep a sign that all elements have. */
const KEEPS_SIGN: ReadonlySet<string> = new Set(['GlobalAveragePool', 'AveragePool', 'ReduceMean', 'ReduceSum']);

/** How many nodes up a range is followed. */
const DEPTH = 6;

/** An interval that holds every element of `value`, NaN aside. */
export function rangeOf(value: Value, facts: Facts, depth = DEPTH): Interval {
  const node = value.producer;
  if (!node || node.output !== value || node.domain !== '') return ANYTHING;
  const clipping = clippingOf(node, facts);
  if (clipping) return clipping;
  const [input] = node.inputs;
  if (input && depth > 0) {
    if (WITHIN_INPUT.has(node.opType) || isReshaping(node)) return rangeOf(input, facts, depth - 1);
    if (KEEPS_SIGN.has(node.opType)) return rangeOf(input, facts, depth - 1).low >= 0 ? POSITIVE : ANYTHING;
  }
  return RANGES[node.opType] ?? ANYTHING;
}
