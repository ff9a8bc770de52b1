// The second part of fusion-rules.mjs: what kinds and widths of layers gain in integers. Each line times two models of the same
// shapes, interleaved, one thread; `ratio` is the second over the first.
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { halfWidth } from '../dist/runtime/statistics.js';
import { createRng } from '../dist/base/rng.js';
import { Tensor } from '../dist/index.js';
import { formatTable } from './table.mjs';

const POOL = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
const NEAREST = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
const POSITIVE = { scale: 0.02, zero: 0 };

/** Layers in one of two forms: `int8` (each between Q/DQ) or `float`. */
function layersOf(net) {
  const quantize = (form, value, given) => (form === 'int8' ? net.qdq(value, given) : value);
  const relu = (form, value) => quantize(form, net.one('Relu', [value]), POSITIVE);
  const product = (x, [from, to], { kernel = 3, group = 1, stride = 1 }) => {
    const pad = (kernel - 1) / 2;
    const weights = net.random('float32', [to, from / group, kernel, kernel], 0.05);
    const attributes = { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad], strides: [stride, stride] };
    return net.one('Conv', [x, weights, net.random('float32', [to], 0.1)], { ...attributes, group });
  };
  return {
    net,
    quantize,
    // LeakyRelu keeps the runtime from quantizing the weights of a float layer between integer ones.
    floatConv: (x, channels, options) => net.one('LeakyRelu', [product(x, channels, options)], { alpha: { float: 0 } }),
    conv: (form, x, channels, options = {}) =>
      relu(form, form === 'int8' ? net.conv(x, channels, { axis: 0, ...options }) : product(x, channels, options)),
    op: (form, opType, inputs, attributes, given) => quantize(form, net.one(opType, inputs, attributes), given),
    gemm: (form, x, [from, to]) => {
      if (form === 'float')
        return net.one('Gemm', [x, net.random('float32', [to, from], 0.05), net.random('float32', [to], 0.1)], {
          transB: 1,
        });
      const weights = net.weights([to, from], { axis: 0 });
      return net.qdq(net.one('Gemm', [x, weights, net.bias(x, weights, to)], { transB: 1 }));
    },
  };
}

const repeated = (times, step) => (layers, form, x) =>
  Array.from({ length: times }).reduce((y) => step(layers, form, y), x);
const convs = (channels, options, times = 3) =>
  repeated(times, (layers, form, x) => layers.conv(form, x, channels, options));
const depthwise = (channels, options) => convs([channels, channels], { group: channels, ...options }, 4);

/** Forms chosen within the case: its input is quantized in both. */
const mixed = (build) => Object.assign(build, { mixed: true });

/** 1x1, depthwise, 1x1 with the depthwise layer in a form of its own: crossing between forms costs Q and DQ. */
const mobile = (outer, inner, options) =>
  mixed((layers, form, x) => {
    const wide = layers.conv('int8', x, [outer, inner], { kernel: 1 });
    const settings = { group: inner, ...options };
    const deep =
      form === 'int8'
        ? layers.conv('int8', wide, [inner, inner], settings)
        : layers.net.qdq(layers.floatConv(wide, [inner, inner], settings), POSITIVE);
    return layers.conv('int8', deep, [inner, outer], { kernel: 1 });
  });

const chain = (opType, attributes, given) =>
  repeated(4, (layers, form, x) => layers.op(form, opType, [x], attributes, given));

/** An operator between integer convolutions: kept in float by a scale of its own behind it, or in integers. */
const island = (opType, attributes, more = () => []) =>
  mixed((layers, form, x) => {
    const { net } = layers;
    const before = layers.conv('int8', x, [64, 64], { kernel: 1 });
    const after = form === 'int8' ? POSITIVE : { scale: 0.0201, zero: 0 };
    const middle = net.qdq(net.one(opType, [before, ...more(net)], attributes), after);
    return layers.conv('int8', middle, [64, 64], { kernel: 1 });
  });
