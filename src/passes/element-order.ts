// Which nodes leave the elements of a tensor in the order they have in memory, and what Transposes do to that order.
import type { Facts } from '../analysis/facts.js';
import { sameDim, type Dim } from '../ir/dim.js';
import type { Node } from '../ir/node.js';

const RESHAPING: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);

/** Only gives the elements another shape. */
export function isReshaping(node: Node): boolean {
  return node.domain === '' && RESHAPING.has(node.opType);
}

/** The elements stay in order: the node reshapes, or is a Transpose that moves axes of size 1 only. */
export function keepsOrder(node: Node, facts: Facts): boolean {
  if (isReshaping(node)) return true;
  const shape = node.inputs[0] && facts.of(node.inputs[0]).shape;
  const perm = permutationOf(node, facts);
  if (!perm || !shape) return false;
  const long = perm.filter((axis) => shape[axis] !== 1);
  return long.every((axis, i) => i === 0 || (long[i - 1] ?? 0) < axis);
}

/** Input axis of each output axis of a Transpose; undefined when it is none or the rank is not known. */
export function permutationOf(node: Node, facts: Facts): readonly number[] | undefined {
  if (!node.is('Transpose')) return undefined;
  const perm = node.ints('perm');
  if (perm) return perm;
  const rank = node.inputs[0] && facts.of(node.inputs[0]).shape?.length;
  return rank === undefined ? undefined : Array.from({ length: rank }, (_, i) => rank - 1 - i);
}

/** `first`, then `second`. */
export function composePermutations(first: readonly number[], second: readonly number[]): readonly number[] {
  return second.map((axis) => first[axis] ?? axis);
}

/** Every axis stays where it is. */
export function isIdentityPermutation(perm: readonly number[]): boolean {
  return perm.every((axis, i) => axis === i);
}

/**
 * The permutation of the axes of `from` that has the axes `order` (all that are longer than 1, in their new order) at the
 * places where `to` is longer than 1, and axes of size 1 elsewhere. Undefined when the shapes do not match that way.
 */
export function permutationTo(
  from: readonly Dim[],
  order: readonly number[],
  to: readonly Dim[],
): readonly number[] | undefined {
  if (from.length !== to.length) return undefined;
  const long = [...order];
  const short = from.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  const perm = to.map((dim) => (dim === 1 ? short.shift() : long.shift()));
  return perm.every((axis, i): axis is number => axis !== undefined && sameDim(from[axis], to[i])) ? perm : undefined;
}

/** Axes of `shape` longer than 1, or of unknown length. */
export function longAxes(shape: readonly Dim[]): number[] {
  return shape.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
}
