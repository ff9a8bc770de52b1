// Max(x, 0) is Relu, and Max or Min with another constant is a Clip with one bound.
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { kernelRefusal, PIECES_DECLINES } from '../pieces.js';
import { clippingOf } from '../value-range.js';

export const fuseClip = defineLocalPass({
  name: 'fuse-clip',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Turn Max and Min with a constant into Relu and Clip',
  details: `\`Max(x, 0)\` is Relu, \`Max(x, a)\` is \`Clip(x, a, inf)\` and \`Min(x, b)\` is \`Clip(x, -inf, b)\`
(operator set 11, since when a Clip can have one bound). ONNX Runtime runs Relu and Clip inside the convolution before them,
which it does not do with Max and Min, and by themselves in 0.9 of the time (release 1.30,
float32). Equal for all numbers; what NaN becomes depends on the operator.`,
  options: {},
  declines: { 'element-type': PIECES_DECLINES['element-type'] },
  stats: { fused: 'Max and Min turned into Relu and Clip' },
  roots: ['Max', 'Min'],
  rewrite(node, ctx) {
    const found = clippingOf(node, ctx.facts);
    if (!found) return false;
    const { source: x, low, high } = found;
    const operator = low === 0 && high === Infinity ? 'Relu' : 'Clip';
    const refusal = kernelRefusal({ x, nodes: new Set<Node>() }, node, operator, ctx.facts);
    if (refusal) return ctx.decline(node, 'element-type', refusal.details);
    const bound = Number.isFinite(low) ? low : high;
    // A bound that is infinite changes nothing, and one of -0 may show in a quotient.
    if (!Number.isFinite(bound) || Object.is(bound, -0)) return false;
    const constant = (): Value =>
      graphOf(node).addInitializer(Tensor.scalar('float32', bound), `${node.output?.name ?? 'clip'}_bound`);
    const { inputs } = node;
    const bounds = operator === 'Relu' ? [] : node.opType === 'Max' ? [constant()] : [undefined, constant()];
    replaceNode(node, { opType: operator, inputs: [x, ...bounds] });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});
