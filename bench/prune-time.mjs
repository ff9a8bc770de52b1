// Bar: pruning ResNet-56 (scores, refit, removal) takes under 2 minutes, MobileNetV2 under 5, each under 2 GiB for all processes together.
//   MCOMPRESS_PYTHON=python npm run bench -- prune-time [--json FILE] [NAME...]
// ResNet-56 with 2,000 images to 0.7 of its multiplications, MobileNetV2 with 500 photographs to 0.8; nothing is timed. Seconds by
// the clock decide (processor time is beside them); memory: the largest sum of all processes at one time (Linux). Exits with 1 on
// a miss.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bin, python, root } from './models.mjs';
import { measureTree } from './process-tree.mjs';
import { openCase, pruneCommand, workFolder } from './prune/cases.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
const MEMORY = 2 * 2 ** 30;
const CASES = { 'resnet56-cifar10': { left: 0.7, seconds: 120 }, 'mobilenetv2-imagenet': { left: 0.8, seconds: 300 } };

async function measure(name) {
  const { left, seconds } = CASES[name];
  const one = openCase(name);
  const out = join(workFolder, 'ours', 'time.onnx');
  mkdirSync(join(workFolder, 'ours'), { recursive: true });
  rmSync(out, { force: true });
  const command = [process.execPath, bin, ...pruneCommand(one, ['--macs', `${left}x`, '--no-profile', '--force'], out)];
  const before = loadavg()[0];
  const run = await measureTree(python, [join(root, 'bench/peers.py'), 'time', ...command]);
  const timed = JSON.parse(run.stdout);
  const load = (before + loadavg()[0]) / 2;
  const met = timed.status === 0 && timed.wallSeconds < seconds && run.peak < MEMORY;
  return { name, met, allowed: seconds, load, ...timed, peak: run.peak };
}

const rows = [];
for (const name of Object.keys(CASES)) {
  if (positionals.length > 0 && !positionals.some((part) => name.includes(part))) continue;
  rows.push(await measure(name));
}
const heading = ['model', 's', 'bar', 'processor s', 'MiB', 'bar', 'load', ''];
const cells = rows.map((row) => [
  row.name,
  row.wallSeconds.toFixed(1),
  row.allowed,
  row.cpuSeconds.toFixed(1),
  (row.peak / 2 ** 20).toFixed(0),
  MEMORY / 2 ** 20,
  row.load.toFixed(1),
  row.met ? 'met' : row.status === 0 ? 'MISSED' : `ended with ${row.status}`,
]);
console.log(formatTable([heading, ...cells]));
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
if (rows.some(({ met }) => !met)) process.exitCode = 1;
