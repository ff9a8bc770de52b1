// The pieces of InstanceNormalization: normalization of every channel over its positions, scale and bias per channel.
import type { Facts } from '../../analysis/facts.js';
import { floatAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../tensor/tensor.js';
import { channelNumbers } from '../channel-affine.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { isFoldable } from '../folded-tensor.js';
import { isOwnedNormalization, normalizationAt, type Normalization } from '../normalization.js';
import { defineLocalPass } from '../pass.js';

export const fuseInstanceNorm = defineLocalPass({
  name: 'fuse-instance-norm',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of InstanceNormalization',
  details: `\`InstanceNormalization(x) = scale_c (x - mean) / sqrt(var + eps) + bias_c\` with mean and variance of every sample and channel over
its positions (Ulyanov et al., 2016). It depends on the data, so it never folds into weights; but its nine pieces fuse to one
operator, which ONNX Runtime runs in less than half the time. Scale and bias must be one number per channel; without them ones
and zeros are made, for which the number of channels must be known.`,
  options: {},
  declines: { 'shared-output': 'A value between the pieces is also read by others, or is an output of the graph.' },
  stats: { fused: 'InstanceNormalization fused from its pieces' },
  roots: ['Div', 'Mul'],
  rewrite(node, ctx) {
    const found = instanceNormAt(node, ctx.facts);
    if (!found || ctx.model.opset < 6) return false;
    if (!isOwnedNormalization(found)) return ctx.decline(node, 'shared-output');
    fuse(found, ctx.facts);
    ctx.count('fused');
    return true;
  },
});

function instanceNormAt(node: Node, facts: Facts): Normalization | undefined {
  const core = normalizationAt(node, facts, () => false);
  if (core === undefined || core.rank < 3 || core.axes.length !== core.rank - 2 || core.axes[0] !== 2) return undefined;
  const channels = channelsOf(core, facts);
  if (channels === undefined) return undefined;
  const found = normalizationAt(
    node,
    facts,
    (tensor) => channelNumbers(tensor, { channels, rank: core.rank, fromEnd: core.rank - 2 }) !== undefined,
  );
  // Along one axis, without anything per channel, it is a LayerNormalization as well; that is the more likely one.
  return found && (core.rank > 3 || found.scale || found.bias) ? found : undefined;
}

function channelsOf({ x }: Normalization, facts: Facts): number | undefined {
  const { shape, dtype } = facts.of(x);
  const channels = shape?.[1];
  return dtype && isFoldable(dtype) && typeof channels === 'number' ? channels : undefined;
}

function fuse(found: Normalization, facts: Facts): void {
  const { x, rank, epsilon, last } = found;
  const graph = graphOf(last);
  const channels = channelsOf(found, facts) ?? 1;
  const dtype = facts.of(x).dtype ?? 'float32';
  const vector = (tensor: Tensor | undefined, fallback: number): Tensor => {
    const numbers = tensor && channelNumbers(tensor, { channels, rank, fromEnd: rank - 2 });
    return Tensor.fromNumbers(dtype, [channels], numbers ?? new Float64Array(channels).fill(fallback));
  };
  const name = last.output?.name ?? 'norm';
  const [scale, bias] = [
    graph.addInitializer(vector(found.scale, 1), `${name}_scale`),
    graph.addInitializer(vector(found.bias, 0), `${name}_bias`),
  ];
  const { inputs } = last;
  replaceNode(last, {
    opType: 'InstanceNormalization',
    inputs: [x, scale, bias],
    attributes: { epsilon: floatAttr(Math.fround(epsilon)) },
  });
  removeDead(inputs);
}
