// Composes neighbouring affine nodes: s2 (s1 x + t1) + t2 = (s2 s1) x + (s2 t1 + t2).
import { sameDim, type Dim } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { AFFINE_OPS } from '../channel-affine.js';
import { graphOf, removeNode, replaceNode } from '../edit.js';
import { foldedTensor, unitRoundoff } from '../folded-tensor.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';
import { fusedPattern } from '../runtime-fusion.js';
import {
  allAre,
  composed,
  covers,
  operandBytes,
  wideAffineOf,
  type WideAffine,
  type WideNumbers,
} from '../wide-affine.js';
import type { Facts } from '../../analysis/facts.js';

type Code = 'shared-output' | 'grows' | 'out-of-range' | 'cancellation' | 'fused-by-runtime';

interface Replacement {
  readonly opType: string;
  /** New ones, and values that stay. */
  readonly constants: readonly (Tensor | Value)[];
  /** The constant stands in front of the data. */
  readonly flipped?: boolean;
}

interface MergePlan {
  /** The nodes that go, first to last; the last replacements take the place of the last of them. */
  readonly chain: readonly WideAffine[];
  readonly replacements: readonly Replacement[];
}

/** Part of its size that a shift may lose when two nearly cancel, before that counts as a change of the result. */
const LOST_BY_CANCELLING = 2 ** -9;

