// AveragePool on integers: ONNX Runtime's kernel for it does not know the layout of the convolutions around it and takes three
// times as long as in float; as a depthwise convolution by 1/k^2 it takes a quarter of that (docs/quantization-rules.md).
import type { Facts } from '../../analysis/facts.js';
import { intAttr, intsAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import { isStatic } from '../../ir/dim.js';
import { Tensor } from '../../tensor/tensor.js';
import { averagePoolMap, type ConvMap } from '../conv-map.js';
import { graphOf, replaceNode } from '../edit.js';
import type { Expanded } from './hard-activations.js';

/** The depthwise kernel is fast on whole blocks of so many channels. */
const BLOCK = 16;
/** Of a picture: [batch, channels, height, width]. */
const RANK = 4;

/** The convolution that an AveragePool of pictures is, where that has a fast kernel. */
export function poolAsConv(node: Node, facts: Facts): ConvMap | undefined {
  if (!node.is('AveragePool')) return undefined;
  const [data] = node.inputs;
  const shape = data && facts.of(data).shape;
  const channels = shape?.[1];
  if (shape?.length !== RANK || channels === undefined || !isStatic(channels) || channels % BLOCK !== 0)
    return undefined;
  return averagePoolMap(node, channels, 'float32', facts);
}

/** Puts the convolution in the place of the pool; every weight is `limit` steps. */
export function expandAveragePool(node: Node, map: ConvMap, limit: number): Expanded {
  const graph = graphOf(node);
  const { outputs, kernel, strides, dilations, begins, ends } = map;
  const name = node.output?.name ?? 'pool';
  const taps = kernel.reduce((product, size) => product * size, 1);
  const weights = new Tensor('int8', [outputs, 1, ...kernel], new Uint8Array(outputs * taps).fill(limit));
  const operands = [weights, Tensor.scalar('float32', 1 / (taps * limit)), Tensor.scalar('int8', 0)];
  const dequantize = graph.addNode(
    {
      opType: 'DequantizeLinear',
      inputs: operands.map((tensor, i) =>
        graph.addInitializer(tensor, `${name}_${['weights', 'scale', 'zero'][i] ?? i}`),
      ),
      outputs: [`${name}_weights_dequantized`],
    },
    node,
  );
  const conv = replaceNode(node, {
    opType: 'Conv',
    name: node.label,
    inputs: [node.inputs[0], dequantize.output],
    attributes: {
      group: intAttr(outputs),
      kernel_shape: intsAttr([...kernel]),
      strides: intsAttr([...strides]),
      dilations: intsAttr([...dilations]),
      pads: intsAttr([...begins, ...ends]),
    },
  });
  return { node: conv, inner: [] };
}
