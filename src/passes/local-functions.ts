// Which local functions are called, and from where.
import type { Graph } from '../ir/graph.js';
import { nodesUnder, type LocalFunction, type Model } from '../ir/model.js';

/** The functions that nodes under `graph` call, directly or through other functions. */
export function calledFunctions(model: Model, graph: Graph): Set<LocalFunction> {
  const called = new Set<LocalFunction>();
  const pending = [graph];
  for (let body = pending.pop(); body !== undefined; body = pending.pop()) {
    for (const node of nodesUnder(body)) {
      const callee = model.functionOf(node);
      if (!callee || called.has(callee)) continue;
      called.add(callee);
      pending.push(callee.graph);
    }
  }
  return called;
}

/** Drops the functions that the main graph does not call any more. Returns how many these were. */
export function dropUncalled(model: Model): number {
  const called = calledFunctions(model, model.graph);
  const dropped = model.functions.filter((candidate) => !called.has(candidate));
  for (const { graph } of dropped) graph.clear();
  if (dropped.length > 0) model.setFunctions(model.functions.filter((candidate) => called.has(candidate)));
  return dropped.length;
}
