// Bars for the whole process of `slim`: at most half of OnnxSlim's time on the median model; memory below 3 times the model plus 150 MB.
//   MCOMPRESS_PYTHON=python npm run bench -- process-time [--rounds N] [--json FILE] [MODEL FOLDER or NAME...]
// With --verify off --no-profile --no-report; interleaved, in alternating order; wall and CPU time and peak memory of the child as
// the system counted them. Exits with 1 when a bar is missed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { listModels, python, root } from './models.mjs';
import { formatTable, median, spread } from './table.mjs';

const MEGABYTE = 1e6;
const { values: options, positionals } = parseArgs({
  options: { json: { type: 'string' }, rounds: { type: 'string', default: '5' } },
  allowPositionals: true,
});
const rounds = Number(options.rounds);
const bin = join(root, 'bin/mcompress.js');
const onnxslim = python && join(dirname(python), 'onnxslim');

/** Runs one command under the Python runner, which reads the child's own resource usage. */
function measure(command) {
  const run = spawnSync(python, [join(root, 'bench/peers.py'), 'time', ...command], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`cannot measure ${command[0]}:\n${run.stderr}`);
  const result = JSON.parse(run.stdout);
  return result.status === 0 ? result : undefined;
}

function measureModel(model, scratch) {
  const target = join(scratch, 'out.onnx');
  const commands = {
    mcompress: [
      process.execPath,
      bin,
      'slim',
      model,
      '-o',
      target,
      '--verify',
      'off',
      '--no-profile',
      '--no-report',
      '--force',
    ],
    onnxslim: [onnxslim, model, target],
  };
  const runs = { mcompress: [], onnxslim: [] };
  for (let round = 0; round < rounds; round++) {
    for (const tool of round % 2 === 0 ? ['mcompress', 'onnxslim'] : ['onnxslim', 'mcompress']) {
      runs[tool].push(measure(commands[tool]));
      rmSync(target, { force: true });
    }
  }
  const summary = (tool) =>
    runs[tool].includes(undefined)
      ? null
      : {
          wallSeconds: spread(runs[tool].map((run) => run.wallSeconds)),
          cpuSeconds: spread(runs[tool].map((run) => run.cpuSeconds)),
          peakBytes: Math.max(...runs[tool].map((run) => run.peakBytes)),
        };
  const [ours, theirs] = [summary('mcompress'), summary('onnxslim')];
  const ratio =
    ours && theirs ? median(runs.mcompress.map((run, i) => run.wallSeconds / runs.onnxslim[i].wallSeconds)) : null;
  return { model: basename(model, '.onnx'), bytes: statSync(model).size, mcompress: ours, onnxslim: theirs, ratio };
}

function describe(row) {
  const seconds = (result) => {
    if (!result) return 'fails';
    const { median: middle, min, max } = result.wallSeconds;
    return `${middle.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
  };
  const cpu = (result) => (result ? result.cpuSeconds.median.toFixed(2) : '');
  const peak = (result) => (result ? (result.peakBytes / MEGABYTE).toFixed(0) : '');
  return [
    row.model,
    ...[row.mcompress, row.onnxslim].flatMap((result) => [seconds(result), cpu(result), peak(result)]),
    row.ratio?.toFixed(2) ?? '',
    memoryLimit(row).toFixed(0),
  ];
}

const memoryLimit = (row) => (3 * row.bytes) / MEGABYTE + 150;

if (!python || !existsSync(onnxslim)) {
  console.error('Set MCOMPRESS_PYTHON to a Python that holds onnx, onnxruntime and onnxslim (see bench/peers.py).');
  process.exit(2);
}
const scratch = mkdtempSync(join(tmpdir(), 'mcompress-time-'));
try {
  const rows = listModels(positionals).map((model) => {
    process.stderr.write(`${basename(model)}\n`);
    return measureModel(model, scratch);
  });
  const header = ['model', 'ours wall s', 'cpu', 'MB', 'OnnxSlim wall s', 'cpu', 'MB', 'ratio', 'MB limit'];
  console.log(formatTable([header, ...rows.map(describe)]));
  const ratios = rows.flatMap((row) => row.ratio ?? []);
  const tooBig = rows
    .filter((row) => row.mcompress && row.mcompress.peakBytes / MEGABYTE >= memoryLimit(row))
    .map((row) => row.model);
  const failed = rows.filter((row) => row.mcompress === null).map((row) => row.model);
  const middle = ratios.length > 0 ? median(ratios) : Number.NaN;
  console.log(`\nwall time against OnnxSlim, median model: ${middle.toFixed(2)} (bar: 0.50)`);
  console.log(`over the memory limit: ${tooBig.join(', ') || 'none'}; failed: ${failed.join(', ') || 'none'}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ rounds, medianRatio: middle, rows }, null, 2)}\n`);
  if (!(middle <= 0.5) || tooBig.length > 0 || failed.length > 0) process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
