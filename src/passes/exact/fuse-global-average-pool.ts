// ReduceMean over all positions with the axes kept is GlobalAveragePool.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { knownNumbers } from '../constants.js';
import { removeDead, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { kernelRefusal, PIECES_DECLINES } from '../pieces.js';

/** Operators of one input that ONNX Runtime keeps in its blocked layout between convolutions. */
const UNARY: ReadonlySet<string> = new Set([
  'Relu',
  'Clip',
  'LeakyRelu',
  'Sigmoid',
  'Tanh',
  'HardSigmoid',
  'HardSwish',
  'Gelu',
  'MaxPool',
  'AveragePool',
]);

/** Operators that it keeps there where all inputs are. */
const JOINING: ReadonlySet<string> = new Set(['Add', 'Mul', 'Concat']);

/** Channels of one block with 256 bit wide registers; 16 with 512. */
const BLOCK = 8;

/** Values that are looked at, up to the convolutions they come from. */
const MAX_VALUES = 1000;

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
  declines: {
    'not-behind-conv': 'It does not follow a convolution in blocked layout, and by itself ReduceMean is faster.',
    'element-type': PIECES_DECLINES['element-type'],
  },
  stats: { fused: 'ReduceMean turned into GlobalAveragePool' },
  roots: ['ReduceMean'],
  rewrite(node, ctx) {
    const data = node.inputs[0];
    if (!data || !isGlobalMean(node, ctx.facts)) return false;
    const pieces = { x: data, nodes: new Set<Node>() };
    const refusal = kernelRefusal(pieces, node, 'GlobalAveragePool', ctx.facts);
    if (refusal) return ctx.decline(node, 'element-type', refusal.details);
    if (!isBlocked(data, ctx.facts)) return ctx.decline(node, 'not-behind-conv');
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

/** The value comes in blocked layout: of convolutions with whole blocks of channels, by operators that keep it. */
function isBlocked(value: Value, facts: Facts): boolean {
  const seen = new Set([value]);
  for (const current of seen) {
    const node = current.producer;
    if (!node || node.domain !== '' || seen.size > MAX_VALUES) return false;
    if (node.opType === 'Conv') {
      const channels = facts.of(current).shape?.[1];
      if (typeof channels !== 'number' || channels % BLOCK !== 0) return false;
    } else {
      const inputs = UNARY.has(node.opType) ? node.inputs.slice(0, 1) : JOINING.has(node.opType) ? node.inputs : [];
      if (inputs.length === 0) return false;
      for (const input of inputs) if (input) seen.add(input);
    }
  }
  return true;
}
