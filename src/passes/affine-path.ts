// Operators that a per-channel affine map y = a_c x + c_c can cross: f(a x + c) = a f(x) + c. Pools, activations that are
// homogeneous, padding, resizing, and operators that only move or shape data. A step says where the channels lie behind
// the operator, and whether a given map may cross it, with the change to the operator's own constants that this takes.
import type { Facts } from '../analysis/facts.js';
import { floatAttr } from '../ir/attribute.js';
import { isStatic, productOf, sameDim, type Dim } from '../ir/dim.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { Tensor } from '../tensor/tensor.js';
import { isPureScale, readAffine, type ChannelAffine, type ChannelAxis } from './channel-affine.js';
import { knownNumbers } from './constants.js';
import { windowGeometry, isUnpadded } from './conv-geometry.js';
import { graphOf, setConstantInput } from './edit.js';
import { foldedTensor, roundedTo } from './folded-tensor.js';
import { isRefusal } from './plan.js';

/** `up`: from behind the operator to its input. `down`: from its input to behind it. */
export type Direction = 'up' | 'down';

/** What crossing changes in the operator itself: nothing, or its constant. */
export type CrossEdit = () => void;

export interface PathStep {
  /** Where the channels lie in the output. */
  readonly axis: ChannelAxis;
  /** How many neighbouring output channels come from one input channel (Flatten of a map). */
  readonly repeat: number;
  /** The edit that lets `affine` (of the input, for `down`; of the output, for `up`) cross, or undefined when it may not. */
  cross(affine: ChannelAffine, direction: Direction): CrossEdit | undefined;
}

type StepReader = (node: Node, axis: ChannelAxis, facts: Facts) => PathStep | undefined;

const nothing: CrossEdit = () => undefined;
const growing = ({ scale }: ChannelAffine): boolean => scale.every((a) => a > 0);
const keeps = (axis: ChannelAxis, cross: PathStep['cross']): PathStep => ({ axis, repeat: 1, cross });

const STEPS: Readonly<Record<string, StepReader>> = {
  Relu: homogeneous,
  LeakyRelu: homogeneous,
  PRelu: homogeneous,
  MaxPool: maximum,
  GlobalMaxPool: maximum,
  AveragePool: averagePool,
  GlobalAveragePool: (_, axis) => keeps(axis, () => nothing),
  ReduceMean: reduceMean,
  Pad: pad,
  Resize: resize,
  Reshape: view,
  Flatten: view,
  Squeeze: view,
  Unsqueeze: view,
  Transpose: transpose,
  Add: shifted,
  Sub: shifted,
};

/** Whether `node` is of an operator that may be crossed. */
export function mayCross(node: Node): boolean {
  return node.domain === '' && STEPS[node.opType] !== undefined && dataInput(node) !== undefined;
}

/** What a node on the way maps: its first input, or the second of a sum whose first is a constant. */
export function dataInput(node: Node): Value | undefined {
  const [first, second] = node.inputs;
  return node.opType === 'Add' && first?.constant !== undefined && second?.constant === undefined ? second : first;
}

/** `node` as a step for a map along `axis` of its first input; undefined when it mixes channels. */
export function pathStep(node: Node, axis: ChannelAxis, facts: Facts): PathStep | undefined {
  return mayCross(node) ? STEPS[node.opType]?.(node, axis, facts) : undefined;
}

/** f(s x) = s f(x) for s > 0, elementwise. */
function homogeneous(node: Node, axis: ChannelAxis): PathStep | undefined {
  if (node.inputs.slice(1).some((value) => value?.constant === undefined)) return undefined;
  return keeps(axis, (affine) => (isPureScale(affine) && growing(affine) ? nothing : undefined));
}

/** max commutes with every increasing map; padding of MaxPool is never chosen. */
function maximum(node: Node, axis: ChannelAxis): PathStep | undefined {
  const indices = node.outputs[1];
  return indices === undefined || indices.isUnused
    ? keeps(axis, (affine) => (growing(affine) ? nothing : undefined))
    : undefined;
}

