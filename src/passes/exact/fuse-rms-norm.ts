// The pieces of RMSNormalization: square, mean, epsilon, root, quotient, scale.
import { fitsLastAxes, fuseOverLastAxes, isOverLastAxes, normalizedDims } from '../last-axes.js';
import { rootMeanSquareAt } from '../normalization.js';
import { defineLocalPass } from '../pass.js';
import { PIECES_DECLINES, piecesRefusal } from '../pieces.js';

export const fuseRmsNorm = defineLocalPass({
  name: 'fuse-rms-norm',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of RMSNormalization where the operator set has it',
  details: `\`RMSNormalization(x) = x / sqrt(mean(x^2) + eps) scale\` over the last axes (Zhang and Sennrich, 2019), an
operator since opset 23. It is written as Pow or Mul, ReduceMean, Add, Sqrt, Div or a product with the inverse, and Mul. ONNX
Runtime takes 0.7 of the time for the operator (release 1.30, float32). Without a scale the pieces stay.`,
  options: {},
  declines: {
    ...PIECES_DECLINES,
    opset: 'RMSNormalization is an operator since opset 23, and the model is at {opset}.',
  },
  stats: { fused: 'RMSNormalization fused from its pieces' },
  roots: ['Div', 'Mul'],
  rewrite(node, ctx) {
    const found = rootMeanSquareAt(node, ctx.facts, (value, moments) => fitsLastAxes(value, moments, ctx.facts));
    const dims = found?.scale && isOverLastAxes(found) ? normalizedDims(found, ctx.facts) : undefined;
    if (!found || !dims) return false;
    if (ctx.model.opset < 23) return ctx.decline(node, 'opset', { opset: ctx.model.opset });
    const refusal = piecesRefusal(found, found.last, 'RMSNormalization', ctx.facts);
    if (refusal) return ctx.decline(node, refusal.refused, refusal.details);
    fuseOverLastAxes(found, dims, 'RMSNormalization');
    ctx.count('fused');
    return true;
  },
});
