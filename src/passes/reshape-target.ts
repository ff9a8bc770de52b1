// The constant second input of a Reshape for a shape that may have free dimensions.
import { isStatic, sameDim, type Dim } from '../ir/dim.js';

/**
 * A shape for Reshape that gives `to` for every value of its symbols: numbers as they are, -1 for one free dimension, 0
 * for those that equal the input's own at the same place. Undefined when that does not suffice, or a size is 0 (which
 * Reshape would read as "copy").
 */
export function reshapeTarget(from: readonly Dim[] | undefined, to: readonly Dim[]): readonly number[] | undefined {
  const free = to.flatMap((dim, i) => (isStatic(dim) ? [] : [i]));
  if (to.includes(0)) return undefined;
  if (free.length === 1) return to.map((dim) => (isStatic(dim) ? dim : -1));
  const moved = free.filter((i) => !sameDim(from?.[i], to[i]));
  if (moved.length > 1) return undefined;
  return to.map((dim, i) => (isStatic(dim) ? dim : moved.includes(i) ? -1 : 0));
}