/** A shift keeps its size only where every window divides by the elements it really covers. */
function averagePool(node: Node, axis: ChannelAxis, facts: Facts): PathStep {
  const geometry = windowGeometry(node, facts);
  const trueMean =
    node.int('count_include_pad', 0) === 0 ||
    (node.int('ceil_mode', 0) === 0 && geometry !== undefined && isUnpadded(geometry));
  return keeps(axis, (affine) => (trueMean || isPureScale(affine) ? nothing : undefined));
}

function reduceMean(node: Node, axis: ChannelAxis, facts: Facts): PathStep | undefined {
  const { rank, fromEnd } = axis;
  const axes = node.ints('axes') ?? knownNumbers(facts, node.inputs[1]);
  if (rank === undefined || axes === undefined || axes.length === 0) return undefined;
  const reducedFromEnd = axes.map((a) => (a < 0 ? -a - 1 : rank - 1 - a));
  if (reducedFromEnd.includes(fromEnd)) return undefined;
  if (node.int('keepdims', 1) !== 0) return keeps(axis, () => nothing);
  const behind = reducedFromEnd.filter((a) => a < fromEnd).length;
  return keeps({ ...axis, rank: rank - axes.length, fromEnd: fromEnd - behind }, () => nothing);
}

/** Padding by what is there keeps every map; padding by a constant maps the constant, which must stay one number. */
function pad(node: Node, axis: ChannelAxis, facts: Facts): PathStep | undefined {
  const { rank, fromEnd, channels } = axis;
  const pads = node.ints('pads') ?? knownNumbers(facts, node.inputs[1]);
  if (rank === undefined || pads?.length !== 2 * rank || node.inputs[3] !== undefined) return undefined;
  const at = rank - 1 - fromEnd;
  if (pads[at] !== 0 || pads[rank + at] !== 0) return undefined;
  if (node.string('mode', 'constant') !== 'constant') return keeps(axis, () => nothing);
  const filler = node.inputs[2];
  if (filler !== undefined && filler.constant === undefined) return undefined;
  const value = filler?.constant?.scalar() ?? node.float('value', 0);
  return keeps(axis, ({ scale, shift }, direction) => {
    const mapped = Array.from({ length: channels }, (_, i) => {
      const [a, c] = [scale[i] ?? 1, shift[i] ?? 0];
      return direction === 'up' ? a * value + c : (value - c) / a;
    });
    const [first = value] = mapped;
    if (!mapped.every((v) => v === first) || !Number.isFinite(first)) return undefined;
    return first === value ? nothing : () => setPadValue(node, first, facts);
  });
}

function setPadValue(node: Node, value: number, facts: Facts): void {
  const data = node.inputs[0];
  const dtype = node.inputs[2]?.constant?.dtype ?? (data && facts.of(data).dtype) ?? 'float32';
  if (node.ints('pads') !== undefined)
    graphOf(node).setAttribute(node, 'value', floatAttr(roundedTo('float32', value)));
  else setConstantInput(node, 2, Tensor.scalar(dtype, value), `${node.output?.name ?? 'pad'}_value`);
}

