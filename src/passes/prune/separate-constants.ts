// Parameters per channel that several layers share (ones and zeros that an exporter stored once) tie channels that have
// nothing else in common. Each reader gets its own, so that its channels may leave alone.
import type { Model } from '../../ir/model.js';
import type { Value } from '../../ir/value.js';

/**
 * Gives every node a copy of its own of the short constants that it shares with others: those that are longer than 1 along
 * one axis at most. The numbers are not copied. `merge-duplicates` unites what is equal afterwards. Weights of higher
 * order stay shared: copies of them would make the model larger. Returns the number of copies.
 */
export function separateConstants(model: Model): number {
  let copies = 0;
  for (const graph of model.graphs()) {
    const shared = [...graph.initializers].filter(isSharedVector).sort((a, b) => a.ordinal - b.ordinal);
    for (const value of shared) {
      const { constant } = value;
      if (constant === undefined) continue;
      for (const node of value.consumers().slice(1)) {
        const copy = graph.addInitializer(constant, value.name);
        node.inputs.forEach((input, slot) => input === value && node.graph?.setInput(node, slot, copy));
        copies++;
      }
    }
  }
  return copies;
}

function isSharedVector(value: Value): boolean {
  const { constant, slots } = value;
  return constant !== undefined && slots.size > 1 && constant.dims.filter((dim) => dim > 1).length === 1;
}
