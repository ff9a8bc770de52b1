// Bars: `mcompress --help` under 0.2 s over an empty Node start; `inspect` of a 14 MB model, in a new process, under 0.6 s.
//   npm run bench -- startup [--rounds N] [--json FILE] [MODEL FOLDER or NAME], NAME is a model (default: mobilenetv2)
// Interleaved; wall time from spawn to exit, median and spread. Exits with 1 when a bar is missed.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { listModels, root } from './models.mjs';
import { formatTable, median, spread } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: { json: { type: 'string' }, rounds: { type: 'string', default: '15' } },
  allowPositionals: true,
});
const bin = join(root, 'bin/mcompress.js');
const named = positionals.some((name) => !existsSync(name));
const model = listModels(named ? positionals : [...positionals, 'mobilenetv2'])[0];

/** Seconds from start to exit. */
function time(args) {
  const start = process.hrtime.bigint();
  const run = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  if (run.status !== 0) throw new Error(`node ${args.join(' ')} ended with ${run.status}:\n${run.stderr}`);
  return seconds;
}

if (model === undefined) {
  console.error('No such model: give a folder that holds mobilenetv2-imagenet.onnx, or part of another file name.');
  process.exit(2);
}
const commands = {
  empty: ['-e', '0'],
  help: [bin, '--help'],
  version: [bin, '--version'],
  inspect: [bin, 'inspect', model],
};
const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
for (let round = 0; round < Number(options.rounds); round++) {
  for (const [name, args] of Object.entries(commands)) times[name].push(time(args));
}
const summary = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, spread(values)]));
const helpOverEmpty = median(times.help.map((seconds, i) => seconds - times.empty[i]));
const seconds = (value) => value.toFixed(3);
const rows = Object.entries(summary).map(([name, { median: middle, min, max }]) => [
  name,
  ...[middle, min, max].map(seconds),
]);
console.log(formatTable([['command', 'median s', 'min', 'max'], ...rows]));
console.log(`\n--help over an empty start: ${seconds(helpOverEmpty)} s (bar: 0.2)`);
console.log(
  `inspect ${basename(model)} (${(statSync(model).size / 1e6).toFixed(1)} MB): ${seconds(summary.inspect.median)} s (bar: 0.6 for 14 MB)`,
);
if (options.json)
  writeFileSync(options.json, `${JSON.stringify({ model: basename(model), summary, helpOverEmpty }, null, 2)}\n`);
if (helpOverEmpty >= 0.2 || summary.inspect.median >= 0.6) process.exitCode = 1;
