// Cases of fusion-rules.mjs: rules 5 to 10 (sums, Concat, data movement, other operators, Gemm and MatMul, pairs of Q and DQ).
import {
  U8,
  POSITIVE,
  OTHER,
  PLAIN,
  between,
  widened,
  unary,
  constant,
  int64,
  clip,
  window,
  relu,
  floatGemm,
  residual,
  quantized,
  same,
  pair,
  concat,
  classifier,
} from './fusion-parts.mjs';

/** [rule, case, operators that stay in float ('' for none), build, options] */
export const OPERATOR_CASES = [
  ['5', 'Add of two Conv, no Q between', 'Add Conv', residual(same, same)],
  ['5', 'Add of two Conv, Q/DQ between', '', residual(quantized, same)],
  ['5', 'Add of two Conv, Q/DQ between, Relu behind, zero point 0', '', residual(quantized, relu, POSITIVE)],
  ['5', 'Add of two Conv, Q/DQ between, Relu behind, zero point 128', 'Add Relu', residual(quantized, relu)],
  ['5', 'Add, no Q behind', 'Add', (net, x) => net.one('Add', [x, net.qdq(net.conv(x, PLAIN))])],
  ['5', 'Mul', '', pair('Mul', (_net, x) => x)],
  [
    '5',
    'Add, differing scales',
    '',
    pair('Add', (net, x) => net.qdq(net.conv(x, PLAIN), OTHER), { scale: 0.05, zero: 90 }),
  ],
  ['5', 'Mul by a gate of 1x1, U8', '', pair('Mul', (net, x) => net.qdq(net.one('GlobalAveragePool', [x])))],
  ['5', 'Mul by a float constant', 'Mul', pair('Mul', constant('float32', [1, 16, 1, 1], 0.5))],
  ['5', 'Mul by a constant with Q/DQ', '', pair('Mul', (net) => net.qdq(net.tensor('float32', [1, 16, 1, 1], 0.5)))],
  ['5', 'Mul by U8 constant with DQ', '', pair('Mul', (net) => net.weights([1, 16, 1, 1], { type: 'uint8' }))],
  ['5', 'Mul by S8 constant with DQ', 'Mul', pair('Mul', (net) => net.weights([1, 16, 1, 1]))],
  ['5', 'Sub', 'Sub', pair('Sub', (_net, x) => x)],
  ['5', 'Div', 'Div', pair('Div', (_net, x) => x)],
  ['6', 'Concat, equal scales', '', concat([U8, U8], U8)],
  ['6', 'Concat, differing scales', '', concat([U8, OTHER], { scale: 0.05, zero: 90 })],
  ['6', 'Concat, one input without DQ', 'Concat Conv', concat([U8, undefined], U8)],
  ['6', 'Concat, no Q behind', 'Concat', concat([U8, U8], undefined)],
  [
    '6',
    'Split, equal parameters',
    '',
    (net, x) => {
      const parts = net.op('Split', [net.qdq(net.conv(x, PLAIN))], { axis: 1 }, 2).map((part) => net.qdq(part));
      return parts.map((part) => net.qdq(net.conv(part, [8, 16])));
    },
  ],
  [
    '6',
    'Split, one differs',
    'Split',
    (net, x) => {
      const parts = net.op('Split', [net.qdq(net.conv(x, PLAIN))], { axis: 1 }, 2);
      return parts.map((part, i) => net.qdq(net.conv(net.qdq(part, i === 0 ? U8 : OTHER), [8, 16])));
    },
  ],
  ...dataMovement(),
  [
    '8',
    'Mul by HardSigmoid',
    'HardSigmoid',
    (net, x) => {
      const a = net.qdq(net.conv(x, PLAIN));
      const gate = net.qdq(net.one('HardSigmoid', [net.qdq(net.one('GlobalAveragePool', [a]))]), {
        scale: 1 / 255,
        zero: 0,
      });
      return net.qdq(net.one('Mul', [a, gate]));
    },
  ],
  ['8', 'AveragePool', '', between(unary('AveragePool', window))],
  ['8', 'AveragePool, scales differ', '', between(unary('AveragePool', window), OTHER)],
  ['8', 'AveragePool, opset 19', '', between(unary('AveragePool', window)), { opset: 19 }],
  ['8', 'GlobalAveragePool', '', between(unary('GlobalAveragePool'), OTHER)],
  ['8', 'Sigmoid', '', between(unary('Sigmoid'), { scale: 1 / 256, zero: 0 })],
  ['8', 'Softmax', '', between(unary('Softmax', { axis: 1 }), { scale: 1 / 256, zero: 0 })],
  ['8', 'ReduceMean of the space', 'ReduceMean', between(unary('ReduceMean', { axes: [2, 3], keepdims: 1 }), OTHER)],
  [
    '8',
    'Pad, constant 0, no Q behind it',
    '',
    (net, x) => {
      const padded = net.one('Pad', [net.qdq(net.conv(x, PLAIN)), int64(0, 0, 1, 1, 0, 0, 1, 1)(net)]);
      return net.qdq(net.conv(padded, PLAIN));
    },
  ],
  ['8', 'Pad, constant 0, Q/DQ behind', 'Pad', between(unary('Pad', {}, int64(0, 0, 1, 1, 0, 0, 1, 1)))],
  [
    '8',
    'Pad with a value from DQ',
    'Pad',
    (net, x) => {
      const value = net.qdq(net.tensor('float32', [], 0));
      const middle = net.qdq(net.one('Pad', [net.qdq(net.conv(x, PLAIN)), int64(0, 0, 1, 1, 0, 0, 1, 1)(net), value]));
      return net.qdq(net.conv(middle, PLAIN));
    },
  ],
  [
    '8',
    'Pad of the integers, between Q and DQ',
    '',
    (net, x) => {
      const q = net.quantize(net.conv(x, PLAIN));
      const integers = net.one('Pad', [q, int64(0, 0, 1, 1, 0, 0, 1, 1)(net), net.tensor('uint8', [], 128)]);
      return net.qdq(net.conv(net.dequantized(integers), PLAIN));
    },
  ],
  [
    '8',
    'HardSigmoid as saturating Add of a DQ with another scale',
    '',
    (net, x) => {
      const q = net.quantize(net.conv(x, PLAIN));
      const half = net.qdq(net.tensor('float32', [], 0.5), { scale: 1 / 255, zero: 0 });
      const gate = net.one('Clip', [
        net.one('Add', [net.dequantized(q, { scale: 0.02 / 6 }), half]),
        net.tensor('float32', [], 0),
        net.tensor('float32', [], 1),
      ]);
      return net.qdq(net.one('Mul', [net.dequantize(q), net.qdq(gate, { scale: 1 / 255, zero: 0 })]));
    },
  ],
  [
    '8',
    'Tanh as Sigmoid between DQ and Q with other scales',
    '',
    (net, x) => {
      const q = net.quantize(net.conv(x, PLAIN));
      const s = net.quantize(net.one('Sigmoid', [net.dequantized(q, { scale: 0.04 })]), { scale: 1 / 256, zero: 0 });
      return net.qdq(net.conv(net.dequantized(s, { scale: 1 / 128, zero: 128 }), PLAIN));
    },
  ],
  [
    '8',
    'product with a constant as a DQ with another scale',
    '',
    (net, x) => {
      const q = net.quantize(net.conv(x, PLAIN));
      return net.qdq(net.conv(net.dequantized(q, { scale: 0.005 }), PLAIN));
    },
  ],
  ['8', 'HardSigmoid', 'HardSigmoid', between(unary('HardSigmoid', { alpha: 0.2 }), { scale: 1 / 255, zero: 0 })],
  ['8', 'PRelu', 'PRelu', between(unary('PRelu', {}, constant('float32', [16, 1, 1], 0.1)))],
  ['8', 'LRN', 'LRN', between(unary('LRN', { size: 5 }))],
  [
    '8',
    'BatchNormalization',
    'BatchNormalization',
    between((net, x) =>
      net.one('BatchNormalization', [x, ...[1, 0.1, 0.2, 1.5].map((n) => net.tensor('float32', [16], n))]),
    ),
  ],
  [
    '8',
    'InstanceNormalization',
    'InstanceNormalization',
    between((net, x) =>
      net.one('InstanceNormalization', [x, net.tensor('float32', [16], 1), net.tensor('float32', [16], 0)]),
    ),
  ],
  ['8', 'Tanh', 'Tanh', between(unary('Tanh'))],
  ['8', 'Elu', 'Elu', between(unary('Elu'))],
  ['8', 'Clip alone, no range beyond', 'Clip', between(clip(0, 6), { scale: 0.03, zero: 0 })],
  ...['LSTM', 'GRU', 'RNN'].map((opType) => ['8', opType, opType, recurrent(opType)]),
  [
    '9',
    'Gemm with float weights, Q behind: quantized at load',
    '',
    (net, x) => net.qdq(floatGemm(net, x)),
    { wrong: true },
  ],
  [
    '9',
    'Gemm with float weights, LeakyRelu with alpha 1',
    'Gemm LeakyRelu',
    (net, x) => net.qdq(net.one('LeakyRelu', [floatGemm(net, x)], { alpha: { float: 1 } })),
  ],
  [
    '9',
    'MatMul with float weights, Q behind',
    'MatMul',
    (net, x) => net.qdq(net.one('MatMul', [net.qdq(net.one('Flatten', [x])), net.random('float32', [1024, 10], 0.1)])),
  ],
  ['9', 'Gemm, int32 bias, Q behind', '', classifier()],
  ['9', 'Gemm, int32 bias, float output', '', classifier({ end: 'float' })],
  ['9', 'Gemm, float bias, Q behind', '', classifier({ bias: 'float' })],
  ['9', 'Gemm, float bias, float output', 'Gemm', classifier({ bias: 'float', end: 'float' })],
  ['9', 'Gemm, no bias, float output', '', classifier({ bias: 'none', end: 'float' })],
  ['9', 'Gemm, int32 bias, scale off', '', classifier({ bias: 'misscaled' }), { wrong: true }],
  ['9', 'Gemm, per channel axis 0, transB', '', classifier({ axis: 0 })],
  ['9', 'Gemm, per channel axis 0, transB, float output', '', classifier({ axis: 0, end: 'float' })],
  ['9', 'Gemm, per channel axis 1, no transB', '', classifier({ axis: 1, transB: 0 })],
  ['9', 'Gemm, per tensor, no transB', '', classifier({ transB: 0 })],
  ['9', 'Gemm, beta 0.5', 'Gemm', classifier({ beta: 0.5 })],
  ['9', 'Gemm, no Q/DQ behind Flatten', 'Flatten Gemm', classifier({ flat: 'float' })],
  [
    '9',
    'Gemm with Relu, zero point 0',
    '',
    (net, x) => {
      const features = net.qdq(net.one('Flatten', [net.qdq(net.one('GlobalAveragePool', [x]))]));
      const weights = net.weights([10, 16], { axis: 0 });
      return net.qdq(
        net.one('Relu', [net.one('Gemm', [features, weights, net.bias(features, weights, 10)], { transB: 1 })]),
        POSITIVE,
      );
    },
  ],
  ['9', 'MatMul, Q behind', '', classifier({ opType: 'MatMul' })],
  ['9', 'MatMul, float output', '', classifier({ opType: 'MatMul', end: 'float' })],
  ['9', 'MatMul, per channel axis 1, Q behind', '', classifier({ opType: 'MatMul', axis: 1 })],
  ['9', 'MatMul, per channel axis 1, float output', '', classifier({ opType: 'MatMul', axis: 1, end: 'float' })],
  ['9', 'MatMul, Add of a float bias, one Q', '', classifier({ opType: 'MatMul', add: 'float' })],
  ['9', 'MatMul, Q/DQ, Add of a bias with Q/DQ', '', classifier({ opType: 'MatMul', add: 'behind Q' })],
  [
    '10',
    'Q, DQ, Q, DQ with other scales',
    '',
    (net, x) => net.qdq(net.qdq(net.conv(net.qdq(net.qdq(x, OTHER)), PLAIN)), OTHER),
  ],
  ['10', 'DQ, Q in the middle, equal', '', (net, x) => net.qdq(net.conv(net.qdq(net.qdq(net.conv(x, PLAIN))), PLAIN))],
];

