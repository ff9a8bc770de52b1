// Bar: every model quantizes, runs, agrees with its float original and is not slower, the opset-7, dynamic and NHWC ones included.
//   MCOMPRESS_PYTHON=python npm run bench -- quantize-loads [--budget SECONDS] [--only peer] [--json FILE] [NAME...]
// All models of the bench with real data where there is some (as real-inputs.mjs has it): some samples calibrate, others
// are compared. dB: signal-to-noise of the worst output; below 10 dB a model does not agree. Time: processor time at one
// thread, float and int8 in turn; slower counts when two of three comparisons say so. The peer (U8S8 per channel, min-max)
// is tried on the file as it is, and after its quant_pre_process; where there is no convolution, its dynamic quantization.
// A model that is quantized already must be refused with exit code 3. Exits with 1 when a bar is missed.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openModel } from '../dist/onnx/open.js';
import { findFeeds } from '../dist/runtime/find-feeds.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { Tensor } from '../dist/tensor/tensor.js';
import { assets, catalogue, feedOptions, listModels, modelName, python, root } from './models.mjs';
import { hasCommand, quantizeOurs, workFolder } from './quantize/cases.mjs';
import { readHeader, writeFeeds } from './quantize/npy.mjs';
import { peerFolder, peerVersions, preprocessByPeer, quantizeByPeer } from './quantize/peer.mjs';
import { realFeeds } from './real-inputs.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: { budget: { type: 'string', default: '10' }, only: { type: 'string' }, json: { type: 'string' } },
  allowPositionals: true,
});
if (!python) {
  console.error('Set MCOMPRESS_PYTHON to a Python that holds onnx, onnxruntime, onnxslim and sympy.');
  process.exit(2);
}
const budget = 1000 * Number(options.budget);
const runOurs = options.only !== 'peer' && hasCommand('quantize');
if (options.only !== 'peer' && !runOurs) console.error('ours: left out, this build has no command `quantize`');

/** Decibels below which outputs are no longer the same thing. */
const AGREES = 10;
const SAMPLES = 20;
/**
 * What is special about a model. `peer`: another configuration than min-max. `pictures`: drawn ones, since a detector of text
 * answers next to nothing to photographs; then it is also said how much of the map above 0.3 is the same (intersection over union).
 */
const traits = {
  'squeezenet1.1-imagenet': { says: 'opset 7, constants are inputs' },
  'mnist-cntk': { says: 'opset 7' },
  'ppocrv4-det': { says: 'weights as Constant nodes, dynamic shape', pictures: 'text' },
  'ultraface-rfb-320': { says: 'opset 9, shape chains' },
  'style-candy': { says: 'opset 9, instance normalization' },
  'resnet8-cifar10': { says: 'NHWC (Keras)' },
  'mobilenetv1-025-vww': { says: 'NHWC (Keras)' },
  'dscnn-kws': { says: 'NHWC (Keras), random data' },
  'streaming-wakeword-1d': { says: '1-D (Keras)' },
  'basic-pitch-nmp': { says: 'audio (Keras)' },
  'silero-vad-16k': { says: 'LSTM, subgraphs', peer: 'dynamic' },
  'resnet8-cifar10-int8-qdq': { says: 'int8 already', refused: 3 },
};

/** Pictures with text on them (peers/text_pictures.py) as feeds. */
function textPictures(model) {
  const path = join(workFolder, 'data', 'text-pictures.npy');
  mkdirSync(join(workFolder, 'data'), { recursive: true });
  const script = join(root, 'bench/peers/text_pictures.py');
  const photos = join(assets, 'images/imagenet-1000');
  const run = spawnSync(python, [script, path, String(SAMPLES), photos], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`The pictures could not be drawn:\n${run.stderr}`);
  const file = openSync(path, 'r');
  const { shape, start } = readHeader(file);
  closeSync(file);
  const [count, ...dims] = shape;
  const bytes = readFileSync(path).subarray(start);
  const size = bytes.length / count;
  const { name } = model.graph.inputs[0];
  return Array.from({ length: count }, (_, at) => {
    const picture = Uint8Array.from(bytes.subarray(at * size, (at + 1) * size));
    return new Map([[name, new Tensor('float32', [1, ...dims], picture)]]);
  });
}

