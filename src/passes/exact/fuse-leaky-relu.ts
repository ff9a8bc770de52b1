// LeakyRelu from its pieces: max(x, a x), Where(x > 0, x, a x), relu(x) - a relu(-x), relu(x) + a min(x, 0), and PRelu
// with one slope.
import { floatAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { uniformNumber } from '../constants.js';
import { removeDead, replaceNode } from '../edit.js';
import { polynomialIn, productOf, scalarConstant } from '../expression.js';
import { defineLocalPass } from '../pass.js';
import { PIECES_DECLINES, piecesRefusal, type Pieces } from '../pieces.js';
import { clippingOf } from '../value-range.js';
import { staysAs } from '../../ops/broadcast.js';
import type { Facts } from '../../analysis/facts.js';

interface Leaky extends Pieces {
  readonly slope: number;
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
\`Relu(x) - a Relu(-x)\`, and a PRelu whose slopes are one number. ONNX Runtime runs LeakyRelu inside the convolution
before it, and alone in 0.55 to 0.8 of the time of the pieces, a tenth of that of PRelu (release 1.30).
With a slope of 0 it is Relu. Equal for all finite numbers; what NaN becomes depends on the operator.

With a slope per channel the pieces would be PRelu, which takes 2.4 to 6 times as long as they do, so they stay.`,
  options: {},
  declines: PIECES_DECLINES,
  stats: { fused: 'LeakyRelu fused from its pieces' },
  roots: Object.keys(FORMS),
  rewrite(node, ctx) {
    const found = node.domain === '' ? FORMS[node.opType]?.(node, ctx.facts) : undefined;
    if (!found || !Number.isFinite(found.slope) || ctx.model.opset < 6) return false;
    const refusal = piecesRefusal(found, node, 'LeakyRelu', ctx.facts);
    if (refusal) return ctx.decline(node, refusal.refused, refusal.details);
    const { inputs } = node;
    const { x, slope } = found;
    if (slope === 0) replaceNode(node, { opType: 'Relu', inputs: [x] });
    else replaceNode(node, { opType: 'LeakyRelu', inputs: [x], attributes: { alpha: floatAttr(Math.fround(slope)) } });
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

/** Where(x > 0, x, a x), or Where(x < 0, a x, x); the constant 0 stands for 0 x. */
function whereForm(node: Node): Leaky | undefined {
  const [condition, first, second] = node.inputs;
  const compare = condition?.producer;
  for (const [x, other, sign] of [
    [first, second, 1],
    [second, first, -1],
  ] as const) {
    const scaled = x && (scalarConstant(other) === 0 ? { slope: 0, nodes: [] } : scaledBy(other, x));
    if (compare && x && scaled && other !== x && comparedWithZero(compare, x) === sign)
      return { x, slope: scaled.slope, nodes: new Set([compare, ...scaled.nodes]) };
  }
  return undefined;
}

const COMPARISONS: Readonly<Record<string, 1 | -1>> = { Greater: 1, GreaterOrEqual: 1, Less: -1, LessOrEqual: -1 };

/** 1 for x > 0, -1 for x < 0; whether 0 itself is among them does not matter here. */
function comparedWithZero(node: Node, x: Value): 1 | -1 | undefined {
  const sign = node.domain === '' ? COMPARISONS[node.opType] : undefined;
  const [a, b] = node.inputs;
  if (sign === undefined) return undefined;
  if (a === x && scalarConstant(b) === 0) return sign;
  return b === x && scalarConstant(a) === 0 ? (sign === 1 ? -1 : 1) : undefined;
}

/** max(x, 0) - a max(-x, 0), or max(x, 0) + a min(x, 0), with the two in any order. */
function reluForm(node: Node, facts: Facts): Leaky | undefined {
  const [left, right] = node.inputs;
  const sign = node.opType === 'Sub' ? -1 : 1;
  const orders =
    sign < 0
      ? [[left, right]]
      : [
          [left, right],
          [right, left],
        ];
  for (const [positive, negative] of orders) {
    const upper = positive?.producer;
    const clipping = upper && clippingOf(upper, facts);
    const part = clipping?.low === 0 && clipping.high === Infinity && negativePart(negative, clipping.source, facts);
    if (upper && part) return { x: clipping.source, slope: sign * part.slope, nodes: new Set([upper, ...part.nodes]) };
  }
  return undefined;
}

/** slope min(x, 0), as a multiple of min(x, 0) or of max(-x, 0). */
function negativePart(
  value: Value | undefined,
  x: Value,
  facts: Facts,
): { readonly slope: number; readonly nodes: Set<Node> } | undefined {
  const node = value?.producer;
  const product = node && productOf(node);
  const clip = product ? product.factors[0]?.producer : node;
  const clipping = clip && clippingOf(clip, facts);
  if (!node || !clip || !clipping || (product && product.factors.length !== 1)) return undefined;
  const inner = new Set<Node>();
  const [offset, factor] = polynomialIn(clipping.source, x, inner) ?? [];
  const isBelow = factor === 1 && clipping.low === -Infinity && clipping.high === 0;
  const isAbove = factor === -1 && clipping.low === 0 && clipping.high === Infinity;
  if (offset !== 0 || !(isBelow || isAbove)) return undefined;
  return {
    slope: (isBelow ? 1 : -1) * (product?.constant ?? 1),
    nodes: new Set([node, clip, ...inner, ...(product?.nodes ?? [])]),
  };
}

function preluForm(node: Node, facts: Facts): Leaky | undefined {
  const [x, slopes] = node.inputs;
  const slope = uniformNumber(facts, slopes);
  const [shape, by] = [x, slopes].map((value) => value && facts.of(value).shape);
  const keeps = by !== undefined && (by.length === 0 || (shape !== undefined && staysAs(shape, by)));
  return x && slope !== undefined && slopes?.constant && keeps ? { x, slope, nodes: new Set() } : undefined;
}