/** Rule 7: operators that only move or choose elements. */
function dataMovement() {
  const resize =
    (mode, extra = {}) =>
    (net, x) =>
      net.one('Resize', [x, undefined, net.tensor('float32', [4], [1, 1, 2, 2])], { mode, ...extra });
  const shape = (...sizes) => unary('Reshape', {}, int64(...sizes));
  // Operators that the runtime moves a lone Q or DQ across.
  const crossed = new Set(['MaxPool', 'Reshape', 'Transpose', 'Slice', 'Unsqueeze']);
  const moved = [
    ['MaxPool', unary('MaxPool', window)],
    ['Reshape', widened(shape(1, 4, 16, 16), 4)],
    [
      'Flatten',
      (net, x) => net.one('Reshape', [net.qdq(net.one('Flatten', [x])), net.tensor('int64', [4], [1, 16, 8, 8])]),
    ],
    ['Transpose', unary('Transpose', { perm: [0, 1, 3, 2] })],
    ['Slice', unary('Slice', {}, int64(0), int64(4), int64(2))],
    ['Resize', resize('nearest', { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' })],
    ['Unsqueeze', (net, x) => net.one('Unsqueeze', [net.qdq(net.one('Squeeze', [x, int64(0)(net)])), int64(0)(net)])],
    ['Gather', unary('Gather', { axis: 2 }, int64(0, 2, 4))],
    ['Tile', unary('Tile', {}, int64(1, 1, 2, 2))],
    ['Expand', (net, x) => net.one('Expand', [net.qdq(net.one('GlobalAveragePool', [x])), int64(1, 16, 8, 8)(net)])],
    ['DepthToSpace', widened(unary('DepthToSpace', { blocksize: 2 }), 4)],
    ['ReduceMax', unary('ReduceMax', { axes: [2, 3], keepdims: 1 })],
  ];
  const cases = moved.flatMap(([name, nodes]) => [
    ['7', `${name}, equal parameters`, '', between(nodes)],
    ['7', `${name}, scales differ`, name === 'Flatten' ? 'Reshape' : name, between(nodes, OTHER)],
    [
      '7',
      `${name}, Q/DQ only before`,
      crossed.has(name) || name === 'Flatten' ? '' : `Conv ${name}`,
      (net, x) => {
        const first = net.qdq(net.conv(x, PLAIN));
        return net.qdq(net.conv(nodes(net, first), [nodes.channels ?? 16, 16]));
      },
    ],
    [
      '7',
      `${name}, Q/DQ only behind`,
      crossed.has(name) ? '' : `Conv ${name === 'Expand' ? 'GlobalAveragePool' : name}`,
      (net, x) => {
        const first = net.conv(x, PLAIN);
        return net.qdq(net.conv(net.qdq(nodes(net, first)), [nodes.channels ?? 16, 16]));
      },
    ],
  ]);
  return [
    ...cases,
    ['7', 'MaxPool, opset 12', '', between(unary('MaxPool', window)), { opset: 12 }],
    ['7', 'MaxPool, opset 11', 'MaxPool', between(unary('MaxPool', window)), { opset: 11 }],
    ['7', 'Resize linear', 'Resize', between(resize('linear'))],
    ['7', 'Identity', '', between(unary('Identity'))],
    ['7', 'ArgMax of DQ', '', (net, x) => net.one('ArgMax', [net.qdq(net.conv(x, PLAIN))], { axis: 1 })],
  ];
}

/** A recurrent layer over the 64 places of the picture, with integer weights. */
function recurrent(opType) {
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[opType];
  return (net, x) => {
    const steps = net.one('Reshape', [x, net.tensor('int64', [3], [64, 1, 16])]);
    const weights = [16, 16].map((inputs) => net.weights([1, gates * 16, inputs]));
    return net.qdq(net.one(opType, [net.qdq(steps), ...weights], { hidden_size: 16 }));
  };
}
