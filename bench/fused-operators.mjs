// Are the single operators that the passes fuse to as fast as what ONNX Runtime makes of their pieces? Times both forms,
// interleaved, alone and between a convolution and a pool. Usage: npm run bench -- fused-operators [NAME...]
// `ratio` is operator / pieces, one thread.
import { readFileSync, rmSync, mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeModel, encodeModel, parseModel, Tensor } from '../dist/index.js';
import { createRng } from '../dist/base/rng.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { halfWidth } from '../dist/runtime/statistics.js';
import { formatTable } from './table.mjs';

const ort = createRequire(import.meta.url)('onnxruntime-node');

const IMAGE = [1, 64, 56, 56];
const TOKENS = [1, 128, 256];
const constants = `float one = {1}, float half = {0.5}, float two = {2}, float three = {3}, float six = {6}, float zero = {0},
  float sixth = {0.16666667}, float tenth = {0.1}, float minus_tenth = {-0.1}, float root2 = {1.4142135},
  float cubic = {0.044715}, float factor = {0.7978846}, float eps = {0.00001}, float quick = {1.702},
  int64[1] last = {-1}, int64[1] channels = {1}, int64[2] space = {2, 3},
  float[256] gamma = uniform(0.5, 1.5, 1), float[256] beta = uniform(-1, 1, 2),
  float[1,64,1,1] gamma_c = uniform(0.5, 1.5, 3), float[1,64,1,1] beta_c = uniform(-1, 1, 4),
  float[64] gamma_v = uniform(0.5, 1.5, 3), float[64] beta_v = uniform(-1, 1, 4),
  float[64,1,1] slopes = fill(0.1),
  float[256,256] w = random(5), float[256] b = random(6),
  int64[6] dcr = {1, 2, 2, 16, 56, 56}, int64[6] crd = {1, 16, 2, 2, 56, 56}, int64[4] shuffled = {1, 16, 112, 112},
  int64[6] unshuffled = {1, 64, 28, 2, 28, 2}, int64[4] deep = {1, 256, 28, 28}`;

const hardSwish = 'a = Add (x, three) c = Clip (a, zero, six) m = Mul (x, c) y = Div (m, six)';
const normalized = (axes) => `m = ReduceMean <keepdims = 1> (x, ${axes}) d = Sub (x, m) s = Pow (d, two)
  v = ReduceMean <keepdims = 1> (s, ${axes}) e = Add (v, eps) r = Sqrt (e) q = Div (d, r)`;
const blocks = (first, perm, last) =>
  `a = Reshape (x, ${first}) t = Transpose <perm = [${perm}]> (a) y = Reshape (t, ${last})`;

