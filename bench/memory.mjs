// Bars for the memory of `slim`: without checks under 3 times the model plus 150 MB; with checks and measurements at most what ONNX Runtime needs for both models plus 200 MB; a 1.5 GB model with external data under 500 MB.
//   npm run bench -- memory [--only plain|checked|large] [--json FILE] [MODEL FOLDER or NAME...]
// Of the whole process tree: the largest sum of resident memory at one time (shared pages counted once), looked at
// every 10 ms, but at least the largest peak of a single process; Linux only. A net of 100 MB is made and measured
// besides the models, and the one of 1.5 GB (in the folder of temporary files, removed afterwards). What ONNX Runtime needs
// is what loading and running a model adds to a bare process, original and slimmed model together. Exits with 1 when a
// bar is missed.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findFeeds } from '../dist/runtime/find-feeds.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { peakMemory } from '../dist/runtime/memory.js';
import { bin, feedFlags, feedOptions, listModels, modelName } from './models.mjs';
import { measureTree } from './process-tree.mjs';
import { writeSyntheticNet } from './synthetic-net.mjs';
import { formatTable } from './table.mjs';

const MEGABYTE = 1e6;
const { values: options, positionals } = parseArgs({
  options: { json: { type: 'string' }, only: { type: 'string' } },
  allowPositionals: true,
});
const wanted = (part) => options.only === undefined || options.only === part;
/** Nets made here: all of them unless models are named; their names count too. */
const isMade = (name) => {
  const names = positionals.filter((arg) => !existsSync(arg));
  return names.length === 0 || names.some((part) => name.includes(part));
};

async function slim(model, target, flags) {
  const run = await measureTree(process.execPath, [bin, 'slim', model, '-o', target, '--no-report', ...flags]);
  if (run.status !== 0) throw new Error(`slim ${model} ended with ${run.status}:\n${run.stderr}`);
  return Math.max(run.peak, run.main);
}

const unchecked = ['--verify', 'off', '--no-profile'];

async function measurePlain(model, target) {
  const bytes = statSync(model).size;
  const peak = await slim(model, target, unchecked);
  return { peak, limit: 3 * bytes + 150 * MEGABYTE };
}

async function measureChecked(model, target) {
  const peak = await slim(model, target, [...feedFlags(modelName(model)), '--force']);
  const host = new RuntimeHost();
  try {
    const found = await findFeeds(host, model, { seed: 0, kinds: ['normal'], ...feedOptions(modelName(model)) });
    if (found.verdict !== 'found') throw new Error(`${model} does not run: ${found.error.message}`);
    const [{ feeds }] = found.samples;
    await host.release();
    const before = await peakMemory(model, feeds);
    const after = await peakMemory(target, feeds);
    return { peak, limit: before.added + after.added + 200 * MEGABYTE };
  } finally {
    await host.dispose();
  }
}

async function measureModel(model, scratch) {
  const target = join(scratch, 'slim.onnx');
  const row = { model: modelName(model), bytes: statSync(model).size };
  if (wanted('plain')) row.plain = await measurePlain(model, target);
  if (wanted('checked')) row.checked = await measureChecked(model, target);
  rmSync(target, { force: true });
  process.stderr.write(`${cells(row).join('  ')}\n`);
  return row;
}

async function measureLarge(scratch) {
  const model = join(scratch, 'made-1.5GB.onnx');
  const target = join(scratch, 'slim.onnx');
  const { bytes, externalBytes } = await writeSyntheticNet(model, {
    bytes: 1.5e9,
    channels: 1024,
    side: 8,
    externalData: 'always',
  });
  const peak = await slim(model, target, [...unchecked, '--external-data']);
  return { model: modelName(model), bytes: bytes + externalBytes, plain: { peak, limit: 500 * MEGABYTE } };
}

const megabytes = (bytes) => (bytes / MEGABYTE).toFixed(0);
function cells(row) {
  const part = (result) =>
    result ? [megabytes(result.peak), megabytes(result.limit), result.peak < result.limit ? '' : 'NO'] : ['', '', ''];
  return [row.model, (row.bytes / MEGABYTE).toFixed(1), ...part(row.plain), ...part(row.checked)];
}

if (!['smaps_rollup', `task/${process.pid}/children`].every((file) => existsSync(`/proc/self/${file}`))) {
  console.error('This bench reads smaps_rollup and children of /proc/PID, which this system does not have.');
  process.exit(2);
}
const scratch = mkdtempSync(join(tmpdir(), 'mcompress-memory-'));
try {
  const rows = [];
  if (wanted('plain') || wanted('checked')) {
    for (const model of listModels(positionals)) rows.push(await measureModel(model, scratch));
    const made = join(scratch, 'made-100MB.onnx');
    if (isMade(modelName(made))) {
      await writeSyntheticNet(made, { bytes: 100e6, channels: 512, side: 16 });
      rows.push(await measureModel(made, scratch));
    }
  }
  if (wanted('large') && isMade('made-1.5GB')) rows.push(await measureLarge(scratch));
  const header = ['model', 'file MB', 'unchecked MB', 'bar', '', 'checked MB', 'bar', ''];
  console.log(formatTable([header, ...rows.map(cells)]));
  const missed = rows.filter((row) => [row.plain, row.checked].some((result) => result && result.peak >= result.limit));
  console.log(`\nover a bar: ${missed.map((row) => row.model).join(', ') || 'none'} (of ${rows.length})`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ rows }, null, 2)}\n`);
  if (missed.length > 0) process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
