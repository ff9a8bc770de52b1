// Are merged branches faster than the branches? Times convolutions of one value apart and stacked (for a Concat, for a
// Split), and added branches apart and as one, on ONNX Runtime, interleaved, 1 thread.
// Usage: npm run bench -- branches [NAME...]. `ratio` is merged / apart.
import { encodeModel, parseModel, Tensor } from '../dist/index.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { halfWidth } from '../dist/runtime/statistics.js';
import { formatTable } from './table.mjs';

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const conv = (k) => `Conv <pads = [${Array(4).fill((k - 1) / 2)}]>`;

/** Convolutions of C channels at HxH behind a convolution, with a Relu each, read by a 3x3 convolution each or a Concat. */
function parallel(name, channels, size, widths, k, reader) {
  const total = sum(widths);
  const weights = [...widths, total].map((o, i) => `float[${o},${channels},${k},${k}] w${i} = random(${i + 1})`);
  const readers = widths.map((o, i) => `float[16,${o},3,3] v${i} = random(${i + 50})`);
  const concat = reader === 'Concat';
  const apart = widths.map((_, i) => `c${i} = ${conv(k)} (x, w${i}) r${i} = Relu (c${i})`).join('\n');
  const parts = widths.map((_, i) => `r${i}`);
  const read = concat
    ? `y = ${conv(3)} (all, u)`
    : `${parts.map((part, i) => `z${i} = ${conv(3)} (${part}, v${i})`).join('\n')} y = Sum (${parts.map((_, i) => `z${i}`)})`;
  const one = `c = ${conv(k)} (x, w${widths.length}) ${concat ? 'all' : 'r'} = Relu (c)`;
  return {
    name,
    channels,
    size,
    constants: [
      ...weights,
      ...readers,
      `float[16,${total},3,3] u = random(90)`,
      `int64[${widths.length}] sizes = {${widths}}`,
    ],
    apart: `${apart} ${concat ? `all = Concat <axis = 1> (${parts})` : ''} ${read}`,
    merged: `${one} ${concat ? '' : `${parts} = Split <axis = 1> (r, sizes)`} ${read}`,
  };
}

/** Branches of C channels that are added, and the one convolution of the same window they become. */
function added(name, channels, size, branches, merged) {
  const constants = `float[C,C,3,3] w3 = random(1), float[C,C,1,1] w1 = random(2), float[C,1,3,3] d3 = random(3),
    float[C,1,1] s = uniform(0.5, 1.5, 4)`.replaceAll('C', channels);
  const end = `r = Relu (a) y = ${conv(3)} (r, w3)`;
  return { name, channels, size, constants: [constants], apart: `${branches} ${end}`, merged: `${merged} ${end}` };
}

const CASES = [
  parallel('Split 8+8, 1x1', 64, 28, [8, 8], 1, 'Split'),
  parallel('Split 8+8+8, 1x1', 64, 28, [8, 8, 8], 1, 'Split'),
  parallel('Split 8+8, 3x3', 32, 56, [8, 8], 3, 'Split'),
  parallel('Split 6+12, 3x3', 64, 20, [6, 12], 3, 'Split'),
  parallel('Split 16+16, 1x1', 64, 28, [16, 16], 1, 'Split'),
  parallel('Split 64+96+16, 1x1 (GoogLeNet 3a)', 192, 28, [64, 96, 16], 1, 'Split'),
  parallel('Split 160+112+24, 1x1 (GoogLeNet 4b)', 512, 14, [160, 112, 24], 1, 'Split'),
  parallel('Concat 8+8, 1x1', 64, 28, [8, 8], 1, 'Concat'),
  parallel('Concat 20+12, 3x3', 32, 28, [20, 12], 3, 'Concat'),
  parallel('Concat 64+64, 1x1', 128, 28, [64, 64], 1, 'Concat'),
  parallel('Concat 128+64+32, 3x3', 64, 14, [128, 64, 32], 3, 'Concat'),
  added('3x3 + 1x1', 48, 28, `p = ${conv(3)} (x, w3) q = Conv (x, w1) a = Add (p, q)`, `a = ${conv(3)} (x, w3)`),
  added('3x3 + identity', 48, 28, `p = ${conv(3)} (x, w3) a = Add (p, x)`, `a = ${conv(3)} (x, w3)`),
  added('1x1 + identity', 64, 28, `p = Conv (x, w1) a = Add (p, x)`, `a = Conv (x, w1)`),
  added(
    '3x3 + 1x1 + scaled identity + average',
    48,
    28,
    `p = ${conv(3)} (x, w3) q = Conv (x, w1) i = Mul (x, s)
     v = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1> (x) a = Sum (p, q, i, v)`,
    `a = ${conv(3)} (x, w3)`,
  ),
  added(
    'depthwise 3x3 + identity',
    64,
    28,
    `p = Conv <group = 64, pads = [1, 1, 1, 1]> (x, d3) a = Add (p, x)`,
    `a = Conv <group = 64, pads = [1, 1, 1, 1]> (x, d3)`,
  ),
];

function modelBytes({ channels, size, constants }, nodes) {
  const text = `g (float[1,8,${size},${size}] input) => (y)
    <float[${channels},8,1,1] stem = random(99), ${constants.join(', ')}>
    { t = Conv (input, stem) x = Relu (t) ${nodes} }`;
  return Buffer.concat(encodeModel(undefined, parseModel(text)));
}

const chosen = process.argv.slice(2);
const host = new RuntimeHost();
const rows = [['branches', 'ratio', '±', 'apart ms']];
for (const entry of CASES.filter(({ name }) => chosen.length === 0 || chosen.some((word) => name.includes(word)))) {
  let seed = 1;
  const noise = () => ((seed = (seed * 16807) % 2147483647) / 2147483647 - 0.5) * 4;
  const dims = [1, 8, entry.size, entry.size];
  const feeds = new Map([
    ['input', Tensor.fromNumbers('float32', dims, Array.from({ length: dims.reduce((a, b) => a * b, 1) }, noise))],
  ]);
  const [before, after] = [entry.apart, entry.merged].map((nodes) => modelBytes(entry, nodes));
  const result = await compareLatency(host, before, after, feeds, { budget: 2500, precision: 0.02 });
  const ratio = result[result.decidedBy];
  rows.push([entry.name, ratio.value.toFixed(2), halfWidth(ratio).toFixed(2), result.before.wall.p50.toFixed(3)]);
  process.stderr.write(`${rows.at(-1).join('  ')}\n`);
}
console.log(formatTable(rows));
await host.dispose();
