// Averages in front of a point convolution instead of behind it: mean(W x + b) = W mean(x) + b.
import type { Facts } from '../../analysis/facts.js';
import { intAttr } from '../../ir/attribute.js';
import { isStatic } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { knownNumbers } from '../constants.js';
import { isPointwise, isUnpadded, windowGeometry } from '../conv-geometry.js';
import { graphOf, removeNode, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';
import { isShared, tensorLayerOf } from '../tensor-layer.js';

type Code = 'shared-output' | 'padded-bias' | 'dearer' | 'flat';

/** Time of an addition of a pool in multiply-accumulates of a convolution (measured on ONNX Runtime, AVX-512). */
const ADDITION = 2;

/** Positions per mean where the sizes of a map are free: those of the last map of most classifiers, the smallest one. */
const UNKNOWN_POSITIONS = 49;

interface HoistPlan {
  readonly conv: Node;
  readonly data: Value;
  /** The average drops the spatial axes, so that the convolution becomes a Gemm. */
  readonly flat: boolean;
}

export const hoistAveragePool = defineLocalPass({
  name: 'hoist-average-pool',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Move average pooling in front of a 1x1 convolution, which then runs on fewer positions',
  details: `Averaging over positions and a convolution with a point kernel commute, bias included, because the weights of a mean add up to
one. So GlobalAveragePool, ReduceMean over spatial axes and AveragePool move in front of the convolution before them, and the
convolution runs once instead of H W times. A pool that counts its padding has weights that do not add up to one at the
border: it moves only past a convolution without bias. A ReduceMean that drops the spatial axes leaves a matrix, so its
convolution becomes a Gemm. The pool then averages as many channels as the convolution reads; where those are so many more
that nothing is saved, the site is declined.`,
  options: {},
  declines: {
    'shared-output': 'The output of the Conv is also read by others, or is an output of the graph.',
    'padded-bias': 'The pool counts its padding, where the bias of the Conv would not stand.',
    dearer: 'Averaging first would cost as much as {after} multiply-accumulates instead of {before}.',
    flat: 'The average drops axes, and the Conv cannot become a Gemm: it has groups, or its weights are shared or not constant.',
  },
  stats: { hoisted: 'averages moved in front of a convolution' },
  roots: ['GlobalAveragePool', 'ReduceMean', 'AveragePool'],
  rewrite(node, ctx) {
    const plan = planHoist(node, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    hoist(node, plan);
    ctx.count('hoisted');
    return true;
  },
});

function planHoist(node: Node, facts: Facts): Planned<HoistPlan, Code> {
  const middle = node.inputs[0];
  const conv = middle?.producer;
  const data = conv?.inputs[0];
  if (!middle || !conv?.is('Conv') || !data || node.domain !== '' || conv.graph !== node.graph) return undefined;
  const geometry = windowGeometry(conv, facts);
  const kind = averageOf(node, facts);
  if (!geometry || !isPointwise(geometry) || kind === undefined) return undefined;
  if (kind === 'counting' && conv.inputs[2] !== undefined) return refuse('padded-bias');
  const refusal = costRefusal(node, conv, data, facts);
  if (refusal) return refusal;
  if (middle.soleConsumer !== node) return refuse('shared-output');
  return kind !== 'flat' || becomesGemm(conv, facts) ? { conv, data, flat: kind === 'flat' } : refuse('flat');
}

/** How the node averages: `counting` has weights that do not add up to one everywhere, `flat` drops the spatial axes. */
function averageOf(node: Node, facts: Facts): 'mean' | 'counting' | 'flat' | undefined {
  if (node.opType === 'GlobalAveragePool') return 'mean';
  if (node.opType === 'AveragePool') {
    const geometry = windowGeometry(node, facts);
    const plain =
      node.int('count_include_pad', 0) === 0 || (geometry && isUnpadded(geometry) && node.int('ceil_mode', 0) === 0);
    return plain ? 'mean' : 'counting';
  }
  const rank = node.inputs[0] && facts.of(node.inputs[0]).shape?.length;
  const axes = node.ints('axes') ?? knownNumbers(facts, node.inputs[1]);
  if (rank === undefined || axes === undefined || axes.length === 0) return undefined;
  const spatial = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  if (spatial.has(0) || spatial.has(1)) return undefined;
  if (node.int('keepdims', 1) !== 0) return 'mean';
  return spatial.size === rank - 2 ? 'flat' : undefined;
}

function costRefusal(
  node: Node,
  conv: Node,
  data: Value,
  facts: Facts,
): ReturnType<typeof refuse<'dearer'>> | undefined {
  const [input, middle, result] = [data, conv.output, node.output].map((value) => value && facts.assumed(value));
  const weights = conv.inputs[1] && facts.assumed(conv.inputs[1]);
  if (!input || !middle || !result || !weights) return refuse('dearer', { before: '?', after: '?' });
  const narrow = elementCount(result.slice(2));
  const isGlobal = node.opType !== 'AveragePool' && !facts.of(data).shape?.slice(2).every(isStatic);
  const wide = Math.max(elementCount(middle.slice(2)), isGlobal ? UNKNOWN_POSITIONS * narrow : 0);
  const window = node.opType === 'AveragePool' ? elementCount(node.ints('kernel_shape') ?? []) : wide / narrow;
  const cost = (positions: number, channels: number): number =>
    elementCount(weights) * positions + ADDITION * window * narrow * channels;
  const [before, after] = [cost(wide, middle[1] ?? 1), cost(narrow, input[1] ?? 1)];
  return after < before ? undefined : refuse('dearer', { before, after });
}

function becomesGemm(conv: Node, facts: Facts): boolean {
  const layer = tensorLayerOf(conv, facts);
  if (facts.site(conv).opset < 7) return false;
  return layer !== undefined && !isRefusal(layer) && layer.layout.groups === 1 && !isShared(layer.weight);
}

function hoist(node: Node, { conv, data, flat }: HoistPlan): void {
  const graph = graphOf(node);
  const average = graph.addNode(
    {
      opType: node.opType,
      name: node.name,
      inputs: [data, ...node.inputs.slice(1)],
      attributes: node.attributes,
      outputs: [`${data.name}_mean`],
    },
    node,
  );
  const weight = conv.inputs[1];
  const tensor = weight?.constant;
  const rest = conv.inputs.slice(1);
  if (flat && weight && tensor) {
    const matrix = graph.addInitializer(tensor.reshaped(tensor.dims.slice(0, 2)), weight.name);
    const { dtype, dims } = tensor;
    const [outputs = 0] = dims;
    // Before opset 11 a Gemm must have a bias.
    const bias =
      rest[1] ??
      (graph.model.opset < 11
        ? graph.addInitializer(Tensor.fromNumbers(dtype, [outputs], new Float64Array(outputs)), `${weight.name}_bias`)
        : undefined);
    replaceNode(node, {
      opType: 'Gemm',
      name: conv.name,
      inputs: [average.output, matrix, bias],
      attributes: { transB: intAttr(1) },
    });
  } else {
    replaceNode(node, {
      opType: 'Conv',
      name: conv.name,
      inputs: [average.output, ...rest],
      attributes: conv.attributes,
    });
  }
  removeNode(conv);
}
