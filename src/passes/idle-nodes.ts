// When nodes of several operators do nothing: neutral constants, reductions over single elements, windows of one element.
// Each answer is the input that comes back.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { staysAs } from '../ops/broadcast.js';
import { axesOf, intsOf } from '../ops/inputs.js';
import { uniformNumber } from './constants.js';

/** The input that a node gives back; undefined when it does not. Only its first output is meant. */
export type IdleRule = (node: Node, facts: Facts) => Value | undefined;

/**
 * The other operand, when one is a constant whose elements are all `element` (0 and -0 differ) and which does not
 * broadcast it. `sides`: which operands may be that constant.
 */
export function neutralOperand(element: number, sides: readonly (0 | 1)[]): IdleRule {
  return (node, facts) => {
    for (const side of sides) {
      const constant = node.inputs[side];
      const other = node.inputs[1 - side];
      if (!constant || !other || node.inputs.length !== 2 || !Object.is(uniformNumber(facts, constant), element))
        continue;
      if (keepsShape(other, constant, facts)) return other;
    }
    return undefined;
  };
}

function keepsShape(value: Value, constant: Value, facts: Facts): boolean {
  const by = facts.of(constant).shape;
  const shape = facts.of(value).shape;
  return by !== undefined && (by.length === 0 || (shape !== undefined && staysAs(shape, by)));
}

/** A reduction whose axes have size 1 and are kept, or that reduces no axis at all. */
export const reducesNothing: IdleRule = (node, facts) => {
  const input = node.inputs[0];
  const shape = input && facts.of(input).shape;
  if (!shape || node.int('keepdims', 1) === 0) return undefined;
  const given = intsOf(facts.site(node), 'axes', 1);
  const none = given === 'absent' || given?.length === 0;
  if (none && node.int('noop_with_empty_axes', 0) !== 0) return input;
  const axes = none ? shape.map((_, i) => i) : given && axesOf(given, shape.length);
  return axes?.every((axis) => shape[axis] === 1) ? input : undefined;
};

/** A global pool of maps of one element. */
export const poolsOneElement: IdleRule = (node, facts) => {
  const input = node.inputs[0];
  const shape = input && facts.of(input).shape;
  return shape && shape.length > 2 && shape.slice(2).every((dim) => dim === 1) ? input : undefined;
};

/** A pool with a window of 1, stride 1 and no padding. */
export const windowOfOne: IdleRule = (node) => {
  const idle = (name: string, value: number): boolean => node.ints(name)?.every((item) => item === value) ?? true;
  return node.ints('kernel_shape') && idle('kernel_shape', 1) && idle('strides', 1) && idle('pads', 0)
    ? node.inputs[0]
    : undefined;
};
