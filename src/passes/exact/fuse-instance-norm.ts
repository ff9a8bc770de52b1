// The pieces of InstanceNormalization: normalization of every channel over its positions, scale and bias per channel.
import type { Facts } from '../../analysis/facts.js';
import { floatAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../tensor/tensor.js';
import { channelNumbers } from '../channel-affine.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { NORMALIZATION_ROOTS, normalizationAt, type Normalization } from '../normalization.js';
import { defineLocalPass } from '../pass.js';
import { PIECES_DECLINES, piecesRefusal } from '../pieces.js';

/** Scale and bias are made with this many elements at most. */
const MAX_CHANNELS = 2 ** 20;

export const fuseInstanceNorm = defineLocalPass({
  name: 'fuse-instance-norm',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of InstanceNormalization',
  details: `\`InstanceNormalization(x) = scale_c (x - mean) / sqrt(var + eps) + bias_c\` with mean and variance of every sample and channel over
its positions (Ulyanov et al., 2016). It depends on the data, so it never folds into weights; but its nine pieces fuse to one
operator, which ONNX Runtime runs in half the time (release 1.30). Scale and bias must be one number per channel; without them ones
and zeros are made, for which the number of channels must be known.`,
  options: {},
  declines: { ...PIECES_DECLINES, channels: 'The number of channels is not known, or absurd.' },
  stats: { fused: 'InstanceNormalization fused from its pieces' },
  roots: NORMALIZATION_ROOTS,
  rewrite(node, ctx) {
    const found = instanceNormAt(node, ctx.facts);
    if (!found || ctx.model.opset < 6) return false;
    const refusal = piecesRefusal(found, found.last, 'InstanceNormalization', ctx.facts);
    if (refusal) return ctx.decline(node, refusal.refused, refusal.details);
    const channels = channelsOf(found, ctx.facts);
    if (channels === undefined) return ctx.decline(node, 'channels');
    fuse(found, channels, ctx.facts);
    ctx.count('fused');
    return true;
  },
});

function instanceNormAt(node: Node, facts: Facts): Normalization | undefined {
  const found = normalizationAt(node, facts, ({ constant }, { x, rank }) => {
    const channels = channelsOf({ x }, facts);
    const axis = channels !== undefined && { channels, rank, fromEnd: rank - 2 };
    return axis && constant ? channelNumbers(constant, axis) !== undefined : false;
  });
  if (!found || found.rank < 3 || found.axes.length !== found.rank - 2 || found.axes[0] !== 2) return undefined;
  // Along one axis, without anything per channel, it is a LayerNormalization as well; that is the more likely one.
  return found.rank > 3 || found.scale || found.bias ? found : undefined;
}

function channelsOf({ x }: Pick<Normalization, 'x'>, facts: Facts): number | undefined {
  const channels = facts.of(x).shape?.[1];
  return typeof channels === 'number' && channels <= MAX_CHANNELS ? channels : undefined;
}

function fuse(found: Normalization, channels: number, facts: Facts): void {
  const { x, rank, epsilon, last } = found;
  const graph = graphOf(last);
  const dtype = facts.of(x).dtype ?? 'float32';
  const vector = (tensor: Tensor | undefined, fallback: number): Tensor => {
    const numbers = tensor && channelNumbers(tensor, { channels, rank, fromEnd: rank - 2 });
    return Tensor.fromNumbers(dtype, [channels], numbers ?? new Float64Array(channels).fill(fallback));
  };
  const name = last.output?.name ?? 'norm';
  const [scale, bias] = [
    graph.addInitializer(vector(found.scale?.constant, 1), `${name}_scale`),
    graph.addInitializer(vector(found.bias?.constant, 0), `${name}_bias`),
  ];
  const { inputs } = last;
  replaceNode(last, {
    opType: 'InstanceNormalization',
    inputs: [x, scale, bias],
    attributes: { epsilon: floatAttr(Math.fround(epsilon)) },
  });
  removeDead(inputs);
}
