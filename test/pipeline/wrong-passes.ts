// Passes with a planted defect, to be found out by the check.
import type { Node } from '../../src/ir/node.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { bypass, graphOf, replaceNode, setConstantInput } from '../../src/passes/edit.js';
import { defineGlobalPass, defineLocalPass, type AnyPass, type Exactness } from '../../src/passes/pass.js';
import { configure, type ConfiguredPass } from '../../src/pipeline/configured-pass.js';

const HEAD = {
  category: 'exact',
  exactness: 'rounding' as Exactness,
  needs: [],
  summary: 'wrong',
  details: 'wrong',
  options: {},
  declines: {},
  stats: {},
} as const;

interface Wrong {
  readonly name?: string;
  readonly root: string;
  readonly exactness?: Exactness;
  /** Names of the outputs of the nodes to change; all by default. */
  readonly at?: readonly string[];
  readonly change: (node: Node) => boolean;
}

/** A local pass that changes nodes of one operator type. */
export function wrongPass({ name = 'plant-defect', root, exactness = 'rounding', at, change }: Wrong): ConfiguredPass {
  const pass: AnyPass = defineLocalPass({
    ...HEAD,
    name,
    exactness,
    roots: [root],
    rewrite: (node) => (at === undefined || at.includes(node.output?.name ?? '')) && change(node),
  });
  return configure(pass);
}

/** Puts another operator of one input in the place of the node. */
export const becomes =
  (opType: string) =>
  (node: Node): boolean => {
    replaceNode(node, { opType, inputs: node.inputs.slice(0, 1) });
    return true;
  };

/** Takes the node away. */
export const vanishes = (node: Node): boolean => node.inputs[0] !== undefined && bypass(node, node.inputs[0]);

/** Makes a Relu one that stops at `limit`. */
export const clippedAt =
  (limit: number) =>
  (node: Node): boolean => {
    const graph = graphOf(node);
    const [low, high] = [0, limit].map((value) =>
      graph.addInitializer(Tensor.fromNumbers('float32', [], [value]), 'bound'),
    );
    replaceNode(node, { opType: 'Clip', inputs: [node.inputs[0], low, high] });
    return true;
  };

/** Puts a Reshape in front of the node that is right when the batch is 1, and drops the rest otherwise. */
export const takesBatchOne = (node: Node): boolean => {
  const graph = graphOf(node);
  const [source] = node.inputs;
  if (source?.name.startsWith('first')) return false;
  const bounds = [0, 1, 0].map((value) => graph.addInitializer(Tensor.fromNumbers('int64', [1], [value]), 'bound'));
  const slice = graph.addNode({ opType: 'Slice', inputs: [source, ...bounds], outputs: ['first'] }, node);
  graph.setInput(node, 0, slice.outputs[0]);
  return true;
};

/** Multiplies a constant input, once. */
export const scales =
  (index: number, factor: number) =>
  (node: Node): boolean => {
    const value = node.inputs[index];
    const tensor = value?.constant;
    if (!tensor || value?.name.startsWith('scaled')) return false;
    const numbers = tensor.toNumbers().map((number) => number * factor);
    setConstantInput(node, index, Tensor.fromNumbers(tensor.dtype, tensor.dims, numbers), 'scaled');
    return true;
  };

/** A pass over the whole model that replaces every Relu by Abs in one go, without asking for single sites. */
export const wrongGlobalPass: ConfiguredPass = configure(
  defineGlobalPass({
    ...HEAD,
    name: 'plant-defect-everywhere',
    run: (model) => {
      for (const node of model.graph.nodes()) if (node.is('Relu')) becomes('Abs')(node);
    },
  }),
);

/** A pass over the whole model that asks at each Relu, and is wrong at all of them. */
export const askingGlobalPass: ConfiguredPass = configure(
  defineGlobalPass({
    ...HEAD,
    name: 'plant-defect-asking',
    run: (model, ctx) => {
      for (const node of model.graph.nodes()) if (node.is('Relu') && ctx.permit(node)) becomes('Abs')(node);
    },
  }),
);

/** Adds a node that nobody reads in front of the node: harmless, and not ended by itself. */
export const growsForever = (node: Node): boolean => {
  graphOf(node).addNode({ opType: 'Neg', inputs: [node.inputs[0]], outputs: ['extra'] }, node);
  return true;
};
