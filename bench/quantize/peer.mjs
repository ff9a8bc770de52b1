// onnxruntime.quantization in the configurations it is compared in; what it makes is kept, since only the data, the model
// and its version decide it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { python, root } from '../models.mjs';
import { workFolder } from './cases.mjs';

/** `default`: no argument given. The others: U8 activations, S8 weights per channel. All after quant_pre_process. */
export const configurations = ['default', 'minmax', 'percentile', 'percentile-99.99', 'entropy'];

const script = join(root, 'bench/peers/quantize.py');
const timer = join(root, 'bench/peers.py');

export function peerVersions() {
  const run = spawnSync(python, [script, 'versions'], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`The peer does not start:\n${run.stderr}`);
  return JSON.parse(run.stdout);
}

/** Folder of a model's peer files: by its content and the peer's version. */
export function peerFolder(name, file, versions) {
  const hash = createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12);
  const folder = join(workFolder, 'peers', `${name}-${hash}-onnxruntime-${versions.onnxruntime}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Runs quantize.py under the clock: seconds, peak memory in bytes, and the error if any. The last argument is the output. */
function measured(...args) {
  const out = args.at(-1);
  const run = spawnSync(python, [timer, 'time', python, script, ...args], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`peers.py failed:\n${run.stderr}`);
  const { status, wallSeconds, cpuSeconds, peakBytes } = JSON.parse(run.stdout);
  const failed = status !== 0 || !existsSync(out);
  const said = `${out}.error`;
  const error = failed ? (existsSync(said) ? readFileSync(said, 'utf8') : `ended with ${status}`) : null;
  rmSync(said, { force: true });
  return { wallSeconds, cpuSeconds, peakBytes, error };
}

/** The outcome of a step, taken once: `path` is its file, the record lies beside it. */
function once(path, take) {
  const record = `${path}.json`;
  if (!existsSync(record)) {
    const outcome = take(path);
    writeFileSync(record, JSON.stringify(outcome));
  }
  return { path, ...JSON.parse(readFileSync(record, 'utf8')) };
}

/** The model after opset conversion where it is needed, and quant_pre_process. */
export function prepareForPeer(folder, file) {
  return once(join(folder, 'prepared.onnx'), (out) => measured('prepare', file, out));
}

/** quant_pre_process alone, as its documentation advises. */
export function preprocessByPeer(folder, file) {
  return once(join(folder, 'preprocessed.onnx'), (out) => measured('preprocess', file, out));
}

/** The percentile calibrator alone; never kept, since its time is what is wanted. */
export function calibrateByPeer(prepared, data, out) {
  rmSync(out, { force: true });
  return measured('calibrate', prepared, data, 'Percentile', out);
}

/** One configuration on one file of calibration images; `key` names it in the folder. */
export function quantizeByPeer(folder, prepared, { data, key, configuration }) {
  return once(join(folder, `${key}-${configuration}.onnx`), (out) =>
    measured('quantize', prepared, data, configuration, out),
  );
}
