// Dynamic quantization: weights stored in 8 bits, the ranges of activations found while the model runs. For Gemm, MatMul
// and LSTM, whose weights outweigh their activations.
import { int } from '../../base/option.js';
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../tensor/tensor.js';
import { permuteTensor } from '../../tensor/view.js';
import { columnWeights, quantizeLstm, quantizeProduct } from '../dynamic-product.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';
import { isShared } from '../tensor-layer.js';

type Code = 'small' | 'no-kernel' | 'form' | 'shared-weights' | 'opset';

/** DynamicQuantizeLinear is there since opset 11. */
const MIN_OPSET = 11;

export const quantizeDynamic = defineLocalPass({
  name: 'quantize-dynamic',
  category: 'quantize',
  exactness: 'lossy',
  needs: [],
  tolerance: 0.1,
  // They look at float32 weights.
  conflicts: ['transpose-gemm-weights', 'pad-input-channels', 'pad-inner-channels', 'equalize-channels'],
  summary: 'Store the weights of Gemm, MatMul and LSTM in 8 bits and find ranges while the model runs',
  details: `\`Y = X W\` becomes \`DynamicQuantizeLinear\` of X, \`MatMulInteger\` with signed 8-bit weights (one scale per column, zero point
0), \`Cast\` and \`Mul\` by both scales; a bias stays an \`Add\`. ONNX Runtime fuses all of it to one \`DynamicQuantizeMatMul\` when it
loads the model. An LSTM becomes \`com.microsoft.DynamicQuantizeLSTM\`, which only ONNX Runtime has. GRU and RNN have no such kernel.

Measured on ONNX Runtime 1.30, 1 thread, AVX512-VNNI, against float: matrices of 1024 x 1024 0.42 of the time, 512 x 512 0.42 to
0.56, 256 x 256 0.57 to 0.85, 128 x 512 0.92, 128 x 128 and below no gain, hence \`minimum\`; LSTM of 512 units 0.32, 256 0.42, 128
0.55 (one step alone 0.87). Unsigned weights are up to twice as slow on several rows.

Outputs differ by some thousandths of their scale. Convolutions are better quantized statically. On x86 without VNNI pairs of
products may saturate: \`weight-bits=7\` prevents it.`,
  options: {
    minimum: int({ default: 2 ** 16, min: 1, help: 'Smallest number of weights of a layer for which it pays' }),
    'weight-bits': int({
      default: 8,
      min: 7,
      max: 8,
      help: '7 for x86 without VNNI, where products of 8 bits saturate',
    }),
  },
  declines: {
    small: 'It has {weights} weights: too few to pay.',
    'no-kernel': 'ONNX Runtime has no dynamically quantized {op}.',
    form: 'ONNX Runtime has no 8-bit kernel for this form of {op}: {what}.',
    'shared-weights': 'Its weights are also read by others, and would be stored twice.',
    opset: 'Opset {opset} has no DynamicQuantizeLinear: convert the model to opset 11 or later.',
  },
  stats: { products: 'matrix products quantized dynamically', lstm: 'LSTM layers quantized dynamically' },
  roots: ['MatMul', 'Gemm', 'LSTM', 'GRU', 'RNN'],
  rewrite(node, ctx) {
    const weight = node.inputs[1];
    const tensor = weight?.constant;
    if (node.domain !== '' || !node.inputs[0] || !weight || tensor?.dtype !== 'float32') return false;
    if (tensor.size < ctx.options.minimum) return ctx.decline(node, 'small', { weights: tensor.size });
    const planned = PLANS[node.opType]?.(node, tensor);
    if (!planned) return false;
    if (isRefusal(planned)) return ctx.decline(node, planned.refused, planned.details);
    if (ctx.model.opset < MIN_OPSET) return ctx.decline(node, 'opset', { opset: ctx.model.opset });
    if (isShared(weight)) return ctx.decline(node, 'shared-weights');
    planned.apply(2 ** (ctx.options['weight-bits'] - 1) - 1);
    ctx.count(planned.stat);
    return true;
  },
});

interface Plan {
  readonly stat: 'products' | 'lstm';
  /** `levels`: largest magnitude of a quantized weight. */
  apply(levels: number): void;
}

const PLANS: Readonly<Record<string, (node: Node, weights: Tensor) => Planned<Plan, Code>>> = {
  MatMul: (node, weights) =>
    weights.dims.length === 2
      ? { stat: 'products', apply: (levels) => quantizeProduct(node, columnWeights(weights, levels), undefined) }
      : refuse('form', { op: 'MatMul', what: 'weights of more or fewer than two axes' }),
  Gemm: planGemm,
  LSTM: planLstm,
  GRU: () => refuse('no-kernel', { op: 'GRU' }),
  RNN: () => refuse('no-kernel', { op: 'RNN' }),
};

function planGemm(node: Node, weights: Tensor): Planned<Plan, Code> {
  const bias = node.inputs[2];
  if (node.int('transA', 0) !== 0) return refuse('form', { op: 'Gemm', what: 'the data is transposed' });
  if (bias && node.float('beta', 1) !== 1) return refuse('form', { op: 'Gemm', what: 'beta is not 1' });
  const matrix = node.int('transB', 0) === 0 ? weights : permuteTensor(weights, [1, 0]);
  const alpha = node.float('alpha', 1);
  const scaled = (): Tensor =>
    alpha === 1
      ? matrix
      : Tensor.fromNumbers(
          'float32',
          matrix.dims,
          matrix.toFloat64().map((w) => alpha * w),
        );
  return { stat: 'products', apply: (levels) => quantizeProduct(node, columnWeights(scaled(), levels), bias) };
}

/** ONNX stores gates by row, [directions, 4 hidden, inputs]; the quantized LSTM by column. */
function planLstm(node: Node, weights: Tensor): Planned<Plan, Code> {
  const recurrent = node.inputs[2]?.constant;
  const isOwned = node.inputs[2] !== undefined && !isShared(node.inputs[2]);
  if (node.int('layout', 0) !== 0) return refuse('form', { op: 'LSTM', what: 'layout is 1' });
  if (recurrent?.dtype !== 'float32') return refuse('form', { op: 'LSTM', what: 'recurrent weights are not constant' });
  if (!isOwned) return refuse('shared-weights');
  const byColumn = (tensor: Tensor): Tensor => permuteTensor(tensor, [0, 2, 1]);
  return {
    stat: 'lstm',
    apply: (levels) =>
      quantizeLstm(node, columnWeights(byColumn(weights), levels), columnWeights(byColumn(recurrent), levels)),
  };
}