/** An operator between convolutions, all in one form. */
const between =
  (opType, attributes, given = POSITIVE) =>
  (layers, form, x) => {
    const before = layers.conv(form, x, [64, 64], { kernel: 1 });
    return layers.conv(form, layers.op(form, opType, [before], attributes, given), [64, 64], { kernel: 1 });
  };

/** Two convolutions and the sum with what went in. */
const residual = (channels) =>
  repeated(2, (layers, form, x) => {
    const first = layers.conv(form, x, [channels, channels]);
    const second = layers.conv(form, first, [channels, channels]);
    return layers.quantize(form, layers.net.one('Relu', [layers.net.one('Add', [x, second])]), POSITIVE);
  });

/** A first layer in float or in integers (`channels`: filled up to four with zeros, as floats or as integers), then an integer one. */
const stem = (channels, [to, kernel, stride]) =>
  mixed((layers, form, x) => {
    const { net } = layers;
    const settings = { kernel, stride };
    const input = x.producer.inputs[0].producer.inputs[0];
    const one = net.tensor('int64', [8], [0, 0, 0, 0, 0, 1, 0, 0]);
    const filled = {
      three: () => x,
      floats: () => net.qdq(net.one('Pad', [input, one])),
      integers: () => net.dequantized(net.one('Pad', [net.quantize(input), one, net.tensor('uint8', [], 128)])),
    };
    const first =
      form === 'float'
        ? net.qdq(layers.floatConv(input, [3, to], settings), POSITIVE)
        : layers.conv('int8', filled[channels](), [channels === 'three' ? 3 : 4, to], settings);
    return layers.conv('int8', first, [to, 32], { kernel: 1 });
  });

/** The widths of a block, both forms in integers. */
const wider = (outer, from, to) => {
  const [narrow, wide] = [from, to].map((inner) => mobile(outer, inner));
  return mixed((layers, form, x) => (form === 'float' ? narrow : wide)(layers, 'int8', x));
};

/** AveragePool in integers, and as a depthwise convolution with weights of one. */
const average = mixed((layers, form, x) => {
  const { net } = layers;
  const before = layers.conv('int8', x, [64, 64], { kernel: 1 });
  const ones = net.dequantized(net.tensor('int8', [64, 1, 3, 3], 1), { scale: 1 / 9, zero: 0, type: 'int8' });
  const pooled =
    form === 'float'
      ? net.one('AveragePool', [before], { ...POOL, count_include_pad: 1 })
      : net.one('Conv', [before, ones], { ...POOL, group: 64 });
  return layers.conv('int8', net.qdq(pooled, POSITIVE), [64, 64], { kernel: 1 });
});

/** HardSwish between two integer convolutions: in float, or as a sum that saturates and a product, both in integers. */
const hardSwish = mixed((layers, form, x) => {
  const { net } = layers;
  const before = net.qdq(net.conv(x, [64, 64], { kernel: 1, axis: 0 }));
  const gate =
    form === 'int8'
      ? net.one('Add', [
          net.dequantized(before.producer.inputs[0], { scale: 0.02 / 6, zero: 128 }),
          net.qdq(net.tensor('float32', [], 0.5), { scale: 1 / 255, zero: 0 }),
        ])
      : net.one('HardSigmoid', [before], { alpha: { float: 1 / 6 } });
  const factor = form === 'int8' ? net.qdq(gate, { scale: 1 / 255, zero: 0 }) : gate;
  const product = net.qdq(net.one('Mul', [before, factor]));
  return layers.conv('int8', product, [64, 64], { kernel: 1 });
});

