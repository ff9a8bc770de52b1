// Bar: int8 is 1.05 times as fast as the peer's best on MobileNetV2, ResNet-56 and ResNet-20, and not slower on SqueezeNet.
//   MCOMPRESS_PYTHON=python npm run bench -- quantize-speed [--budget SECONDS] [--only peer] [--json FILE] [NAME...]
// onnxruntime-node, one thread, a real image. Models are timed in pairs, run in turn in one child process; the median ratio
// of processor times decides, with its 95 % interval. The peer's best is the configuration that is fastest here: they are
// all timed against float first. Peer models come from the same folder as those of quantize-accuracy (split 0); ours is
// made anew. `open`: the interval reaches across the bar. Exits with 1 unless every bar is met.
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { Tensor } from '../dist/tensor/tensor.js';
import { calibrationFile, chosenCases, hasCommand, prepareData, quantizeOurs, workFolder } from './quantize/cases.mjs';
import { readHeader } from './quantize/npy.mjs';
import { configurations, peerFolder, peerVersions, prepareForPeer, quantizeByPeer } from './quantize/peer.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: { budget: { type: 'string', default: '20' }, only: { type: 'string' }, json: { type: 'string' } },
  allowPositionals: true,
});
const budget = 1000 * Number(options.budget);
const chosen = chosenCases(positionals).filter(({ speed }) => speed !== undefined);
const versions = peerVersions();
const runOurs = options.only !== 'peer' && hasCommand('quantize');
if (options.only !== 'peer' && !runOurs) console.error('ours: left out, this build has no command `quantize`');

/** The first image that is scored, as feeds. */
function firstImage(folder, { input }) {
  const file = openSync(join(folder, 'images.npy'), 'r');
  const { shape, start } = readHeader(file);
  const dims = [1, ...shape.slice(1)];
  const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  readSync(file, new Uint8Array(values.buffer), 0, values.byteLength, start);
  closeSync(file);
  return new Map([[input, Tensor.fromNumbers('float32', dims, values)]]);
}

/** How many times as fast as `before` the model `after` is, with the interval: the ratio of processor times turned over. */
async function speedUp(host, before, after, { feeds, milliseconds }) {
  const timed = await compareLatency(host, before, after, feeds, { budget: milliseconds, precision: 0.004 });
  const { value, low, high } = timed.cpu;
  return {
    value: 1 / value,
    low: 1 / high,
    high: 1 / low,
    before: timed.before.wall.p50,
    after: timed.after.wall.p50,
    rounds: timed.rounds,
    cpuShare: timed.cpuShare,
  };
}

/** The peer's models that load, each with its speed-up over float; the fastest first. */
async function timePeer(host, one, { folder, feeds }) {
  const peers = peerFolder(one.name, one.file, versions);
  const prepared = prepareForPeer(peers, one.file);
  const timed = [];
  for (const configuration of configurations) {
    const quantized = quantizeByPeer(peers, prepared.path, {
      data: calibrationFile(folder, 0),
      key: 'split-0',
      configuration,
    });
    if (quantized.error) continue;
    try {
      const gain = await speedUp(host, one.file, quantized.path, { feeds, milliseconds: budget / 4 });
      timed.push({ configuration, path: quantized.path, gain });
    } catch (error) {
      console.error(`${one.name} ${configuration}: ${error.message}`);
    }
  }
  return timed.sort((a, b) => b.gain.value - a.gain.value);
}

function judge({ speed }, gain) {
  if (gain.low >= speed || (speed === 1 && gain.high >= 1)) return 'met';
  return gain.high < speed ? 'MISSED' : 'open';
}

async function measure(host, one) {
  const { folder } = prepareData(one, 1);
  const feeds = firstImage(folder, one.data);
  const timed = await timePeer(host, one, { folder, feeds });
  const [best] = timed;
  const row = {
    model: one.name,
    bar: one.speed,
    peers: timed.map(({ configuration, gain }) => ({ configuration, gain })),
  };
  if (best === undefined) throw new Error(`${one.name}: the peer has no model that loads`);
  row.peer = { configuration: best.configuration, ...(await speedUp(host, one.file, best.path, full(feeds))) };
  if (!runOurs) return row;
  const out = join(workFolder, 'ours', `${one.name}-speed.onnx`);
  mkdirSync(join(workFolder, 'ours'), { recursive: true });
  rmSync(out, { force: true });
  const { error } = quantizeOurs(one.file, calibrationFile(folder, 0), out);
  if (error) return { ...row, error, verdict: 'MISSED' };
  row.ours = await speedUp(host, one.file, out, full(feeds));
  row.oursOverPeer = await speedUp(host, best.path, out, full(feeds));
  row.verdict = judge(one, row.oursOverPeer);
  return row;
}

const full = (feeds) => ({ feeds, milliseconds: budget });
const times = (gain) => (gain ? gain.value.toFixed(2) : '');
const interval = (gain) => (gain ? `${gain.low.toFixed(2)}..${gain.high.toFixed(2)}` : '');
const milliseconds = (value) => (value === undefined ? '' : value.toPrecision(3));

function cells({ model, bar, peer, ours, oursOverPeer, verdict, error }) {
  return [
    model,
    milliseconds(peer.before),
    peer.configuration,
    milliseconds(peer.after),
    times(peer),
    interval(peer),
    milliseconds(ours?.after),
    times(ours),
    interval(ours),
    times(oursOverPeer),
    interval(oursOverPeer),
    bar,
    error ? `MISSED: ${error.slice(0, 60)}` : (verdict ?? ''),
  ];
}

const peerHeading = ['float ms', "peer's best", 'ms', 'x float', '95 %'];
const heading = ['model', ...peerHeading, 'ours ms', 'x float', '95 %', 'x peer', '95 %', 'bar', 'verdict'];
const host = new RuntimeHost();
try {
  const rows = [];
  for (const one of chosen) {
    rows.push(await measure(host, one));
    const [first] = rows.slice(-1);
    const listed = first.peers.map(({ configuration, gain }) => `${configuration} ${times(gain)}`).join(', ');
    process.stderr.write(`${one.name}: ${listed}${first.ours ? `; ours ${times(first.ours)}` : ''}\n`);
    await host.release();
  }
  console.log(formatTable([heading, ...rows.map(cells)]));
  const resultFile = options.json ?? join(workFolder, 'speed.json');
  writeFileSync(resultFile, `${JSON.stringify({ versions, budget, rows }, null, 2)}\n`);
  console.log(resultFile);
  if (rows.length === 0 || rows.some(({ verdict }) => verdict !== undefined && verdict !== 'met')) process.exitCode = 1;
} finally {
  await host.dispose();
}
