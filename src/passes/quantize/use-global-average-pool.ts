// Means over all positions as GlobalAveragePool, which has an 8-bit kernel: ReduceMean over the spatial axes with or
// without keepdims, and AveragePool whose one window is the whole map.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { knownNumbers } from '../constants.js';
import { isUnpadded, windowGeometry } from '../conv-geometry.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { kernelRefusal, PIECES_DECLINES } from '../pieces.js';

export const useGlobalAveragePool = defineLocalPass({
  name: 'use-global-average-pool',
  category: 'quantize',
  exactness: 'rounding',
  needs: [],
  summary: 'Turn means over all positions into GlobalAveragePool',
  details: `\`ReduceMean\` over axes 2 and up is \`GlobalAveragePool\`, followed by \`Flatten\` where it drops the axes
(\`keepdims = 0\`); \`AveragePool\` with one window that is the whole map is \`GlobalAveragePool\` too. The runtime has an 8-bit kernel
for GlobalAveragePool and none for ReduceMean: a ReduceMean between quantized layers goes back to float and its result is
quantized again. In float ReduceMean is the faster one where it does not follow a convolution, which is why this pass stands
with quantization and \`fuse-global-average-pool\` does less.`,
  options: {},
  declines: {
    'axes-unknown': 'It is not known over which axes the mean goes, or how many there are.',
    'element-type': PIECES_DECLINES['element-type'],
  },
  stats: { turned: 'means over all positions turned into GlobalAveragePool' },
  roots: ['ReduceMean', 'AveragePool'],
  rewrite(node, ctx) {
    const data = node.inputs[0];
    if (!data || node.domain !== '' || !node.output) return false;
    const found = node.opType === 'AveragePool' ? wholeWindow(node, ctx.facts) : spatialMean(node, ctx.facts);
    if (found === 'unknown') return ctx.decline(node, 'axes-unknown');
    if (found === 'none') return false;
    const refusal = kernelRefusal({ x: data, nodes: new Set<Node>() }, node, 'GlobalAveragePool', ctx.facts);
    if (refusal) return ctx.decline(node, 'element-type', refusal.details);
    replaceMean(node, data, found);
    ctx.count('turned');
    return true;
  },
});

/** What a node turns out to be: a mean over all positions whose axes stay or go, or none. */
type Mean = 'kept' | 'dropped' | 'none' | 'unknown';

function spatialMean(node: Node, facts: Facts): Mean {
  const data = node.inputs[0];
  const rank = data && facts.of(data).shape?.length;
  const given = node.ints('axes');
  const axes = given ?? knownNumbers(facts, node.inputs[1]);
  const isComputed = given === undefined && node.inputs[1] !== undefined && axes === undefined;
  if (isComputed || (axes !== undefined && rank === undefined)) return 'unknown';
  if (axes === undefined || rank === undefined || rank < 3 || axes.length !== rank - 2) return 'none';
  const positive = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  if (positive.size !== rank - 2 || positive.has(0) || positive.has(1)) return 'none';
  return node.int('keepdims', 1) === 0 ? 'dropped' : 'kept';
}

/** The only window covers every position once. */
function wholeWindow(node: Node, facts: Facts): Mean {
  const [data] = node.inputs;
  const shape = data && facts.of(data).shape;
  const geometry = windowGeometry(node, facts);
  if (!shape || !geometry || !isUnpadded(geometry) || geometry.dilations.some((d) => d !== 1)) return 'none';
  const sizes = shape.slice(2);
  const isWhole = sizes.length === geometry.kernel.length && sizes.every((size, i) => size === geometry.kernel[i]);
  return isWhole ? 'kept' : 'none';
}

function replaceMean(node: Node, data: Value, mean: 'kept' | 'dropped'): void {
  const { inputs } = node;
  if (mean === 'kept') replaceNode(node, { opType: 'GlobalAveragePool', inputs: [data] });
  else {
    const outputs = [`${node.output?.name ?? 'mean'}_pool`];
    const pool = graphOf(node).addNode({ opType: 'GlobalAveragePool', name: node.name, inputs: [data], outputs }, node);
    replaceNode(node, { opType: 'Flatten', name: '', inputs: [pool.output] });
  }
  removeDead(inputs);
}
