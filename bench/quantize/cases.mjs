// The models of the quantization benches: what feeds them, how our command is called, and the bars.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { assets, bin, listModels, modelName, python, root } from '../models.mjs';

/** Our command for every model: `model` and `data` (an .npz of the calibration images) in, `out` out. */
export const ourCommand = ({ model, data, out }) => [
  bin,
  'quantize',
  model,
  '-o',
  out,
  '--data',
  data,
  '--preprocess',
  'raw',
  '--no-report',
];

/** The same for the ranges alone, with all calibrators. */
export const calibrationCommand = ({ model, data, out }) => [
  bin,
  'calibrate',
  model,
  '-o',
  out,
  '--data',
  data,
  '--preprocess',
  'raw',
];

const imagenet = { source: 'imagenet', path: join(assets, 'images/imagenet-1000'), layout: 'nchw' };
const cifarFolder = join(process.env.MCOMPRESS_DATA ?? join(root, '.cache/data'), 'cifar10');
const cifar = { source: 'cifar10', path: cifarFolder, order: 'rgb' };
const trained = { order: 'rgb', divide: 255, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };
const asBytes = { divide: 1, mean: [0, 0, 0], deviation: [1, 1, 1] };

/** `drop`: points of top-1 that may be lost; `speed`: least speed relative to the peer's best. */
export const cases = {
  'mobilenetv2-imagenet': { drop: 0.5, speed: 1.05, data: { ...imagenet, ...trained, input: 'input' } },
  'squeezenet1.1-imagenet': {
    drop: 0.3,
    speed: 1,
    data: { ...imagenet, order: 'bgr', input: 'data_0', ...asBytes, mean: [104, 117, 123] },
  },
  'resnet20-cifar10': { drop: 0.2, speed: 1.05, data: { ...cifar, ...trained, layout: 'nchw', input: 'input' } },
  'resnet56-cifar10': { drop: 0.2, speed: 1.05, data: { ...cifar, ...trained, layout: 'nchw', input: 'input' } },
  'resnet8-cifar10': { drop: 0.3, data: { ...cifar, ...asBytes, layout: 'nhwc', input: 'input' } },
};

/** Data, the peer's models and all answers are kept here between runs; never in the checkout. */
export const workFolder = process.env.MCOMPRESS_BENCH_FOLDER ?? join(tmpdir(), 'mcompress-bench-quantize');

/** Images a split calibrates with. */
const CALIBRATION = 100;

/** The models asked for (part of a name, or its whole), with their files; exits with 2 when something is missing. */
export function chosenCases(names) {
  if (!python) {
    console.error('Set MCOMPRESS_PYTHON to a Python that holds onnx, onnxruntime, onnxslim, sympy and pillow.');
    process.exit(2);
  }
  const chosen = Object.keys(cases).filter(
    (name) => names.length === 0 || names.includes(name) || names.some((part) => name.includes(part)),
  );
  const files = new Map(listModels(chosen).map((path) => [modelName(path), path]));
  const missing = chosen.filter((name) => !files.has(name) || !existsSync(cases[name].data.path));
  if (missing.length > 0 || chosen.length === 0) {
    console.error(`Missing models or data: ${missing.join(', ') || names.join(', ')}`);
    console.error(`Models: get-models.mjs of ${assets}; CIFAR-10: get-datasets.mjs, into ${cifarFolder}`);
    process.exit(2);
  }
  return chosen.map((name) => ({ name, file: files.get(name), ...cases[name] }));
}

/** Prepares the images and splits of a case unless that is done; returns its folder and splits. */
export function prepareData({ name, data }, splits) {
  const folder = join(workFolder, 'data', name);
  const wanted = JSON.stringify({ ...data, splits, calibration: data.calibration ?? CALIBRATION });
  const record = join(folder, 'splits.json');
  // More splits than asked for are the same splits and some more.
  const fits = ({ specification }) =>
    JSON.stringify({ ...specification, splits }) === wanted && specification.splits >= splits;
  if (!existsSync(record) || !fits(JSON.parse(readFileSync(record, 'utf8')))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const script = join(root, 'bench/peers/quantize_data.py');
    const run = spawnSync(python, [script, folder, wanted], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`The data of ${name} could not be prepared:\n${run.stderr}`);
  }
  return { folder, splits: JSON.parse(readFileSync(record, 'utf8')).splits.slice(0, splits) };
}

export const calibrationFile = (folder, split) => join(folder, `calibration-${split}.npz`);

/** Whether this build has a command, so that the peer's figures can be had before ours. */
export function hasCommand(verb) {
  const { stdout } = spawnSync(process.execPath, [bin, '--help'], { encoding: 'utf8' });
  return stdout.split('\n').some((line) => line.startsWith(`  ${verb} `));
}

/** Runs our command; `error`: its last words on failure. */
export function quantizeOurs(model, data, out) {
  const start = performance.now();
  const run = spawnSync(process.execPath, ourCommand({ model, data, out }), { encoding: 'utf8', maxBuffer: 1 << 28 });
  const seconds = (performance.now() - start) / 1000;
  const failed = run.status !== 0 || !existsSync(out);
  return {
    seconds,
    status: run.status,
    error: failed ? run.stderr.trim().split('\n').slice(-3).join(' ') || `status ${run.status}` : null,
  };
}
