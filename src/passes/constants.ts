// Constants as rewrites see them: what a constant operand holds, and nodes whose results have become constants.
import type { Facts } from '../analysis/facts.js';
import { staticDims } from '../ir/dim.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { isNumeric } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { graphOf, removeDead, removeNode } from './edit.js';

/** Longest constant whose elements are compared one by one: neutral operands are scalars or one number per channel. */
const MAX_UNIFORM = 2 ** 16;

/** The elements of `value` as numbers, when all are known: those of a short constant, or of a computed shape. */
export function knownNumbers(facts: Facts, value: Value | undefined): readonly number[] | undefined {
  return value && staticDims(facts.of(value).data);
}

/** The number that all elements of a constant are. Zeros of different sign are different numbers here. */
export function uniformNumber(facts: Facts, value: Value | undefined): number | undefined {
  const numbers = knownNumbers(facts, value) ?? constantNumbers(value?.constant);
  const first = numbers?.[0];
  return first !== undefined && numbers?.every((number) => Object.is(number, first)) ? first : undefined;
}

function constantNumbers(
  tensor: Tensor | undefined,
): (ArrayLike<number> & { every(test: (n: number) => boolean): boolean }) | undefined {
  return tensor && isNumeric(tensor.dtype) && tensor.size <= MAX_UNIFORM ? tensor.toFloat64() : undefined;
}

/** The outputs of `node` that somebody reads or a graph returns. */
export function usedOutputs(node: Node): Value[] {
  return node.outputs.filter((value): value is Value => value !== undefined && !value.isUnused);
}

/**
 * Turns outputs of `node` into initializers of the main graph, where every subgraph can read them, under the names they
 * had; the node goes when nothing else of it is read, with what only it needed. Outputs that a graph returns cannot be
 * among them. Returns the initializers.
 */
export function becomeConstants(node: Node, tensors: ReadonlyMap<Value, Tensor>): readonly Value[] {
  const { model } = graphOf(node);
  const renamed: [Value, string][] = [];
  for (const [value, tensor] of tensors) {
    const constant = model.graph.addInitializer(tensor, value.name);
    graphOf(node).replaceUses(value, constant);
    renamed.push([constant, value.name]);
  }
  const constants = renamed.map(([constant]) => constant);
  if (usedOutputs(node).length > 0) return constants;
  const { inputs } = node;
  removeNode(node);
  removeDead(inputs);
  for (const [constant, name] of renamed) if (!model.names.has(name)) model.graph.rename(constant, name);
  return constants;
}
