// An AveragePool next to a Conv: the pool is a depthwise convolution by 1/k^2 and composes with its neighbour.
import { int } from '../../base/option.js';
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount } from '../../tensor/tensor.js';
import { isUnpadded } from '../conv-geometry.js';
import {
  averagePoolMap,
  compose,
  composedGeometry,
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
  | 'partial-windows'
  | 'padded'
  | 'dearer'
  | 'grows'
  | 'out-of-range';

interface Pair {
  readonly first: Node;
  readonly middle: Value;
  readonly data: Value;
}

interface MergePlan extends Pair {
  readonly map: ConvMap;
  readonly tensors: ConvTensors;
  readonly name: string;
}

export const mergeAveragePool = defineLocalPass({
  name: 'merge-average-pool',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Merge AveragePool and a neighbouring convolution into one convolution where that saves work',
  details: `An AveragePool whose windows all divide by the same number is a depthwise convolution with weights \`1/k^2\`: it pads nothing, or
counts its padding, and has no partial windows (\`ceil_mode\`). It composes with the convolution before or behind it as two
convolutions do, when the second of the two pads nothing. The kernel grows to \`k1 + (k2 - 1) s1\`, which still saves work when the
stride of the pool is large: 3x3 followed by a 3x3 pool with stride 2 takes 25 instead of 36 multiplications (the pool counts
with an addition per element of its windows). The file
grows by the additional weights, which \`growth\` bounds.`,
  options: { growth: int({ default: 64, min: 0, help: 'KiB by which the weights of one convolution may grow' }) },
  declines: {
    'shared-output': 'The value between the two is also read by others, or is an output of the graph.',
    'weights-not-constant': 'The weights of the Conv are not constant.',
    'bias-not-constant': 'The bias of the Conv is not constant.',
    'partial-windows': 'Not all windows of the pool divide by the same number.',
    padded: 'The second of the two pads with zeros.',
    dearer: 'One convolution would take {macs} multiply-accumulates instead of {macsBefore}.',
    grows: 'The weights would take {bytes} bytes instead of {before}.',
    'out-of-range': 'A merged weight does not fit the element type.',
  },
  stats: { merged: 'AveragePool merged into convolutions' },
  roots: ['AveragePool', 'Conv'],
  rewrite(node, ctx) {
    const plan = planMerge(node, ctx.facts, ctx.options.growth * 1024);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    replaceWithConv(node, plan.data, plan.map, plan.tensors, plan.name);
    removeNode(plan.first);
    ctx.count('merged');
    return true;
  },
});

function planMerge(node: Node, facts: Facts, growth: number): Planned<MergePlan, Code> {
  const middle = node.inputs[0];
  const first = middle?.producer;
  const data = first?.inputs[0];
  const wanted = node.is('Conv') ? 'AveragePool' : 'Conv';
  if (!middle || !data || !first?.is(wanted) || node.domain !== '' || first.graph !== node.graph) return undefined;
  const conv = node.is('Conv') ? node : first;
  const convMap = convMapOf(conv, facts);
  if (!convMap || isRefusal(convMap)) return convMap;
  const pool = averagePoolMap(
    conv === node ? first : node,
    conv === node ? convMap.inputs : convMap.outputs,
    convMap.dtype,
    facts,
  );
  if (pool === undefined) return refuse('partial-windows');
  const [one, two] = conv === node ? [pool, convMap] : [convMap, pool];
  if (!isUnpadded(two)) return refuse('padded');
  const plan = merged({ first, middle, data }, { one, two, convMap }, node, facts, conv.inputs[1]?.name ?? 'conv');
  if (!plan || isRefusal(plan)) return plan;
  if (middle.soleConsumer !== node) return refuse('shared-output');
  const [bytes, before] = [plan.tensors.weights.byteLength, conv.inputs[1]?.constant?.byteLength ?? 0];
  return bytes > before + growth ? refuse('grows', { bytes, before }) : plan;
}

function merged(
  pair: Pair,
  { one, two, convMap }: Readonly<Record<'one' | 'two' | 'convMap', ConvMap>>,
  node: Node,
  facts: Facts,
  name: string,
): Planned<MergePlan, Code> {
  const [between, result] = [facts.assumed(pair.middle), node.output && facts.assumed(node.output)];
  if (!between || !result) return undefined;
  const [convShape, pool, poolShape] = convMap === one ? [between, two, result] : [result, one, between];
  const macs =
    macsPerPosition({ ...composedGeometry(one, two), outputs: two.outputs, inputs: one.inputs }) *
    elementCount(result.slice(2));
  const macsBefore =
    macsPerPosition(convMap) * elementCount(convShape.slice(2)) +
    macsPerPosition(pool) * elementCount(poolShape.slice(2));
  if (macs > macsBefore) return refuse('dearer', { macs, macsBefore });
  const map = compose(one, two);
  const tensors = convTensors(map);
  return isRefusal(tensors) ? tensors : { ...pair, map, tensors, name };
}
