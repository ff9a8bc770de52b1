// A channel shuffle next to a dense convolution or matrix product is a permutation of its weights.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { channelShuffle, type ChannelShuffle } from '../channel-shuffle.js';
import { graphOf, removeNode, setConstantInput } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';
import {
  isShared,
  permutedInputs,
  permutedOutputs,
  setLayerWeights,
  tensorLayerOf,
  type LayerWeights,
  type TensorLayer,
} from '../tensor-layer.js';
import type { Tensor } from '../../tensor/tensor.js';

type Code = 'grouped' | 'shared-weights';

interface FoldPlan {
  readonly layer: TensorLayer;
  readonly weights: LayerWeights;
  readonly side: 'behind' | 'before';
  /** Depthwise convolutions that the shuffle passes on its way to the layer behind it, with their weights in the new order. */
  readonly passed: readonly { readonly node: Node; readonly weights: Tensor; readonly bias: Tensor | undefined }[];
}

const MAX_STEPS = 8;

export const foldChannelShuffle = defineLocalPass({
  name: 'fold-channel-shuffle',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fold a channel shuffle into the weights of a dense convolution before or behind it',
  details: `Reshape to \`[N, g, C/g, H, W]\`, Transpose of the two and Reshape back give \`out[c] = in[src(c)]\` with
\`src(c) = (c mod g) (C/g) + floor(c/g)\` (ShuffleNet). A dense convolution behind it takes the permutation into its columns,
\`W'[:, src(c)] = W[:, c]\`, one before it into its rows, \`W'[c] = W[src(c)]\` and \`b'[c] = b[src(c)]\`. On its way to the layer
behind it the shuffle crosses elementwise operators, and depthwise convolutions, whose filters change places. A convolution with
groups cannot take it up, as its groups read fixed channels, so the shuffles of ShuffleNet v1 stay.`,
  options: {},
  declines: {
    grouped: 'The convolution next to it has groups.',
    'shared-weights': 'The weights next to it are shared with other nodes.',
  },
  stats: { folded: 'channel shuffles folded into weights' },
  roots: ['Reshape'],
  rewrite(node, ctx) {
    const shuffle = channelShuffle(node, ctx.facts);
    if (!shuffle) return false;
    const behind = planBehind(shuffle, ctx.facts);
    const plan = behind && !isRefusal(behind) ? behind : (planBefore(shuffle, ctx.facts) ?? behind);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    fold(shuffle, plan);
    ctx.count('folded');
    return true;
  },
});

/** Into the layer before the shuffle. */
function planBefore({ data, nodes, sources }: ChannelShuffle, facts: Facts): Planned<FoldPlan, Code> {
  const producer = data.producer;
  if (!producer || producer.graph !== nodes[0].graph || data.soleConsumer !== nodes[0]) return undefined;
  const layer = tensorLayerOf(producer, facts);
  if (!layer || isRefusal(layer) || layer.op !== 'Conv' || layer.layout.outputs !== sources.length) return undefined;
  if (layer.layout.groups !== 1) return refuse('grouped');
  if (isShared(layer.weight)) return refuse('shared-weights');
  return { layer, weights: permutedOutputs(layer, sources), side: 'before', passed: [] };
}

/** Into the layer behind it, across elementwise operators and depthwise convolutions. */
function planBehind({ nodes, sources }: ChannelShuffle, facts: Facts): Planned<FoldPlan, Code> {
  const passed: FoldPlan['passed'][number][] = [];
  let value: Value | undefined = nodes[2].output;
  for (let step = 0; value !== undefined && step < MAX_STEPS; step++) {
    const next: Node | undefined = value.soleConsumer;
    if (next === undefined || next.graph !== nodes[2].graph || next.inputs[0] !== value) return undefined;
    const layer = next.is('Conv') ? tensorLayerOf(next, facts) : undefined;
    if (layer) {
      if (isRefusal(layer) || layer.layout.inputs !== sources.length) return undefined;
      if (isShared(layer.weight)) return refuse('shared-weights');
      if (layer.layout.groups === 1) return { layer, weights: permutedInputs(layer, sources), side: 'behind', passed };
      if (layer.layout.groups !== sources.length || layer.layout.outputs !== sources.length) return refuse('grouped');
      const back = inverse(sources);
      const { weights, bias } = permutedOutputs(layer, back);
      if (weights) passed.push({ node: next, weights, bias });
    } else if (!isPlain(next, facts)) {
      return undefined;
    }
    value = next.output;
  }
  return undefined;
}

function inverse(sources: readonly number[]): number[] {
  const back = sources.map(() => 0);
  for (const [c, source] of sources.entries()) back[source] = c;
  return back;
}

/** One element in, one out, the same for every channel. */
function isPlain(node: Node, facts: Facts): boolean {
  const uniform = node.inputs.slice(1).every((value) => value === undefined || value.constant?.size === 1);
  return node.domain === '' && uniform && node.outputs.length === 1 && facts.record(node)?.traits.elementwise === true;
}

function fold({ data, nodes }: ChannelShuffle, { layer, weights, side, passed }: FoldPlan): void {
  const [first, transpose, last] = nodes;
  const graph = graphOf(last);
  if (side === 'before') {
    // The layer gives its rows in the new order, under the name that the shuffle gave its result.
    setLayerWeights(layer, weights);
    graph.addNode(
      {
        opType: layer.op,
        name: layer.node.name,
        inputs: layer.node.inputs,
        attributes: layer.node.attributes,
        outputs: [last.output],
      },
      layer.node,
    );
  } else {
    for (const { node, weights: filters, bias } of passed) {
      setConstantInput(node, 1, filters);
      if (bias) setConstantInput(node, 2, bias);
    }
    setLayerWeights(layer, weights);
    const reader = last.output?.soleConsumer;
    if (reader) graph.setInput(reader, 0, data);
  }
  for (const node of side === 'before' ? [last, transpose, first, layer.node] : [last, transpose, first])
    removeNode(node);
}
