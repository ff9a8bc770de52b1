// A channel shuffle next to a dense convolution or matrix product is a permutation of its weights.
import type { Facts } from '../../analysis/facts.js';
import { canReplace } from '../../ir/graph.js';
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

interface Passed {
  readonly node: Node;
  readonly weights: Tensor;
  readonly bias: Tensor | undefined;
}

interface FoldPlan {
  readonly layer: TensorLayer;
  readonly weights: LayerWeights;
  readonly side: 'behind' | 'before';
  /** Depthwise convolutions that the shuffle crosses on its way to the layer, with their weights in the new order. */
  readonly passed: readonly Passed[];
  /** Values on the way, which hold their channels in another order afterwards. */
  readonly crossed: readonly Value[];
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
\`W'[:, src(c)] = W[:, c]\`, one before it into its rows, \`W'[c] = W[src(c)]\` and \`b'[c] = b[src(c)]\`. On its way the shuffle
crosses elementwise operators, and depthwise convolutions, whose filters change places. A convolution with groups cannot take it
up, as its groups read fixed channels, so the shuffles of ShuffleNet v1 stay.`,
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

/** Into the layer before the shuffle, across what stands between. */
function planBefore({ data, nodes, sources }: ChannelShuffle, facts: Facts): Planned<FoldPlan, Code> {
  const { output } = nodes[2];
  if (output === undefined || !canReplace(output, data)) return undefined;
  const passed: Passed[] = [];
  const crossed: Value[] = [];
  let [value, reader]: [Value | undefined, Node] = [data, nodes[0]];
  for (let step = 0; value !== undefined && step < MAX_STEPS; step++) {
    const node: Node | undefined = value.producer;
    if (!node || node.graph !== reader.graph || value.soleConsumer !== reader) return undefined;
    const found = passOrFold(node, sources, sources, 'before', facts);
    if (!found || isRefusal(found)) return found;
    if ('layer' in found) return { ...found, side: 'before', passed, crossed };
    if (found.passed) passed.push(found.passed);
    [value, reader] = [node.inputs[0], node];
    if (value) crossed.push(value);
  }
  return undefined;
}

/** Into the layer behind it, across what stands between. */
function planBehind({ nodes, sources }: ChannelShuffle, facts: Facts): Planned<FoldPlan, Code> {
  const back = inverse(sources);
  const passed: Passed[] = [];
  const crossed: Value[] = [];
  let value: Value | undefined = nodes[2].output;
  for (let step = 0; value !== undefined && step < MAX_STEPS; step++) {
    const node: Node | undefined = value.soleConsumer;
    if (!node || node.graph !== nodes[2].graph || node.inputs[0] !== value) return undefined;
    const found = passOrFold(node, sources, back, 'behind', facts);
    if (!found || isRefusal(found)) return found;
    if ('layer' in found) return { ...found, side: 'behind', passed, crossed };
    if (found.passed) passed.push(found.passed);
    value = node.output;
    if (value) crossed.push(value);
  }
  return undefined;
}

type Step = { readonly layer: TensorLayer; readonly weights: LayerWeights } | { readonly passed: Passed | undefined };

/**
 * What the shuffle by `sources` does at `node`: it ends in its weights, or crosses it, where the filters of a depthwise
 * convolution then stand in the order `crossing`.
 */
function passOrFold(
  node: Node,
  sources: readonly number[],
  crossing: readonly number[],
  side: FoldPlan['side'],
  facts: Facts,
): Planned<Step, Code> {
  if (!node.is('Conv')) return isPlain(node, facts) ? { passed: undefined } : undefined;
  const layer = tensorLayerOf(node, facts);
  if (!layer || isRefusal(layer)) return undefined;
  const { groups, inputs, outputs } = layer.layout;
  if ((side === 'before' ? outputs : inputs) !== sources.length) return undefined;
  const isDepthwise = groups === inputs && groups === outputs;
  if (groups !== 1 && !isDepthwise) return refuse('grouped');
  if (isShared(layer.weight)) return refuse('shared-weights');
  if (groups === 1)
    return { layer, weights: side === 'before' ? permutedOutputs(layer, sources) : permutedInputs(layer, sources) };
  const { weights, bias } = permutedOutputs(layer, crossing);
  return weights && { passed: { node, weights, bias } };
}

function inverse(sources: readonly number[]): number[] {
  const back = sources.map(() => 0);
  for (const [c, source] of sources.entries()) back[source] = c;
  return back;
}

/** One element in, one out, the same for every channel. */
function isPlain(node: Node, facts: Facts): boolean {
  const uniform = node.inputs.slice(1).every((value) => value === undefined || value.constant?.size === 1);
  const traits = node.domain === '' && node.outputs.length === 1 ? facts.record(node)?.traits : undefined;
  return uniform && traits?.elementwise === true && traits.deterministic !== false;
}

function fold({ data, nodes }: ChannelShuffle, { layer, weights, side, passed, crossed }: FoldPlan): void {
  const [first, transpose, last] = nodes;
  const graph = graphOf(last);
  for (const { node, weights: filters, bias } of passed) {
    setConstantInput(node, 1, filters);
    if (bias) setConstantInput(node, 2, bias);
  }
  setLayerWeights(layer, weights);
  const { output } = last;
  const reader = output?.soleConsumer;
  if (output && side === 'before') graph.replaceUses(output, data);
  else if (reader) graph.setInput(reader, 0, data);
  for (const node of [last, transpose, first]) removeNode(node);
  // A name stands for the same numbers before and after, or goes: models are compared value by value.
  if (output && side === 'before' && !data.isGraphOutput) graph.rename(data, output.name);
  for (const value of crossed) graph.rename(value, graph.model.uniqueName(`${value.name}_unshuffled`));
}
