// Folds BatchNormalization at inference into the tensor layer before or behind it:
// a = gamma/sqrt(var + eps), c = beta - a mean; y = a (W x + b) + c = (a W) x + (a b + c).
import { FOLDING_DECLINES, planFolding } from '../affine-folding.js';
import { readAffine } from '../channel-affine.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal } from '../plan.js';

export const foldBatchNorm = defineLocalPass({
  name: 'fold-batch-norm',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fold BatchNormalization into the convolution or matrix product before or behind it',
  details: `At inference BatchNormalization computes \`y = a x + c\` per channel with \`a = gamma / sqrt(var + eps)\` and \`c = beta - a mean\`
(Ioffe and Szegedy, 2015). Behind a layer it becomes \`W' = a_o W\`, \`b' = a_o b + c_o\`, for any stride, padding, dilation and
group. In front of a layer it becomes \`W' = W a_i\`, \`b' = b + sum W c_i\`, which with a shift holds only without zero padding:
the padding would have to be \`-c/a\`. Weights are folded in float64 and rounded once.

Between the two may stand pools, views of the data, transpositions, resizing and padding that such a map commutes with.
Weights that several layers share are folded when every one of them is followed by the same scale.`,
  options: {},
  declines: {
    ...FOLDING_DECLINES,
    'parameters-not-constant': 'Its parameters are not all constants.',
    'training-mode': 'It normalizes by the statistics of its own input (training mode).',
    'extra-outputs': 'Its running statistics are read.',
  },
  stats: {
    after: 'BatchNormalization folded into the layer before it',
    before: 'BatchNormalization folded into the layer behind it',
  },
  roots: ['BatchNormalization'],
  rewrite(node, ctx) {
    const affine = readAffine(node);
    if (!affine) return false;
    if (isRefusal(affine)) return ctx.decline(node, affine.refused);
    const plan = planFolding(affine, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    plan.apply();
    ctx.count(plan.side, plan.nodes);
    return true;
  },
});
