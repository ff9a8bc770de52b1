// Branches of one value that are added up become one convolution: RepVGG, ACNet and diverse branch blocks, and conv(x) + x.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import {
  addends,
  branchFrame,
  branchMap,
  commonSources,
  isOwnBranch,
  sameShapes,
  summed,
  type Addend,
} from '../conv-branches.js';
import { convTensors, macsPerPosition, replaceWithConv, type ConvMap, type ConvTensors } from '../conv-map.js';
import { removeNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';

type Code =
  | 'shared-output'
  | 'shared-weights'
  | 'weights-not-constant'
  | 'bias-not-constant'
  | 'uneven-average'
  | 'sizes'
  | 'dearer'
  | 'out-of-range';

interface MergePlan {
  readonly source: Value;
  /** Nodes that go: those of the branches, and additions inside the sum. */
  readonly merged: readonly Node[];
  readonly branches: number;
  readonly map: ConvMap;
  readonly tensors: ConvTensors;
  readonly name: string;
}

export const mergeAddedBranches = defineLocalPass({
  name: 'merge-added-branches',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Merge convolutions of one value that are added up, with identity and average pool branches',
  details: `Convolutions of the same value with equal strides and output size add up to one: on a common grid of taps their weights add, and
their biases. Per axis a branch with padding \`p\` stands at offset \`P - p\` with \`P = max p\`, and \`K = max(P - p + ke)\`; the end
padding is chosen so that the output size stays. The value itself counts as a 1x1 convolution by the identity, a
BatchNormalization or multiplication of it by a diagonal, an AveragePool that divides every window by the same number by
\`1/k^2\` (RepVGG, Ding et al. 2021; ACNet 2019; Diverse Branch Block 2021). At least one branch must be a Conv.

Additions of additions are one sum: the branches may be added in any order. Only sites whose
multiply-accumulates do not grow are merged: a 1x1 beside a 3x3 convolution is free.`,
  options: {},
  declines: {
    'shared-output': 'A branch is also read by others, or is an output of the graph.',
    'shared-weights': 'The weights of a branch are shared with other nodes, which would keep them.',
    'weights-not-constant': 'The weights of a branch are not constant.',
    'bias-not-constant': 'The bias of a branch is not constant.',
    'uneven-average': 'The average pool divides by fewer elements at the border, or in a last partial window.',
    sizes: 'The branches differ in strides or channels, or may give different sizes.',
    dearer: 'One convolution would take {macs} multiply-accumulates per position instead of {macsBefore}.',
    'out-of-range': 'A merged weight does not fit the element type.',
  },
  stats: { merged: 'branches merged into one convolution' },
  roots: ['Add', 'Sum'],
  rewrite(node, ctx) {
    const plan = planMerge(node, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    replaceWithConv(node, plan.source, plan.map, plan.tensors, plan.name);
    for (const merged of plan.merged) removeNode(merged);
    ctx.count('merged', plan.branches);
    return true;
  },
});

function planMerge(node: Node, facts: Facts): Planned<MergePlan, Code> {
  const { terms, inner } = addends(node);
  if (node.domain !== '' || terms.length < 2 || terms.some(({ value }) => value.constant)) return undefined;
  let refusal: Planned<MergePlan, Code>;
  for (const source of commonSources(terms.map(({ value }) => value))) {
    const plan = planFrom(source, terms, inner, facts);
    if (plan && !isRefusal(plan)) return plan;
    refusal ??= plan;
  }
  return refusal;
}

function planFrom(
  source: Value,
  terms: readonly Addend[],
  inner: readonly Node[],
  facts: Facts,
): Planned<MergePlan, Code> {
  const values = terms.map(({ value }) => value);
  const frame = branchFrame(source, facts);
  const producers = [...new Set(values)].flatMap((value) =>
    value !== source && value.producer ? [value.producer] : [],
  );
  const conv = producers.find((producer) => producer.is('Conv') && producer.inputs[0] === source);
  if (!frame || !conv || !sameShapes(values, facts)) return undefined;
  const branches: ConvMap[] = [];
  for (const value of values) {
    const map = branchMap(value, frame, facts);
    if (!map || isRefusal(map)) return map;
    branches.push(map);
  }
  if (!terms.every(({ value, reader }) => value === source || isOwnBranch(value, reader)))
    return refuse('shared-output');
  if (producers.some((producer) => producer.is('Conv') && keepsWeights(producer, producers)))
    return refuse('shared-weights');
  const map = summed(branches, frame, facts);
  if (isRefusal(map)) return map;
  const convs = branches.filter(({ sources }) => sources.length > 0);
  const macsBefore = convs.reduce((sum, branch) => sum + macsPerPosition(branch), 0);
  const macs = macsPerPosition(map);
  if (macs > macsBefore) return refuse('dearer', { macs, macsBefore });
  const tensors = convTensors(map);
  if (isRefusal(tensors)) return tensors;
  return {
    source,
    merged: [...inner, ...producers],
    branches: branches.length,
    map,
    tensors,
    name: conv.inputs[1]?.name.replace(/_weight$/, '') ?? 'conv',
  };
}

/** Others than `producers` read the weights of `conv`. */
function keepsWeights(conv: Node, producers: readonly Node[]): boolean {
  const weight = conv.inputs[1];
  return weight !== undefined && (weight.isGraphOutput || weight.consumers().some((node) => !producers.includes(node)));
}
