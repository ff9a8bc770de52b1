// The pieces of LayerNormalization: mean, difference, square, mean, epsilon, root, quotient, scale, bias.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import { elementCount } from '../../tensor/tensor.js';
import { fitsLastAxes, fuseOverLastAxes, isOverLastAxes, normalizedDims } from '../last-axes.js';
import { NORMALIZATION_ROOTS, normalizationAt, type Normalization } from '../normalization.js';
import { defineLocalPass } from '../pass.js';
import { PIECES_DECLINES, piecesRefusal } from '../pieces.js';

/** Shorter rows than this take longer as one operator, where ONNX Runtime does not make it of the pieces itself. */
const SHORT_ROW = 8;
/** Longer rows need too large a tensor of ones. */
const LONG_ROW = 2 ** 20;

export const fuseLayerNorm = defineLocalPass({
  name: 'fuse-layer-norm',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of LayerNormalization where the operator set has it',
  details: `\`LayerNormalization(x) = (x - mean) / sqrt(var + eps) scale + bias\` over the last axes (Ba, Kiros and Hinton, 2016), an operator since
opset 17. Exporters write it as ReduceMean, Sub, Pow or Mul, ReduceMean, Add, Sqrt, Div, Mul, Add; the quotient may also be a product
with a Reciprocal or a power, or \`x k + (bias - mean k)\` with \`k = scale / sqrt(var + eps)\`. Without a scale a tensor of ones is made,
for which the sizes must be known. ONNX Runtime fuses the plainest form with scale and bias by itself; the others take 0.6 to 0.7 of
the time as one operator (release 1.30, float32), in float16 six times the time.`,
  options: {},
  declines: {
    ...PIECES_DECLINES,
    opset: 'LayerNormalization is an operator since opset 17, and the model is at {opset}.',
    sizes: 'The sizes of the axes are not known, or there is no scale and a tensor of ones would be too large.',
    dearer: 'ONNX Runtime runs the pieces faster over rows of {size} elements.',
  },
  stats: { fused: 'LayerNormalization fused from its pieces' },
  roots: NORMALIZATION_ROOTS,
  rewrite(node, ctx) {
    const found = layerNormAt(node, ctx.facts);
    if (!found) return false;
    if (ctx.model.opset < 17) return ctx.decline(node, 'opset', { opset: ctx.model.opset });
    const refusal = piecesRefusal(found, found.last, 'LayerNormalization', ctx.facts);
    if (refusal) return ctx.decline(node, refusal.refused, refusal.details);
    const dims = normalizedDims(found, ctx.facts);
    const size = dims && elementCount(dims);
    if (!dims || !size || (found.scale === undefined && size > LONG_ROW)) return ctx.decline(node, 'sizes');
    if (found.scale === undefined && size < SHORT_ROW) return ctx.decline(node, 'dearer', { size });
    fuseOverLastAxes(found, dims, 'LayerNormalization');
    ctx.count('fused');
    return true;
  },
});

/** Normalization over the last axes, with scale and bias of their dims. */
function layerNormAt(node: Node, facts: Facts): Normalization | undefined {
  const found = normalizationAt(node, facts, (value, moments) => fitsLastAxes(value, moments, facts));
  if (!found || !isOverLastAxes(found)) return undefined;
  // Over all positions without a scale it is an InstanceNormalization as well, which needs no large tensor of ones.
  return found.scale === undefined && found.rank > 3 && found.axes.length === found.rank - 2 ? undefined : found;
}
