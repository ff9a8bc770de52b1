// Two convolutions in a row are one, where nothing stands between them and the second reads no padding.
import { num } from '../../base/option.js';
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount } from '../../tensor/tensor.js';
import {
  blockedMacsPerPosition,
  compose,
  composedGeometry,
  compositionWork,
  convMapOf,
  convTensors,
  macsPerPosition,
  replaceWithConv,
  type ConvMap,
  type ConvTensors,
} from '../conv-map.js';
import { removeNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';

type Code =
  | 'shared-output'
  | 'weights-not-constant'
  | 'bias-not-constant'
  | 'padded'
  | 'padded-bias'
  | 'dearer'
  | 'blocks'
  | 'too-large'
  | 'out-of-range';

interface MergePlan {
  readonly first: Node;
  readonly data: Value;
  readonly map: ConvMap;
  readonly tensors: ConvTensors;
}

export const mergeConvs = defineLocalPass({
  name: 'merge-convs',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Merge two convolutions in a row into one where that saves work',
  details: `Without an activation between them, a convolution after another is one with kernel
\`W[o, i, s1 d2 a2 + d1 a1] = sum_c W2[o, c, a2] W1[c, i, a1]\`, stride \`s1 s2\`, padding \`p1 + s1 p2\` and bias \`b2 + sum W2 b1\`.
This is exact for every kernel, stride, dilation and group when the second pads nothing (the output size follows from
floor(floor(a/b)/c) = floor(a/(bc))), and when it does pad, if the first has a point kernel along that axis and no bias: then
padding zeros in the middle is padding zeros in front. Groups compose to their greatest common divisor.

A merged kernel is larger, so most pairs would cost more: 3x3 after 3x3 at equal width takes 25 instead of 18 multiplications.
Only pairs are merged whose multiply-accumulates and weights do not grow, also when output channels are counted in whole blocks of 16, as
the runtime computes them: a depthwise 3x3 and a point convolution to one channel are 3.5 times as fast as the 3x3 that they make.`,
  options: { 'max-work': num({ default: 1e9, min: 1, help: 'multiplications that composing two kernels may take' }) },
  declines: {
    'shared-output': 'The value between the two is also read by others, or is an output of the graph.',
    'weights-not-constant': 'The weights of one of the two are not constant.',
    'bias-not-constant': 'The bias of one of the two is not constant.',
    padded: 'The second pads a result of the first that is not zero there.',
    'padded-bias': 'The second pads with zeros where the bias of the first would stand.',
    dearer:
      'One convolution would take {macs} multiply-accumulates and {weights} weights instead of {macsBefore} and {weightsBefore}.',
    blocks:
      'The runtime computes output channels in blocks of 16: one convolution would take it {macs} multiply-accumulates instead of {macsBefore}.',
    'too-large': 'Multiplying the kernels would take {work} multiplications.',
    'out-of-range': 'A merged weight does not fit the element type.',
  },
  stats: { merged: 'convolutions merged into the next' },
  roots: ['Conv'],
  rewrite(node, ctx) {
    const plan = planMerge(node, ctx.facts, ctx.options['max-work']);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    replaceWithConv(node, plan.data, plan.map, plan.tensors, node.inputs[1]?.name ?? 'conv');
    removeNode(plan.first);
    ctx.count('merged');
    return true;
  },
});

function planMerge(node: Node, facts: Facts, maxWork: number): Planned<MergePlan, Code> {
  const middle = node.inputs[0];
  const producer = middle?.producer;
  const data = producer?.inputs[0];
  if (!middle || !producer?.is('Conv') || !data || !node.is('Conv') || producer.graph !== node.graph) return undefined;
  const [first, second] = [convMapOf(producer, facts), convMapOf(node, facts)];
  if (!first || !second) return undefined;
  if (isRefusal(first)) return first;
  if (isRefusal(second)) return second;
  if (first.outputs !== second.inputs || first.dtype !== second.dtype) return undefined;
  const refusal = paddingRefusal(first, second) ?? costRefusal(first, second, middle, node, facts);
  const work = compositionWork(first, second);
  if (refusal) return refusal;
  if (middle.soleConsumer !== node) return refuse('shared-output');
  if (work > maxWork) return refuse('too-large', { work });
  const map = compose(first, second);
  const tensors = convTensors(map);
  return isRefusal(tensors) ? tensors : { first: producer, data, map, tensors };
}

function paddingRefusal(
  first: ConvMap,
  second: ConvMap,
): ReturnType<typeof refuse<'padded' | 'padded-bias'>> | undefined {
  const padded = second.kernel.map((_, i) => (second.begins[i] ?? 0) > 0 || (second.ends[i] ?? 0) > 0);
  if (!padded.includes(true)) return undefined;
  if (first.kernel.some((k, i) => padded[i] && k > 1)) return refuse('padded');
  return first.bias?.some((b) => b !== 0) ? refuse('padded-bias') : undefined;
}

function costRefusal(
  first: ConvMap,
  second: ConvMap,
  middle: Value,
  node: Node,
  facts: Facts,
): ReturnType<typeof refuse<'dearer' | 'blocks'>> | undefined {
  const [between, result] = [facts.assumed(middle), node.output && facts.assumed(node.output)];
  const merged = { ...composedGeometry(first, second), outputs: second.outputs, inputs: first.inputs };
  const positions = (shape: readonly number[] | undefined): number => elementCount(shape?.slice(2) ?? []);
  const cost = (per: typeof macsPerPosition): readonly [number, number] => [
    per(merged) * positions(result),
    per(first) * positions(between) + per(second) * positions(result),
  ];
  const [weights, weightsBefore] = [macsPerPosition(merged), macsPerPosition(first) + macsPerPosition(second)];
  const [macs, macsBefore] = cost(macsPerPosition);
  const [blocked, blockedBefore] = cost(blockedMacsPerPosition);
  if (!between || !result || macs > macsBefore || weights > weightsBefore)
    return refuse('dearer', { macs, macsBefore, weights, weightsBefore });
  return blocked > blockedBefore ? refuse('blocks', { macs: blocked, macsBefore: blockedBefore }) : undefined;
}
