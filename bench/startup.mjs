// Bars: `mcompress --help` under 0.2 s over an empty Node start; `inspect` of a 14 MB model, in a new process, under 0.6 s.
//   MCOMPRESS_PYTHON=python npm run bench -- startup [--rounds N] [--json FILE] [MODEL FOLDER or NAME], NAME is a model (default: mobilenetv2)
// Interleaved; wall and CPU time from start to exit, median and spread. Wall time decides; where the machine was busy
// (the median of the empty start is half as long again as its CPU time) CPU time does. Exits with 1 when a bar is missed.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { bin, listModels, python, root } from './models.mjs';
import { formatTable, median, spread } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: { json: { type: 'string' }, rounds: { type: 'string', default: '15' } },
  allowPositionals: true,
});
const named = positionals.some((name) => !existsSync(name));
const model = listModels(named ? positionals : [...positionals, 'mobilenetv2'])[0];
if (model === undefined || !python) {
  console.error(
    model === undefined
      ? 'No such model: give a folder that holds mobilenetv2-imagenet.onnx, or part of another file name.'
      : 'Set MCOMPRESS_PYTHON to a Python: it reads the resource usage of the processes.',
  );
  process.exit(2);
}

/** Wall and CPU seconds from start to exit. */
function time(args) {
  const command = [join(root, 'bench/peers.py'), 'time', process.execPath, ...args];
  const run = spawnSync(python, command, { encoding: 'utf8' });
  const result = run.status === 0 ? JSON.parse(run.stdout) : { status: run.stderr };
  if (result.status !== 0) throw new Error(`node ${args.join(' ')} ended with ${result.status}`);
  return { wall: result.wallSeconds, cpu: result.cpuSeconds };
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
const clocks = ['wall', 'cpu'];
const of = (name, clock) => times[name].map((taken) => taken[clock]);
const seconds = (value) => value.toFixed(3);
const rows = Object.keys(commands).map((name) => [
  name,
  ...clocks.flatMap((clock) => Object.values(spread(of(name, clock))).map(seconds)),
]);
console.log(formatTable([['command', 'wall s', 'min', 'max', 'CPU s', 'min', 'max'], ...rows]));

const clock = median(of('empty', 'wall')) > 1.5 * median(of('empty', 'cpu')) ? 'cpu' : 'wall';
const helpOverEmpty = median(of('help', clock).map((taken, i) => taken - of('empty', clock)[i]));
const inspect = median(of('inspect', clock));
const size = (statSync(model).size / 1e6).toFixed(1);
console.log(`\n${clock === 'cpu' ? 'The machine was busy: CPU time.' : 'Wall time.'}`);
console.log(`--help over an empty start: ${seconds(helpOverEmpty)} s (bar: 0.2)`);
console.log(`inspect ${basename(model)} (${size} MB): ${seconds(inspect)} s (bar: 0.6 for 14 MB)`);
if (options.json) {
  const result = { model: basename(model), decidedBy: clock, helpOverEmpty, inspect, times };
  writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
}
if (helpOverEmpty >= 0.2 || inspect >= 0.6) process.exitCode = 1;
