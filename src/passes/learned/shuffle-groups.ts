// Shuffled groups (ShuffleNet, Zhang et al. 2018, as a transform): a dense convolution becomes one in groups, with the channels in the order
// in which the weights between groups weigh least. The order goes into the weights of the layers around it, or a Gather makes it.
import type { Facts } from '../../analysis/facts.js';
import { createFacts } from '../../analysis/inference.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import { graphOf } from '../edit.js';
import { isRefusal, refuse, type Planned } from '../plan.js';
import { isShared, tensorLayerOf, type LayerRefusal, type TensorLayer } from '../tensor-layer.js';
import type { BlockChange, BlockDecline, BlockProposal, BlockRule, FoundBlocks } from './block-rule.js';
import {
  expectedTime,
  gatheredSides,
  gatherPoint,
  groupLayer,
  planGroups,
  sidesOf,
  type LayerSides,
} from './shuffle-layer.js';
import { openGroups } from './shuffle-order.js';

interface ShuffleForm {
  readonly groups: number;
  readonly order: 'folded' | 'gathered';
}

const FORMS = new Map<string, ShuffleForm>(
  // Eight groups keep a fifth of the weights of wide layers, and are seldom faster than four.
  [2, 4].flatMap((groups) => [
    [`folded-${groups}`, { groups, order: 'folded' }] as const,
    [`gathered-${groups}`, { groups, order: 'gathered' }] as const,
  ]),
);

const ABOUT = {
  folded: 'groups, in the best order that the layers around can take',
  gathered: 'groups, in the best order of all, with a Gather where the layers around cannot take it',
};

export type ShuffleRefusal =
  LayerRefusal | 'not-float32' | 'shared-weights' | 'uneven' | 'no-gain' | 'fixed-order' | 'graph-output';

export const SHUFFLE_GROUPS: BlockRule<ShuffleRefusal> = {
  name: 'shuffle-groups',
  summary: 'a dense convolution becomes one in groups, with its channels in the order that loses least',
  forms: Object.fromEntries([...FORMS].map(([name, { groups, order }]) => [name, `${groups} ${ABOUT[order]}`])),
  declines: {
    'weights-not-constant': 'its weights are computed, or the caller can change them',
    'bias-not-constant': 'its bias is computed, or the caller can change it',
    'not-float32': 'its weights are not float32',
    'shared-weights': 'other nodes read its weights too',
    uneven: 'inputs and outputs are not divisible by the groups, or a group would have fewer than four of either',
    'no-gain': 'groups would not be faster: what they save, moving channels between blocks takes',
    'fixed-order': 'no channels on either side can change places without a Gather',
    'graph-output':
      'the graph returns what comes out, or a subgraph reads it, and a Gather behind it would be no part of it',
  },
  find: found,
};

function found(graph: Graph, facts: Facts): FoundBlocks<ShuffleRefusal> {
  const proposals: BlockProposal[] = [];
  const declined: BlockDecline<ShuffleRefusal>[] = [];
  const open = openGroups(graph, facts);
  for (const node of graph.nodes()) {
    const layer = denseConv(node, facts);
    if (!layer) continue;
    if (isRefusal(layer)) {
      declined.push({ block: node, form: undefined, code: layer.refused });
      continue;
    }
    const sides = sidesOf(layer, open);
    for (const [name, form] of FORMS) {
      const planned = chosenSides(layer, sides, form, facts);
      if (!planned) continue;
      if (isRefusal(planned)) declined.push({ block: node, form: name, code: planned.refused });
      else proposals.push({ form: name, block: node, nodes: [node], apply: () => applied(node, form) });
    }
  }
  return { proposals, declined };
}

function denseConv(node: Node, facts: Facts): Planned<TensorLayer, ShuffleRefusal> {
  if (!node.is('Conv') || node.int('group', 1) !== 1) return undefined;
  const layer = tensorLayerOf(node, facts);
  if (!layer || isRefusal(layer)) return layer;
  if (layer.weights.dtype !== 'float32') return refuse('not-float32');
  return isShared(layer.weight) ? refuse('shared-weights') : layer;
}

const FEWEST = 4;

/** Where the order is put; undefined where another form does the same. */
function chosenSides(
  layer: TensorLayer,
  sides: LayerSides,
  { groups, order }: ShuffleForm,
  facts: Facts,
): Planned<LayerSides, ShuffleRefusal> {
  const isEven = (size: number): boolean => size % groups === 0 && size >= FEWEST * groups;
  if (!isEven(layer.layout.inputs) || !isEven(layer.layout.outputs))
    return order === 'folded' ? refuse('uneven') : undefined;
  const { inputs, outputs } = sides;
  const freedoms = [inputs.freedom, outputs.freedom];
  if (order === 'gathered' && freedoms.every((freedom) => freedom === 'free')) return undefined;
  if (order === 'folded' && freedoms.every((freedom) => freedom === 'fixed')) return refuse('fixed-order');
  const chosen = order === 'gathered' ? gatheredSides(sides) : sides;
  if (chosen.outputs.gathered && !gatherPoint(layer.output, facts)) return refuse('graph-output');
  return expectedTime(layer, groups, order) > MOST_TIME ? refuse('no-gain') : chosen;
}

/** Of what the dense layer takes. */
const MOST_TIME = 0.9;

/** Looks at the graph anew: what other proposals did to the order of channels meanwhile does no harm. */
function applied(node: Node, form: ShuffleForm): BlockChange {
  const graph = graphOf(node);
  const facts = createFacts(graph.model);
  const layer = denseConv(node, facts);
  if (!layer || isRefusal(layer)) throw new TypeError(`${node.label} is no dense convolution any more`);
  const sides = sidesOf(layer, openGroups(graph, facts));
  const chosen = form.order === 'gathered' ? gatheredSides(sides) : sides;
  return groupLayer(planGroups(layer, chosen, { groups: form.groups }), facts);
}
