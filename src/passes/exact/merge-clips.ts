// Relu, Clip, and Max and Min with a constant are clippings to an interval. One after another they are one, and a clipping
// to an interval in which its input lies anyway is nothing.
import { floatAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { bypass, graphOf, removeDead, replaceNode } from '../edit.js';
import { defineLocalPass, type PassContext } from '../pass.js';
import { clippingOf, rangeOf, type Clipping, type Interval } from '../value-range.js';

export const mergeClips = defineLocalPass({
  name: 'merge-clips',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge Relu, Clip, Max and Min with constants that follow one another',
  details: `Clip(a, b), then Clip(c, d) is Clip(clip(a; c, d), clip(b; c, d)), also where the two ranges do not meet. Relu is
Clip(0, inf); Max and Min with a constant are one-sided (operator set 11, since when Clip can be). The result is a Relu where
its bounds are 0 and infinity. A clipping also goes when the range of its input is known to lie within: a Relu after
Sigmoid, Softmax, Abs, Sqrt, Exp, another Relu, or a pool or reshape of these; Clip(0, 1) after HardSigmoid and Softmax (the
runtime's Sigmoid may round to a little more than 1). Equal for all numbers; what NaN becomes
depends on the operator.`,
  options: {},
  declines: {
    shared: 'The clipping before it has other readers, so it would stay.',
    'graph-output': 'It changes nothing, but gives the output of a graph its name.',
  },
  stats: { merged: 'clippings merged', removed: 'clippings that change nothing removed' },
  roots: ['Relu', 'Clip', 'Max', 'Min'],
  rewrite(node, ctx) {
    const outer = clippingOf(node, ctx.facts);
    if (!outer || !node.output) return false;
    const { inputs } = node;
    const range = rangeOf(outer.source, ctx.facts);
    if (range.low >= outer.low && range.high <= outer.high) {
      if (!bypass(node, outer.source)) return ctx.decline(node, 'graph-output');
      ctx.count('removed');
      return true;
    }
    const before = outer.source.producer;
    const inner = before && clippingOf(before, ctx.facts);
    if (!before || !inner) return false;
    if (outer.source.soleConsumer !== node) return ctx.decline(node, 'shared');
    replaceByClip(node, inner.source, composed(inner, outer), ctx);
    removeDead(inputs);
    ctx.count('merged');
    return true;
  },
});

function composed(inner: Clipping, outer: Clipping): Interval {
  const clip = (x: number): number => Math.min(Math.max(x, outer.low), outer.high);
  return { low: clip(inner.low), high: clip(inner.high) };
}

function replaceByClip(node: Node, source: Value, { low, high }: Interval, { facts }: PassContext): void {
  if (low === 0 && high === Infinity) {
    replaceNode(node, { opType: 'Relu', inputs: [source] });
  } else if (facts.site(node).opset < 11) {
    replaceNode(node, { opType: 'Clip', inputs: [source], attributes: { min: floatAttr(low), max: floatAttr(high) } });
  } else {
    const dtype = (node.output && facts.of(node.output).dtype) ?? 'float32';
    const bound = (x: number, name: string): Value | undefined =>
      Number.isFinite(x)
        ? graphOf(node).addInitializer(Tensor.scalar(dtype, x), `${node.output?.name ?? 'clip'}_${name}`)
        : undefined;
    replaceNode(node, { opType: 'Clip', inputs: [source, bound(low, 'min'), bound(high, 'max')] });
  }
}
