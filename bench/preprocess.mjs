// Bar: pictures become inputs of the model in under 10 ms of CPU each, with the bytes that Pillow gives.
//   MCOMPRESS_PYTHON=python npm run bench -- preprocess [--json FILE]
// The 1000 sample pictures, short side to 256 (most have it) and to 240 (all are scaled), the middle 224 x 224. CPU time is that of
// this process, decoding included. The Python needs pillow; without one the bytes are not compared. Exits with 1 on a miss.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openData } from '../dist/data/open-data.js';
import { parsePreprocess } from '../dist/data/preprocess.js';
import { assets, python } from './models.mjs';
import { formatTable } from './table.mjs';

const BAR_MS = 10;
const CROP = 224;
const folder = join(assets, 'images/imagenet-1000');
const { values: options } = parseArgs({ options: { json: { type: 'string' } } });

/** Hash of the pixels by file name, as Pillow makes them; undefined without a Python. */
function pillowHashes(short) {
  if (python === undefined) return undefined;
  const script = fileURLToPath(new URL('peers/pillow_bytes.py', import.meta.url));
  const run = spawnSync(python, [script, folder, String(short), String(CROP)], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return new Map(
    run.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')),
  );
}

async function equalBytes(short) {
  const wanted = pillowHashes(short);
  if (!wanted) return undefined;
  const inputs = [{ name: 'x', dtype: 'uint8', dims: [1, CROP, CROP, 3] }];
  const data = await openData(folder, { inputs, preprocess: parsePreprocess(`raw:resize=${short}`) });
  let equal = 0;
  for await (const { name, feeds } of data.samples()) {
    const hash = createHash('sha256').update(feeds.get('x').bytes()).digest('hex');
    if (wanted.get(name) === hash) equal++;
  }
  return equal;
}

async function cpuPerPicture(short) {
  const inputs = [{ name: 'x', dtype: 'float32', dims: [1, 3, CROP, CROP] }];
  const data = await openData(folder, { inputs, preprocess: parsePreprocess(`imagenet:resize=${short}`) });
  for await (const _ of data.samples({ to: 50 }));
  const before = process.cpuUsage();
  let count = 0;
  for await (const _ of data.samples()) count++;
  const { user, system } = process.cpuUsage(before);
  return { count, ms: (user + system) / 1000 / count };
}

if (!existsSync(folder)) {
  console.error(`The pictures belong in ${folder} (set MCOMPRESS_ASSETS).`);
  process.exit(2);
}
const results = [];
for (const short of [256, 240])
  results.push({ short, ...(await cpuPerPicture(short)), equal: await equalBytes(short) });
const peak = process.resourceUsage().maxRSS / 1024;
console.log(
  formatTable([
    ['short side', 'pictures', 'CPU ms each', "Pillow's bytes"],
    ...results.map(({ short, count, ms, equal }) => [short, count, ms.toFixed(2), equal ?? 'not compared']),
  ]),
);
console.log(`\npeak memory ${peak.toFixed(0)} MiB`);
if (options.json) writeFileSync(options.json, `${JSON.stringify({ results, peakMiB: peak }, null, 2)}\n`);
process.exitCode = results.every(({ ms, equal, count }) => ms < BAR_MS && (equal ?? count) === count) ? 0 : 1;