/** Name, opset, shape of x, nodes of the pieces, nodes of the single operator; both compute y from x. */
const CASES = [
  ['HardSwish', 17, IMAGE, hardSwish, 'y = HardSwish (x)'],
  ['HardSwish as Mul, HardSigmoid', 13, IMAGE, hardSwish, 'h = HardSigmoid <alpha = 0.16666667> (x) y = Mul (x, h)'],
  [
    'HardSwish from HardSigmoid',
    17,
    IMAGE,
    'h = HardSigmoid <alpha = 0.16666667> (x) y = Mul (x, h)',
    'y = HardSwish (x)',
  ],
  [
    'HardSigmoid',
    17,
    IMAGE,
    'a = Add (x, three) c = Clip (a, zero, six) y = Div (c, six)',
    'y = HardSigmoid <alpha = 0.16666667> (x)',
  ],
  [
    'HardSigmoid without scale',
    17,
    IMAGE,
    'm = Mul (x, tenth) a = Add (m, half) y = Clip (a, zero, one)',
    'y = HardSigmoid <alpha = 0.1> (x)',
  ],
  [
    'Gelu',
    20,
    TOKENS,
    'd = Div (x, root2) e = Erf (d) a = Add (e, one) m = Mul (x, a) y = Mul (m, half)',
    'y = Gelu (x)',
  ],
  [
    'Gelu, tanh',
    20,
    TOKENS,
    `p = Pow (x, three) c = Mul (p, cubic) i = Add (x, c) f = Mul (i, factor) t = Tanh (f) a = Add (t, one) m = Mul (x, a)
     y = Mul (m, half)`,
    'y = Gelu <approximate = "tanh"> (x)',
  ],
  [
    'Gelu, tanh by products',
    20,
    TOKENS,
    `s = Mul (x, x) p = Mul (s, x) c = Mul (p, cubic) i = Add (x, c) f = Mul (i, factor) t = Tanh (f) a = Add (t, one)
     m = Mul (x, half) y = Mul (m, a)`,
    'y = Gelu <approximate = "tanh"> (x)',
  ],
  ['Mish', 18, IMAGE, 's = Softplus (x) t = Tanh (s) y = Mul (x, t)', 'y = Mish (x)'],
  [
    'Mish from Log, Exp',
    18,
    IMAGE,
    'e = Exp (x) a = Add (e, one) s = Log (a) t = Tanh (s) y = Mul (x, t)',
    'y = Mish (x)',
  ],
  ['Softplus from Log, Exp', 18, IMAGE, 'e = Exp (x) a = Add (e, one) y = Log (a)', 'y = Softplus (x)'],
  ['Swish', 24, IMAGE, 's = Sigmoid (x) y = Mul (x, s)', 'y = Swish (x)'],
  ['Swish, alpha', 24, IMAGE, 'a = Mul (x, quick) s = Sigmoid (a) y = Mul (x, s)', 'y = Swish <alpha = 1.702> (x)'],
  [
    'SiLU from Exp',
    17,
    IMAGE,
    'n = Neg (x) e = Exp (n) a = Add (e, one) y = Div (x, a)',
    's = Sigmoid (x) y = Mul (x, s)',
  ],
  ['LeakyRelu from Max', 17, IMAGE, 'm = Mul (x, tenth) y = Max (x, m)', 'y = LeakyRelu <alpha = 0.1> (x)'],
  [
    'LeakyRelu from Where',
    17,
    IMAGE,
    'm = Mul (x, tenth) g = Greater (x, zero) y = Where (g, x, m)',
    'y = LeakyRelu <alpha = 0.1> (x)',
  ],
  [
    'LeakyRelu from Relu',
    17,
    IMAGE,
    'p = Relu (x) n = Neg (x) q = Relu (n) m = Mul (q, minus_tenth) y = Add (p, m)',
    'y = LeakyRelu <alpha = 0.1> (x)',
  ],
  ['LeakyRelu from PRelu', 17, IMAGE, 'y = PRelu (x, slopes)', 'y = LeakyRelu <alpha = 0.1> (x)'],
  [
    'PRelu from Relu',
    17,
    IMAGE,
    'p = Relu (x) n = Neg (x) q = Relu (n) m = Mul (q, slopes) y = Sub (p, m)',
    'y = PRelu (x, slopes)',
  ],
  [
    'LayerNormalization',
    18,
    TOKENS,
    `${normalized('last')} g = Mul (q, gamma) y = Add (g, beta)`,
    'y = LayerNormalization <axis = -1> (x, gamma, beta)',
  ],
  [
    'LayerNormalization, no scale',
    18,
    TOKENS,
    `${normalized('last')} y = Identity (q)`,
    'y = LayerNormalization <axis = -1> (x, gamma)',
  ],
  [
    'LayerNormalization, channels last',
    18,
    [1, 56, 56, 64],
    `${normalized('last')} g = Mul (q, gamma_v) y = Add (g, beta_v)`,
    'y = LayerNormalization <axis = -1> (x, gamma_v, beta_v)',
  ],
  [
    'InstanceNormalization',
    18,
    IMAGE,
    `${normalized('space')} g = Mul (q, gamma_c) y = Add (g, beta_c)`,
    'y = InstanceNormalization (x, gamma_v, beta_v)',
  ],
  [
    'InstanceNormalization, bare',
    18,
    IMAGE,
    `${normalized('space')} y = Identity (q)`,
    'y = InstanceNormalization (x, gamma_v, beta_v)',
  ],
  [
    'Softmax',
    17,
    TOKENS,
    'm = ReduceMax <axes = [-1]> (x) d = Sub (x, m) e = Exp (d) s = ReduceSum (e, last) y = Div (e, s)',
    'y = Softmax (x)',
  ],
  ['Softmax, no maximum', 17, TOKENS, 'e = Exp (x) s = ReduceSum (e, last) y = Div (e, s)', 'y = Softmax (x)'],
  [
    'Softmax over channels',
    17,
    IMAGE,
    'm = ReduceMax <axes = [1]> (x) d = Sub (x, m) e = Exp (d) s = ReduceSum (e, channels) y = Div (e, s)',
    'y = Softmax <axis = 1> (x)',
  ],
  [
    'Softmax over channels, no maximum',
    17,
    IMAGE,
    'e = Exp (x) s = ReduceSum (e, channels) y = Div (e, s)',
    'y = Softmax <axis = 1> (x)',
  ],
  [
    'Softmax over 2 channels',
    17,
    [1, 2, 112, 112],
    'e = Exp (x) s = ReduceSum (e, channels) y = Div (e, s)',
    'y = Softmax <axis = 1> (x)',
  ],
  [
    'DepthToSpace, DCR',
    17,
    IMAGE,
    blocks('dcr', '0, 3, 4, 1, 5, 2', 'shuffled'),
    'y = DepthToSpace <blocksize = 2> (x)',
  ],
  [
    'DepthToSpace, CRD',
    17,
    IMAGE,
    blocks('crd', '0, 1, 4, 2, 5, 3', 'shuffled'),
    'y = DepthToSpace <blocksize = 2, mode = "CRD"> (x)',
  ],
  ['SpaceToDepth', 17, IMAGE, blocks('unshuffled', '0, 3, 5, 1, 2, 4', 'deep'), 'y = SpaceToDepth <blocksize = 2> (x)'],
  ['Relu from Max', 17, IMAGE, 'y = Max (x, zero)', 'y = Relu (x)'],
  ['Clip from Min', 17, IMAGE, 'y = Min (x, six)', 'y = Clip (x, "", six)'],
  ['Clip from Min of Relu', 17, IMAGE, 'r = Relu (x) y = Min (r, six)', 'y = Clip (x, zero, six)'],
  ['Sigmoid from Exp', 17, IMAGE, 'n = Neg (x) e = Exp (n) a = Add (e, one) y = Div (one, a)', 'y = Sigmoid (x)'],
  ['GlobalAveragePool', 18, IMAGE, 'y = ReduceMean (x, space)', 'y = GlobalAveragePool (x)'],
  [
    'RMSNormalization',
    23,
    TOKENS,
    's = Mul (x, x) m = ReduceMean (s, last) e = Add (m, eps) r = Sqrt (e) q = Div (x, r) y = Mul (q, gamma)',
    'y = RMSNormalization (x, gamma)',
  ],
  ['Gemm', 17, [128, 256], 'm = MatMul (x, w) y = Add (m, b)', 'y = Gemm (x, w, b)'],
  ['Gemm, one row', 17, [1, 256], 'm = MatMul (x, w) y = Add (m, b)', 'y = Gemm (x, w, b)'],
  ['Gemm, transposed A', 17, [256, 128], 't = Transpose (x) y = Gemm (t, w, b)', 'y = Gemm <transA = 1> (x, w, b)'],
];

