// Convolutions of one value with equal windows become one: their filters stack.
import type { Facts } from '../../analysis/facts.js';
import { intAttr, intsAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { jointWindow } from '../conv-branches.js';
import { graphOf, removeNode } from '../edit.js';
import {
  convsFrom,
  parallelConv,
  sameWindow,
  stackedFilters,
  stacks,
  type ParallelConv,
  type StackRefusal,
} from '../parallel-convs.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';

type Code = StackRefusal | 'strides-differ' | 'kernels-differ' | 'activations-differ' | 'dearer' | 'out-of-range';

interface StackPlan {
  readonly convs: readonly ParallelConv[];
  readonly weights: Tensor;
  readonly bias: Tensor | undefined;
  /** The Concat that reads them next to each other; without one a Split takes the result apart. */
  readonly concat: Node | undefined;
}

/** Output channels that the runtime's convolutions compute together (AVX-512, float). */
const BLOCK = 16;
/** Stacking for a Split pays up to this width, and when at least a third of the blocks goes (measured: bench/branches.mjs). */
const MAX_SPLIT_WIDTH = 32;
const MAX_BLOCKS_LEFT = 2 / 3;

export const mergeParallelConvs = defineLocalPass({
  name: 'merge-parallel-convs',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Stack convolutions of one value with equal kernels into one',
  details: `Convolutions that read the same value with equal kernel, strides, dilations and padding are one convolution with the filters
stacked; activations behind them stay when all have the same one. Where a Concat along the channels reads the results next to
each other and in order, nothing else is needed. Elsewhere a Split takes the result apart and costs a copy: that pays only for
narrow convolutions. The runtime computes output channels in blocks of 16 (with AVX-512), so three convolutions of 8 channels fill
three blocks and one of 24 fills two. Wide ones ran 1 to 10 % slower with a Split, and are declined.

Convolutions with different kernels would have to be padded to the larger one, a 1x1 to a 3x3 at nine times its work.`,
  options: {},
  declines: {
    grouped: 'A convolution of this value has groups, whose outputs could not stay next to each other.',
    'shared-weights': 'The weights of a convolution of this value are shared with other nodes, which would keep them.',
    'weights-not-constant': 'The weights of a convolution of this value are not constant.',
    'bias-not-constant': 'The bias of a convolution of this value is not constant.',
    'strides-differ': 'The convolutions of this value have different strides.',
    'kernels-differ': `The convolutions of this value have different kernels, dilations or padding. In one window that holds all, they
would take {macs} multiply-accumulates per position instead of {macsBefore}.`,
    'activations-differ': 'The convolutions of this value are followed by different activations.',
    dearer: `Nothing reads the {width} channels next to each other. A Split of them costs a copy, which is more than is saved by
computing {left} blocks of channels in place of {blocks}.`,
    'out-of-range': 'A weight does not fit the element type.',
  },
  stats: { stacked: 'convolutions stacked into a neighbour' },
  roots: ['Conv'],
  rewrite(node, ctx) {
    const plan = planStacks(node, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    stack(plan);
    ctx.count('stacked', plan.convs.length - 1);
    return true;
  },
});

/** Tried at the first of the convolutions, for all of them. */
function planStacks(node: Node, facts: Facts): Planned<StackPlan, Code> {
  const data = node.inputs[0];
  if (!node.is('Conv') || data === undefined || data.slots.size < 2) return undefined;
  const nodes = convsFrom(node, data);
  if (nodes.length < 2) return undefined;
  const convs: ParallelConv[] = [];
  let refusal: Planned<StackPlan, Code>;
  for (const conv of nodes.map((other) => parallelConv(other, facts))) {
    if (conv && isRefusal(conv)) refusal ??= conv;
    else if (conv) convs.push(conv);
  }
  const groups = groupsOf(convs);
  for (const group of groups.filter(({ length }) => length > 1)) {
    const plan = planStack(group);
    if (plan && !isRefusal(plan)) return plan;
    refusal = plan;
  }
  return refusal ?? (groups.length > 1 ? apartBecause(convs) : undefined);
}

/** Convolutions that stack, in the order they run. */
function groupsOf(convs: readonly ParallelConv[]): ParallelConv[][] {
  const groups: ParallelConv[][] = [];
  for (const conv of convs) {
    const group = groups.find(([first]) => first && stacks(first, conv));
    if (group) group.push(conv);
    else groups.push([conv]);
  }
  return groups;
}

function planStack(group: readonly ParallelConv[]): Planned<StackPlan, Code> {
  const run = concatRun(group);
  if (run) return withFilters(run.convs, run.concat);
  const narrow = group.filter(({ layer }) => layer.layout.outputs % BLOCK !== 0);
  const chosen = narrow.length > 1 ? narrow : group;
  const widths = chosen.map(({ layer }) => layer.layout.outputs);
  const width = widths.reduce((sum, outputs) => sum + outputs, 0);
  const blocks = widths.reduce((sum, outputs) => sum + Math.ceil(outputs / BLOCK), 0);
  const left = Math.ceil(width / BLOCK);
  const pays = width <= MAX_SPLIT_WIDTH && left <= blocks * MAX_BLOCKS_LEFT;
  return pays ? withFilters(chosen, undefined) : refuse('dearer', { width, blocks, left });
}

/** What keeps convolutions apart of which no two stack. */
function apartBecause(convs: readonly ParallelConv[]): Planned<StackPlan, Code> {
  const windows = convs.map(({ geometry }) => geometry);
  const [first] = windows;
  if (first === undefined) return undefined;
  if (windows.some((window, i) => windows.slice(0, i).some((other) => sameWindow(window, other))))
    return refuse('activations-differ');
  if (windows.some(({ strides }) => strides.some((stride, i) => stride !== first.strides[i])))
    return refuse('strides-differ');
  const { kernel } = jointWindow(windows);
  const macs = (taps: (conv: ParallelConv) => number): number =>
    convs.reduce((sum, conv) => sum + conv.layer.layout.outputs * conv.layer.layout.inputs * taps(conv), 0);
  return refuse('kernels-differ', {
    macs: macs(() => elementCount(kernel)),
    macsBefore: macs(({ layer }) => layer.layout.kernel),
  });
}

function withFilters(convs: readonly ParallelConv[], concat: Node | undefined): Planned<StackPlan, Code> {
  const filters = stackedFilters(convs);
  return filters ? { convs, concat, ...filters } : refuse('out-of-range');
}

/** A run of results that one Concat along the channels reads next to each other. */
function concatRun(
  group: readonly ParallelConv[],
): { readonly convs: readonly ParallelConv[]; readonly concat: Node } | undefined {
  for (const { result } of group) {
    const concat = result.soleConsumer;
    if (!concat?.is('Concat') || !joinsChannels(concat, group) || concat.graph !== result.graph) continue;
    const convs: ParallelConv[] = [];
    for (const input of concat.inputs.slice(concat.inputs.indexOf(result))) {
      const conv = group.find((other) => other.result === input);
      if (conv === undefined || conv.result.soleConsumer !== concat) break;
      convs.push(conv);
    }
    if (convs.length > 1) return { convs, concat };
  }
  return undefined;
}

function joinsChannels(concat: Node, [first]: readonly ParallelConv[]): boolean {
  const axis = concat.int('axis', 0);
  return (axis < 0 ? axis + (first?.layer.weights.dims.length ?? 0) : axis) === 1;
}

function stack({ convs, weights, bias, concat }: StackPlan): void {
  const nodes = convs.map(({ layer }) => layer.node);
  const first = nodes.reduce((a, b) => (a.isBefore(b) ? a : b));
  const graph = graphOf(first);
  const [leader] = convs;
  const data = leader?.layer.data;
  const name = leader?.layer.weight.name ?? 'conv';
  const inputs = [
    data,
    graph.addInitializer(weights, `${name}_stacked`),
    bias && graph.addInitializer(bias, `${name}_stacked_bias`),
  ];
  const conv = graph.addNode(
    {
      opType: 'Conv',
      inputs,
      attributes: first.attributes,
      outputs: [`${leader?.layer.output.name ?? 'conv'}_stacked`],
    },
    first,
  );
  const activation = leader?.activation;
  const last = activation
    ? graph.addNode(
        {
          opType: activation.opType,
          inputs: [conv.output, ...activation.inputs.slice(1)],
          attributes: activation.attributes,
          outputs: [`${activation.output?.name ?? 'act'}_stacked`],
        },
        first,
      )
    : conv;
  if (concat)
    joinInConcat(
      concat,
      convs.map(({ result }) => result),
      last,
    );
  else takeApart(first, last, convs);
  for (const { activation: gone, layer } of convs) {
    if (gone) removeNode(gone);
    removeNode(layer.node);
  }
}

/** The Concat reads the stacked result in place of the run; alone, the result takes the Concat's place. */
function joinInConcat(concat: Node, results: readonly Value[], last: Node): void {
  const graph = graphOf(concat);
  const at = concat.inputs.indexOf(results[0]);
  const inputs = [...concat.inputs.slice(0, at), last.output, ...concat.inputs.slice(at + results.length)];
  if (inputs.length > 1)
    graph.addNode(
      { opType: 'Concat', name: concat.name, inputs, attributes: concat.attributes, outputs: concat.outputs },
      concat,
    );
  else {
    graph.addNode(
      {
        opType: last.opType,
        name: last.name,
        inputs: last.inputs,
        attributes: last.attributes,
        outputs: concat.outputs,
      },
      last,
    );
    graph.removeNode(last);
  }
  graph.removeNode(concat);
}

function takeApart(before: Node, last: Node, convs: readonly ParallelConv[]): void {
  const graph = graphOf(before);
  const sizes = convs.map(({ layer }) => layer.layout.outputs);
  const asInput = graph.model.opset >= 13;
  const inputs = asInput
    ? [last.output, graph.addInitializer(Tensor.int64s(sizes), `${last.output?.name ?? 'split'}_sizes`)]
    : [last.output];
  const attributes = { axis: intAttr(1), ...(asInput ? {} : { split: intsAttr(sizes) }) };
  graph.addNode({ opType: 'Split', inputs, attributes, outputs: convs.map(({ result }) => result) }, before);
}
