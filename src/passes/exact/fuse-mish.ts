// x tanh(softplus(x)) is Mish since opset 18.
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { removeDead, replaceNode } from '../edit.js';
import { scalarConstant } from '../expression.js';
import { defineLocalPass } from '../pass.js';
import { PIECES_DECLINES, piecesRefusal, type Pieces } from '../pieces.js';

export const fuseMish = defineLocalPass({
  name: 'fuse-mish',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of Mish where the operator set has it',
  details: `\`Mish(x) = x tanh(softplus(x))\` (Misra, 2019), an operator since opset 18. ONNX Runtime takes it apart again
and runs it in the same time. Where softplus is written \`Log(1 + Exp(x))\` the pieces stay: the kernel of Softplus, which Mish runs, takes
five times as long (release 1.30, float32).`,
  options: {},
  declines: {
    ...PIECES_DECLINES,
    opset: 'Mish is an operator since opset 18, and the model is at {opset}.',
    dearer: 'Softplus is written as Log(1 + Exp(x)), which ONNX Runtime runs in a quarter of the time of Mish.',
  },
  stats: { fused: 'Mish fused from its pieces' },
  roots: ['Mul'],
  rewrite(node, ctx) {
    const found = mishOf(node);
    if (!found) return false;
    if (ctx.model.opset < 18) return ctx.decline(node, 'opset', { opset: ctx.model.opset });
    const refusal = piecesRefusal(found, node, 'Mish', ctx.facts);
    if (refusal) return ctx.decline(node, refusal.refused, refusal.details);
    if (!found.hasSoftplus) return ctx.decline(node, 'dearer');
    const { inputs } = node;
    replaceNode(node, { opType: 'Mish', inputs: [found.x] });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});

interface Mish extends Pieces {
  readonly hasSoftplus: boolean;
}

function mishOf(node: Node): Mish | undefined {
  for (const side of [0, 1] as const) {
    const [x, tanh] = [node.inputs[side], node.inputs[1 - side]?.producer];
    const below = tanh?.is('Tanh') ? tanh.inputs[0] : undefined;
    const softplus = x && below && softplusNodes(below, x);
    if (node.is('Mul') && x && tanh && softplus)
      return { x, nodes: new Set([tanh, ...softplus]), hasSoftplus: softplus.length === 1 };
  }
  return undefined;
}

/** The nodes that compute softplus(x) = log(1 + exp x). */
function softplusNodes(value: Value, x: Value): Node[] | undefined {
  const node = value.producer;
  if (node?.is('Softplus')) return node.inputs[0] === x ? [node] : undefined;
  const add = node?.is('Log') ? node.inputs[0]?.producer : undefined;
  if (!node || !add?.is('Add') || !add.inputs.some((input) => scalarConstant(input) === 1)) return undefined;
  const exp = add.inputs.find((input) => input?.constant === undefined)?.producer;
  return exp?.is('Exp') && exp.inputs[0] === x ? [node, add, exp] : undefined;
}
