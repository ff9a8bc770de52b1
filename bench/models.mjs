// The models the bench scripts work on, and how each of them is to be fed. A folder on the command line (or folders in
// MCOMPRESS_MODELS, separated as PATH is) replaces the default ones; any other name keeps the models whose file name
// contains it.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const bin = join(root, 'bin/mcompress.js');
export const assets = process.env.MCOMPRESS_ASSETS ?? join(root, '../shared/assets');

/** Where the models that are not stored are looked for; assets/get-models.mjs brings them. */
const fetchedModels = join(root, '.cache/models');

/**
 * The models that the bars are about. `shapes` and `values`: inputs that cannot be guessed, or whose guessed size would
 * not be the one to measure with.
 */
export const catalogue = {
  'alexnet-lrn-cifar10': {},
  'basic-pitch-nmp': {},
  'dscnn-kws': {},
  'googlenet-lrn-cifar10': {},
  'mnist-bn-as-exported': {},
  'mnist-cntk': {},
  'mobilenetv1-025-vww': {},
  'mobilenetv2-imagenet': {},
  'ppocrv4-det': { shapes: { x: [1, 3, 480, 640] } },
  'resnet20-cifar10-as-exported': {},
  'resnet20-cifar10-dynamo-raw': {},
  'resnet20-cifar10': {},
  'resnet56-cifar10-as-exported': {},
  'resnet56-cifar10': {},
  'resnet8-cifar10-int8-qdq': {},
  'resnet8-cifar10': {},
  'silero-vad-16k': { shapes: { input: [1, 576], state: [2, 1, 128] }, values: { sr: 16000 } },
  'squeezenet1.1-imagenet': {},
  'streaming-wakeword-1d': {},
  'style-candy': {},
  'ultraface-rfb-320': {},
};

/** Shapes and values of a model as options of `findFeeds`. */
export function feedOptions(name) {
  const { shapes = {}, values = {} } = catalogue[name] ?? {};
  const fixed = Object.entries(values).map(([input, fill]) => [input, { fill }]);
  return { shapes: new Map(Object.entries(shapes)), fixed: new Map(fixed) };
}

/** The same as flags of the command line. */
export function feedFlags(name) {
  const { shapes = {}, values = {} } = catalogue[name] ?? {};
  return [
    ...Object.entries(shapes).flatMap(([input, dims]) => ['--input', `${input}:${dims.join('x')}`]),
    ...Object.entries(values).flatMap(([input, value]) => ['--feed', `${input}=${value}`]),
  ];
}

const isFolder = (path) => existsSync(path) && statSync(path).isDirectory();

/**
 * Absolute paths, sorted by file name; on equal names the first folder wins. Says on stderr which models that the bars
 * are about are missing, unless names were given.
 */
export function listModels(args = []) {
  const folders = [...args.filter(isFolder), ...(process.env.MCOMPRESS_MODELS ?? '').split(delimiter).filter(Boolean)];
  const filters = args.filter((arg) => !isFolder(arg));
  const usual = [join(assets, 'models'), fetchedModels, join(root, 'fixtures')].filter(isFolder);
  const byName = new Map();
  for (const folder of folders.length > 0 ? folders : usual) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.onnx'))) {
      if (!byName.has(file)) byName.set(file, resolve(folder, file));
    }
  }
  if (filters.length === 0) reportMissing(byName);
  return [...byName.values()]
    .filter((path) => filters.length === 0 || filters.some((filter) => basename(path).includes(filter)))
    .sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
}

function reportMissing(found) {
  const missing = Object.keys(catalogue).filter((name) => !found.has(`${name}.onnx`));
  if (missing.length === 0) return;
  console.error(
    `Missing of the ${Object.keys(catalogue).length} models that the bars are about: ${missing.join(', ')}`,
  );
  console.error(`They belong in ${join(assets, 'models')} (set MCOMPRESS_ASSETS or MCOMPRESS_MODELS);`);
  console.error(`those that are not stored there come with: node ${join(assets, 'get-models.mjs')} ${fetchedModels}`);
}

export const modelName = (path) => basename(path, '.onnx');

/** The Python that holds onnx, onnxruntime and the peers, or undefined. */
export const python = process.env.MCOMPRESS_PYTHON;