/** [case, shape of x, build of the first form, of the second]; one build: 'float' first, 'int8' second. */
const CASES = [
  ['dense 3x3 64->64, 28x28', [1, 64, 28, 28], convs([64, 64])],
  ['dense 1x1 64->64, 28x28', [1, 64, 28, 28], convs([64, 64], { kernel: 1 })],
  ['dense 3x3 16->16, 32x32', [1, 16, 32, 32], convs([16, 16])],
  ['dense 3x3 8->8, 32x32', [1, 8, 32, 32], convs([8, 8])],
  ['dense 3x3 64->64, 8x8', [1, 64, 8, 8], convs([64, 64])],
  ['dense 3x3 64->64, 4x4', [1, 64, 4, 4], convs([64, 64])],
  ['dense 3x3 64->64, 2x2', [1, 64, 2, 2], convs([64, 64])],
  ['dense 1x1 256->256, 1x1', [1, 256, 1, 1], convs([256, 256], { kernel: 1 })],
  ...[12, 20, 30, 31, 36, 47, 48].map((n) => [`dense 3x3 ${n}->${n}, 28x28`, [1, n, 28, 28], convs([n, n])]),
  ['stem 3x3 s2 3->32, 224x224', [1, 3, 224, 224], convs([3, 32], { stride: 2 }, 1)],
  ['stem 3x3 s2 4->32, 224x224', [1, 4, 224, 224], convs([4, 32], { stride: 2 }, 1)],
  ['stem 3x3 s1 3->16, 32x32', [1, 3, 32, 32], convs([3, 16], {}, 1)],
  ['stem 7x7 s2 3->64, 224x224', [1, 3, 224, 224], convs([3, 64], { kernel: 7, stride: 2 }, 1)],
  ...[8, 16, 24, 32, 60, 64, 72, 96, 144].map((n) => [`depthwise 3x3 ${n}, 28x28`, [1, n, 28, 28], depthwise(n)]),
  ['depthwise 3x3 64, 112x112', [1, 64, 112, 112], depthwise(64)],
  ['depthwise 3x3 64, 7x7', [1, 64, 7, 7], depthwise(64)],
  ['depthwise 5x5 64, 28x28', [1, 64, 28, 28], depthwise(64, { kernel: 5 })],
  ['depthwise 3x3 s2 64, 56x56', [1, 64, 56, 56], convs([64, 64], { group: 64, stride: 2 }, 2)],
  ...[2, 4, 8, 16, 32].map((g) => [
    `grouped 3x3 64, ${g} groups, 28x28`,
    [1, 64, 28, 28],
    convs([64, 64], { group: g }),
  ]),
  ...[2, 4, 8].map((g) => [
    `1x1, 3x3 of 64 in ${g} groups in float | int8, 1x1, 28x28`,
    [1, 32, 28, 28],
    mobile(32, 64, { group: g }),
  ]),
  ...[96, 144, 192, 72, 60, 24].map((n) => [
    `1x1, depthwise ${n} in float | int8, 1x1, 28x28`,
    [1, 32, 28, 28],
    mobile(32, n),
  ]),
  ['1x1, depthwise 64 in float | int8, 1x1, 7x7', [1, 32, 7, 7], mobile(32, 64)],
  ['1x1, depthwise 96 in float | int8, 1x1, 112x112', [1, 16, 112, 112], mobile(16, 96)],
  ...[
    ['3x3 s2', [32, 3, 2], 224],
    ['7x7 s2', [64, 7, 2], 224],
    ['3x3 s1', [16, 3, 1], 32],
  ].flatMap(([kind, spec, size]) =>
    [
      ['three', '3 channels'],
      ['floats', '4 by Pad of floats'],
      ['integers', '4 by Pad of integers'],
    ].map(([how, says]) => [
      `stem ${kind} in float | int8 of ${says}, then 1x1, ${size}x${size}`,
      [1, 3, size, size],
      stem(how, spec),
    ]),
  ),
  ...[
    [72, 80],
    [60, 64],
    [24, 32],
  ].map(([from, to]) => [`1x1, depthwise int8, 1x1: ${from} | ${to}, 28x28`, [1, 32, 28, 28], wider(32, from, to)]),
  ['AveragePool 3x3 int8 | depthwise, 64, 28x28', [1, 64, 28, 28], average],
  ['residual block 16, 32x32', [1, 16, 32, 32], residual(16)],
  ['residual block 64, 8x8', [1, 64, 8, 8], residual(64)],
  ['HardSwish 64, 28x28, in float | by Add and Mul', [1, 64, 28, 28], hardSwish],
  ['1x1, 1x1, 64, 28x28', [1, 64, 28, 28], convs([64, 64], { kernel: 1 }, 2)],
  ['1x1, MaxPool 3x3, 1x1, 64, 28x28', [1, 64, 28, 28], between('MaxPool', POOL)],
  ['1x1, AveragePool 3x3, 1x1, 64, 28x28', [1, 64, 28, 28], between('AveragePool', POOL)],
  [
    '1x1, LeakyRelu, 1x1, 64, 28x28',
    [1, 64, 28, 28],
    between('LeakyRelu', { alpha: 0.1 }, { scale: 0.015, zero: 100 }),
  ],
  ['1x1, Sigmoid, 1x1, 64, 28x28', [1, 64, 28, 28], between('Sigmoid', {}, { scale: 1 / 256, zero: 0 })],
  ['1x1, MaxPool 3x3 in float | int8, 1x1, 64, 28x28', [1, 64, 28, 28], island('MaxPool', POOL)],
  [
    '1x1, Resize nearest in float | int8, 1x1, 64, 14x14',
    [1, 64, 14, 14],
    island('Resize', NEAREST, (net) => [undefined, net.tensor('float32', [4], [1, 1, 2, 2])]),
  ],
  ['1x1, Transpose in float | int8, 1x1, 64, 28x28', [1, 64, 28, 28], island('Transpose', { perm: [0, 1, 3, 2] })],
  [
    '1x1, ReduceMax in float | int8, 1x1, 64, 28x28',
    [1, 64, 28, 28],
    island('ReduceMax', { axes: [2, 3], keepdims: 1 }),
  ],
  ['MaxPool 3x3 alone, 64, 28x28', [1, 64, 28, 28], chain('MaxPool', POOL)],
  [
    'Q and DQ, 64, 28x28 (float: Relu)',
    [1, 64, 28, 28],
    (layers, form, x) => (form === 'float' ? layers.net.one('Relu', [x]) : x),
  ],
  ['Gemm 256->64, 1 row', [1, 256], (layers, form, x) => layers.gemm(form, x, [256, 64])],
  ['Gemm 1280->1000, 1 row', [1, 1280], (layers, form, x) => layers.gemm(form, x, [1280, 1000])],
  ['Gemm 256->256, 64 rows', [64, 256], (layers, form, x) => layers.gemm(form, x, [256, 256])],
];

