// x/2 (1 + erf(x/sqrt 2)) and its approximation x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) are Gelu since opset 20.
import { stringAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { removeDead, replaceNode } from '../edit.js';
import { isClose, polynomialIn, productOf, sameCoefficients, type Polynomial } from '../expression.js';
import { defineLocalPass } from '../pass.js';
import { PIECES_DECLINES, piecesRefusal, type Pieces } from '../pieces.js';

type Approximation = 'none' | 'tanh';

/** The function that 1 is added to, and its argument as a polynomial in x. */
const FORMS: Readonly<Record<string, { readonly approximate: Approximation; readonly argument: Polynomial }>> = {
  Erf: { approximate: 'none', argument: [0, Math.SQRT1_2] },
  Tanh: { approximate: 'tanh', argument: [0, Math.sqrt(2 / Math.PI), 0, Math.sqrt(2 / Math.PI) * 0.044715] },
};

export const fuseGelu = defineLocalPass({
  name: 'fuse-gelu',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of Gelu where the operator set has it',
  details: `\`Gelu(x) = x/2 (1 + erf(x/sqrt 2))\`, and with \`approximate = "tanh"\` it is \`x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))\` 
(Hendrycks and Gimpel, 2016). The factors of the product are collected and the argument is read as a polynomial in \`x\`, so the order in which
an exporter multiplies does not matter. Needs opset 20. ONNX Runtime fuses the first form by itself and not the second, which
takes 0.55 of the time as one operator (release 1.30).`,
  options: {},
  declines: { ...PIECES_DECLINES, opset: 'Gelu is an operator since opset 20, and the model is at {opset}.' },
  stats: { fused: 'Gelu fused from its pieces' },
  roots: ['Mul', 'Div'],
  rewrite(node, ctx) {
    const found = geluOf(node);
    if (!found) return false;
    if (ctx.model.opset < 20) return ctx.decline(node, 'opset', { opset: ctx.model.opset });
    const refusal = piecesRefusal(found, node, 'Gelu', ctx.facts);
    if (refusal) return ctx.decline(node, refusal.refused, refusal.details);
    const { inputs } = node;
    const attributes = { approximate: found.approximate === 'none' ? undefined : stringAttr(found.approximate) };
    replaceNode(node, { opType: 'Gelu', inputs: [found.x], attributes });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});

interface Gelu extends Pieces {
  readonly approximate: Approximation;
}

function geluOf(node: Node): Gelu | undefined {
  const product = productOf(node);
  if (product?.factors.length !== 2) return undefined;
  for (const side of [0, 1] as const) {
    const [x, bracket] = [product.factors[side], product.factors[1 - side]];
    const read = x && bracket && bracketOf(bracket, x);
    // 1/2 may also stand inside the bracket: 1/2 + 1/2 erf(...).
    if (read && isClose(product.constant * read.weight, 0.5))
      return { x, approximate: read.approximate, nodes: new Set([...product.nodes, ...read.nodes]) };
  }
  return undefined;
}

/** weight (1 + f(argument)), or with both signs turned, with f and the argument of one of the forms. */
function bracketOf(
  bracket: Value,
  x: Value,
): { readonly weight: number; readonly approximate: Approximation; readonly nodes: ReadonlySet<Node> } | undefined {
  const f = functionBelow(bracket, 4);
  const output = f?.output;
  const form = f && FORMS[f.opType];
  const nodes = new Set<Node>(f ? [f] : []);
  const line = output && polynomialIn(bracket, output, nodes);
  if (!form || !f || !line || line.length !== 2) return undefined;
  const [weight = 0, factor = 0] = line;
  const sign = isClose(factor, weight) ? 1 : isClose(factor, -weight) ? -1 : 0;
  // Both functions are odd: 1 - f(-u) = 1 + f(u).
  const argument = form.argument.map((c) => c * sign);
  return sign !== 0 && sameCoefficients(polynomialIn(f.inputs[0], x, nodes), argument)
    ? { weight, approximate: form.approximate, nodes }
    : undefined;
}

/** The Erf or Tanh that a chain of sums and products with constants starts from. */
function functionBelow(value: Value, depth: number): Node | undefined {
  const node = value.producer;
  if (!node || node.domain !== '') return undefined;
  if (FORMS[node.opType]) return node;
  const [inner, ...rest] = node.inputs.filter((input) => input?.constant === undefined);
  return ['Add', 'Sub', 'Mul', 'Div', 'Neg'].includes(node.opType) && inner && rest.length === 0 && depth > 0
    ? functionBelow(inner, depth - 1)
    : undefined;
}
