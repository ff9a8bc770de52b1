// x sigmoid(x) is Swish since opset 24.
import { floatAttr } from '../../ir/attribute.js';
import { choice } from '../../base/option.js';
import type { Node } from '../../ir/node.js';
import { removeDead, replaceNode } from '../edit.js';
import { polynomialIn } from '../expression.js';
import { defineLocalPass } from '../pass.js';
import { PIECES_DECLINES, piecesRefusal, type Pieces } from '../pieces.js';

export const fuseSilu = defineLocalPass({
  name: 'fuse-silu',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse SiLU, x Sigmoid(alpha x), to Swish where the operator set has it',
  details: `\`Swish(x) = x sigmoid(alpha x)\`, an operator since opset 24; SiLU is \`alpha = 1\`. ONNX Runtime runs the two pieces as one kernel, and
Swish as four (release 1.30: a conversion, a product, Sigmoid, a product), in nearly twice the time. So the pass declines unless
asked to prefer fewer nodes, for other runtimes.`,
  options: {
    prefer: choice(['speed', 'nodes'], {
      default: 'speed',
      help: 'what matters more where ONNX Runtime runs the pieces faster',
    }),
  },
  declines: {
    ...PIECES_DECLINES,
    dearer: 'ONNX Runtime runs Sigmoid and Mul as one kernel and Swish as several, in nearly twice the time.',
  },
  stats: { fused: 'SiLU fused to Swish' },
  roots: ['Mul'],
  rewrite(node, ctx) {
    const found = swishOf(node);
    if (!found || ctx.model.opset < 24) return false;
    const refusal = piecesRefusal(found, node, 'Swish', ctx.facts);
    if (refusal) return ctx.decline(node, refusal.refused, refusal.details);
    if (ctx.options.prefer === 'speed') return ctx.decline(node, 'dearer');
    const { inputs } = node;
    replaceNode(node, {
      opType: 'Swish',
      inputs: [found.x],
      attributes: { alpha: found.alpha === 1 ? undefined : floatAttr(Math.fround(found.alpha)) },
    });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});

interface Swish extends Pieces {
  readonly alpha: number;
}

function swishOf(node: Node): Swish | undefined {
  for (const side of [0, 1] as const) {
    const [x, sigmoid] = [node.inputs[side], node.inputs[1 - side]?.producer];
    if (!node.is('Mul') || !x || !sigmoid?.is('Sigmoid')) continue;
    const nodes = new Set([sigmoid]);
    const line = polynomialIn(sigmoid.inputs[0], x, nodes);
    if (line?.length === 2 && line[0] === 0) return { x, alpha: line[1] ?? 0, nodes };
  }
  return undefined;
}
