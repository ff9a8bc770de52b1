// Branches of one value that are added up become one convolution: RepVGG, ACNet and diverse branch blocks, and conv(x) + x.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { branchFrame, branchMap, commonSources, isOwnBranch, sameShapes, summed } from '../conv-branches.js';
import { convTensors, macsPerPosition, replaceWithConv, type ConvMap, type ConvTensors } from '../conv-map.js';
import { removeNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';

type Code = 'shared-output' | 'weights-not-constant' | 'bias-not-constant' | 'sizes' | 'dearer' | 'out-of-range';

interface MergePlan {
  readonly source: Value;
  readonly producers: readonly Node[];
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

Only sites whose multiply-accumulates do not grow are merged: a 1x1 beside a 3x3 convolution is free.`,
  options: {},
  declines: {
    'shared-output': 'A branch is also read by others, or is an output of the graph.',
    'weights-not-constant': 'The weights of a branch are not constant.',
    'bias-not-constant': 'The bias of a branch is not constant.',
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
    for (const producer of plan.producers) removeNode(producer);
    ctx.count('merged', plan.producers.length);
    return true;
  },
});

function planMerge(node: Node, facts: Facts): Planned<MergePlan, Code> {
  const terms = node.inputs.filter((value): value is Value => value !== undefined);
  if (node.domain !== '' || terms.length < 2 || terms.some((value) => value.constant)) return undefined;
  for (const source of commonSources(terms)) {
    const plan = planFrom(source, terms, node, facts);
    if (plan) return plan;
  }
  return undefined;
}

function planFrom(source: Value, terms: readonly Value[], node: Node, facts: Facts): Planned<MergePlan, Code> {
  const frame = branchFrame(source, facts);
  const producers = [...new Set(terms)].flatMap((value) =>
    value !== source && value.producer ? [value.producer] : [],
  );
  const conv = producers.find((producer) => producer.is('Conv') && producer.inputs[0] === source);
  if (!frame || !conv || !sameShapes(terms, facts)) return undefined;
  const branches: ConvMap[] = [];
  for (const value of terms) {
    const map = branchMap(value, frame, facts);
    if (!map || isRefusal(map)) return map;
    branches.push(map);
  }
  if (new Set(terms).size < terms.length || !terms.every((value) => isOwnBranch(value, source, node)))
    return refuse('shared-output');
  const map = summed(branches, frame, facts);
  if (isRefusal(map)) return map;
  const convs = branches.filter(({ sources }) => sources.length > 0);
  const macsBefore = convs.reduce((sum, branch) => sum + macsPerPosition(branch), 0);
  const macs = macsPerPosition(map);
  if (macs > macsBefore) return refuse('dearer', { macs, macsBefore });
  const tensors = convTensors(map);
  return isRefusal(tensors) ? tensors : { source, producers, map, tensors, name: conv.inputs[1]?.name ?? 'conv' };
}
