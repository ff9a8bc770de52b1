// Values of small tensors, carried through shape computations element by element. Integers may be symbolic; the floats
// of shape arithmetic (`floor(0.5 * h)`) are polynomials with dyadic coefficients, which binary floats hold exactly.
import { isIntegral, mulDims, floorDivDims, boundsOf, staticDims, type Dim } from '../ir/dim.js';
import { isFloat, isNumeric, type DType } from '../tensor/dtype.js';
import { Tensor, elementCount } from '../tensor/tensor.js';
import type { Dims } from './inputs.js';
import type { OpSite, ValueInfo } from './record.js';

/** Longest list of elements that is followed. Shapes are short; this leaves room for small index tables. */
export const MAX_DATA = 1024;

export type Data = readonly Dim[];

/** The elements of a tensor, when numeric and few. */
export function tensorData(tensor: Tensor): Data | undefined {
  return tensor.size <= MAX_DATA && isNumeric(tensor.dtype) ? tensor.toNumbers() : undefined;
}

/**
 * Elements of a result of shape `shape`: `element` is called with the index of each along every axis, first axis first.
 * Undefined when the shape is symbolic or large, or an element is unknown.
 */
export function buildData(
  shape: Dims | undefined,
  element: (index: readonly number[]) => Dim | undefined,
): Data | undefined {
  const dims = staticDims(shape);
  if (dims === undefined) return undefined;
  const size = elementCount(dims);
  if (size > MAX_DATA || size < 0) return undefined;
  const data: Dim[] = [];
  const index = dims.map(() => 0);
  for (let flat = 0; flat < size; flat++) {
    const value = element(index);
    if (value === undefined) return undefined;
    data.push(value);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next === dims[axis] ? 0 : next;
      if (next !== dims[axis]) break;
    }
  }
  return data;
}

/** Row-major offset of `index` in a tensor of `dims`, aligned at the last axis; axes of size 1 are broadcast. */
export function offsetOf(index: readonly number[], dims: readonly number[]): number {
  let offset = 0;
  const skip = index.length - dims.length;
  dims.forEach((dim, axis) => {
    offset = offset * dim + (dim === 1 ? 0 : (index[skip + axis] ?? 0));
  });
  return offset;
}

/** The element of `info` at `index` (aligned at the last axis, broadcast). */
export function elementAt(info: ValueInfo | undefined, index: readonly number[]): Dim | undefined {
  const dims = staticDims(info?.shape);
  return dims === undefined ? undefined : info?.data?.[offsetOf(index, dims)];
}

/** Elements of an elementwise function of the inputs, each rounded to `dtype`. */
export function mapData(
  site: OpSite,
  inputs: readonly number[],
  shape: Dims | undefined,
  dtype: DType | undefined,
  fn: (...elements: Dim[]) => Dim | undefined,
): Data | undefined {
  const infos = inputs.map((index) => site.input(index));
  if (dtype === undefined || infos.some((info) => info?.data === undefined)) return undefined;
  return buildData(shape, (index) => {
    const elements = infos.map((info) => elementAt(info, index));
    if (!elements.every((element) => element !== undefined)) return undefined;
    const value = fn(...elements);
    return value === undefined ? undefined : roundTo(value, dtype);
  });
}

/** `value` as `dtype` holds it; undefined when it cannot be told exactly. Symbols are taken to be below 2^24. */
export function roundTo(value: Dim, dtype: DType): Dim | undefined {
  if (typeof value !== 'number') {
    if (isFloat(dtype))
      return dtype !== 'float32' && dtype !== 'float64' ? undefined : isDyadic(value) ? value : undefined;
    return isIntegral(value) ? value : undefined;
  }
  if (dtype === 'float32') return Math.fround(value);
  if (dtype === 'float64') return value;
  if (isFloat(dtype)) return Tensor.scalar(dtype, value).scalar();
  if (dtype === 'bool') return value === 0 ? 0 : 1;
  if (!Number.isSafeInteger(value)) return undefined;
  if (dtype !== 'int64' && dtype !== 'uint64' && Tensor.scalar(dtype, value).scalar() !== value) return undefined;
  return value === 0 ? 0 : value;
}

/** Largest power of two that a coefficient may have below the line. */
const DYADIC = 2 ** 16;

function isDyadic(value: Dim): boolean {
  return isIntegral(mulDims(value, DYADIC));
}

/** floor(value) for a polynomial with dyadic coefficients. */
export function floorOf(value: Dim): Dim | undefined {
  if (typeof value === 'number') return Math.floor(value);
  if (isIntegral(value)) return value;
  for (let scale = 2; scale <= DYADIC; scale *= 2) {
    const scaled = mulDims(value, scale);
    if (isIntegral(scaled)) return floorDivDims(scaled, scale);
  }
  return undefined;
}

/** ceil(value) = -floor(-value). */
export function ceilOf(value: Dim): Dim | undefined {
  const floored = floorOf(mulDims(value, -1));
  return floored === undefined ? undefined : mulDims(floored, -1);
}

/** value with its fraction cut off, as casts to integers do. */
export function truncOf(value: Dim): Dim | undefined {
  if (typeof value === 'number') return Math.trunc(value);
  if (isIntegral(value)) return value;
  return boundsOf(value).low >= 0 ? floorOf(value) : undefined;
}

/** Whether `value` is zero: undefined when it depends on the symbols. */
export function isZero(value: Dim): boolean | undefined {
  if (typeof value === 'number') return value === 0;
  const { low, high } = boundsOf(value);
  return low > 0 || high < 0 ? false : undefined;
}
