// Products with 8-bit weights whose data is quantized while the model runs: y = (q_x q_W) s_x s_W, with the scale and zero
// point of x from its own range (DynamicQuantizeLinear) and a scale per column of W. ONNX Runtime fuses these nodes to one.
import { intAttr } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { DTYPES } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { graphOf, replaceNode } from './edit.js';

const MICROSOFT = 'com.microsoft';

/** W[d, k, n] = integers[d, k, n] scales[d, n]. */
export interface ColumnWeights {
  readonly integers: Tensor;
  readonly scales: Tensor;
}

/** `matrices` [..., K, N] as signed integers up to `levels`, symmetric, with a scale per column; a column of zeros has 1. */
export function columnWeights(matrices: Tensor, levels: number): ColumnWeights {
  const { dims } = matrices;
  const [rows = 0, columns = 0] = dims.slice(-2);
  const numbers = matrices.toFloat64();
  const count = numbers.length / (rows * columns);
  const scales = new Float32Array(count * columns);
  const integers = new Int8Array(numbers.length);
  for (let d = 0; d < count; d++) {
    for (let n = 0; n < columns; n++) {
      const start = d * rows * columns + n;
      let largest = 0;
      for (let k = 0; k < rows; k++) largest = Math.max(largest, Math.abs(numbers[start + k * columns] ?? 0));
      const scale = Math.fround(largest / levels) || 1;
      scales[d * columns + n] = scale;
      for (let k = 0; k < rows; k++)
        integers[start + k * columns] = rounded((numbers[start + k * columns] ?? 0) / scale);
    }
  }
  const bytes = new Uint8Array(integers.buffer);
  return {
    integers: new Tensor('int8', dims, bytes),
    scales: Tensor.fromNumbers('float32', [...dims.slice(0, -2), columns], scales),
  };
}

/** Half to even, as the runtime rounds. */
function rounded(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return Math.min(127, Math.max(-127, up ? below + 1 : below));
}

/** Puts the quantized product, and the addition of `bias` where there is one, in the place of a MatMul or Gemm. */
export function quantizeProduct(node: Node, weights: ColumnWeights, bias: Value | undefined): void {
  const graph = graphOf(node);
  const [data] = node.inputs;
  const stem = node.output?.name ?? node.opType;
  const old = node.inputs[1]?.name ?? stem;
  const [quantized, scale, zero] = quantizedData(data, node);
  const integers = graph.addInitializer(weights.integers, `${old}_int8`);
  const scales = graph.addInitializer(weights.scales, `${old}_scale`);
  const add = (opType: string, inputs: readonly (Value | undefined)[], name: string, to?: number): Value | undefined =>
    graph.addNode(
      { opType, inputs, outputs: [`${stem}_${name}`], attributes: to === undefined ? {} : { to: intAttr(to) } },
      node,
    ).output;
  const sums = add('MatMulInteger', [quantized, integers, zero], 'sums');
  const real = add('Cast', [sums], 'real', DTYPES.float32.code);
  const factor = add('Mul', [scale, scales], 'factor');
  const product = [real, factor];
  const last = bias
    ? { opType: 'Add', inputs: [add('Mul', product, 'product'), bias] }
    : { opType: 'Mul', inputs: product };
  replaceNode(node, last);
}

/** The data as uint8, its scale and its zero point: by the node that other products of the same data read, or a new one. */
function quantizedData(data: Value | undefined, reader: Node): readonly (Value | undefined)[] {
  const graph = graphOf(reader);
  const there = data
    ?.consumers()
    .find((node) => node.is('DynamicQuantizeLinear') && node.graph === graph && node.isBefore(reader));
  if (there) return there.outputs;
  const outputs = ['int8', 'scale', 'zero'].map((name) => `${data?.name ?? 'data'}_${name}`);
  return graph.addNode({ opType: 'DynamicQuantizeLinear', inputs: [data], outputs }, reader).outputs;
}

/** Puts com.microsoft.DynamicQuantizeLSTM in the place of an LSTM. `input`, `recurrent`: [directions, K, 4 hidden]. */
export function quantizeLstm(node: Node, input: ColumnWeights, recurrent: ColumnWeights): void {
  const graph = graphOf(node);
  const { model } = graph;
  const constants = [input, recurrent].map(({ integers, scales }, i) => {
    const name = node.inputs[i + 1]?.name ?? 'lstm';
    const zeros = new Tensor('int8', scales.dims, new Uint8Array(scales.size));
    return {
      integers: graph.addInitializer(integers, `${name}_int8`),
      parameters: [graph.addInitializer(scales, `${name}_scale`), graph.addInitializer(zeros, `${name}_zero`)],
    };
  });
  // X, W, R, B, sequence_lens, initial_h, initial_c, P, then scale and zero point of W and of R.
  const rest = Array.from({ length: 5 }, (_, i) => node.inputs[i + 3]);
  const inputs = [
    node.inputs[0],
    ...constants.map(({ integers }) => integers),
    ...rest,
    ...constants.flatMap(({ parameters }) => parameters),
  ];
  replaceNode(node, { opType: 'DynamicQuantizeLSTM', domain: MICROSOFT, inputs, attributes: node.attributes });
  if (!model.opsets.has(MICROSOFT)) model.setOpsets(new Map(model.opsets).set(MICROSOFT, 1));
}
