// What records ask of a site: shapes, ranks, short integer lists and axes of inputs. Every answer may be undefined.
import { isStatic, staticDims, type Dim } from '../ir/dim.js';
import { dtypeFromCode, type DType } from '../tensor/dtype.js';
import type { OpSite, ValueInfo } from './record.js';

/** Nothing is known. */
export const UNKNOWN: ValueInfo = Object.freeze({});

export type Dims = readonly Dim[];

/** Shape of input `index`. */
export function shapeOf(site: OpSite, index: number): Dims | undefined {
  return site.input(index)?.shape;
}

/** Element type of input `index`. */
export function dtypeOf(site: OpSite, index: number): DType | undefined {
  return site.input(index)?.dtype;
}

/** The elements of input `index`, when all are known numbers. */
export function numbersOf(site: OpSite, index: number): readonly number[] | undefined {
  return staticDims(site.input(index)?.data);
}

/** The single element of input `index`. */
export function scalarOf(site: OpSite, index: number): Dim | undefined {
  const data = site.input(index)?.data;
  return data?.length === 1 ? data[0] : undefined;
}

/**
 * An integer list that was an attribute in early opsets and is an input since. `absent`: given in neither way;
 * undefined: given, but not known.
 */
export function intsOf(site: OpSite, attribute: string, inputIndex: number): readonly number[] | 'absent' | undefined {
  const given = site.node.ints(attribute);
  if (given !== undefined) return given;
  return site.input(inputIndex) === undefined ? 'absent' : numbersOf(site, inputIndex);
}

/** Facts of an output of the same type and shape as input `index`. */
export function like(site: OpSite, index = 0): ValueInfo {
  const input = site.input(index);
  return { dtype: input?.dtype, shape: input?.shape };
}

/** `axis` counted from the front, or undefined when it is outside [-rank, rank). */
export function axisOf(axis: number, rank: number): number | undefined {
  const positive = axis < 0 ? axis + rank : axis;
  return positive >= 0 && positive < rank ? positive : undefined;
}

/** All of `axes` counted from the front and sorted; undefined when one is out of range. */
export function axesOf(axes: readonly number[], rank: number): readonly number[] | undefined {
  const positive = axes.map((axis) => axisOf(axis, rank));
  return positive.every((axis) => axis !== undefined) ? positive.sort((a, b) => a - b) : undefined;
}

/** `rank` sizes that nothing is known about. */
export function unknownDims(site: OpSite, rank: number): Dim[] {
  return Array.from({ length: rank }, () => site.unknownDim());
}

/** Number of elements of the 1-D input `index`: the rank that a shape given as a tensor has. */
export function lengthOf(site: OpSite, index: number): number | undefined {
  const shape = shapeOf(site, index);
  const length = shape?.length === 1 ? shape[0] : undefined;
  return isStatic(length) ? length : undefined;
}

/** The element type that attribute `name` gives as a TensorProto.DataType code. */
export function dtypeAttribute(site: OpSite, name: string, fallback?: DType): DType | undefined {
  const attribute = site.node.attribute(name);
  if (attribute === undefined) return fallback;
  return attribute.kind === 'int' ? dtypeFromCode(attribute.value) : undefined;
}

/** A reading of axis lists for squeezing and reducing. Ranks are small, so a set per call is cheap enough. */
export function withoutAxes(shape: Dims, axes: readonly number[]): Dims {
  const dropped = new Set(axes);
  return shape.filter((_, i) => !dropped.has(i));
}