/** Feeds to calibrate with and others to compare on; the same where there are few. */
async function samplesOf(host, model) {
  const name = modelName(model);
  const run = (feeds) => host.run(model, feeds, { optimization: 'disabled' });
  const isText = traits[name]?.pictures === 'text';
  let feeds = isText ? textPictures((await openModel(model)).model) : await realFeeds(name, SAMPLES, run);
  if (feeds.length === 0) {
    const found = [];
    for (let seed = 0; seed < SAMPLES; seed++) {
      const search = await findFeeds(host, model, { seed, kinds: ['normal'], ...feedOptions(name) });
      if (search.verdict !== 'found') throw new Error(`${name} does not run: ${search.error.message}`);
      found.push(search.samples[0].feeds);
    }
    feeds = found;
  }
  const fifth = (_feed, at) => at % 5 === 2;
  return feeds.length < SAMPLES
    ? { calibration: feeds, compared: feeds }
    : { calibration: feeds.filter((...args) => !fifth(...args)), compared: feeds.filter(fifth) };
}

/** Where a detector finds something. */
const FOUND = 0.3;

/** How much of what either model finds in the first output is found by both. */
async function overlap(host, model, other, feeds) {
  let [both, either] = [0, 0];
  for (const feed of feeds) {
    const [wanted] = (await host.run(model, feed)).values();
    const [got] = (await host.run(other, feed)).values();
    const found = got.toFloat64();
    for (const [at, value] of wanted.toFloat64().entries()) {
      both += value > FOUND && found[at] > FOUND ? 1 : 0;
      either += value > FOUND || found[at] > FOUND ? 1 : 0;
    }
  }
  return both / either;
}

/** Signal-to-noise over all samples of the output that is worst. */
async function decibels(host, model, other, feeds) {
  const sums = new Map();
  for (const feed of feeds) {
    const expected = await host.run(model, feed);
    const given = await host.run(other, feed);
    for (const [name, tensor] of expected) {
      const sum = sums.get(name) ?? { signal: 0, noise: 0 };
      const [wanted, got] = [tensor.toFloat64(), given.get(name).toFloat64()];
      wanted.forEach((value, at) => {
        sum.signal += value * value;
        sum.noise += (value - got[at]) ** 2;
      });
      sums.set(name, sum);
    }
  }
  return Math.min(...[...sums.values()].map(({ signal, noise }) => 10 * Math.log10(signal / noise)));
}

/** What became of a quantized file: `{ decibels }` or `{ error }`. */
async function outcomeOf(host, model, quantized, feeds) {
  if (quantized.error) return { error: `fails: ${quantized.error}` };
  try {
    return { decibels: await decibels(host, model, quantized.path, feeds) };
  } catch (error) {
    return { error: `${error.code === 'runtime-rejects' ? 'does not load' : 'does not run'}: ${error.message}` };
  }
}

async function tryPeer(host, model, { data, feeds }) {
  const name = modelName(model);
  const configuration = traits[name]?.peer ?? 'minmax';
  const folder = peerFolder(name, model, versions);
  const asIs = quantizeByPeer(folder, model, { data, key: 'loads-as-is', configuration });
  const preprocessed = preprocessByPeer(folder, model);
  const after = preprocessed.error
    ? { error: preprocessed.error }
    : quantizeByPeer(folder, preprocessed.path, { data, key: 'loads-preprocessed', configuration });
  return { asIs: await outcomeOf(host, model, asIs, feeds), preprocessed: await outcomeOf(host, model, after, feeds) };
}

/** Processor time of int8 over float; two more comparisons when it says slower. */
async function timeAgainstFloat(host, model, other, feeds) {
  const taken = [];
  do taken.push(await compareLatency(host, model, other, feeds, { seed: taken.length, budget }));
  while (taken[0].verdict === 'slower' && taken.length < 3);
  const slower = taken.filter(({ verdict }) => verdict === 'slower').length >= 2;
  const { cpu, before } = taken.sort((a, b) => a.cpu.value - b.cpu.value)[taken.length >> 1];
  return { slower, float: before.wall.p50, speedUp: 1 / cpu.value, low: 1 / cpu.high, high: 1 / cpu.low };
}

