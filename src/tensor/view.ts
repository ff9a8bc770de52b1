// Rearranging the elements of tensors: strided views (ndarray) give the arithmetic of axes, elements are copied as the bits
// they are, whatever their type. No other file imports ndarray.
import ndarray, { type NdArray } from 'ndarray';
import { invariant } from '../base/errors.js';
import { DTYPES, storageBytes, type DType } from './dtype.js';
import { writeNumbers } from './elements.js';
import { elementCount, Tensor } from './tensor.js';

/** A view of float64 numbers, row-major unless it was transposed or stepped. */
export type NumberView = NdArray<Float64Array>;

/** The elements of a numeric tensor as a view over a fresh array. */
export function viewOf(tensor: Tensor): NumberView {
  return ndarray(tensor.toFloat64(), [...tensor.dims]);
}

/** A view of zeros. */
function zeroView(dims: readonly number[]): NumberView {
  return ndarray(new Float64Array(elementCount(dims)), [...dims]);
}

/** The elements of `view`, rounded once to `dtype`. */
export function tensorOf(dtype: DType, view: NumberView): Tensor {
  const packed = zeroView(view.shape);
  copyElements(packed, view);
  return Tensor.fromNumbers(dtype, packed.shape, packed.data);
}

/** Axis i of the result is axis `perm[i]` of `tensor`: what Transpose computes. Not for strings and types under 8 bits. */
export function permuteTensor(tensor: Tensor, perm: readonly number[]): Tensor {
  const { dims } = tensor;
  invariant(
    perm.length === dims.length && perm.toSorted((a, b) => a - b).every((axis, i) => axis === i),
    `[${perm.join(',')}] does not permute ${dims.length} axes`,
  );
  return rearranged(
    tensor.dtype,
    perm.map((axis) => dims[axis] ?? 1),
    [tensor],
    (target) => {
      const source = bitsOf(tensor);
      copyElements(target, source.transpose(...perm, perm.length));
    },
  );
}

export interface SliceRange {
  readonly axis: number;
  /** Index of the first element taken. */
  readonly start: number;
  /** Number of elements taken. */
  readonly count: number;
  /** Distance between elements taken; negative runs backwards. Default 1. */
  readonly step?: number;
}

/** The elements at `start`, `start + step`, ... of one axis. Not for strings and types under 8 bits. */
export function sliceTensor(tensor: Tensor, { axis, start, count, step = 1 }: SliceRange): Tensor {
  const { dims } = tensor;
  const size = dims[axis];
  const last = start + (count - 1) * step;
  const isInside =
    size !== undefined && count >= 0 && (count === 0 || (Math.min(start, last) >= 0 && Math.max(start, last) < size));
  invariant(isInside, `slice ${start}:+${count}:${step} of axis ${axis} is outside [${dims.join(',')}]`);
  return rearranged(tensor.dtype, dims.with(axis, count), [tensor], (target) => {
    const source = bitsOf(tensor);
    const offset = source.offset + start * (source.stride[axis] ?? 0);
    const strides = source.stride.with(axis, (source.stride[axis] ?? 0) * step);
    copyElements(target, ndarray(source.data, source.shape.with(axis, count), strides, offset));
  });
}

/** Tensors of one type, equal in all axes but `axis`, one behind the other. Not for strings and types under 8 bits. */
export function concatTensors(tensors: readonly Tensor[], axis: number): Tensor {
  const first = tensors[0];
  invariant(first !== undefined && axis >= 0 && axis < first.dims.length, `nothing to concatenate along axis ${axis}`);
  for (const { dtype, dims } of tensors) {
    const fits =
      dtype === first.dtype &&
      dims.length === first.dims.length &&
      dims.every((size, i) => i === axis || size === first.dims[i]);
    invariant(
      fits,
      `${dtype}[${dims.join(',')}] does not follow ${first.dtype}[${first.dims.join(',')}] along axis ${axis}`,
    );
  }
  const total = tensors.reduce((sum, { dims }) => sum + (dims[axis] ?? 0), 0);
  return rearranged(first.dtype, first.dims.with(axis, total), tensors, (target) => {
    let start = 0;
    for (const tensor of tensors) {
      copyElements(window(target, axis, start, tensor.dims[axis] ?? 0), bitsOf(tensor));
      start += tensor.dims[axis] ?? 0;
    }
  });
}

