// Clip(a x + b, 0, h) / h is HardSigmoid with alpha = a/h, beta = b/h: max(0, min(1, alpha x + beta)).
import type { Facts } from '../../analysis/facts.js';
import { floatAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import { clippedLine } from '../clipped-line.js';
import { removeDead, replaceNode } from '../edit.js';
import { isClose, productOf } from '../expression.js';
import { defineLocalPass } from '../pass.js';
import { PIECES_DECLINES, piecesRefusal, type Pieces } from '../pieces.js';

export const fuseHardSigmoid = defineLocalPass({
  name: 'fuse-hard-sigmoid',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of HardSigmoid',
  details: `\`HardSigmoid(x) = max(0, min(1, alpha x + beta))\`. Exporters write it as \`Clip(x + 3, 0, 6) / 6\`, or as a Clip between 0 and 1 of a
line. Any \`Clip(a x + b, 0, h)\` times \`1/h\` is \`alpha = a/h\`, \`beta = b/h\`. ONNX Runtime takes 0.6 of the time for the single operator,
and runs it inside a convolution before it. Where nothing is scaled behind the Clip and a convolution is before the line, the
line folds into its weights instead: what is left is a Clip, which int8 convolutions take up as well.`,
  options: {},
  declines: {
    ...PIECES_DECLINES,
    'folds-into-conv': 'The line folds into the weights of the convolution before it, which leaves a Clip.',
  },
  stats: { fused: 'HardSigmoid fused from its pieces' },
  roots: ['Clip', 'Min', 'Max', 'Mul', 'Div'],
  rewrite(node, ctx) {
    const found = hardSigmoidOf(node, ctx.facts);
    if (!found) return false;
    const refusal = piecesRefusal(found, node, 'HardSigmoid', ctx.facts);
    if (refusal) return ctx.decline(node, refusal.refused, refusal.details);
    if (!found.isScaled && foldsIntoConv(found)) return ctx.decline(node, 'folds-into-conv');
    const { inputs } = node;
    replaceNode(node, {
      opType: 'HardSigmoid',
      inputs: [found.x],
      attributes: { alpha: floatAttr(Math.fround(found.alpha)), beta: floatAttr(Math.fround(found.beta)) },
    });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});

interface HardSigmoid extends Pieces {
  readonly alpha: number;
  readonly beta: number;
  /** The clipped line is multiplied by a constant. */
  readonly isScaled: boolean;
}

/** The line is all that reads a convolution with constant weights. */
function foldsIntoConv({ x, nodes }: HardSigmoid): boolean {
  const [, weight] = x.producer?.is('Conv') ? x.producer.inputs : [];
  return weight?.constant !== undefined && x.soleConsumer !== undefined && nodes.has(x.soleConsumer);
}

/** A line that is clipped between 0 and 1, by itself or after scaling. The line or the scale must be a node of its own. */
function hardSigmoidOf(node: Node, facts: Facts): HardSigmoid | undefined {
  const scaled = node.opType === 'Mul' || node.opType === 'Div' ? productOf(node) : undefined;
  const [value] = scaled?.factors ?? [];
  const clip = scaled ? value?.producer : node;
  if ((scaled && scaled.factors.length !== 1) || !clip) return undefined;
  const line = clippedLine(clip, facts);
  const scale = scaled?.constant ?? 1;
  if (!line || line.low !== 0 || !isClose(line.high * scale, 1) || !(line.slope > 0)) return undefined;
  // A Clip between 0 and 1 alone is simpler as it is.
  if (!scaled && line.slope === 1 && line.offset === 0) return undefined;
  const inner = scaled ? [...scaled.nodes, clip] : [];
  return {
    x: line.x,
    alpha: line.slope * scale,
    beta: line.offset * scale,
    isScaled: scaled !== undefined,
    nodes: new Set([...line.nodes, ...inner]),
  };
}
