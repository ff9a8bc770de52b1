// x tanh(softplus(x)) is Mish since opset 18; softplus may be written log(1 + exp x).
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { removeDead, replaceNode } from '../edit.js';
import { areOwned, isFloatValue, scalarConstant } from '../expression.js';
import { defineLocalPass } from '../pass.js';

export const fuseMish = defineLocalPass({
  name: 'fuse-mish',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of Mish where the operator set has it',
  details: `\`Mish(x) = x tanh(softplus(x))\` (Misra, 2019), where softplus is the operator or \`Log(1 + Exp(x))\`. Needs opset 18.`,
  options: {},
  declines: {
    'shared-output': 'A value between the pieces is also read by others, or is an output of the graph.',
    opset: 'Mish is an operator since opset 18, and the model is at {opset}.',
  },
  stats: { fused: 'Mish fused from its pieces' },
  roots: ['Mul'],
  rewrite(node, ctx) {
    const found = mishOf(node);
    if (!found || !isFloatValue(found.x, ctx.facts)) return false;
    if (ctx.model.opset < 18) return ctx.decline(node, 'opset', { opset: ctx.model.opset });
    if (!areOwned(found.nodes, node)) return ctx.decline(node, 'shared-output');
    const { inputs } = node;
    replaceNode(node, { opType: 'Mish', inputs: [found.x] });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});

function mishOf(node: Node): { readonly x: Value; readonly nodes: ReadonlySet<Node> } | undefined {
  for (const side of [0, 1] as const) {
    const [x, tanh] = [node.inputs[side], node.inputs[1 - side]?.producer];
    const below = tanh?.is('Tanh') ? tanh.inputs[0] : undefined;
    const softplus = x && below && softplusNodes(below, x);
    if (node.is('Mul') && x && tanh && softplus) return { x, nodes: new Set([tanh, ...softplus]) };
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