/** The model of a case in one form; int8 models read and return floats. */
function modelOf(QdqNet, shape, build, form) {
  const net = new QdqNet();
  const layers = layersOf(net);
  const x = net.input(shape);
  const start = form === 'int8' || build.mixed ? net.qdq(x) : x;
  return net.bytes(build(layers, form, start));
}

/** Times every case whose name holds one of `words` (all without words). */
export async function timeLayers(QdqNet, words) {
  const host = new RuntimeHost();
  const rows = [['case', 'int8 / float', '±', 'float ms']];
  for (const [name, shape, build] of CASES) {
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const [float, int8] = ['float', 'int8'].map((form) => modelOf(QdqNet, shape, build, form));
    const rng = createRng('fusion-times');
    const size = shape.reduce((a, b) => a * b, 1);
    const feeds = new Map([
      [
        'x',
        Tensor.fromNumbers(
          'float32',
          shape,
          Array.from({ length: size }, () => rng.normal()),
        ),
      ],
    ]);
    const result = await compareLatency(host, float, int8, feeds, { budget: 2000, precision: 0.03 });
    const ratio = result[result.decidedBy];
    rows.push([name, ratio.value.toFixed(2), halfWidth(ratio).toFixed(2), result.before.cpu.p50.toFixed(3)]);
    process.stderr.write(`${rows.at(-1).join('  ')}\n`);
  }
  console.log(formatTable(rows));
  await host.dispose();
}
