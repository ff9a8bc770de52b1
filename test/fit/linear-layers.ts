// Random linear layers with data that ONNX Runtime computed: every operator that moments are gathered for, with random
// strides, pads, dilations and groups.
import type { Rng } from '../../src/base/rng.js';
import type { StreamedValue } from '../../src/fit/accumulator.js';
import { layerSizes, type LinearLayer, type WindowLayer } from '../../src/fit/patch-geometry.js';
import type { RuntimeHost } from '../../src/runtime/host.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { float32s, tinyModel, TYPE, type TinyNode } from '../runtime/tiny-model.js';

export interface LayerCase {
  readonly layer: LinearLayer;
  readonly node: TinyNode;
  readonly weightDims: readonly number[];
  readonly inputDims: readonly number[];
}

export const floats = (rng: Rng, count: number): Float32Array =>
  Float32Array.from({ length: count }, () => rng.normal());
export const sizeOf = (dims: readonly number[]): number => dims.reduce((all, size) => all * size, 1);

/** A Conv or ConvTranspose over one or two axes that gives at least one position. */
export function randomWindow(rng: Rng, kind: WindowLayer['kind']): LayerCase {
  const axes = rng.pick([1, 2, 2]);
  const per = (low: number, high: number): number[] => Array.from({ length: axes }, () => rng.int(low, high));
  const groups = rng.pick([1, 1, 2, 3]);
  const isDepthwise = rng.uniform() < 0.25;
  const inputs = groups * (isDepthwise ? 1 : rng.int(1, 3));
  const outputs = groups * rng.int(1, 3);
  const [kernel, strides, dilations] = [per(1, 3), per(1, 3), per(1, 2)];
  const extent = kernel.map((k, i) => (k - 1) * (dilations[i] ?? 1) + 1);
  // The runtime takes pads of a transposed convolution that leave something of each window.
  const pads = (): number[] => extent.map((e) => rng.int(0, Math.max(0, e - 1)));
  const [begins, ends] = [pads(), pads()];
  const padding = kind === 'conv-transpose' ? strides.map((s) => rng.int(0, s - 1)) : [];
  const sizes = extent.map((e) => e + rng.int(2, 5));
  const layer: WindowLayer = {
    kind,
    inputs,
    outputs,
    groups,
    kernel,
    strides,
    dilations,
    begins,
    ends: ends.map((e, i) => e - (padding[i] ?? 0)),
  };
  const isConv = kind === 'conv';
  return {
    layer,
    node: {
      op: isConv ? 'Conv' : 'ConvTranspose',
      inputs: ['x', 'w', 'b'],
      outputs: ['y'],
      ints: {
        group: groups,
        strides,
        dilations,
        pads: [...begins, ...ends],
        ...(isConv ? {} : { output_padding: padding }),
      },
    },
    weightDims: isConv ? [outputs, inputs / groups, ...kernel] : [inputs, outputs / groups, ...kernel],
    inputDims: [0, inputs, ...sizes],
  };
}

/** Gemm with and without transB. */
export function randomGemm(rng: Rng): LayerCase {
  const [inputs, outputs] = [rng.int(1, 9), rng.int(1, 5)];
  const weights = rng.pick(['input-output', 'output-input'] as const);
  const transB = weights === 'output-input' ? 1 : 0;
  return {
    layer: { kind: 'rows', inputs, outputs, weights },
    node: { op: 'Gemm', inputs: ['x', 'w', 'b'], outputs: ['y'], ints: { transB } },
    weightDims: transB ? [outputs, inputs] : [inputs, outputs],
    inputDims: [0, inputs],
  };
}

/** MatMul over inputs of rank 2 to 4; without a bias. */
export function randomMatMul(rng: Rng): LayerCase {
  const [inputs, outputs] = [rng.int(1, 9), rng.int(1, 5)];
  const between = Array.from({ length: rng.int(0, 2) }, () => rng.int(1, 4));
  return {
    layer: { kind: 'rows', inputs, outputs, weights: 'input-output' },
    node: { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] },
    weightDims: [inputs, outputs],
    inputDims: [0, ...between, inputs],
  };
}

export interface LayerData {
  readonly weights: Float32Array;
  /** Zeros where the operator has none. */
  readonly bias: Float32Array;
  readonly x: StreamedValue;
  readonly y: StreamedValue;
}

/** Random weights and inputs, and what ONNX Runtime makes of them. */
export async function runLayer(host: RuntimeHost, rng: Rng, layer: LayerCase, samples: number): Promise<LayerData> {
  const { groups, outputs } = layerSizes(layer.layer);
  const hasBias = layer.node.inputs.length === 3;
  const weights = floats(rng, sizeOf(layer.weightDims));
  const bias = hasBias ? floats(rng, groups * outputs) : new Float32Array(groups * outputs);
  const inputDims = [samples, ...layer.inputDims.slice(1)];
  const x = floats(rng, sizeOf(inputDims));
  const model = tinyModel({
    nodes: [layer.node],
    inputs: [{ name: 'x', type: TYPE.float32, dims: inputDims.map(() => '') }],
    outputs: [{ name: 'y', type: TYPE.float32 }],
    tensors: [
      float32s('w', layer.weightDims, [...weights]),
      ...(hasBias ? [float32s('b', [bias.length], [...bias])] : []),
    ],
  });
  const results = await host.run(model, new Map([['x', Tensor.fromNumbers('float32', inputDims, [...x])]]), {
    optimization: 'disabled',
  });
  const y = results.get('y');
  if (!y) throw new Error('no output');
  return {
    weights,
    bias,
    x: { data: x, dims: inputDims },
    y: { data: Float32Array.from(y.toNumbers() as number[]), dims: y.dims },
  };
}