/** Interpolation weights add up to one, so that every affine map crosses; the channel axis must keep its size. */
function resize(node: Node, axis: ChannelAxis, facts: Facts): PathStep | undefined {
  const before = dimAt(node.inputs[0] && facts.of(node.inputs[0]).shape, axis.fromEnd);
  const after = dimAt(node.output && facts.of(node.output).shape, axis.fromEnd);
  const crops = node.string('coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize';
  if (crops || before === undefined || !sameDim(before, after) || node.string('mode', 'nearest') === 'cubic')
    return undefined;
  return keeps(axis, () => nothing);
}

function transpose(node: Node, axis: ChannelAxis): PathStep | undefined {
  const { rank, fromEnd } = axis;
  if (rank === undefined) return undefined;
  const perm = node.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const at = perm.indexOf(rank - 1 - fromEnd);
  return at < 0 ? undefined : keeps({ ...axis, fromEnd: rank - 1 - at }, () => nothing);
}

/**
 * The channel axis survives a reshaping when what stands before it keeps its size, and the axis is whole or has
 * swallowed all axes up to some later one.
 */
function view(node: Node, axis: ChannelAxis, facts: Facts): PathStep | undefined {
  const input = node.inputs[0] && facts.of(node.inputs[0]).shape;
  const output = node.output && facts.of(node.output).shape;
  if (input === undefined || output === undefined || axis.rank !== input.length) return undefined;
  const at = input.length - 1 - axis.fromEnd;
  const prefix = productOf(input.slice(0, at));
  const repeats = input
    .slice(at + 1)
    .reduce<number[]>(
      (sizes, dim) => (isStatic(dim) && sizes.length > 0 ? [...sizes, (sizes.at(-1) ?? 1) * dim] : []),
      [1],
    );
  for (let i = 0; i < output.length; i++) {
    const dim = output[i];
    if (!isStatic(dim) || dim % axis.channels !== 0 || !sameDim(productOf(output.slice(0, i)), prefix)) continue;
    const repeat = dim / axis.channels;
    if (repeat !== 1 && !repeats.includes(repeat)) continue;
    return {
      axis: { channels: dim, rank: output.length, fromEnd: output.length - 1 - i },
      repeat,
      cross: () => nothing,
    };
  }
  return undefined;
}

/** A scale crosses the addition of a constant, which is scaled instead: a (x + t) = a x + a t. */
function shifted(node: Node, axis: ChannelAxis): PathStep | undefined {
  const read = readAffine(node);
  if (!read || isRefusal(read)) return undefined;
  const inner = read.along(axis);
  const index = node.inputs.findIndex((value) => value?.constant !== undefined);
  const constant = node.inputs[index]?.constant;
  if (inner === undefined || constant === undefined || (index === 0 && node.opType === 'Sub')) return undefined;
  const sign = node.opType === 'Sub' ? -1 : 1;
  return keeps(axis, (affine, direction) => {
    if (!isPureScale(affine)) return undefined;
    const numbers = inner.shift.map(
      (c, i) => sign * c * (direction === 'up' ? (affine.scale[i] ?? 1) : 1 / (affine.scale[i] ?? 1)),
    );
    const uniform = numbers.every((c) => c === numbers[0]) && constant.size === 1;
    const dims = uniform ? constant.dims : [axis.channels, ...Array<number>(axis.fromEnd).fill(1)];
    const tensor = foldedTensor(constant.dtype, dims, [], () => (uniform ? numbers.slice(0, 1) : numbers));
    return tensor && (() => void setConstantInput(node, index, tensor));
  });
}

function dimAt(shape: readonly Dim[] | undefined, fromEnd: number): Dim | undefined {
  return shape?.[shape.length - 1 - fromEnd];
}

/** The map of the output side as one of the input side: blocks of `repeat` must be alike. Undefined when they are not. */
export function compressed({ scale, shift }: ChannelAffine, repeat: number): ChannelAffine | undefined {
  if (repeat === 1) return { scale, shift };
  const firstOf = (numbers: Float64Array): Float64Array =>
    Float64Array.from({ length: numbers.length / repeat }, (_, i) => numbers[i * repeat] ?? Number.NaN);
  const [a, c] = [firstOf(scale), firstOf(shift)];
  const alike =
    scale.every((number, i) => number === a[Math.floor(i / repeat)]) &&
    shift.every((number, i) => number === c[Math.floor(i / repeat)]);
  return alike ? { scale: a, shift: c } : undefined;
}

/** The map of the input side as one of the output side. */
export function repeated({ scale, shift }: ChannelAffine, repeat: number): ChannelAffine {
  if (repeat === 1) return { scale, shift };
  const spread = (numbers: Float64Array): Float64Array =>
    Float64Array.from({ length: numbers.length * repeat }, (_, i) => numbers[Math.floor(i / repeat)] ?? Number.NaN);
  return { scale: spread(scale), shift: spread(shift) };
}
