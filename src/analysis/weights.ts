// The constants of a model: initializers of all graphs and the tensors of Constant nodes, those of local functions too.
import type { Graph } from '../ir/graph.js';
import { graphsUnder, type Model } from '../ir/model.js';
import { constantTensor } from '../ops/generate.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

export interface WeightTotals {
  readonly tensors: number;
  /** Elements. */
  readonly parameters: number;
  readonly bytes: number;
}

/** Every tensor once, in order of graphs; sparse initializers are left out, as their elements are not read. */
export function weightsOf(model: Model): Tensor[] {
  const tensors: Tensor[] = [];
  const collect = (graph: Graph): void => {
    for (const value of graph.initializers)
      if (value.initializer?.kind === 'dense') tensors.push(value.initializer.tensor);
    for (let node = graph.first; node !== undefined; node = node.next) {
      const tensor = constantTensor(node);
      if (tensor !== undefined) tensors.push(tensor);
    }
  };
  for (const root of [model.graph, ...model.functions.map((callee) => callee.graph)])
    graphsUnder(root).forEach(collect);
  return tensors;
}

/** Totals per element type, types in order of first occurrence. */
export function weightsByType(model: Model): ReadonlyMap<DType, WeightTotals> {
  const totals = new Map<DType, WeightTotals>();
  for (const tensor of weightsOf(model)) {
    const { tensors, parameters, bytes } = totals.get(tensor.dtype) ?? { tensors: 0, parameters: 0, bytes: 0 };
    totals.set(tensor.dtype, {
      tensors: tensors + 1,
      parameters: parameters + tensor.size,
      bytes: bytes + tensor.byteLength,
    });
  }
  return totals;
}
