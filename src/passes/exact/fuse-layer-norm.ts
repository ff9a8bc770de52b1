// The pieces of LayerNormalization: mean, difference, square, mean, epsilon, root, quotient, scale, bias.
import type { Facts } from '../../analysis/facts.js';
import { floatAttr, intAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { isFoldable } from '../folded-tensor.js';
import { isOwnedNormalization, normalizationAt, type Normalization } from '../normalization.js';
import { defineLocalPass } from '../pass.js';

export const fuseLayerNorm = defineLocalPass({
  name: 'fuse-layer-norm',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of LayerNormalization where the operator set has it',
  details: `\`LayerNormalization(x) = (x - mean) / sqrt(var + eps) scale + bias\` over the last axes (Ba, Kiros and Hinton, 2016), an operator since
opset 17. Exporters write it as ReduceMean, Sub, Pow or Mul, ReduceMean, Add, Sqrt, Div, Mul, Add; the quotient may also be a product
with a Reciprocal or a power. Without a scale a tensor of ones is made, for which the sizes must be known.`,
  options: {},
  declines: {
    'shared-output': 'A value between the pieces is also read by others, or is an output of the graph.',
    opset: 'LayerNormalization is an operator since opset 17, and the model is at {opset}.',
    sizes: 'There is no scale, and the sizes of the axes it would have are not known.',
  },
  stats: { fused: 'LayerNormalization fused from its pieces' },
  roots: ['Div', 'Mul'],
  rewrite(node, ctx) {
    const found = layerNormAt(node, ctx.facts);
    if (!found) return false;
    if (ctx.model.opset < 17) return ctx.decline(node, 'opset', { opset: ctx.model.opset });
    if (!isOwnedNormalization(found)) return ctx.decline(node, 'shared-output');
    if (found.scale === undefined && normalizedDims(found, ctx.facts) === undefined) return ctx.decline(node, 'sizes');
    fuse(found, ctx.facts);
    ctx.count('fused');
    return true;
  },
});

/** Normalization over the last axes; scale and bias have the dims of these axes, or those of the last of them. */
function layerNormAt(node: Node, facts: Facts): Normalization | undefined {
  const core = normalizationAt(node, facts, () => false);
  if (core === undefined || !core.axes.every((axis, i) => axis === core.rank - core.axes.length + i)) return undefined;
  const dims = normalizedDims(core, facts);
  return normalizationAt(node, facts, (tensor) => {
    const inner = stripped(tensor.dims);
    return dims !== undefined && inner.length === dims.length && inner.every((dim, i) => dim === dims[i]);
  });
}

/** Leading axes of 1 do not matter in a constant that broadcasts. */
function stripped(dims: readonly number[]): readonly number[] {
  const first = dims.findIndex((dim) => dim !== 1);
  return first < 0 ? dims.slice(-1) : dims.slice(first);
}

function normalizedDims({ x, axes }: Normalization, facts: Facts): number[] | undefined {
  const sizes = axes.map((axis) => facts.of(x).shape?.[axis]);
  const known = sizes.filter((size): size is number => typeof size === 'number');
  return known.length === sizes.length ? known : undefined;
}

function fuse(found: Normalization, facts: Facts): void {
  const { x, axes, epsilon, last } = found;
  const graph = graphOf(last);
  const dims = normalizedDims(found, facts) ?? found.scale?.dims ?? [];
  const dtype = facts.of(x).dtype ?? 'float32';
  const name = last.output?.name ?? 'norm';
  const ones = (): Tensor =>
    Tensor.fromNumbers(isFoldable(dtype) ? dtype : 'float32', dims, new Float64Array(elementCount(dims)).fill(1));
  const scale = graph.addInitializer(found.scale?.reshaped(dims) ?? ones(), `${name}_scale`);
  const bias = found.bias && graph.addInitializer(found.bias.reshaped(dims), `${name}_bias`);
  const { inputs } = last;
  replaceNode(last, {
    opType: 'LayerNormalization',
    inputs: [x, scale, bias],
    attributes: { axis: intAttr(-axes.length), epsilon: floatAttr(Math.fround(epsilon)) },
  });
  removeDead(inputs);
}
