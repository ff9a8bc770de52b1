// ReduceMean over all positions with the axes kept is GlobalAveragePool.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import { knownNumbers } from '../constants.js';
import { removeDead, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';

/** Operators that ONNX Runtime keeps in its blocked layout between convolutions. */
const BLOCKED: ReadonlySet<string> = new Set([
  'Relu',
  'Clip',
  'LeakyRelu',
  'Sigmoid',
  'Tanh',
  'HardSigmoid',
  'Add',
  'MaxPool',
  'AveragePool',
  'Concat',
]);

export const fuseGlobalAveragePool = defineLocalPass({
  name: 'fuse-global-average-pool',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Turn ReduceMean over all positions into GlobalAveragePool behind a convolution',
  details: `\`ReduceMean\` over axes 2 and up with \`keepdims\` is \`GlobalAveragePool\`. The pool runs in the blocked layout that ONNX Runtime
computes convolutions in, so that their output need not be reordered first, and it has an int8 version, which ReduceMean has not. By itself
ReduceMean is the faster one, so only means behind a convolution (with an activation, addition or pool between) are turned.`,
  options: {},
  declines: { 'not-behind-conv': 'It does not follow a convolution, and by itself ReduceMean is faster.' },
  stats: { fused: 'ReduceMean turned into GlobalAveragePool' },
  roots: ['ReduceMean'],
  rewrite(node, ctx) {
    const data = node.inputs[0];
    if (!data || !isGlobalMean(node, ctx.facts)) return false;
    if (!isBlocked(data.producer, 4)) return ctx.decline(node, 'not-behind-conv');
    const { inputs } = node;
    replaceNode(node, { opType: 'GlobalAveragePool', inputs: [data] });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});

function isGlobalMean(node: Node, facts: Facts): boolean {
  const rank = node.inputs[0] && facts.of(node.inputs[0]).shape?.length;
  const axes = node.ints('axes') ?? knownNumbers(facts, node.inputs[1]);
  if (!node.is('ReduceMean') || rank !== 4 || axes === undefined || node.int('keepdims', 1) === 0) return false;
  const positive = axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
  return positive.length === 2 && positive[0] === 2 && positive[1] === 3;
}

function isBlocked(node: Node | undefined, depth: number): boolean {
  if (!node || node.domain !== '' || depth === 0) return false;
  return (
    node.opType === 'Conv' ||
    (BLOCKED.has(node.opType) && node.inputs.some((value) => isBlocked(value?.producer, depth - 1)))
  );
}
