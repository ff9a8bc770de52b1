// Makes the ranges of weights equal from channel to channel across layers, so that 8 bits fit all of them.
import { num } from '../../base/option.js';
import { applyEqualization, weightEqualization } from '../channel-equalization.js';
import { channelLinks, LINK_DECLINES } from '../channel-links.js';
import { defineGlobalPass } from '../pass.js';

export const equalizeChannels = defineGlobalPass({
  name: 'equalize-channels',
  category: 'quantize',
  exactness: 'rounding',
  needs: [],
  summary: 'Equalize the ranges of channels across layers (cross-layer equalization)',
  details: `Between two layers \`W1\` and \`W2\` stand only nodes with \`f(s x) = s f(x)\` for positive \`s\` (Relu, LeakyRelu, PRelu, pools,
resizing, views, additions of constants, which are divided too). Then channel \`c\` may be divided by \`s\` and its columns multiplied
by it: \`W1[c]/s\`, \`b1[c]/s\`, \`W2[:, c] s\`. With \`s = sqrt(r1/r2)\` both largest weights become \`sqrt(r1 r2)\`. A depthwise layer in
between is part of the same chain: all ranges of a channel become their geometric mean, which for one depthwise layer is the
cube-root rule. Chains that share a layer are swept until nothing changes. Conv, ConvTranspose, Gemm and MatMul take part.

A Clip with an upper bound (Relu6) stops it, because without data it is not known whether the bound is reached (static
quantization equalizes activations by data, clips included). Channels whose
ranges differ by more than \`max-ratio\`, as those of dead filters do, stay as they are.

Source: Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction (2019), section 4.1.`,
  options: {
    'max-ratio': num({
      default: 1e6,
      min: 1,
      help: 'Leave channels alone whose ranges differ by more than this factor',
    }),
  },
  declines: { ...LINK_DECLINES, 'out-of-range': 'The scaled weights do not fit the element type.' },
  stats: { links: 'pairs of layers whose channels were equalized' },
  run(model, ctx) {
    const links = channelLinks(model, ctx.facts, (node, refusal) =>
      ctx.decline(node, refusal.refused, refusal.details),
    ).filter(({ producer }) => producer.weights.dtype === 'float32' && ctx.permit(producer.node));
    const factors = weightEqualization(links, ctx.options['max-ratio']);
    const { changed, failed } = applyEqualization(factors, ctx.facts);
    for (const { producer } of failed) ctx.decline(producer.node, 'out-of-range');
    ctx.count('links', changed.length);
  },
});
