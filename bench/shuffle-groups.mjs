// Is a convolution in groups ever faster than a dense one, and what does it cost to move channels around it? Four copies of a layer,
// each between depthwise 1x1 convolutions, read one value; what the model takes without them is taken off.
// On ONNX Runtime, interleaved, 1 thread.
// Usage: npm run bench -- shuffle-groups [NAME...]. Columns by groups: time of the layer in groups over that of the dense one, alone
// (`2`), with a Gather of the input channels in front (`2+gather`), with a regular shuffle behind (`2+shuffle`).
import { encodeModel, parseModel, Tensor } from '../dist/index.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency, timeModel } from '../dist/runtime/latency.js';
import { formatTable } from './table.mjs';

const GROUPS = [2, 4, 8];
const COPIES = 4;

const layer = (net, inputs, outputs, size, kernel = 1) => ({
  name: `${net} ${kernel}x${kernel} ${inputs}-${outputs} @${size}`,
  inputs,
  outputs,
  size,
  kernel,
});

const CASES = [
  layer('MobileNetV2', 16, 96, 112),
  layer('MobileNetV2', 96, 24, 56),
  layer('MobileNetV2', 24, 144, 56),
  layer('MobileNetV2', 144, 24, 56),
  layer('MobileNetV2', 32, 192, 28),
  layer('MobileNetV2', 192, 32, 28),
  layer('MobileNetV2', 64, 384, 14),
  layer('MobileNetV2', 384, 64, 14),
  layer('MobileNetV2', 96, 576, 14),
  layer('MobileNetV2', 576, 96, 14),
  layer('MobileNetV2', 160, 960, 7),
  layer('MobileNetV2', 960, 160, 7),
  layer('MobileNetV2', 320, 1280, 7),
  layer('SqueezeNet', 128, 16, 55),
  layer('SqueezeNet', 16, 64, 55),
  layer('SqueezeNet', 256, 32, 27),
  layer('SqueezeNet', 32, 128, 27),
  layer('SqueezeNet', 48, 192, 13),
  layer('SqueezeNet', 512, 64, 13),
  layer('SqueezeNet', 16, 64, 55, 3),
  layer('SqueezeNet', 32, 128, 27, 3),
  layer('SqueezeNet', 64, 256, 13, 3),
  layer('ResNet-56', 16, 16, 32, 3),
  layer('ResNet-56', 32, 32, 16, 3),
  layer('ResNet-56', 64, 64, 8, 3),
  layer('ResNet-50', 64, 256, 56),
  layer('ResNet-50', 256, 64, 56),
  layer('ResNet-50', 512, 128, 28),
  layer('ResNet-50', 128, 128, 28, 3),
  layer('ResNet-50', 256, 256, 14, 3),
  layer('square', 128, 128, 28),
  layer('square', 256, 256, 14),
  layer('square', 512, 512, 14),
  layer('square', 512, 512, 7),
  layer('square', 1024, 1024, 14),
  layer('square', 1024, 1024, 7),
];

/** An order of `count` channels (no multiple of 7) in which no two neighbours stay together. */
const scattered = (count) => Array.from({ length: count }, (_, i) => (i * 7) % count);

const RANDOM = (dims, name, seed) => `float[${dims}] ${name} = random(${seed})`;

/** The layer as text: from `x${i}` to `z${i}`, with its constants. */
function layerNodes(i, { inputs, outputs, size, kernel }, { groups, moved }) {
  const pad = (kernel - 1) / 2;
  const constants = [RANDOM([outputs, inputs / groups, kernel, kernel], `w${i}`, i + 1)];
  const source = moved === 'gather' ? `g${i}` : `x${i}`;
  const made = moved === 'shuffle' ? `c${i}` : `z${i}`;
  const nodes = [`${made} = Conv <group = ${groups}, pads = [${pad}, ${pad}, ${pad}, ${pad}]> (${source}, w${i})`];
  if (moved === 'gather') {
    constants.push(`int64[${inputs}] order${i} = {${scattered(inputs)}}`);
    nodes.unshift(`g${i} = Gather <axis = 1> (x${i}, order${i})`);
  }
  if (moved === 'shuffle') {
    constants.push(`int64[5] apart${i} = {1, ${groups}, ${outputs / groups}, ${size}, ${size}}`);
    constants.push(`int64[4] whole${i} = {1, ${outputs}, ${size}, ${size}}`);
    nodes.push(`a${i} = Reshape (c${i}, apart${i}) t${i} = Transpose <perm = [0, 2, 1, 3, 4]> (a${i})`);
    nodes.push(`z${i} = Reshape (t${i}, whole${i})`);
  }
  return { constants, nodes };
}

