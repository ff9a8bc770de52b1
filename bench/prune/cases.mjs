// What the pruning benches share: the models with their data and bars, our command, and results that are kept between runs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin, listModels, modelName, root } from '../models.mjs';
import { calibrationFile, cases as models, prepareData, workFolder } from '../quantize/cases.mjs';
import { readLabels } from '../quantize/npy.mjs';
import { answersOf, score } from '../quantize/scores.mjs';

export { workFolder };

/** Samples to prune with, without labels: training images of CIFAR-10; of the photographs those that do not score. */
const SAMPLES = { cifar10: 2000, imagenet: 500 };

const unlabelled = (data) => ({ ...data, calibration: SAMPLES[data.source], labels: false });

/** Where the file of a model is; ends with 2 when it or its data is missing. */
function findModel(name, path = models[name].data.path) {
  const file = listModels([name]).find((one) => modelName(one) === name);
  if (file && existsSync(path)) return file;
  console.error(`Missing: ${file ? path : `${name}.onnx`} (docs/benchmarks.md says what brings it)`);
  return process.exit(2);
}

/**
 * A model with what prunes and what scores: `images` (.npz without labels), `folder`, `scored` (rows of the images there)
 * and `labels` of these rows. `key` tells data of the same model apart; `data` replaces parts of how it is prepared.
 */
export function openCase(name, { key = 'prune', data = {} } = {}) {
  const known = { ...models[name]?.data, ...data };
  const file = findModel(name, known.path);
  const specification = { ...unlabelled(known), ...data };
  const { folder, splits } = prepareData({ name: `${key}-${name}`, data: specification }, 1);
  const all = readLabels(join(folder, 'labels.npy'));
  const [{ scored }] = splits;
  const labels = scored.map((row) => all[row]);
  return { name, file, key, folder, images: calibrationFile(folder, 0), scored, labels, input: specification.input };
}

const hashOf = (parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 16);
};

/** Of all compiled files, so that nothing that another build made is taken for this one's. */
const build = hashOf(
  readdirSync(join(root, 'dist'), { recursive: true })
    .filter((path) => path.endsWith('.js'))
    .sort()
    .map((path) => readFileSync(join(root, 'dist', path))),
);

/** The command for a case: `flags` say how much leaves, or what else `verb` is to do. */
export const pruneCommand = (one, flags, out, verb = 'prune') => [
  ...[verb, one.file, '-o', out, '--data', one.images, '--preprocess', 'raw'],
  ...['--no-report', '--json', ...flags],
];

/**
 * Prunes by our command: `{ path, seconds, status, report, error }`. Where a budget could not be kept the best is taken, and
 * `status` is 1. What this build made of the same model and flags is taken from the last time.
 */
export function pruneOurs(one, flags, verb = 'prune') {
  const folder = join(workFolder, 'ours', `${one.key}-${one.name}`);
  mkdirSync(folder, { recursive: true });
  const name = hashOf([build, readFileSync(one.file), verb === 'prune' ? '' : verb, flags.join(' ')]);
  const record = join(folder, `${name}.json`);
  if (!existsSync(record)) {
    const out = join(folder, `${name}.onnx`);
    const files = [out, `${out}.best.onnx`];
    for (const path of files) for (const old of [path, `${path}.f32`]) rmSync(old, { force: true });
    const start = performance.now();
    const run = spawnSync(process.execPath, [bin, ...pruneCommand(one, flags, out, verb)], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    const seconds = (performance.now() - start) / 1000;
    const path = files.find((file) => existsSync(file));
    const error = path ? null : run.stderr.trim().split('\n').slice(-3).join(' ') || `status ${run.status}`;
    const report = path ? JSON.parse(run.stdout) : null;
    writeFileSync(record, JSON.stringify({ path, seconds, status: run.status, error, report, said: run.stderr }));
  }
  return JSON.parse(readFileSync(record, 'utf8'));
}

/** The original's answers on the rows that score. */
export function referenceOf(one) {
  const answers = answersOf(one.file, one.folder, one.scored, join(one.folder, `original-${modelName(one.file)}.f32`));
  if (answers.error) throw new Error(`${one.name} does not run: ${answers.error}`);
  return answers;
}

/** Scores of a model file on the rows that score, beside the original's; kept beside the file. */
export function scoreModel(one, path) {
  const answers = answersOf(path, one.folder, one.scored, `${path}.f32`);
  return answers.error ? { error: answers.error } : score(referenceOf(one), answers, one.labels);
}

/** Answers for some classes only, as if the head had no others. */
export function restrict({ values, width }, classes) {
  const rows = values.length / width;
  const kept = new Float32Array(rows * classes.length);
  for (let row = 0; row < rows; row++)
    classes.forEach((label, at) => {
      kept[row * classes.length + at] = values[row * width + label];
    });
  return { values: kept, width: classes.length };
}

/** Multiplications and parameters. */
export function figuresOf(path) {
  const run = spawnSync(process.execPath, [bin, 'inspect', path, '--json'], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`inspect ${path} ended with ${run.status}:\n${run.stderr}`);
  const { macs, parameters } = JSON.parse(run.stdout).figures;
  return { macs, parameters, bytes: statSync(path).size };
}
