// Bars: CP of rank 64 of a 256x256x9 kernel (start, least squares, correction) under 20 s, its error not above that of TensorLy's parafac.
//   MCOMPRESS_TORCH_PYTHON=python npm run bench -- factorize-cp [--rank 64] [--json FILE]
// Kernels: sums of 400 rank-one terms whose weights fall as 1/r with smooth taps, and the same with as much noise; where the model is
// there, the last 3x3 layer of SqueezeNet (256x64x9). Processor seconds of one process, without the runtime. The peer with one thread, the
// better of its two starts. Errors are relative and squared. Sensitivity: what noise in the vectors is felt in the kernel, over that of the
// same terms before the correction. Exits with 1 on a miss.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRng } from '../dist/base/rng.js';
import { correctTerms, fitTerms } from '../dist/fit/low-rank/cp.js';
import { sensitivity } from '../dist/fit/low-rank/rank-one-terms.js';
import { TensorProblem } from '../dist/fit/low-rank/tensor-problem.js';
import { matrix } from '../dist/linalg/matrix.js';
import { decodeModel } from '../dist/onnx/decode.js';
import { listModels, modelName, root } from './models.mjs';
import { formatTable } from './table.mjs';

const SECONDS = 20;
const { values: options } = parseArgs({
  options: { rank: { type: 'string', default: '64' }, json: { type: 'string' } },
});
const rank = Number(options.rank);
const python = process.env.MCOMPRESS_TORCH_PYTHON ?? process.env.MCOMPRESS_PYTHON;

/** Terms of weight 1/r; `noise`: its energy over that of the terms. */
function made([outputs, channels, taps], noise) {
  const rng = createRng('factorize-cp');
  const normals = (count) => Float64Array.from({ length: count }, () => rng.normal());
  const data = new Float64Array(outputs * channels * taps);
  for (let r = 1; r <= 400; r++) {
    const [u, a, b] = [normals(outputs), normals(channels), normals(taps).map((x) => 1 + 0.5 * x)];
    for (let o = 0, at = 0; o < outputs; o++)
      for (let c = 0; c < channels; c++) for (let t = 0; t < taps; t++) data[at++] += (u[o] * a[c] * b[t]) / r;
  }
  const scale = Math.sqrt((noise * data.reduce((sum, x) => sum + x * x, 0)) / data.length);
  return data.map((x) => x + scale * rng.normal());
}

function trained() {
  const file = listModels(['squeezenet1.1-imagenet']).find((path) => modelName(path) === 'squeezenet1.1-imagenet');
  if (!file) return [];
  const nodes = decodeModel(readFileSync(file), { path: file }).model.graph.nodes();
  const kernels = nodes.flatMap(({ opType, inputs }) => (opType === 'Conv' ? [inputs[1].constant] : []));
  const last = kernels.findLast(({ dims }) => dims[2] === 3);
  return [{ name: 'squeezenet', sizes: [last.dims[0], last.dims[1], 9], data: last.toFloat64() }];
}

async function ours([outputs, channels, taps], data) {
  const sizes = { outputs, channels, taps, kernel: [3, 3] };
  const problem = new TensorProblem(sizes, matrix(outputs, channels * taps, data));
  const start = process.cpuUsage();
  const before = await fitTerms(problem, rank);
  const { terms, error } = await correctTerms(problem, before);
  const { user, system } = process.cpuUsage(start);
  return {
    error: error / (await problem.energy()),
    seconds: (user + system) / 1e6,
    sensitivity: sensitivity(terms) / sensitivity(before.terms),
  };
}

function peer(file, sizes) {
  const script = join(root, 'bench/factorize/parafac.py');
  const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  const run = spawnSync(python, [script, file, ...sizes.map(String), String(rank)], { encoding: 'utf8', env });
  if (run.status !== 0) throw new Error(`The peer fails: ${run.stderr}`);
  const { version, runs } = JSON.parse(run.stdout);
  return { version, ...runs.toSorted((a, b) => a.error - b.error)[0] };
}

const large = [256, 256, 9];
const cases = [
  { name: 'terms', sizes: large, data: made(large, 0) },
  { name: 'terms and noise', sizes: large, data: made(large, 1) },
  ...trained(),
];
const folder = mkdtempSync(join(tmpdir(), 'mcompress-cp-'));
const results = [];
for (const { name, sizes, data } of cases) {
  const file = join(folder, 'kernel.bin');
  writeFileSync(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const [own, other] = [await ours(sizes, data), peer(file, sizes)];
  results.push({ name, sizes, ours: own, peer: other, met: own.seconds <= SECONDS && own.error <= other.error });
}
rmSync(folder, { recursive: true });
const percent = (part) => `${(100 * part).toFixed(3)} %`;
const titles = [
  'kernel',
  'sizes',
  'error',
  `TensorLy ${results[0].peer.version}`,
  'seconds',
  'TensorLy',
  'sensitivity',
  '',
];
const rows = results.map(({ name, sizes, ours: own, peer: other, met }) => [
  ...[name, sizes.join('x'), percent(own.error), `${percent(other.error)} (${other.init})`],
  ...[own.seconds.toFixed(1), other.seconds.toFixed(1), own.sensitivity.toFixed(2), met ? 'met' : 'MISSED'],
]);
console.log(formatTable([titles, ...rows]));
if (options.json) writeFileSync(options.json, JSON.stringify({ rank, results }, null, 1));
process.exitCode = results.every(({ met }) => met) ? 0 : 1;
