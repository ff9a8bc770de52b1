// Removes what nothing reads: nodes, optional outputs, outputs of If, initializers, and local functions nobody calls.
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { OptionTable } from '../../base/option.js';
import { usedOutputs } from '../constants.js';
import { dropIfUnused, graphOf, removeNode } from '../edit.js';
import { calledFunctions, dropUncalled } from '../local-functions.js';
import { defineGlobalPass, type PassContext } from '../pass.js';

type Context = PassContext<OptionTable>;

export const eliminateDeadCode = defineGlobalPass({
  name: 'eliminate-dead-code',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Remove nodes, initializers and functions that no output depends on',
  details: `One sweep from the end of every graph to its start. A node goes when none of its outputs is read: ONNX operators have no
side effects. Optional outputs that nobody reads are dropped (the mask of Dropout, the indices of MaxPool, the states of
LSTM, GRU and RNN, the statistics of LayerNormalization), and so are outputs of If, together with what its branches compute
for them. Initializers nobody reads go, with the graph input of the same name where models before IR 4 list weights as
inputs; real inputs and outputs always stay, and with \`--keep-overridable\` so do these.`,
  options: {},
  declines: {},
  stats: {
    nodes: 'nodes that no output depends on removed',
    outputs: 'unused outputs of nodes dropped',
    initializers: 'unused initializers removed',
    functions: 'uncalled local functions removed',
  },
  run(model, ctx) {
    const before = countInitializers(model);
    sweep(model.graph, ctx);
    for (const graph of model.graphs()) dropInitializers(graph, ctx);
    ctx.count('initializers', before - countInitializers(model));
    if (calledFunctions(model, model.graph).size < model.functions.length && ctx.permit(model.graph))
      ctx.count('functions', dropUncalled(model));
  },
});

function countInitializers(model: Model): number {
  return model.graphs().reduce((sum, graph) => sum + graph.initializers.size, 0);
}

/** Last node first: a node is looked at when all that could read it has been. */
function sweep(graph: Graph, ctx: Context): void {
  for (let node = graph.last; node !== undefined;) {
    const { previous }: Node = node;
    if (usedOutputs(node).length === 0 && ctx.permit(node)) {
      removeNode(node);
      ctx.count('nodes');
    } else {
      dropOutputs(node, ctx);
      for (const inner of node.subgraphs()) sweep(inner, ctx);
    }
    node = previous;
  }
}

/** Output slots that may be left empty, by operator. BatchNormalization is not here: its outputs say that it trains. */
const OPTIONAL_OUTPUTS: Readonly<Record<string, readonly number[]>> = {
  Dropout: [1],
  MaxPool: [1],
  LSTM: [0, 1, 2],
  GRU: [0, 1],
  RNN: [0, 1],
  LayerNormalization: [1, 2],
  Unique: [1, 2, 3],
};

function dropOutputs(node: Node, ctx: Context): void {
  if (node.domain !== '') return;
  if (node.opType === 'If') dropBranchOutputs(node, ctx);
  const optional = OPTIONAL_OUTPUTS[node.opType];
  const dead = optional?.filter((slot) => node.outputs[slot]?.isUnused);
  if (!dead || dead.length === 0 || !ctx.permit(node)) return;
  const outputs = node.outputs.map((value, slot) => (dead.includes(slot) ? undefined : value));
  while (outputs.at(-1) === undefined) outputs.pop();
  graphOf(node).setNodeOutputs(node, outputs);
  ctx.count('outputs', dead.length);
}

/** An output of If that nobody reads goes from the node and from both branches. */
function dropBranchOutputs(node: Node, ctx: Context): void {
  const kept = node.outputs.flatMap((value, slot) => (value && !value.isUnused ? [slot] : []));
  if (kept.length === node.outputs.length || kept.length === 0 || !ctx.permit(node)) return;
  ctx.count('outputs', node.outputs.length - kept.length);
  for (const branch of node.subgraphs()) branch.setOutputs(kept.flatMap((slot) => branch.outputs[slot] ?? []));
  graphOf(node).setNodeOutputs(
    node,
    kept.map((slot) => node.outputs[slot]),
  );
}

function dropInitializers(graph: Graph, ctx: Context): void {
  for (const value of [...graph.initializers]) {
    if (!value.isUnused || isOverridable(value) || !ctx.permit(value)) continue;
    if (value.isInput) {
      graph.removeInitializer(value);
      graph.removeInput(value);
    } else {
      dropIfUnused(value);
    }
  }
}

function isOverridable(value: Value): boolean {
  return value.isInput && value.graph?.model.keepOverridable === true;
}
