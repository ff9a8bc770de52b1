// Folds Mul, Add, Sub, Div by constants per channel, and Neg, into the tensor layer before or behind them.
import { FOLDING_DECLINES, planFolding } from '../affine-folding.js';
import { affineOf, BINARY_AFFINE_OPS } from '../channel-affine.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal } from '../plan.js';
import { fusedPattern } from '../runtime-fusion.js';

export const foldAffine = defineLocalPass({
  name: 'fold-affine',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fold Mul, Add, Sub, Div by constants and Neg into the convolution or matrix product before or behind them',
  details: `A node that computes \`y = a_c x + c_c\` per channel is folded into the weights: behind a layer \`W' = a_o W\`, \`b' = a_o b + c_o\`;
in front of it \`W' = W a_i\`, \`b' = b + sum W c_i\`. ConvTranspose stores \`[C, O/group, ...]\`, so it is scaled by the output
channel counted over all groups; Gemm scales its bias by \`beta\`. \`Sub(c, x)\` has \`a = -1\`; \`Div(c, x)\` is no such map.

Constants align at the last axis: for maps \`[N, C, H, W]\` only a scalar, \`[C, 1, 1]\` and \`[1, C, 1, 1]\` are per channel; \`[C]\` acts on
the last axis even where it is as long. In front of a layer that pads with zeros only a scale folds: the border would see the shift.
A scale also crosses the addition of a constant, \`a x + t = a (x + t/a)\`. The exact forms for a padded shift (a padding by
\`-c/a\`, a map of biases, a channel of ones) cost as many nodes as the addition they would replace and more elements or
multiplications, so such a site is declined with the figures.

A LayerNormalization or Gelu in pieces, in models of an operator set without them, ends with a scale that ONNX Runtime looks for when
it fuses the pieces; that scale stays.`,
  options: {},
  declines: {
    ...FOLDING_DECLINES,
    'fused-by-runtime': 'It ends a {pattern} in pieces, which the runtime only finds with it.',
  },
  stats: {
    after: 'affine nodes folded into the layer before them',
    before: 'affine nodes folded into the layer behind them',
  },
  roots: BINARY_AFFINE_OPS,
  rewrite(node, ctx) {
    const affine = affineOf(node);
    const plan = affine && planFolding(affine, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    const pattern = fusedPattern(node);
    if (pattern) return ctx.decline(node, 'fused-by-runtime', { pattern });
    plan.apply();
    ctx.count(plan.side, plan.nodes);
    return true;
  },
});