export interface Padding {
  /** Elements added in front of and behind each axis, none negative. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** What they are; default 0. */
  readonly value?: number;
}

/** `tensor` in the middle of a larger one. Not for strings and types under 8 bits. */
export function padTensor(tensor: Tensor, { before, after, value = 0 }: Padding): Tensor {
  const { dtype, dims } = tensor;
  const isValid =
    before.length === dims.length && after.length === dims.length && [...before, ...after].every((n) => n >= 0);
  invariant(isValid, `padding [${before.join(',')}], [${after.join(',')}] does not fit [${dims.join(',')}]`);
  return rearranged(
    dtype,
    dims.map((size, i) => size + (before[i] ?? 0) + (after[i] ?? 0)),
    [tensor],
    (target) => {
      if (value !== 0) fillBytes(target.data, writeNumbers(dtype, [value]));
      const inside = dims.reduce((view, size, axis) => window(view, axis, before[axis] ?? 0, size), target);
      copyElements(inside, bitsOf(tensor));
    },
  );
}

type Lanes = Uint8Array | Uint16Array | Uint32Array;

/** Elements as lanes of 8, 16 or 32 bits: the dims of the tensor, and a last axis over the lanes of one element. */
type BitView = NdArray<Lanes>;

function lanesOver(dtype: DType, dims: readonly number[], bytes: Uint8Array): BitView {
  const width = DTYPES[dtype].bits / 8;
  invariant(width >= 1, `elements of type ${dtype} cannot be rearranged`);
  const lane = Math.min(width, 4);
  // Not `slice`: that of a Buffer copies nothing.
  const aligned = bytes.byteOffset % lane === 0 ? bytes : new Uint8Array(bytes);
  const Lane = lane === 4 ? Uint32Array : lane === 2 ? Uint16Array : Uint8Array;
  return ndarray<Lanes>(new Lane(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / lane), [
    ...dims,
    width / lane,
  ]);
}

function bitsOf(tensor: Tensor): BitView {
  return lanesOver(tensor.dtype, tensor.dims, tensor.bytes());
}

function fillBytes({ buffer, byteOffset, byteLength }: Lanes, element: Uint8Array): void {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  for (let i = 0; i < byteLength; i += element.length) bytes.set(element, i);
}

/** Elements `start` to `start + count` of one axis. */
function window<T extends BitView>(view: T, axis: number, start: number, count: number): BitView {
  const offset = view.offset + start * (view.stride[axis] ?? 0);
  return ndarray<Lanes>(view.data, view.shape.with(axis, count), [...view.stride], offset);
}

/** A tensor whose elements `fill` writes; lazy when a source is, so that large external weights stay where they are. */
function rearranged(
  dtype: DType,
  dims: readonly number[],
  sources: readonly Tensor[],
  fill: (target: BitView) => void,
): Tensor {
  const byteLength = storageBytes(dtype, elementCount(dims));
  const read = (): Uint8Array => {
    const bytes = new Uint8Array(byteLength);
    fill(lanesOver(dtype, dims, bytes));
    return bytes;
  };
  return new Tensor(dtype, dims, sources.some((source) => source.isLazy) ? { byteLength, read } : read());
}

/** Copies element by element between views of one shape. */
function copyElements(target: NdArray<Lanes | Float64Array>, source: NdArray<Lanes | Float64Array>): void {
  const { shape } = target;
  const axes = shape.length;
  if (shape.includes(0)) return;
  const to = target.data;
  const from = source.data;
  const copyAxis = (axis: number, toAt: number, fromAt: number): void => {
    const toStep = target.stride[axis] ?? 0;
    const fromStep = source.stride[axis] ?? 0;
    const count = shape[axis] ?? 1;
    for (let i = 0, t = toAt, f = fromAt; i < count; i++, t += toStep, f += fromStep) {
      if (axis >= axes - 1) to[t] = from[f] ?? 0;
      else copyAxis(axis + 1, t, f);
    }
  };
  copyAxis(0, target.offset, source.offset);
}
