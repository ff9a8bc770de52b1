// Bar: no slimmed model is slower than its original, in latency or in load time, on ONNX Runtime with one thread.
//   npm run bench -- latency [--budget SECONDS] [--only latency|load] [--json FILE] [-p PASS]... [MODEL FOLDER or NAME...]
// Interleaved in one child process; the ratio slimmed/original with its 95 % interval. With so many comparisons some say
// "slower" by chance, so such a one is taken twice more and counts when at least two of the three say so. -p as for slim,
// to find the pass that is to blame. Exits with 1 when the bar is missed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findFeeds } from '../dist/runtime/find-feeds.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { compareLoadTime } from '../dist/runtime/load-time.js';
import { bin, feedOptions, listModels, modelName } from './models.mjs';
import { realFeeds } from './real-inputs.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: {
    json: { type: 'string' },
    budget: { type: 'string', default: '15' },
    only: { type: 'string' },
    pass: { type: 'string', short: 'p', multiple: true, default: [] },
  },
  allowPositionals: true,
});
const budget = Number(options.budget) * 1000;
const figures = ['latency', 'load'].filter((figure) => options.only === undefined || options.only === figure);

function slim(model, target) {
  const passes = options.pass.flatMap((pass) => ['-p', pass]);
  const args = ['slim', model, '-o', target, '--no-report', '--no-profile', '--verify', 'off', ...passes];
  const run = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`slim ${model} ended with ${run.status}:\n${run.stderr}`);
}

/** A real sample where there is one, since zeros and odd values take other paths through some kernels. */
async function feedsFor(host, model) {
  const name = modelName(model);
  const [real] = await realFeeds(name, 1, (feeds) => host.run(model, feeds, { optimization: 'disabled' }));
  if (real) return real;
  const found = await findFeeds(host, model, { seed: 0, kinds: ['normal'], ...feedOptions(name) });
  if (found.verdict !== 'found') throw new Error(`${name} does not run: ${found.error.message}`);
  return found.samples[0].feeds;
}

/** One comparison; two more when it says slower. */
async function compare(take) {
  const taken = [await take(0)];
  if (taken[0].verdict === 'slower') taken.push(await take(1), await take(2));
  const slower = taken.filter(({ verdict }) => verdict === 'slower').length;
  const middle = taken.sort((a, b) => a[a.decidedBy].value - b[b.decidedBy].value)[taken.length >> 1];
  const { before, after, decidedBy, rounds, blocks, cpuShare } = middle;
  const verdict = slower >= 2 ? 'SLOWER' : middle.verdict === 'slower' ? 'no-difference' : middle.verdict;
  return {
    verdict,
    saidSlower: `${slower}/${taken.length}`,
    decidedBy,
    ratio: middle[decidedBy],
    before: before.wall,
    after: after.wall,
    rounds,
    blocks,
    cpuShare,
  };
}

async function measure(host, model, scratch) {
  const target = join(scratch, 'slim.onnx');
  slim(model, target);
  const row = { model: modelName(model) };
  if (figures.includes('latency')) {
    const feeds = await feedsFor(host, model);
    row.latency = await compare((seed) => compareLatency(host, model, target, feeds, { seed, budget }));
  }
  if (figures.includes('load'))
    row.load = await compare((seed) => compareLoadTime(host, model, target, { seed, budget: budget / 2 }));
  await host.release();
  rmSync(target);
  return row;
}

const milliseconds = (value) => (value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toFixed(4));
const percent = (ratio) => `${ratio >= 1 ? '+' : ''}${(100 * (ratio - 1)).toFixed(1)}`;
function cells(result) {
  if (!result) return ['', '', '', '', ''];
  const { before, after, ratio, verdict, saidSlower } = result;
  return [
    milliseconds(before.p50),
    milliseconds(after.p50),
    percent(ratio.value),
    `${percent(ratio.low)} .. ${percent(ratio.high)}`,
    saidSlower.startsWith('0') ? verdict : `${verdict} (${saidSlower})`,
  ];
}

const scratch = mkdtempSync(join(tmpdir(), 'mcompress-latency-'));
const host = new RuntimeHost();
try {
  const rows = [];
  for (const model of listModels(positionals)) {
    rows.push(await measure(host, model, scratch));
    const { latency, load } = rows.at(-1);
    process.stderr.write(
      `${modelName(model)}: ${cells(latency).slice(2).join(' ')} | ${cells(load).slice(2).join(' ')}\n`,
    );
  }
  const heading = (name) => [`${name} ms`, 'slimmed', '%', '95 %', 'verdict'];
  const table = rows.map((row) => [row.model, ...figures.flatMap((figure) => cells(row[figure]))]);
  console.log(formatTable([['model', ...figures.flatMap(heading)], ...table]));
  const slower = rows.filter((row) => figures.some((figure) => row[figure].verdict === 'SLOWER'));
  console.log(`\nslower than the original: ${slower.map((row) => row.model).join(', ') || 'none'} (of ${rows.length})`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ budget, rows }, null, 2)}\n`);
  if (rows.length === 0 || slower.length > 0) process.exitCode = 1;
} finally {
  await host.dispose();
  rmSync(scratch, { recursive: true, force: true });
}
