// From an array to an input of the model: which axis counts samples, and whether the array is a picture.
import type { DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import type { InputPort } from './data-set.js';
import type { Picture } from './source.js';

type Dims = readonly number[];

/** Without the batch axis. */
const restOf = (port: InputPort): InputPort['dims'] => port.dims.slice(1);

function fits(dims: Dims, wanted: InputPort['dims']): boolean {
  return (
    dims.length === wanted.length &&
    dims.every((dim, axis) => {
      const declared = wanted[axis];
      return typeof declared !== 'number' || declared <= 0 || declared === dim;
    })
  );
}

/** Dims of one sample without the batch axis, when an array of `dims` is one sample that the input takes as it is. */
export function exactDims(dims: Dims, port: InputPort): Dims | undefined {
  if (dims[0] === 1 && fits(dims.slice(1), restOf(port))) return dims.slice(1);
  return fits(dims, restOf(port)) ? dims : undefined;
}

/**
 * Dims of the feed that one sample of `dims` makes: the batch axis is put in front where it was left away. Inputs that have
 * none there (scalars, states of recurrent layers) take samples as they are.
 */
export function feedDims(dims: Dims, port: InputPort): Dims | undefined {
  const exact = port.dims.length > 0 ? exactDims(dims, port) : undefined;
  return exact ? [1, ...exact] : fits(dims, port.dims) ? dims : undefined;
}

/** The axes of a picture in an array of `dims`: [height, width], or with 1, 3 or 4 channels first or last. */
export function pictureDims(dims: Dims, port: InputPort): Omit<Picture, 'data'> | undefined {
  const inner = dims.length === 4 && dims[0] === 1 ? dims.slice(1) : dims;
  const [a = 0, b = 0, c = 0] = inner;
  if (inner.some((dim) => dim < 1) || (port.dims.length !== 4 && port.dims.length !== 3)) return undefined;
  if (inner.length === 2) return { height: a, width: b, channels: 1, layout: 'hwc' };
  if (inner.length !== 3) return undefined;
  const isCount = (dim: number): boolean => dim === 1 || dim === 3 || dim === 4;
  const first = isCount(a) && (!isCount(c) || fits(inner, restOf(port)));
  if (first) return { height: b, width: c, channels: a, layout: 'chw' };
  return isCount(c) ? { height: a, width: b, channels: c, layout: 'hwc' } : undefined;
}

/**
 * Whether an array of `dims` holds `many` samples along its first axis or `one`, or does not fit the input. What fits as it
 * is comes before what fits as a picture.
 */
export function sampleAxis(dims: Dims, port: InputPort): 'many' | 'one' | undefined {
  if (dims.length === port.dims.length && fits(dims.slice(1), restOf(port))) return 'many';
  if (dims.length > 0 && fits(dims.slice(1), port.dims)) return 'many';
  if (exactDims(dims, port)) return 'one';
  if (dims.length > 2 && pictureDims(dims.slice(1), port)) return 'many';
  return pictureDims(dims, port) ? 'one' : undefined;
}

/** The elements in the type of the input. */
export function castTensor(tensor: Tensor, dtype: DType, dims: Dims): Tensor {
  if (tensor.dtype === dtype) return tensor.reshaped(dims);
  if (isLong(tensor.dtype) && isLong(dtype)) {
    return new Tensor(dtype, dims, tensor.bytes());
  }
  return Tensor.fromNumbers(dtype, dims, tensor.toFloat64());
}

const isLong = (dtype: DType): boolean => dtype === 'int64' || dtype === 'uint64';

/** `8x3x32x32 of float32`: for messages. */
export function describeArray(dims: readonly (number | string)[], dtype: DType): string {
  return `${dims.length === 0 ? 'a scalar' : dims.map((dim) => (dim === '' ? '?' : dim)).join('x')} of ${dtype}`;
}