export const mergeAffine = defineLocalPass({
  name: 'merge-affine',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Merge chains of Mul, Add, Sub, Div by constants, Neg and BatchNormalization',
  details: `Two affine maps in a row are one: \`s2 (s1 x + t1) + t2 = (s2 s1) x + (s2 t1 + t2)\`. Two nodes become one where the result is a
scale, a shift, \`t - x\`, or the BatchNormalization that was one of them; three become a Mul and an Add. A BatchNormalization keeps
its mean and variance and takes the rest into its scale and bias.

The numbers of the merged constant may not take more bytes than those they replace (\`[C, 1, 1]\` times \`[1, H, W]\` does). Shifts
that nearly cancel are left alone when they are so large that they round what is added to them: that is a way to round.
The scale that ends a LayerNormalization or Gelu in pieces stays what ONNX Runtime looks for when it fuses them.`,
  options: {},
  declines: {
    'shared-output': 'The value between the two is also read by others, or is an output of the graph.',
    grows: 'The merged constant would take {bytes} bytes instead of {before}.',
    'out-of-range': 'A merged number does not fit the element type.',
    cancellation: 'The shifts nearly cancel and are so large that they round what they are added to.',
    'fused-by-runtime': 'The first ends a {pattern} in pieces, which the runtime only finds with it.',
  },
  stats: { merged: 'affine nodes merged into their neighbours' },
  roots: AFFINE_OPS,
  rewrite(node, ctx) {
    const plan = planMerge(node, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    apply(node, plan);
    ctx.count('merged', plan.chain.length - plan.replacements.length);
    return true;
  },
});

function planMerge(node: Node, facts: Facts): Planned<MergePlan, Code> {
  const last = wideAffineOf(node, facts);
  const middle = last && predecessor(last, facts);
  if (last === undefined || middle === undefined) return undefined;
  const pair = mergeable([middle, last], facts);
  if (last.affine.data.soleConsumer !== node) return pair && !isRefusal(pair) ? refuse('shared-output') : undefined;
  if (pair) return pair;
  const first = middle.affine.data.soleConsumer === middle.affine.node ? predecessor(middle, facts) : undefined;
  return first && mergeable([first, middle, last], facts);
}

function predecessor(of: WideAffine, facts: Facts): WideAffine | undefined {
  const { producer } = of.affine.data;
  const found = producer?.graph === of.affine.node.graph && producer ? wideAffineOf(producer, facts) : undefined;
  return found?.dtype === of.dtype ? found : undefined;
}

function mergeable(chain: readonly WideAffine[], facts: Facts): Planned<MergePlan, Code> {
  const [first, ...rest] = chain;
  if (first === undefined) return undefined;
  let map: Pick<WideAffine, 'scale' | 'shift'> = first;
  let cancels = false;
  for (const next of rest) {
    const merged = composed(map, next);
    if (merged === undefined) return undefined;
    cancels ||= cancelling(map.shift, next, merged.shift, first);
    map = merged;
  }
  const replacements = replacementsFor(chain, map, facts);
  if (replacements === undefined) return undefined;
  const pattern = fusedPattern(first.affine.node);
  if (
    pattern === 'Gelu' ||
    (pattern && replacements !== 'out-of-range' && replacements[0]?.opType !== first.affine.node.opType)
  )
    return refuse('fused-by-runtime', { pattern });
  if (cancels) return refuse('cancellation');
  if (replacements === 'out-of-range') return refuse('out-of-range');
  const bytes = replacements
    .flatMap(({ constants }) => constants)
    .reduce((sum, constant) => sum + (constant instanceof Tensor ? constant.byteLength : 0), 0);
  const before = operandBytes(chain);
  return bytes > before + 64 ? refuse('grows', { bytes, before }) : { chain, replacements };
}

/** Large shifts of opposite sign, whose sum is small beside them. */
function cancelling(before: WideNumbers, next: WideAffine, after: WideNumbers, { dtype }: WideAffine): boolean {
  const largest = (numbers: Float64Array): number => numbers.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const scale = largest(next.scale.numbers);
  const part = Math.max(scale * largest(before.numbers), largest(next.shift.numbers));
  return part * unitRoundoff(dtype) > LOST_BY_CANCELLING && largest(after.numbers) < part / 8;
}

/** Fewer nodes for the map than `chain` has, or undefined when there are none. */
function replacementsFor(
  chain: readonly WideAffine[],
  { scale, shift }: Pick<WideAffine, 'scale' | 'shift'>,
  facts: Facts,
): Replacement[] | 'out-of-range' | undefined {
  const dtype = chain[0]?.dtype ?? 'float32';
  const tensor = (wide: WideNumbers): Tensor | undefined => foldedTensor(dtype, wide.dims, [], () => wide.numbers);
  const norm = chain.find(({ affine }) => affine.node.opType === 'BatchNormalization');
  if (norm) return chain.length === 2 && keepsChannels(chain, facts) ? batchNormFor(norm, scale, shift) : undefined;
  const forms =
    oneNode(scale, shift) ??
    (chain.length > 2
      ? [
          { opType: 'Mul', wide: scale },
          { opType: 'Add', wide: shift },
        ]
      : undefined);
  if (forms === undefined) return undefined;
  const replacements = forms.map(({ opType, wide, ...rest }) => ({ opType, constant: tensor(wide), ...rest }));
  const fitting = replacements.flatMap(({ constant, ...rest }) =>
    constant ? [{ ...rest, constants: [constant] }] : [],
  );
  return fitting.length === replacements.length ? fitting : 'out-of-range';
}

interface Form {
  readonly opType: string;
  readonly wide: WideNumbers;
  readonly flipped?: boolean;
}

function oneNode(scale: WideNumbers, shift: WideNumbers): Form[] | undefined {
  if (allAre(shift, 0) && covers(scale, shift)) return [{ opType: 'Mul', wide: scale }];
  if (allAre(scale, 1) && covers(shift, scale)) return [{ opType: 'Add', wide: shift }];
  if (allAre(scale, -1) && covers(shift, scale)) return [{ opType: 'Sub', wide: shift, flipped: true }];
  return undefined;
}

/** What enters the chain has the channels of the BatchNormalization in it: a constant may have made them from one. */
function keepsChannels([first, second]: readonly WideAffine[], facts: Facts): boolean {
  const channels = (of: WideAffine | undefined): Dim | undefined => of && facts.of(of.affine.data).shape?.[1];
  return sameDim(channels(first), channels(second)) || first?.affine.node.opType === 'BatchNormalization';
}

/** gamma' = s sqrt(var + eps), beta' = t + s mean, with mean and variance as they were. */
function batchNormFor(
  { affine, scale: own }: WideAffine,
  scale: WideNumbers,
  shift: WideNumbers,
): Replacement[] | 'out-of-range' | undefined {
  const [gamma, beta, mean, variance] = affine.constants.map((value) => value.constant);
  const kept = affine.constants.slice(2);
  if (!gamma || !beta || !mean || !variance || !covers(own, scale) || !covers(own, shift)) return undefined;
  const [means, variances] = [mean.toFloat64(), variance.toFloat64()];
  const epsilon = affine.node.float('epsilon', 1e-5);
  const at = ({ numbers }: WideNumbers, i: number): number =>
    (numbers.length === 1 ? numbers[0] : numbers[i]) ?? Number.NaN;
  const scales = variances.map((v, i) => at(scale, i) * Math.sqrt(v + epsilon));
  const shifts = means.map((m, i) => at(shift, i) + at(scale, i) * m);
  const newGamma = foldedTensor(gamma.dtype, gamma.dims, [], () => scales);
  const newBeta = foldedTensor(beta.dtype, beta.dims, [], () => shifts);
  if (!newGamma || !newBeta) return 'out-of-range';
  return [{ opType: 'BatchNormalization', constants: [newGamma, newBeta, ...kept] }];
}

function apply(node: Node, { chain, replacements }: MergePlan): void {
  const graph = graphOf(node);
  const source = chain[0]?.affine.data;
  const norm = chain.find(({ affine }) => affine.node.opType === 'BatchNormalization')?.affine.node;
  let data = source;
  const operands = (constants: Replacement['constants']): Value[] =>
    constants.map((constant, i) => {
      if (!(constant instanceof Tensor)) return constant;
      const suffix = constants.length > 1 ? (['scale', 'bias'][i] ?? i) : 'constant';
      return graph.addInitializer(constant, `${node.output?.name ?? node.opType}_${suffix}`);
    });
  for (const [i, { opType, constants, flipped }] of replacements.entries()) {
    const values = operands(constants);
    const inputs = flipped ? [...values, data] : [data, ...values];
    const attributes = opType === 'BatchNormalization' && norm ? norm.attributes : new Map();
    if (i === replacements.length - 1) replaceNode(node, { opType, inputs, attributes });
    else
      data = graph.addNode(
        { opType, inputs, attributes, outputs: [`${node.output?.name ?? opType}_scaled`] },
        node,
      ).output;
  }
  for (const { affine } of chain.slice(0, -1).toReversed()) removeNode(affine.node);
}
