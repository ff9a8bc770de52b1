// Nodes that compute y = a_c x + c_c with one pair (a, c) per channel: BatchNormalization at inference, and Mul, Add,
// Sub, Div by constants, and Neg. A constant is aligned with the data at the last axis (ONNX broadcasting), so a
// vector [C] acts on the last axis even where that axis happens to be as long as the channel axis.
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { Tensor } from '../tensor/tensor.js';
import { isFoldable } from './folded-tensor.js';
import { isRefusal, refuse, type Refusal } from './plan.js';

/** y = scale[c] x + shift[c]. */
export interface ChannelAffine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** Where the channels of a value lie. `rank` is undefined when it is not known; `fromEnd` counts axes after the channel axis. */
export interface ChannelAxis {
  readonly channels: number;
  readonly fromEnd: number;
  readonly rank: number | undefined;
}

export type AffineRefusal = 'training-mode' | 'extra-outputs' | 'parameters-not-constant';

/** An affine node, before it is known along which axis its numbers lie. */
export interface AffineNode {
  readonly node: Node;
  /** The value it maps, and the result. */
  readonly data: Value;
  readonly output: Value;
  /** The constants it reads. */
  readonly constants: readonly Value[];
  /** The numbers per channel, or undefined when they differ along another axis, or broadcasting would grow the data. */
  along(axis: ChannelAxis): ChannelAffine | undefined;
}

type Reader = (node: Node) => AffineNode | Refusal<AffineRefusal> | undefined;

const READERS: Readonly<Record<string, Reader>> = {
  BatchNormalization: readBatchNorm,
  Mul: (node) =>
    readBinary(
      node,
      (t) => ({ scale: t, shift: 0 }),
      (t) => ({ scale: t, shift: 0 }),
    ),
  Add: (node) =>
    readBinary(
      node,
      (t) => ({ scale: 1, shift: t }),
      (t) => ({ scale: 1, shift: t }),
    ),
  Sub: (node) =>
    readBinary(
      node,
      (t) => ({ scale: 1, shift: -t }),
      (t) => ({ scale: -1, shift: t }),
    ),
  Div: (node) => readBinary(node, (t) => ({ scale: 1 / t, shift: 0 }), undefined),
  Neg: readNeg,
};

/** Operators that `readAffine` understands. */
export const AFFINE_OPS: readonly string[] = Object.keys(READERS);
/** Those but BatchNormalization. */
export const BINARY_AFFINE_OPS: readonly string[] = AFFINE_OPS.filter((op) => op !== 'BatchNormalization');

/** `node` as an affine map; undefined when it is none. */
export function readAffine(node: Node): AffineNode | Refusal<AffineRefusal> | undefined {
  return node.domain === '' ? READERS[node.opType]?.(node) : undefined;
}

/** The same without reasons. */
export function affineOf(node: Node): AffineNode | undefined {
  const read = readAffine(node);
  return read && !isRefusal(read) ? read : undefined;
}

/** Maps hold one number per channel. A declared shape may speak of more channels than any memory holds. */
export const MAX_CHANNELS = 2 ** 24;

/** The numbers of a broadcast constant along the channel axis; undefined when they vary along another or grow the data. */
export function channelNumbers(tensor: Tensor, { channels, fromEnd, rank }: ChannelAxis): Float64Array | undefined {
  const { dims } = tensor;
  if (channels > MAX_CHANNELS || dims.length > (rank ?? fromEnd + 1)) return undefined;
  for (const [i, dim] of dims.entries()) {
    const onAxis = dims.length - 1 - i === fromEnd;
    if (dim !== 1 && !(onAxis && dim === channels)) return undefined;
  }
  const numbers = tensor.toFloat64();
  return numbers.length === channels ? numbers : new Float64Array(channels).fill(numbers[0] ?? Number.NaN);
}

/** Only the scale is there. */
export function isPureScale({ shift }: ChannelAffine): boolean {
  return shift.every((c) => c === 0);
}

/** All numbers are finite. */
export function isFiniteAffine({ scale, shift }: ChannelAffine): boolean {
  return scale.every(Number.isFinite) && shift.every(Number.isFinite);
}

type Coefficients = (t: number) => { readonly scale: number; readonly shift: number };

/** A binary operator with one constant operand: `right` for op(x, t), `left` for op(t, x). */
function readBinary(node: Node, right: Coefficients, left: Coefficients | undefined): AffineNode | undefined {
  const [first, second] = node.inputs;
  const { output } = node;
  // Before opset 7 broadcasting was an attribute with an axis.
  if (first === undefined || second === undefined || output === undefined || opsetOf(node) < 7) return undefined;
  if ((first.constant === undefined) === (second.constant === undefined)) return undefined;
  const onRight = second.constant !== undefined;
  const [data, operand] = onRight ? [first, second] : [second, first];
  const coefficients = onRight ? right : left;
  const tensor = operand.constant;
  if (coefficients === undefined || tensor === undefined || !isFoldable(tensor.dtype)) return undefined;
  return {
    node,
    data,
    output,
    constants: [operand],
    along(axis) {
      const numbers = channelNumbers(tensor, axis);
      return (
        numbers && {
          scale: numbers.map((t) => coefficients(t).scale),
          shift: numbers.map((t) => coefficients(t).shift),
        }
      );
    },
  };
}

function readNeg(node: Node): AffineNode | undefined {
  const [data] = node.inputs;
  const { output } = node;
  if (data === undefined || output === undefined || data.constant !== undefined) return undefined;
  return {
    node,
    data,
    output,
    constants: [],
    along: ({ channels }) =>
      channels > MAX_CHANNELS
        ? undefined
        : { scale: new Float64Array(channels).fill(-1), shift: new Float64Array(channels) },
  };
}

/** a = gamma/sqrt(var + eps), c = beta - a mean. */
function readBatchNorm(node: Node): AffineNode | Refusal<AffineRefusal> | undefined {
  const [data, ...parameters] = node.inputs;
  const { output } = node;
  if (data === undefined || output === undefined || parameters.length !== 4) return undefined;
  const opset = opsetOf(node);
  const trains =
    node.int('training_mode', 0) !== 0 || (opset < 7 && node.int('is_test', 0) === 0) || node.int('spatial', 1) === 0;
  if (trains) return refuse('training-mode');
  if (node.outputs.slice(1).some((value) => value !== undefined && !value.isUnused)) return refuse('extra-outputs');
  const constants = parameters.filter((value): value is Value => value !== undefined);
  const tensors = constants
    .map((value) => value.constant)
    .filter((tensor): tensor is Tensor => tensor !== undefined && isFoldable(tensor.dtype));
  if (tensors.length !== 4) return refuse('parameters-not-constant');
  const epsilon = node.float('epsilon', 1e-5);
  return {
    node,
    data,
    output,
    constants,
    along({ channels, fromEnd, rank }) {
      const [gamma, beta, mean, variance] = tensors.map((tensor) => tensor.toFloat64());
      if (!gamma || !beta || !mean || !variance || gamma.length !== channels || fromEnd + 2 !== rank) return undefined;
      const scale = gamma.map((g, i) => g / Math.sqrt((variance[i] ?? Number.NaN) + epsilon));
      return { scale, shift: scale.map((a, i) => (beta[i] ?? Number.NaN) - a * (mean[i] ?? Number.NaN)) };
    },
  };
}

function opsetOf(node: Node): number {
  return node.graph?.model.opset ?? 1;
}
