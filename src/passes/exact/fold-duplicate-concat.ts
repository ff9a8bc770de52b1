// A Concat that holds a value twice, in front of a convolution: the columns of the weights add up.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount, type Tensor } from '../../tensor/tensor.js';
import { graphOf, removeNode, setConstantInput } from '../edit.js';
import { foldedTensor } from '../folded-tensor.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';
import { isShared, tensorLayerOf, type TensorLayer } from '../tensor-layer.js';

type Code = 'shared-output' | 'shared-weights' | 'grouped' | 'weights-not-constant' | 'channels' | 'out-of-range';

interface FoldPlan {
  readonly conv: Node;
  readonly distinct: readonly Value[];
  readonly weights: Tensor;
}

export const foldDuplicateConcat = defineLocalPass({
  name: 'fold-duplicate-concat',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Drop repeated values of a Concat in front of a convolution',
  details: `A convolution of \`Concat(x, z, x)\` along the channels multiplies \`x\` by two blocks of columns of its weights, which add:
\`W_1 x + W_2 z + W_3 x = (W_1 + W_3) x + W_2 z\`. The Concat then holds each value once, and goes when one is left.`,
  options: {},
  declines: {
    'shared-output': 'The concatenated data is also read by others, or is an output of the graph.',
    'shared-weights': 'The weights are shared with other nodes.',
    grouped: 'The convolution has groups.',
    'weights-not-constant': 'The weights of the convolution are not constant.',
    channels: 'The numbers of channels of the values are not known.',
    'out-of-range': 'A sum of weights does not fit the element type.',
  },
  stats: { dropped: 'repeated values dropped from a Concat' },
  roots: ['Concat'],
  rewrite(node, ctx) {
    const plan = planFold(node, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    const graph = graphOf(node);
    const [only] = plan.distinct;
    const joined =
      plan.distinct.length === 1
        ? only
        : graph.addNode(
            {
              opType: 'Concat',
              name: node.name,
              inputs: plan.distinct,
              attributes: node.attributes,
              outputs: [`${node.output?.name ?? 'concat'}_distinct`],
            },
            node,
          ).output;
    ctx.count('dropped', node.inputs.length - plan.distinct.length);
    graph.setInput(plan.conv, 0, joined);
    setConstantInput(plan.conv, 1, plan.weights);
    removeNode(node);
    return true;
  },
});

function planFold(node: Node, facts: Facts): Planned<FoldPlan, Code> {
  const values = node.inputs.filter((value): value is Value => value !== undefined);
  const distinct = [...new Set(values)];
  const conv = node.output?.consumers().find((consumer) => consumer.is('Conv') && consumer.inputs[0] === node.output);
  if (!node.is('Concat') || distinct.length === values.length || !conv || conv.graph !== node.graph) return undefined;
  if (!joinsChannels(node, conv)) return undefined;
  if (node.output?.soleConsumer !== conv) return refuse('shared-output');
  const layer = tensorLayerOf(conv, facts);
  if (!layer || (isRefusal(layer) && layer.refused !== 'weights-not-constant')) return undefined;
  if (isRefusal(layer)) return refuse('weights-not-constant');
  if (layer.layout.groups !== 1) return refuse('grouped');
  if (isShared(layer.weight)) return refuse('shared-weights');
  const channels = values.map((value) => facts.of(value).shape?.[1]);
  const known = channels.filter((count): count is number => typeof count === 'number');
  if (known.length < channels.length) return refuse('channels');
  if (known.reduce((sum, count) => sum + count, 0) !== layer.layout.inputs) return undefined;
  const weights = addedColumns(layer, targets(values, known));
  return weights ? { conv, distinct, weights } : refuse('out-of-range');
}

/** Whether the Concat joins its values along the channels that `conv` reads. */
function joinsChannels(node: Node, conv: Node): boolean {
  const axis = node.int('axis', 0);
  return axis === 1 || (axis < 0 && axis + (conv.inputs[1]?.constant?.dims.length ?? 0) === 1);
}

/** For each input channel of the old weights the one of the new weights it is added to. */
function targets(values: readonly Value[], channels: readonly number[]): number[] {
  const starts = new Map<Value, number>();
  let next = 0;
  return values.flatMap((value, i) => {
    const count = channels[i] ?? 0;
    const start = starts.get(value) ?? next;
    if (!starts.has(value)) next += count;
    starts.set(value, start);
    return Array.from({ length: count }, (_, c) => start + c);
  });
}

function addedColumns({ weights, layout }: TensorLayer, to: readonly number[]): Tensor | undefined {
  const [outputs = 0, , ...kernel] = weights.dims;
  const taps = elementCount(kernel);
  const inputs = Math.max(...to) + 1;
  return foldedTensor(weights.dtype, [outputs, inputs, ...kernel], [weights], () => {
    const before = weights.toFloat64();
    const after = new Float64Array(outputs * inputs * taps);
    for (let o = 0; o < outputs; o++) {
      for (const [i, target] of to.entries()) {
        for (let k = 0; k < taps; k++) {
          const at = (o * inputs + target) * taps + k;
          after[at] = (after[at] ?? 0) + (before[(o * layout.inputs + i) * taps + k] ?? 0);
        }
      }
    }
    return after;
  });
}
