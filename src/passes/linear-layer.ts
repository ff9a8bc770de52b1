// Layers that make or read units, as the fit engine sees them.
import type { GroupReader } from '../analysis/channel-group.js';
import type { Facts } from '../analysis/facts.js';
import type { LinearLayer, WindowLayer } from '../fit/patch-geometry.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { windowGeometry } from './conv-geometry.js';

/**
 * A Conv, ConvTranspose, Gemm or MatMul with constant weights in its second slot; undefined for all else, and where
 * auto_pad or an output shape meets sizes that are not known.
 */
export function linearLayer(node: Node, facts: Facts): LinearLayer | undefined {
  const weights = node.inputs[1]?.constant;
  if (!weights || node.domain !== '') return undefined;
  const [first = 0, second = 0] = weights.dims;
  if (node.opType === 'Gemm' || node.opType === 'MatMul') {
    if (weights.dims.length !== 2 || node.int('transA', 0) !== 0) return undefined;
    const isOutputFirst = node.opType === 'Gemm' && node.int('transB', 0) !== 0;
    const [inputs, outputs] = isOutputFirst ? [second, first] : [first, second];
    return { kind: 'rows', inputs, outputs, weights: isOutputFirst ? 'output-input' : 'input-output' };
  }
  const groups = node.int('group', 1);
  if (node.opType === 'Conv') {
    const geometry = windowGeometry(node, facts);
    return geometry && { kind: 'conv', inputs: second * groups, outputs: first, groups, ...geometry };
  }
  return node.opType === 'ConvTranspose' ? transposedLayer(node, facts, [first, second * groups, groups]) : undefined;
}

function transposedLayer(
  node: Node,
  facts: Facts,
  [inputs, outputs, groups]: readonly [number, number, number],
): WindowLayer | undefined {
  const isExplicit = ['NOTSET', 'VALID', ''].includes(node.string('auto_pad', 'NOTSET'));
  const geometry = isExplicit && node.ints('output_shape') === undefined ? windowGeometry(node, facts) : undefined;
  if (!geometry) return undefined;
  const padding = node.ints('output_padding') ?? [];
  const ends = geometry.ends.map((end, axis) => end - (padding[axis] ?? 0));
  return { kind: 'conv-transpose', inputs, outputs, groups, ...geometry, ends };
}

/** What a linear layer multiplies its weights by: the alpha of a Gemm. */
export const weightFactor = (node: Node): number => (node.opType === 'Gemm' ? node.float('alpha', 1) : 1);

/** The reader as a linear layer, where the units are the channels that it sums over. */
export function readerLayer({ node, slot, axis }: GroupReader, facts: Facts): LinearLayer | undefined {
  const data = node.inputs[0];
  const layer = slot === 0 && data ? linearLayer(node, facts) : undefined;
  if (!layer || !data) return undefined;
  const rank = facts.of(data).shape?.length;
  const channelAxis = layer.kind === 'rows' ? rank !== undefined && rank - 1 : 1;
  return channelAxis === axis || (axis < 0 && rank !== undefined && channelAxis === axis + rank) ? layer : undefined;
}

/**
 * A layer that sees the channels of a value and nothing around them: its moments are those of the channels. Undefined where
 * they do not lie at axis 1 or at the last.
 */
export function channelLayer(value: Value, axis: number, facts: Facts): LinearLayer | undefined {
  const { shape } = facts.of(value);
  const inputs = shape?.[axis];
  if (shape === undefined || typeof inputs !== 'number') return undefined;
  if (axis === shape.length - 1) return { kind: 'rows', inputs, outputs: 0, weights: 'output-input' };
  if (axis !== 1) return undefined;
  const [ones, zeros] = [shape.slice(2).map(() => 1), shape.slice(2).map(() => 0)];
  const geometry = { kernel: ones, strides: ones, dilations: ones, begins: zeros, ends: zeros };
  return { kind: 'conv', inputs, outputs: 0, groups: 1, ...geometry };
}
