// Two matrix products with constant weights in a row are one where that saves work: W2 (W1 x + b1) + b2.
import { num } from '../../base/option.js';
import type { Facts } from '../../analysis/facts.js';
import { floatAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeNode, replaceNode } from '../edit.js';
import { foldedTensor } from '../folded-tensor.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';
import { forEachFilter, tensorLayerOf, type TensorLayer } from '../tensor-layer.js';

type Code = 'shared-output' | 'weights-not-constant' | 'bias-not-constant' | 'dearer' | 'too-large' | 'out-of-range';

interface MergePlan {
  readonly first: TensorLayer;
  readonly weights: Tensor;
  readonly bias: Tensor | undefined;
}

export const mergeGemms = defineLocalPass({
  name: 'merge-gemms',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Merge two matrix products by constants in a row into one where that saves work',
  details: `Without an activation between them, \`W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)\`. The product has M N weights instead of
K (M + N) through a width of K, so the merge pays exactly when M N does not exceed that; a low-rank factorization is left as it is.`,
  options: { 'max-work': num({ default: 1e9, min: 1, help: 'multiplications that multiplying the weights may take' }) },
  declines: {
    'shared-output': 'The value between the two is also read by others, or is an output of the graph.',
    'weights-not-constant': 'The weights of one of the two are not constant.',
    'bias-not-constant': 'The bias of one of the two is no constant with one number per output.',
    dearer: 'One product would have {weights} weights instead of {before}.',
    'too-large': 'Multiplying the weights would take {work} multiplications.',
    'out-of-range': 'A merged weight does not fit the element type.',
  },
  stats: { merged: 'matrix products merged into the next' },
  roots: ['Gemm', 'MatMul'],
  rewrite(node, ctx) {
    const plan = planMerge(node, ctx.facts, ctx.options['max-work']);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    const { first, weights, bias } = plan;
    const graph = graphOf(node);
    const name = node.inputs[1]?.name ?? 'gemm';
    const inputs = [
      first.data,
      graph.addInitializer(weights, name),
      bias && graph.addInitializer(bias, `${name}_bias`),
    ];
    const matmul = bias === undefined && first.op === 'MatMul';
    const transA = first.op === 'Gemm' ? first.node.attribute('transA') : undefined;
    const alpha = first.op === 'Gemm' ? first.node.float('alpha', 1) : 1;
    replaceNode(node, {
      opType: matmul ? 'MatMul' : 'Gemm',
      inputs,
      attributes: matmul ? {} : { transA, alpha: alpha === 1 ? undefined : floatAttr(alpha) },
    });
    removeNode(first.node);
    ctx.count('merged');
    return true;
  },
});

function planMerge(node: Node, facts: Facts, maxWork: number): Planned<MergePlan, Code> {
  const middle = node.inputs[0];
  const producer = middle?.producer;
  if (
    !middle ||
    !producer ||
    !['Gemm', 'MatMul'].includes(producer.opType) ||
    producer.graph !== node.graph ||
    node.int('transA', 0) !== 0
  )
    return undefined;
  const [first, second] = [tensorLayerOf(producer, facts), tensorLayerOf(node, facts)];
  if (!first || !second) return undefined;
  if (isRefusal(first)) return first;
  if (isRefusal(second)) return second;
  if (
    second.data !== middle ||
    first.layout.outputs !== second.layout.inputs ||
    first.weights.dtype !== second.weights.dtype
  )
    return undefined;
  // A product of more than two axes cannot take a bias.
  const hasBias = first.bias ?? second.bias;
  if (hasBias && first.outputAxis.rank !== 2) return undefined;
  if (middle.soleConsumer !== node) return refuse('shared-output');
  const [inputs, width, outputs] = [first.layout.inputs, first.layout.outputs, second.layout.outputs];
  const [weights, before] = [inputs * outputs, width * (inputs + outputs)];
  if (weights > before) return refuse('dearer', { weights, before });
  const work = inputs * width * outputs;
  return work > maxWork ? refuse('too-large', { work }) : multiplied(first, second);
}

function multiplied(first: TensorLayer, second: TensorLayer): Planned<MergePlan, Code> {
  const { dtype } = second.weights;
  const [inputs, outputs] = [first.layout.inputs, second.layout.outputs];
  const scale = second.op === 'Gemm' ? second.node.float('alpha', 1) : 1;
  const weights = foldedTensor(dtype, [inputs, outputs], [first.weights, second.weights], () =>
    product(first, second, scale),
  );
  // Before opset 11 a Gemm had to have a bias.
  const needsBias = first.op === 'Gemm' && graphOf(second.node).model.opset < 11;
  const bias = mergedBias(first, second, scale) ?? (needsBias ? new Float64Array(outputs) : undefined);
  const biasTensor = bias && foldedTensor(dtype, [outputs], [], () => bias);
  return weights && (!bias || biasTensor) ? { first, weights, bias: biasTensor } : refuse('out-of-range');
}

/** [inputs, outputs], row-major: what the two multiply a row by, without the first's alpha. */
function product(first: TensorLayer, second: TensorLayer, scale: number): Float64Array {
  const [w1, w2] = [first.weights.toFloat64(), second.weights.toFloat64()];
  const [inputs, outputs] = [first.layout.inputs, second.layout.outputs];
  const result = new Float64Array(inputs * outputs);
  forEachFilter(second.layout, (output, middle, offset) => {
    const factor = scale * (w2[offset] ?? 0);
    const { stride } = first.layout;
    for (let i = 0; i < inputs; i++) {
      const at = i * outputs + output;
      result[at] = (result[at] ?? 0) + factor * (w1[middle * stride.output + i * stride.input] ?? 0);
    }
  });
  return result;
}

/** W2 b1 + b2 with the betas of both multiplied in. */
function mergedBias(first: TensorLayer, second: TensorLayer, scale: number): Float64Array | undefined {
  const beta = ({ op, node }: TensorLayer): number => (op === 'Gemm' ? node.float('beta', 1) : 1);
  if (!first.bias && !second.bias) return undefined;
  const bias = second.bias ? second.bias.map((b) => b * beta(second)) : new Float64Array(second.layout.outputs);
  const before = first.bias?.map((b) => b * beta(first));
  if (!before) return bias;
  const w2 = second.weights.toFloat64();
  forEachFilter(second.layout, (output, middle, offset) => {
    bias[output] = (bias[output] ?? 0) + scale * (w2[offset] ?? 0) * (before[middle] ?? 0);
  });
  return bias;
}
