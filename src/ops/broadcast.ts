// Multidirectional broadcasting (ONNX, "Broadcasting in ONNX"): shapes are aligned at their last axis.
import { boundsOf, isStatic, maxDims, sameDim, type Dim } from '../ir/dim.js';
import type { Dims } from './inputs.js';
import type { OpSite } from './record.js';

/** Shape of an elementwise result, or undefined when an input's is unknown or two cannot be broadcast. */
export function broadcastShapes(site: OpSite, shapes: readonly (Dims | undefined)[]): Dims | undefined {
  const known = shapes.filter((shape) => shape !== undefined);
  if (known.length !== shapes.length) return undefined;
  const rank = Math.max(0, ...known.map((shape) => shape.length));
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let dim: Dim | undefined = 1;
    for (const shape of known) {
      const other = shape[axis - rank + shape.length];
      if (dim !== undefined && other !== undefined) dim = broadcastDims(site, dim, other);
    }
    if (dim === undefined) return undefined;
    result.push(dim);
  }
  return result;
}

/**
 * Two different symbols are equal or one of them is 1, so their broadcast size is the larger one. That fails where one
 * may be 0 (sizes that data decides): then nothing is known. Undefined: two different numbers, neither of them 1.
 */
export function broadcastDims(site: OpSite, a: Dim, b: Dim): Dim | undefined {
  if (sameDim(a, b) || b === 1) return a;
  if (a === 1) return b;
  if (isStatic(a)) return isStatic(b) ? undefined : a;
  if (isStatic(b)) return b;
  return boundsOf(a).low >= 1 && boundsOf(b).low >= 1 ? maxDims(a, b) : site.unknownDim();
}

/** Whether a tensor of `shape` keeps its shape when broadcast together with one of `other`. */
export function staysAs(shape: Dims, other: Dims): boolean {
  if (other.length > shape.length) return false;
  return other.every((dim, i) => dim === 1 || sameDim(dim, shape[shape.length - other.length + i]));
}
