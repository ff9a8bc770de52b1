// Bars of the choice among all passes (`slim --data`): never slower than the original and never over the loss that is allowed, on samples
// that it has not seen; on at least half of the models faster than 8-bit integers alone within the same loss.
//   npm run bench -- combine-accuracy [--effort TIME] [--max-drop X] [--json FILE] [--log FOLDER] [NAME...]
// CIFAR-10 and MNIST: 3,000 test images are what the command is given, the other 7,000 score; of the photographs 600 and 400. Integers
// alone are `slim --int8` with the same limit. Accuracy by `eval`, without labels the loss of `eval --reference`; times of models in turn,
// one thread, processor time. Exits with 1 when a bar is missed.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openData } from '../dist/data/open-data.js';
import { parsePreprocess } from '../dist/data/preprocess.js';
import { openModel } from '../dist/onnx/open.js';
import { sizedInputs } from '../dist/pipeline/model-facts.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { assets, bin, listModels, modelName, root } from './models.mjs';
import { workFolder } from './quantize/cases.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: {
    effort: { type: 'string', default: '10m' },
    'max-drop': { type: 'string', default: '1' },
    budget: { type: 'string', default: '8' },
    json: { type: 'string' },
    log: { type: 'string' },
  },
  allowPositionals: true,
});

const fetched = process.env.MCOMPRESS_DATA ?? join(root, '.cache/data');
const folder = join(workFolder, 'combine');
mkdirSync(folder, { recursive: true });
if (options.log) mkdirSync(options.log, { recursive: true });

const TUNED = { cifar: 3000, mnist: 3000, photographs: 600 };
const CIFAR_RECORD = 3073;

/** The two parts of a data set as files of their own. */
const SPLITS = {
  cifar: () => {
    const all = readFileSync(join(fetched, 'cifar10/test_batch.bin'));
    const cut = TUNED.cifar * CIFAR_RECORD;
    return partsOf('cifar', (part, path) => {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'test_batch.bin'), part === 'tune' ? all.subarray(0, cut) : all.subarray(cut));
      return join(path, 'test_batch.bin');
    });
  },
  mnist: () => {
    const images = readFileSync(join(fetched, 'mnist/t10k-images-idx3-ubyte'));
    const labels = readFileSync(join(fetched, 'mnist/t10k-labels-idx1-ubyte'));
    const cut = (bytes, head, size, [from, to]) => {
      const start = Buffer.from(bytes.subarray(0, head));
      start.writeUInt32BE(to - from, 4);
      return Buffer.concat([start, bytes.subarray(head + from * size, head + to * size)]);
    };
    return partsOf('mnist', (part, path) => {
      const range = part === 'tune' ? [0, TUNED.mnist] : [TUNED.mnist, 10000];
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'images-idx3-ubyte'), cut(images, 16, 784, range));
      writeFileSync(join(path, 'labels-idx1-ubyte'), cut(labels, 8, 1, range));
      return join(path, 'images-idx3-ubyte');
    });
  },
  photographs: () => photographs('photographs', (name) => name),
  // Models of other classes: the labels in the names of the files are not theirs.
  unlabelled: () => photographs('unlabelled', (_, at) => `photograph-${at}.jpg`),
};

/** Every fifth pair of classes scores, so that both parts hold all kinds of pictures. */
function photographs(kind, named) {
  const from = join(assets, 'images/imagenet-1000');
  const files = readdirSync(from)
    .filter((name) => name.endsWith('.jpg'))
    .sort();
  return partsOf(kind, (part, path) => {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    for (const [at, name] of files.entries())
      if (at % 5 < 3 === (part === 'tune')) symlinkSync(join(from, name), join(path, named(name, at)));
    return path;
  });
}

const partsOf = (name, make) =>
  Object.fromEntries(['tune', 'score'].map((part) => [part, make(part, join(folder, 'data', `${name}-${part}`))]));

/** Models with their data and preprocessing; without `labels` the loss is that against the original's answers. */
const CASES = {
  'resnet8-cifar10': { data: 'cifar', preprocess: 'raw', labels: true },
  'resnet20-cifar10': { data: 'cifar', preprocess: 'cifar10', labels: true },
  'resnet56-cifar10': { data: 'cifar', preprocess: 'cifar10', labels: true },
  'alexnet-lrn-cifar10': { data: 'cifar', preprocess: 'cifar10', labels: true },
  'googlenet-lrn-cifar10': { data: 'cifar', preprocess: 'cifar10', labels: true },
  'mnist-cntk': { data: 'mnist', preprocess: 'raw', labels: true },
  'mnist-bn-as-exported': { data: 'mnist', preprocess: 'raw', labels: true },
  'squeezenet1.1-imagenet': { data: 'photographs', preprocess: 'caffe', labels: true },
  'mobilenetv2-imagenet': { data: 'photographs', preprocess: 'imagenet', labels: true },
  'mobilenetv1-025-vww': { data: 'unlabelled', preprocess: 'unit', labels: false },
  'ultraface-rfb-320': { data: 'unlabelled', preprocess: 'raw:mean=127/127/127,std=128/128/128', labels: false },
};

