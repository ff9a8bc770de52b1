// LeakyRelu from its pieces: max(x, a x), Where(x > 0, x, a x), relu(x) - a relu(-x), and PRelu with one slope.
import { floatAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { uniformNumber } from '../constants.js';
import { removeDead, replaceNode } from '../edit.js';
import { areOwned, isFloatValue, polynomialIn, productOf, scalarConstant } from '../expression.js';
import { defineLocalPass } from '../pass.js';
import { staysAs } from '../../ops/broadcast.js';
import type { Facts } from '../../analysis/facts.js';

interface Leaky {
  readonly x: Value;
  readonly slope: number;
  readonly nodes: ReadonlySet<Node>;
}

const FORMS: Readonly<Record<string, (node: Node, facts: Facts) => Leaky | undefined>> = {
  Max: maxForm,
  Where: whereForm,
  Add: reluForm,
  Sub: reluForm,
  PRelu: preluForm,
};

export const fuseLeakyRelu = defineLocalPass({
  name: 'fuse-leaky-relu',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of LeakyRelu',
  details: `\`LeakyRelu(x) = x\` for \`x >= 0\`, else \`a x\`. It is written \`Max(x, a x)\` with \`a <= 1\`, \`Where(x > 0, x, a x)\`,
\`Relu(x) - a Relu(-x)\`, and a PRelu whose slopes are one number. The runtime runs LeakyRelu inside the convolution before it, and PRelu by itself.

With a slope per channel the pieces would be PRelu, which ONNX Runtime runs slower than them (3 times, release 1.31), so they stay.`,
  options: {},
  declines: { 'shared-output': 'A value between the pieces is also read by others, or is an output of the graph.' },
  stats: { fused: 'LeakyRelu fused from its pieces' },
  roots: Object.keys(FORMS),
  rewrite(node, ctx) {
    const found = node.domain === '' ? FORMS[node.opType]?.(node, ctx.facts) : undefined;
    if (!found || !isFloatValue(found.x, ctx.facts) || ctx.model.opset < 6) return false;
    if (!areOwned(found.nodes, node)) return ctx.decline(node, 'shared-output');
    const { inputs } = node;
    replaceNode(node, {
      opType: 'LeakyRelu',
      inputs: [found.x],
      attributes: { alpha: floatAttr(Math.fround(found.slope)) },
    });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});

/** a x, and the nodes that compute it. */
function scaledBy(
  value: Value | undefined,
  x: Value,
): { readonly slope: number; readonly nodes: Set<Node> } | undefined {
  const nodes = new Set<Node>();
  const line = value && polynomialIn(value, x, nodes);
  return line?.length === 2 && line[0] === 0 ? { slope: line[1] ?? 0, nodes } : undefined;
}

function maxForm(node: Node): Leaky | undefined {
  const [a, b] = node.inputs;
  if (node.inputs.length !== 2 || !a || !b) return undefined;
  for (const [x, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const scaled = scaledBy(other, x);
    if (scaled && scaled.nodes.size > 0 && scaled.slope >= 0 && scaled.slope <= 1) return { x, ...scaled };
  }
  return undefined;
}

function whereForm(node: Node): Leaky | undefined {
  const [condition, x, other] = node.inputs;
  const compare = condition?.producer;
  const scaled = x && scaledBy(other, x);
  const asks =
    compare &&
    ['Greater', 'GreaterOrEqual'].includes(compare.opType) &&
    compare.inputs[0] === x &&
    scalarConstant(compare.inputs[1]) === 0;
  return x && scaled && scaled.nodes.size > 0 && compare && asks
    ? { x, slope: scaled.slope, nodes: new Set([compare, ...scaled.nodes]) }
    : undefined;
}

/** relu(x) - a relu(-x), or relu(x) + (-a) relu(-x). */
function reluForm(node: Node): Leaky | undefined {
  const [left, right] = node.inputs;
  const relu = left?.producer;
  const x = relu?.is('Relu') ? relu.inputs[0] : undefined;
  const multiply = right?.producer;
  const product = multiply && productOf(multiply);
  const negative = product ? product.factors[0]?.producer : multiply;
  if (!relu || !x || !negative?.is('Relu') || (product && product.factors.length !== 1)) return undefined;
  const inner = new Set<Node>();
  const line = polynomialIn(negative.inputs[0], x, inner);
  if (line?.length !== 2 || line[0] !== 0 || line[1] !== -1) return undefined;
  const nodes = new Set([relu, negative, ...inner, ...(product && multiply ? [multiply, ...product.nodes] : [])]);
  return { x, slope: (node.opType === 'Sub' ? 1 : -1) * (product?.constant ?? 1), nodes };
}

function preluForm(node: Node, facts: Facts): Leaky | undefined {
  const [x, slopes] = node.inputs;
  const slope = uniformNumber(facts, slopes);
  const [shape, by] = [x, slopes].map((value) => value && facts.of(value).shape);
  const keeps = by !== undefined && (by.length === 0 || (shape !== undefined && staysAs(shape, by)));
  return x && slope !== undefined && slopes?.constant && keeps ? { x, slope, nodes: new Set() } : undefined;
}
