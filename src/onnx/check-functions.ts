// What local functions may not do: stand there twice, call themselves, and call each other so often that the model they
// stand for has more nodes than any memory holds (thirty functions that each call the next one twice are a billion).
import { InputError, locate } from '../base/errors.js';
import type { Graph } from '../ir/graph.js';
import { nodesUnder, type LocalFunction } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { DecodeContext } from './decode-scope.js';
import { wireError } from './wire.js';

/** Nodes of a model, with every call replaced by what it calls. Analysis and inlining walk over all of them. */
const MAX_EXPANDED_NODES = 500_000;

/**
 * Refuses `functions` that no runtime could run, and models that they make absurdly large.
 * @throws InputError duplicate-name, cyclic, too-large
 */
export function checkFunctions(context: DecodeContext, functions: readonly LocalFunction[]): void {
  if (functions.length === 0) return;
  const byKey = indexed(context, functions);
  const callees = new Map(functions.map((f) => [f, calledIn(f.graph, byKey)]));
  const sizes = new Map<LocalFunction, number>();
  for (const f of calleesFirst(functions, callees)) sizes.set(f, expandedSize(f.graph, callees.get(f) ?? [], sizes));
  const { graph } = context.model;
  for (const [name, size] of [
    ...[...sizes].map(([f, nodes]) => [f.name, nodes] as const),
    [graph.name, expandedSize(graph, calledIn(graph, byKey), sizes)] as const,
  ]) {
    if (size <= MAX_EXPANDED_NODES) continue;
    const message = `with its functions called it has ${size.toExponential(0)} nodes, more than ${MAX_EXPANDED_NODES}`;
    throw new InputError('too-large', message, { at: { graph: name } });
  }
}

const keyOf = (domain: string, name: string, overload: string): string => JSON.stringify([domain, name, overload]);

function indexed(
  { source, graphs }: DecodeContext,
  functions: readonly LocalFunction[],
): ReadonlyMap<string, LocalFunction> {
  const byKey = new Map<string, LocalFunction>();
  for (const f of functions) {
    const key = keyOf(f.domain, f.name, f.overload);
    const start = graphs.get(f.graph)?.field.start ?? 0;
    if (byKey.has(key))
      throw locate(wireError(source, start, 'duplicate-name', `function ${f.name} is defined twice`), {
        graph: f.name,
      });
    byKey.set(key, f);
  }
  return byKey;
}

/** The function of each call in `graph`, repeated as often as it is called. */
function calledIn(graph: Graph, byKey: ReadonlyMap<string, LocalFunction>): LocalFunction[] {
  const callee = (node: Node): LocalFunction | undefined => byKey.get(keyOf(node.domain, node.opType, node.overload));
  return [...nodesUnder(graph)].map(callee).filter((f) => f !== undefined);
}

/** Each function behind all that it calls. @throws InputError cyclic */
function calleesFirst(
  functions: readonly LocalFunction[],
  callees: ReadonlyMap<LocalFunction, readonly LocalFunction[]>,
): readonly LocalFunction[] {
  const callers = new Map<LocalFunction, LocalFunction[]>(functions.map((f) => [f, []]));
  const open = new Map<LocalFunction, number>();
  for (const f of functions) {
    const called = new Set(callees.get(f));
    for (const callee of called) callers.get(callee)?.push(f);
    open.set(f, called.size);
  }
  const settled = functions.filter((f) => open.get(f) === 0);
  for (const f of settled) {
    open.delete(f);
    for (const caller of callers.get(f) ?? []) {
      const left = (open.get(caller) ?? 0) - 1;
      open.set(caller, left);
      if (left === 0) settled.push(caller);
    }
  }
  const [stuck] = open.keys();
  if (stuck)
    throw new InputError('cyclic', `function ${stuck.name} calls itself, perhaps through others`, {
      at: { graph: stuck.name },
    });
  return settled;
}

function expandedSize(
  graph: Graph,
  callees: readonly LocalFunction[],
  sizes: ReadonlyMap<LocalFunction, number>,
): number {
  const own = [...nodesUnder(graph)].length;
  return callees.reduce((nodes, callee) => nodes + (sizes.get(callee) ?? 0), own);
}