/** A depthwise convolution, which wants its channels in blocks as they are in a network. */
const depthwise = (channels, from, to, seed) => ({
  constants: [RANDOM([channels, 1, 1, 1], `d_${to}`, seed)],
  nodes: [`${to} = Conv <group = ${channels}> (${from}, d_${to})`],
});

/** A stem, and copies of what `parts` gives, from x to `y${i}`, each pooled. */
function modelBytes(channels, size, parts) {
  const copies = Array.from({ length: COPIES }, (_, i) => parts(i)).flat();
  const pooled = Array.from({ length: COPIES }, (_, i) => `p${i} = GlobalAveragePool (y${i})`);
  const text = `g (float[1,1,${size},${size}] input) => (y)
    <${[RANDOM([channels, 1, 1, 1], 'stem', 99), ...copies.flatMap(({ constants }) => constants)].join(', ')}>
    { t = Conv (input, stem) x = Relu (t) ${copies.flatMap(({ nodes }) => nodes).join(' ')} ${pooled.join(' ')}
      y = Sum (${pooled.map((_, i) => `p${i}`)}) }`;
  return Buffer.concat(encodeModel(undefined, parseModel(text)));
}

const withLayers = (entry, form) =>
  modelBytes(entry.inputs, entry.size, (i) => [
    depthwise(entry.inputs, 'x', `x${i}`, 10 + i),
    layerNodes(i, entry, form),
    depthwise(entry.outputs, `z${i}`, `y${i}`, 20 + i),
  ]);

const withoutLayers = (channels, size) =>
  modelBytes(channels, size, (i) => [depthwise(channels, 'x', `y${i}`, 10 + i)]);

/** A stem, and nothing but the pools behind it. */
const stemOnly = (channels, size) =>
  modelBytes(channels, size, (i) => [{ constants: [], nodes: [`y${i} = Relu (x)`] }]);

/** Milliseconds of all but the layers: what is in front of them, and the convolutions behind. */
async function restOf(host, { inputs, outputs, size }, feeds) {
  const timed = async (bytes) => (await timeModel(host, bytes, feeds, { budget: 400 })).wall.p50;
  const [front, behind, stem] = [
    await timed(withoutLayers(inputs, size)),
    await timed(withoutLayers(outputs, size)),
    await timed(stemOnly(outputs, size)),
  ];
  return front + Math.max(0, behind - stem);
}

async function ratioOf(host, entry, form, rest, feeds) {
  const dense = withLayers(entry, { groups: 1, moved: undefined });
  const options = { budget: 1200, precision: 0.03 };
  const { before, after } = await compareLatency(host, dense, withLayers(entry, form), feeds, options);
  return { ratio: (after.wall.p50 - rest) / (before.wall.p50 - rest), dense: (before.wall.p50 - rest) / COPIES };
}

const chosen = process.argv.slice(2);
const host = new RuntimeHost();
const forms = GROUPS.flatMap((groups) => [undefined, 'gather', 'shuffle'].map((moved) => ({ groups, moved })));
const rows = [['layer', 'dense us', ...forms.map(({ groups, moved }) => `${groups}${moved ? `+${moved}` : ''}`)]];
for (const entry of CASES.filter(({ name }) => chosen.length === 0 || chosen.some((word) => name.includes(word)))) {
  const dims = [1, 1, entry.size, entry.size];
  const input = Array.from({ length: entry.size ** 2 }, (_, i) => Math.sin(i));
  const feeds = new Map([['input', Tensor.fromNumbers('float32', dims, input)]]);
  const rest = await restOf(host, entry, feeds);
  const cells = [];
  for (const form of forms) cells.push(await ratioOf(host, entry, form, rest, feeds));
  const dense = cells.map((cell) => cell.dense).sort((a, b) => a - b)[cells.length >> 1];
  rows.push([entry.name, (dense * 1000).toFixed(0), ...cells.map(({ ratio }) => ratio.toFixed(2))]);
  process.stderr.write(`${rows.at(-1).join('  ')}\n`);
}
console.log(formatTable(rows));
await host.dispose();