const host = new RuntimeHost();
const resultFile = options.json ?? join(workFolder, 'combine-accuracy.json');
const limit = Number(options['max-drop']);

function command(args) {
  const from = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args, '--json'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const report = stdout === '' ? undefined : JSON.parse(stdout);
  return { status, report, seconds: (performance.now() - from) / 1000, error: report ? undefined : stderr.slice(-300) };
}

/** What `path` loses against `reference` on samples that were not seen; the unit with it. */
function lossOf(path, reference, data, { preprocess }) {
  const { report, error } = command([
    'eval',
    path,
    '--data',
    data,
    '--preprocess',
    preprocess,
    '--reference',
    reference,
  ]);
  if (!report) throw new Error(error);
  const { loss } = report;
  return { value: loss.value, unit: loss.unit };
}

/** The first sample, as feeds. */
async function firstSample(file, path, { preprocess }) {
  const { model } = await openModel(file);
  const data = await openData(path, { inputs: sizedInputs(model, new Map()), preprocess: parsePreprocess(preprocess) });
  for await (const { feeds } of data.samples({ to: 1 })) return feeds;
  throw new Error(`${path} has no samples`);
}

/** How many times as fast the second is as the first, with the 95 % interval. */
async function speedUp(before, after, feeds) {
  const { cpu } = await compareLatency(host, before, after, feeds, {
    budget: 1000 * Number(options.budget),
    precision: 0.004,
  });
  return { value: 1 / cpu.value, low: 1 / cpu.high, high: 1 / cpu.low };
}

async function run(name, file, one) {
  const parts = SPLITS[one.data]();
  const out = join(folder, `${name}.slim.onnx`);
  const alone = join(folder, `${name}.int8.onnx`);
  for (const path of [out, `${out}.best.onnx`, `${out}.journal`, alone, `${alone}.best.onnx`])
    rmSync(path, { force: true });
  const data = ['--data', parts.tune, '--preprocess', one.preprocess, '--max-drop', String(limit)];
  const combined = command(['slim', file, '-o', out, ...data, '--effort', options.effort, '--no-report', '--force']);
  const int8 = command(['slim', file, '-o', alone, '--int8', ...data, '--no-report', '--force']);
  if (options.log && combined.report)
    writeFileSync(join(options.log, `${name}.report.json`), `${JSON.stringify(combined.report, null, 2)}\n`);
  const feeds = await firstSample(file, parts.score, one);
  const measured = async (path) =>
    existsSync(path)
      ? {
          path,
          bytes: statSync(path).size,
          loss: lossOf(path, file, parts.score, one),
          gain: await speedUp(file, path, feeds),
        }
      : undefined;
  const [ours, rival] = [await measured(out), await measured(alone)];
  const against = ours && rival && (await speedUp(alone, out, feeds));
  return {
    model: name,
    result: combined.report?.result ?? combined.error,
    status: combined.status,
    seconds: combined.seconds,
    ours,
    rival,
    rivalStatus: int8.status,
    against,
  };
}

const round = (value, digits = 2) => value?.toFixed(digits) ?? '';
const interval = (gain) => (gain ? `${round(gain.value)} (${round(gain.low)} to ${round(gain.high)})` : '');
const lost = (loss) => (loss ? `${round(loss.value)} ${loss.unit === 'points' ? 'p' : '%'}` : '');
const cellsOf = ({ model, result, ours, rival, against, seconds }) => [
  ...[model, String(result).slice(0, 40), interval(ours?.gain), lost(ours?.loss)],
  ...[interval(rival?.gain), lost(rival?.loss), interval(against), round(seconds, 0)],
];

const names = Object.keys(CASES).filter(
  (name) => positionals.length === 0 || positionals.some((part) => name === part || name.includes(part)),
);
const files = new Map(listModels(names).map((path) => [modelName(path), path]));
const rows = [];
try {
  for (const name of names) {
    const file = files.get(name);
    if (!file) {
      console.error(`${name}: left out, there is no such model (docs/benchmarks.md says what brings it)`);
      continue;
    }
    const row = await run(name, file, CASES[name]);
    rows.push(row);
    writeFileSync(resultFile, `${JSON.stringify(rows, null, 2)}\n`);
    process.stderr.write(`${cellsOf(row).join('  ')}\n`);
  }
} finally {
  await host.dispose();
}
const head = ['model', 'changes', 'times as fast', 'lost', 'int8 alone', 'lost', 'against int8 alone', 'seconds'];
console.log(formatTable([head, ...rows.map(cellsOf)]));
const slower = rows.filter(({ ours }) => ours && ours.gain.high < 0.99);
const over = rows.filter(({ ours }) => ours && ours.loss.value > limit);
const faster = rows.filter(
  ({ ours, rival, against }) => ours && (!rival || rival.loss.value > limit || against.low > 1),
);
console.log(`slower than the original: ${slower.map(({ model }) => model).join(', ') || 'none'}`);
console.log(`over ${limit} on samples not seen: ${over.map(({ model }) => model).join(', ') || 'none'}`);
console.log(`faster than integers alone: ${faster.length} of ${rows.length}`);
process.exitCode = slower.length + over.length > 0 || 2 * faster.length < rows.length ? 1 : 0;
