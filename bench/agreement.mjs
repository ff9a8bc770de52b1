// Bar: `slim` succeeds on every model, and its outputs agree with the original's within 1e-4 of the output's scale.
//   npm run bench -- agreement [--json FILE] [MODEL FOLDER or NAME...]
// Three random feeds, one more per dynamic size, and three real ones where there are any; both models as they are written
// and as applications run them (all optimizations). Exits with 1 when the bar is missed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareOutputs, outputScales, worstOf } from '../dist/runtime/compare.js';
import { findFeeds } from '../dist/runtime/find-feeds.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { bin, feedFlags, feedOptions, listModels, modelName } from './models.mjs';
import { realFeeds } from './real-inputs.mjs';
import { formatTable } from './table.mjs';

const LIMIT = 1e-4;
const { values: options, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
const levels = ['disabled', 'all'];

function slim(model, target) {
  const args = ['slim', model, '-o', target, '--no-report', '--no-profile', '--json', ...feedFlags(modelName(model))];
  const run = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) return { error: run.stderr.trim().split('\n')[0] ?? `status ${run.status}` };
  return { verdict: JSON.parse(run.stdout).verification.verdict };
}

/** Random feeds (two further normal samples by other seeds), then real ones. */
async function gatherFeeds(host, model) {
  const name = modelName(model);
  const search = async (seed, kinds) => {
    const found = await findFeeds(host, model, { seed, kinds, ...feedOptions(name) });
    if (found.verdict !== 'found') throw new Error(`${name} does not run: ${found.error.message}`);
    return found.samples.map(({ feeds }) => feeds);
  };
  const random = [...(await search(1, ['normal', 'uniform'])), ...(await search(2, ['normal'])).slice(0, 1)];
  const real = await realFeeds(name, 3, (feeds) => host.run(model, feeds, { optimization: 'disabled' }));
  return { random, real };
}

async function compareAt(host, [original, slimmed], feeds, optimization) {
  const run = async (model) => {
    const outputs = [];
    for (const sample of feeds) outputs.push(await host.run(model, sample, { optimization }));
    return outputs;
  };
  const expected = await run(original);
  const actual = await run(slimmed);
  const scales = outputScales(expected);
  const tolerance = { mode: 'scale', limit: LIMIT };
  return expected.map((outputs, i) => compareOutputs(outputs, actual[i], { tolerance, scales }).worst);
}

async function check(host, model, scratch) {
  const target = join(scratch, 'slim.onnx');
  const row = { model: modelName(model), ...slim(model, target) };
  if (row.error !== undefined) return { ...row, agrees: false };
  const { random, real } = await gatherFeeds(host, model);
  const feeds = [...random, ...real];
  row.random = random.length;
  row.real = real.length;
  row.worst = {};
  for (const level of levels) {
    const compared = await compareAt(host, [model, target], feeds, level);
    const worst = (part) => (part.length === 0 ? null : worstOf(part).relativeError);
    row.worst[level] = { random: worst(compared.slice(0, random.length)), real: worst(compared.slice(random.length)) };
    const wrong = compared.find((output) => !output.agrees);
    if (wrong) row.error = `${level}: output ${wrong.name}: ${wrong.reason}`;
  }
  await host.release();
  rmSync(target);
  return { ...row, agrees: row.error === undefined && row.verdict === 'agrees' };
}

const figure = (value) => (value === null || value === undefined ? '' : value === 0 ? '0' : value.toExponential(1));
const scratch = mkdtempSync(join(tmpdir(), 'mcompress-agreement-'));
const host = new RuntimeHost();
try {
  const rows = [];
  for (const model of listModels(positionals)) {
    process.stderr.write(`${modelName(model)}\n`);
    rows.push(await check(host, model, scratch));
  }
  const header = ['model', 'feeds', 'real', 'as written: random', 'real', 'optimized: random', 'real', 'slim says', ''];
  const cells = (row) => [
    row.model,
    row.random,
    row.real,
    ...levels.flatMap((level) => [figure(row.worst?.[level].random), figure(row.worst?.[level].real)]),
    row.verdict,
    row.agrees ? '' : `NO ${row.error ?? ''}`,
  ];
  console.log(formatTable([header, ...rows.map(cells)]));
  const agreeing = rows.filter((row) => row.agrees).length;
  console.log(`\nworst error over the output's scale; ${agreeing} of ${rows.length} within ${LIMIT}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ limit: LIMIT, rows }, null, 2)}\n`);
  if (rows.length === 0 || agreeing < rows.length) process.exitCode = 1;
} finally {
  await host.dispose();
  rmSync(scratch, { recursive: true, force: true });
}
