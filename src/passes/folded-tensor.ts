// Constants that rewrites compute: in float64, rounded once to the stored type, and only when the type can hold them.
import { DTYPES, type DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

/** Largest finite and smallest normal magnitude of the float types that weights come in. */
const RANGES: Partial<Record<DType, { readonly max: number; readonly normal: number }>> = {
  float16: { max: 65504, normal: 2 ** -14 },
  bfloat16: { max: 2 ** 127 * (2 - 2 ** -7), normal: 2 ** -126 },
  float32: { max: 2 ** 127 * (2 - 2 ** -23), normal: 2 ** -126 },
  float64: { max: Number.MAX_VALUE, normal: 2 ** -1022 },
};

/** Unit round-off of a float type: half the distance from 1 to the next number. */
const UNIT_ROUNDOFF: Partial<Record<DType, number>> = {
  float16: 2 ** -11,
  bfloat16: 2 ** -8,
  float32: 2 ** -24,
  float64: 2 ** -53,
};

/** Whether constants of `dtype` can be folded: the binary floating-point types of IEEE 754 and bfloat16. */
export function isFoldable(dtype: DType): boolean {
  return RANGES[dtype] !== undefined;
}

/** Largest relative error of one rounding to `dtype`; 1 for types that are not floats. */
export function unitRoundoff(dtype: DType): number {
  return UNIT_ROUNDOFF[dtype] ?? 1;
}

/**
 * The tensor of `compute()` (float64, row-major), rounded once to `dtype`; it stays lazy when a source is. Undefined
 * when a number is NaN, infinite or too large for `dtype`, or when all of them are so small that rounding would lose
 * their digits (beneath the normal numbers of `dtype`).
 */
export function foldedTensor(
  dtype: DType,
  dims: readonly number[],
  sources: readonly Tensor[],
  compute: () => Float64Array,
): Tensor | undefined {
  const range = RANGES[dtype];
  if (range === undefined) return undefined;
  const numbers = compute();
  let largest = 0;
  for (const number of numbers) {
    const magnitude = Math.abs(number);
    if (!(magnitude <= range.max)) return undefined;
    if (magnitude > largest) largest = magnitude;
  }
  if (largest > 0 && largest < range.normal) return undefined;
  return sources.some((source) => source.isLazy)
    ? Tensor.derived(dtype, dims, sources, compute)
    : Tensor.fromNumbers(dtype, dims, numbers);
}

/** The number that `dtype` stores for `x`. */
export function roundedTo(dtype: DType, x: number): number {
  return DTYPES[dtype].kind === 'float' ? Tensor.scalar(dtype, x).scalar() : x;
}
