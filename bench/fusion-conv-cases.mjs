// Cases of fusion-rules.mjs: rules 1 to 4 (what stands around a Conv, types, weights and biases, activations).
import {
  U8,
  POSITIVE,
  OTHER,
  S8,
  S8_POSITIVE,
  PLAIN,
  behindConv,
  between,
  unary,
  clip,
  window,
  relu,
  floatConv,
  residual,
  quantized,
  same,
} from './fusion-parts.mjs';

/** [rule, case, operators that stay in float ('' for none), build, options] */
export const CONV_CASES = [
  ['1', 'Conv, Q/DQ around', '', behindConv(same)],
  ['1', 'the same, opset 19', '', behindConv(same), { opset: 19 }],
  ['1', 'the same, opset 21', '', behindConv(same), { opset: 21, irVersion: 10 }],
  ['1', 'the same, opset 11, per tensor', '', behindConv(same), { opset: 11 }],
  ['1', 'the same, opset 10, per tensor', '', behindConv(same), { opset: 10 }],
  ['1', 'no Q behind', 'Conv', (net, x) => net.conv(x, PLAIN)],
  ['1', 'no Q behind, float bias', 'Conv', (net, x) => net.conv(x, PLAIN, { bias: 'float' })],
  [
    '1',
    'output read by Relu too',
    'Conv Relu',
    (net, x) => {
      const y = net.conv(x, PLAIN);
      return [net.qdq(y), net.one('Relu', [y])];
    },
  ],
  [
    '1',
    'output is a graph output too',
    'Conv',
    (net, x) => {
      const y = net.conv(x, PLAIN);
      return [net.qdq(y), y];
    },
  ],
  [
    '1',
    'two Q of the same output, equal',
    'Conv',
    (net, x) => {
      const y = net.conv(x, PLAIN);
      return [net.qdq(y), net.qdq(y)];
    },
  ],
  [
    '1',
    'two Q of the same output, differing',
    'Conv',
    (net, x) => {
      const y = net.conv(x, PLAIN);
      return [net.qdq(y), net.qdq(y, OTHER)];
    },
  ],
  ['1', 'one DQ read by three Conv', '', (net, x) => [0, 1, 2].map(() => net.qdq(net.conv(x, PLAIN)))],
  [
    '1',
    'graph input with a Q per reader',
    '',
    (net) => {
      const [input] = net.model.graph.inputs;
      return [0, 1].map(() => net.qdq(net.conv(net.qdq(input), PLAIN)));
    },
  ],
  [
    '1',
    'DQ per reader of one Q',
    '',
    (net, x) => {
      const q = net.quantize(net.conv(x, PLAIN));
      return [0, 1].map(() => net.qdq(net.conv(net.dequantize(q), PLAIN)));
    },
  ],
  ['1', 'float input', 'Conv', (net) => net.qdq(net.conv(net.model.graph.inputs[0], PLAIN))],
  [
    '2',
    'S8 activations in a chain',
    '',
    (net) => {
      const x = net.qdq(net.model.graph.inputs[0], S8);
      return net.qdq(net.conv(net.qdq(net.conv(x, PLAIN), S8), PLAIN), S8);
    },
    { input: 'raw' },
  ],
  [
    '2',
    'S8 activations, residual',
    'Add Conv',
    (net) => {
      const x = net.qdq(net.conv(net.qdq(net.model.graph.inputs[0], S8), PLAIN), S8);
      const y = net.qdq(net.conv(x, PLAIN), S8);
      return net.qdq(net.one('Add', [x, y]), S8);
    },
    { input: 'raw' },
  ],
  [
    '2',
    'the same with session.qdqisint8allowed',
    '',
    (net) => {
      const x = net.qdq(net.conv(net.qdq(net.model.graph.inputs[0], S8), PLAIN), S8);
      const y = net.qdq(net.conv(x, PLAIN), S8);
      return net.qdq(net.one('Add', [x, y]), S8);
    },
    { input: 'raw', signed: true },
  ],
  [
    '2',
    'S8 with Relu at zero point -128, allowed',
    '',
    (net) => {
      const x = net.qdq(net.model.graph.inputs[0], S8);
      return net.qdq(relu(net, net.conv(x, PLAIN)), S8_POSITIVE);
    },
    { input: 'raw', signed: true },
  ],
  [
    '2',
    'S8 with Relu at zero point 0, allowed',
    'Conv Relu',
    (net) => {
      const x = net.qdq(net.model.graph.inputs[0], S8);
      return net.qdq(relu(net, net.conv(x, PLAIN)), S8);
    },
    { input: 'raw', signed: true },
  ],
  ['2', 'U8 in, S8 out, allowed', 'Conv', behindConv(same, S8), { signed: true }],
  [
    '2',
    'S8 in, U8 weights, allowed',
    'Conv',
    (net) => net.qdq(net.conv(net.qdq(net.model.graph.inputs[0], S8), PLAIN, { type: 'uint8' }), S8),
    { input: 'raw', signed: true },
  ],
  ['2', 'U8 weights', '', behindConv(same, U8, { type: 'uint8' })],
  ['2', 'S8 weights, zero point 3', '', behindConv(same, U8, { zero: 3 })],
  ['2', 'U16 activations', 'Conv', behindConv(same, { scale: 0.0001, type: 'uint16' }), { opset: 21, irVersion: 10 }],
  [
    '2',
    'S8 through Conv, MaxPool, Concat, AveragePool, GlobalAveragePool, Gemm, allowed',
    '',
    (net) => {
      const x = net.qdq(net.model.graph.inputs[0], S8);
      const a = net.qdq(net.conv(x, PLAIN), S8);
      const b = net.qdq(net.one('MaxPool', [a], window), S8);
      const c = net.qdq(net.one('AveragePool', [a], window), S8);
      const d = net.qdq(net.one('GlobalAveragePool', [net.qdq(net.one('Concat', [b, c], { axis: 1 }), S8)]), S8);
      const features = net.qdq(net.one('Flatten', [d]), S8);
      const weights = net.weights([10, 32], { axis: 0 });
      return net.one('Gemm', [features, weights, net.bias(features, weights, 10)], { transB: 1 });
    },
    { input: 'raw', signed: true },
  ],
  ['3', 'weights per channel, axis 0', '', behindConv(same, U8, { axis: 0 })],
  ['3', 'weights per channel, axis 1', '', behindConv(same, U8, { axis: 1, bias: 'none' }), { wrong: true }],
  ['3', 'int32 bias, scale off', 'Conv', behindConv(same, U8, { bias: 'misscaled' })],
  ['3', 'int32 bias, scale off by one ulp', '', behindConv(same, U8, { bias: 'ulp' })],
  ['3', 'float bias', '', behindConv(same, U8, { bias: 'float' })],
  ['3', 'float bias, weights per channel', '', behindConv(same, U8, { bias: 'float', axis: 0 })],
  ['3', 'no bias', '', behindConv(same, U8, { bias: 'none' })],
  [
    '3',
    'Conv 1-D',
    '',
    (net, x) => {
      const flat = net.qdq(net.one('Reshape', [x, net.tensor('int64', [3], [1, 16, 64])]));
      const weights = net.weights([16, 16, 3]);
      return net.qdq(
        net.one('Conv', [flat, weights, net.bias(flat, weights, 16)], { kernel_shape: [3], pads: [1, 1] }),
      );
    },
  ],
  ['3', 'depthwise Conv', '', behindConv(same, U8, { group: 16, axis: 0 })],
  ['3', 'grouped Conv', '', behindConv(same, U8, { group: 4, axis: 0 })],
  ['3', 'ConvTranspose', 'ConvTranspose', behindConv(same, U8, { opType: 'ConvTranspose' })],
  [
    '3',
    'weights shared by two Conv, one DQ',
    '',
    (net, x) => {
      const weights = net.weights([16, 16, 1, 1], { axis: 0 });
      return [0, 1].map(() => net.qdq(net.one('Conv', [x, weights], { kernel_shape: [1, 1] })));
    },
  ],
  ['3', 'float weights, Q behind: quantized at load', '', (net, x) => net.qdq(floatConv(net, x)), { wrong: true }],
  [
    '3',
    'float weights, Relu and Q behind',
    '',
    (net, x) => net.qdq(relu(net, floatConv(net, x)), POSITIVE),
    { wrong: true },
  ],
  [
    '3',
    'float weights, LeakyRelu with alpha 1 and Q behind',
    'Conv LeakyRelu',
    (net, x) => net.qdq(net.one('LeakyRelu', [floatConv(net, x)], { alpha: { float: 1 } })),
  ],
  [
    '3',
    'float weights, LeakyRelu with alpha 0 and Q behind',
    'Conv LeakyRelu',
    (net, x) => net.qdq(net.one('LeakyRelu', [floatConv(net, x)], { alpha: { float: 0 } }), POSITIVE),
  ],
  ['3', 'two float Conv between Q/DQ', 'Conv', (net, x) => net.qdq(floatConv(net, floatConv(net, x)))],
  [
    '3',
    'ConvTranspose with float weights',
    'ConvTranspose',
    (net, x) => net.qdq(floatConv(net, x, 'ConvTranspose')),
    { wrong: true },
  ],
  [
    '3',
    'ConvTranspose with float weights, LeakyRelu with alpha 1',
    'ConvTranspose LeakyRelu',
    (net, x) => net.qdq(net.one('LeakyRelu', [floatConv(net, x, 'ConvTranspose')], { alpha: { float: 1 } })),
  ],
  [
    '3',
    'float weights with Q/DQ',
    '',
    (net, x) => {
      const weights = net.qdq(net.random('float32', [16, 16, 1, 1]), S8);
      return net.qdq(net.one('Conv', [x, weights], { kernel_shape: [1, 1] }));
    },
  ],
  [
    '3',
    'weights of another input (not constant)',
    '',
    (net, x) => {
      const weights = net.qdq(net.input([16, 16, 1, 1], 'w'), S8);
      return net.qdq(net.one('Conv', [x, weights], { kernel_shape: [1, 1] }));
    },
  ],
  ['4', 'Conv, Relu, zero point 0', '', behindConv(relu, POSITIVE)],
  ['4', 'Conv, Relu, zero point 128', 'Conv Relu', behindConv(relu)],
  ['4', 'Conv, Relu, zero point 1', 'Conv Relu', behindConv(relu, { scale: 0.02, zero: 1 })],
  ['4', 'Conv, Clip 0..6, scale 6/255, zero point 0', '', behindConv(clip(0, 6), { scale: 6 / 255, zero: 0 })],
  ['4', 'Conv, Clip 0..6, scale 0.0234', '', behindConv(clip(0, 6), { scale: 0.0234, zero: 0 })],
  ['4', 'Conv, Clip 0..6, scale 0.03', 'Conv Clip', behindConv(clip(0, 6), { scale: 0.03, zero: 0 })],
  ['4', 'Conv, Clip 0..6, scale 0.02, zero point 128', 'Conv Clip', behindConv(clip(0, 6), U8)],
  ['4', 'Conv, Clip -1..1 within Q of -3..3', 'Conv Clip', behindConv(clip(-1, 1), U8)],
  ['4', 'Conv, Clip -4..4 around Q of -2.6..2.5', '', behindConv(clip(-4, 4), U8)],
  [
    '4',
    'Conv, Clip (opset 6 attributes), opset 10',
    '',
    behindConv(unary('Clip', { min: { float: 0 }, max: { float: 6 } }), { scale: 0.02, zero: 0 }),
    { opset: 10 },
  ],
  ['4', 'Conv, LeakyRelu, one Q', 'Conv LeakyRelu', behindConv(unary('LeakyRelu', { alpha: 0.1 }))],
  ['4', 'Conv, Q/DQ, LeakyRelu', '', between(unary('LeakyRelu', { alpha: 0.1 }))],
  ['4', 'Conv, HardSwish, one Q', 'Conv HardSigmoid Mul', behindConv(unary('HardSwish')), { opset: 14 }],
  ['4', 'Conv, Q/DQ, HardSwish', 'HardSigmoid Mul', between(unary('HardSwish')), { opset: 14 }],
  ['4', 'Conv, Sigmoid, one Q', 'Conv Sigmoid', behindConv(unary('Sigmoid'), { scale: 1 / 255, zero: 0 })],
  ['4', 'Conv, Q/DQ, Relu', '', between(relu, POSITIVE)],
  [
    '4',
    'Conv, Q/DQ, Sigmoid, Q/DQ, Mul (SiLU)',
    '',
    (net, x) => {
      const a = net.qdq(net.conv(x, PLAIN));
      return net.qdq(net.one('Mul', [a, net.qdq(net.one('Sigmoid', [a]), { scale: 1 / 256, zero: 0 })]));
    },
  ],
  [
    '4',
    'Conv, Sigmoid, Mul (SiLU), one Q',
    'Conv QuickGelu',
    (net, x) => {
      const a = net.conv(x, PLAIN);
      return net.qdq(net.one('Mul', [a, net.one('Sigmoid', [a])]));
    },
  ],
  ['4', 'Add with Q/DQ, Clip behind, range within', '', residual(quantized, clip(0, 6), { scale: 6 / 255, zero: 0 })],
];