const CONV = 'x = Conv <kernel_shape = [1, 1]> (input, cw, cb)';
// The runtime treats values that are returned in another way than those in the middle of a model.
const POOL = 'out = MaxPool <kernel_shape = [1, 1], strides = [1, 1]> (y)';

/** The model of one case: the operator alone, or `within` a model. */
function modelBytes({ opset, shape }, nodes, place) {
  const [input, body, output] = place === 'within' ? ['input', `${CONV} ${nodes} ${POOL}`, 'out'] : ['x', nodes, 'y'];
  const text = `<ir_version: 10, opset_import: ["" : ${opset}]> g (float[${shape}] ${input}) => (${output})
    <${constants}, float[64,64,1,1] cw = random(7), float[64] cb = random(8)> { ${body} }`;
  return Buffer.concat(encodeModel(undefined, parseModel(text)));
}

/** Operators that run: those of the runtime's optimized model, with the activations that run inside others. */
async function operatorsRun(bytes, folder) {
  const path = join(folder, 'optimized.onnx');
  const options = { optimizedModelFilePath: path, logSeverityLevel: 3, intraOpNumThreads: 1 };
  const session = await ort.InferenceSession.create(bytes, options);
  await session.release();
  const { model } = decodeModel(readFileSync(path));
  const name = (node) => [node.opType, node.string('activation', '')].filter((part) => part !== '').join('+');
  return [...model.graph.nodes()]
    .map(name)
    .filter((operator) => !/^(Reorder|MaxPool)/.test(operator))
    .join(' ');
}

function feedsOf(shape, place) {
  const rng = createRng('fused-operators');
  const size = shape.reduce((a, b) => a * b, 1);
  const numbers = Array.from({ length: size }, () => 2 * rng.normal());
  return new Map([[place === 'within' ? 'input' : 'x', Tensor.fromNumbers('float32', shape, numbers)]]);
}

async function measure({ name, shape, ...given }, place, host, folder) {
  const [before, after] = [given.pieces, given.fused].map((nodes) => modelBytes({ shape, ...given }, nodes, place));
  const options = { budget: 2500, precision: 0.02 };
  const result = await compareLatency(host, before, after, feedsOf(shape, place), options);
  const ratio = result[result.decidedBy];
  return [
    place === 'within' ? `${name}, behind Conv` : name,
    ratio.value.toFixed(2),
    halfWidth(ratio).toFixed(2),
    result.before.wall.p50.toFixed(3),
    await operatorsRun(before, folder),
    await operatorsRun(after, folder),
  ];
}

const chosen = process.argv.slice(2);
const host = new RuntimeHost();
const folder = mkdtempSync(join(tmpdir(), 'mcompress-bench-'));
const rows = [['operator', 'ratio', '±', 'pieces ms', 'pieces run as', 'operator runs as']];
for (const [name, opset, shape, pieces, fused] of CASES) {
  if (chosen.length > 0 && !chosen.some((word) => name.includes(word))) continue;
  for (const place of shape === IMAGE ? ['alone', 'within'] : ['alone']) {
    rows.push(await measure({ name, opset, shape, pieces, fused }, place, host, folder));
    process.stderr.write(`${rows.at(-1).slice(0, 4).join('  ')}\n`);
  }
}
console.log(formatTable(rows));
await host.dispose();
rmSync(folder, { recursive: true });
