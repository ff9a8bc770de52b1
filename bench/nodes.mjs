// Bar: nodes after `mcompress slim`, subgraphs counted, at most the better of OnnxSlim and onnxsim on every model.
//   MCOMPRESS_PYTHON=python npm run bench -- nodes [--json FILE] [--peers-only] [MODEL FOLDER or NAME...]
// The peers' results are kept in .cache/peers by file hash and versions. Exits with 1 when a bar is missed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { listModels, python, root } from './models.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: { json: { type: 'string' }, 'peers-only': { type: 'boolean', default: false } },
  allowPositionals: true,
});
const tools = ['onnxslim', 'onnxsim'];
// Where both peers leave much that can go, the bar is lower than theirs.
const stricterBars = { 'resnet20-cifar10-dynamo-raw': 54, 'ppocrv4-det': 299 };
const peersScript = join(root, 'bench/peers.py');

function runPython(...args) {
  const run = spawnSync(python, [peersScript, ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`peers.py ${args[0]} failed:\n${run.stderr}`);
  return JSON.parse(run.stdout);
}

function peerResult(tool, model, version, scratch) {
  const hash = createHash('sha256').update(readFileSync(model)).digest('hex').slice(0, 16);
  const cache = join(root, '.cache/peers', `${basename(model, '.onnx')}-${hash}-${tool}-${version}.json`);
  if (existsSync(cache)) return JSON.parse(readFileSync(cache, 'utf8'));
  const result = runPython('slim', tool, model, join(scratch, `${tool}.onnx`));
  rmSync(join(scratch, `${tool}.onnx`), { force: true });
  mkdirSync(join(root, '.cache/peers'), { recursive: true });
  writeFileSync(cache, JSON.stringify(result));
  return result;
}

function ourResult(model, scratch) {
  const target = join(scratch, 'ours.onnx');
  const args = [
    join(root, 'bin/mcompress.js'),
    'slim',
    model,
    '-o',
    target,
    '--no-report',
    '--no-profile',
    '--verify',
    'off',
    '--json',
  ];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0)
    return { nodes: null, bytes: null, error: run.stderr.trim().split('\n')[0] ?? `status ${run.status}` };
  const result = { nodes: runPython('count', target)[target], bytes: statSync(target).size, error: null };
  rmSync(target);
  return result;
}

function measureModel(model, versions, scratch) {
  const row = {
    model: basename(model, '.onnx'),
    original: { nodes: runPython('count', model)[model], bytes: statSync(model).size },
  };
  for (const tool of tools) row[tool] = peerResult(tool, model, versions[tool], scratch);
  if (!options['peers-only']) row.mcompress = ourResult(model, scratch);
  const counts = tools.map((tool) => row[tool].nodes).filter((count) => count !== null);
  row.bar = Math.min(row.original.nodes, ...counts, stricterBars[row.model] ?? Infinity);
  row.met = row.mcompress ? row.mcompress.nodes !== null && row.mcompress.nodes <= row.bar : undefined;
  return row;
}

if (!python) {
  console.error(
    'Set MCOMPRESS_PYTHON to a Python that holds onnx, onnxruntime, onnxslim and onnxsim (see bench/peers.py).',
  );
  process.exit(2);
}
const scratch = mkdtempSync(join(tmpdir(), 'mcompress-nodes-'));
try {
  const versions = runPython('versions');
  const rows = listModels(positionals).map((model) => {
    process.stderr.write(`${basename(model)}\n`);
    return measureModel(model, versions, scratch);
  });
  const cell = (result) => (result ? (result.nodes ?? 'fails') : '');
  const verdict = (row) => (row.met === undefined ? '' : row.met ? 'yes' : 'NO');
  console.log(
    formatTable([
      ['model', 'original', ...tools, 'bar', 'mcompress', 'met'],
      ...rows.map((row) => [
        row.model,
        row.original.nodes,
        ...tools.map((tool) => cell(row[tool])),
        row.bar,
        cell(row.mcompress),
        verdict(row),
      ]),
    ]),
  );
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ versions, rows }, null, 2)}\n`);
  if (rows.some((row) => row.met === false)) process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