async function tryOurs(host, model, { data, feeds }) {
  const name = modelName(model);
  const out = join(workFolder, 'ours', `${name}-loads.onnx`);
  mkdirSync(join(workFolder, 'ours'), { recursive: true });
  rmSync(out, { force: true });
  const { error, status } = quantizeOurs(model, data, out);
  const { refused } = traits[name] ?? {};
  if (refused !== undefined) {
    const met = status === refused && !existsSync(out);
    return { refused: status, verdict: met ? 'met (refused)' : `MISSED: exit code ${status}` };
  }
  if (error) return { error, verdict: `MISSED: ${error.slice(0, 70)}` };
  const outcome = await outcomeOf(host, model, { path: out }, feeds);
  if (outcome.error) return { ...outcome, verdict: `MISSED: ${outcome.error.slice(0, 70)}` };
  const time = await timeAgainstFloat(host, model, out, feeds[0]);
  if (traits[name]?.pictures) process.stderr.write(`overlap ${(await overlap(host, model, out, feeds)).toFixed(4)}\n`);
  const verdict = outcome.decibels < AGREES ? 'MISSED: disagrees' : time.slower ? 'MISSED: slower' : 'met';
  return { ...outcome, time, verdict };
}

async function measure(host, model) {
  const name = modelName(model);
  const { calibration, compared } = await samplesOf(host, model);
  const data = join(workFolder, 'data', `${name}-loads.npz`);
  mkdirSync(join(workFolder, 'data'), { recursive: true });
  writeFeeds(data, calibration);
  const row = { model: name, trait: traits[name]?.says ?? '', samples: [calibration.length, compared.length] };
  const given = { data, feeds: compared };
  if (options.only !== 'ours') row.peer = await tryPeer(host, model, given);
  if (runOurs) row.ours = await tryOurs(host, model, given);
  return row;
}

/** The end of a message names the cause. */
const cause = (message) => message.replace(/^(.*?: ).*?Error\]?:? (.+)$/s, '$1$2').replace(/\s+/g, ' ');
const said = (outcome) =>
  outcome === undefined ? '' : outcome.error ? cause(outcome.error).slice(0, 76) : outcome.decibels.toFixed(1);

function cells({ model, trait, peer, ours }) {
  const { time } = ours ?? {};
  return [
    `${model}${trait ? `: ${trait}` : ''}`,
    said(peer?.asIs),
    said(peer?.preprocessed),
    ours?.decibels?.toFixed(1) ?? '',
    time ? time.float.toPrecision(3) : '',
    time ? time.speedUp.toFixed(2) : '',
    time ? `${time.low.toFixed(2)}..${time.high.toFixed(2)}` : '',
    ours?.verdict ?? '',
  ];
}

const versions = peerVersions();
const host = new RuntimeHost();
try {
  const rows = [];
  for (const model of listModels(positionals).filter((path) => modelName(path) in catalogue)) {
    rows.push(await measure(host, model));
    const { peer, ours } = rows.at(-1);
    process.stderr.write(
      `${modelName(model)}: peer ${said(peer?.asIs)} | ${said(peer?.preprocessed)}; ours ${ours?.verdict ?? 'not run'}\n`,
    );
    await host.release();
  }
  const heading = [
    'model',
    'peer as is, dB',
    'after preprocessing',
    'ours, dB',
    'float ms',
    'x float',
    '95 %',
    'verdict',
  ];
  console.log(formatTable([heading, ...rows.map(cells)]));
  const resultFile = options.json ?? join(workFolder, 'loads.json');
  writeFileSync(resultFile, `${JSON.stringify({ versions, rows }, null, 2)}\n`);
  console.log(resultFile);
  if (rows.length === 0 || rows.some(({ ours }) => ours?.verdict.startsWith('MISSED'))) process.exitCode = 1;
} finally {
  await host.dispose();
}
