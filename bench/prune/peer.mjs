// The peers of the pruning benches: Torch-Pruning and onnxsim, without training. What they make is kept, since only the
// model, the level and their versions decide it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { python, root } from '../models.mjs';
import { workFolder } from '../quantize/cases.mjs';

/** `local`: its default. `inner`: the residual stream keeps its width. */
export const CONFIGURATIONS = ['local', 'global', 'inner-local', 'inner-global'];

/** A Python that holds torch and torch-pruning, where that is not the one of the other benches. */
const torchPython = process.env.MCOMPRESS_TORCH_PYTHON ?? python;
const script = join(root, 'bench/peers/prune.py');

export function peerVersions(interpreter) {
  const run = spawnSync(interpreter ?? 'python3', [script, 'versions'], { encoding: 'utf8' });
  return run.status === 0 ? JSON.parse(run.stdout) : {};
}

const versions = { torch: peerVersions(torchPython), onnxsim: peerVersions(python) };

/** What takes part, in words; what is missing is undefined. */
export const peers = { torchPruning: versions.torch['torch-pruning'], onnxsim: versions.onnxsim.onnxsim };

function make(interpreter, verb, source, { name, version, args }) {
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const folder = join(workFolder, 'peers', `${verb}-${version}`);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}-${hash}-${args.join('-')}.onnx`);
  const said = `${path}.error`;
  if (!existsSync(path) && !existsSync(said)) {
    const net = verb === 'torch-pruning' ? [name.startsWith('mobilenetv2') ? 'mobilenetv2' : 'resnet-cifar'] : [];
    const run = spawnSync(interpreter, [script, verb, ...net, source, ...args, path], { encoding: 'utf8' });
    if (run.status !== 0) rmSync(path, { force: true });
  }
  return existsSync(said) ? { path, error: readFileSync(said, 'utf8') } : { path };
}

/** Torch-Pruning of a net it is rebuilt for; `source`: the file with its normalizations. `left`: of the multiplications. */
export const byTorchPruning = (name, source, left, configuration) =>
  make(torchPython, 'torch-pruning', source, {
    name,
    version: peers.torchPruning,
    args: [String(left), configuration],
  });

export const byOnnxsim = (name, source, sparsity) =>
  make(python, 'onnxsim', source, { name, version: peers.onnxsim, args: [String(sparsity)] });
