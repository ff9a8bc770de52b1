// Bar: running `slim` on its own output changes nothing, on every model: the second file equals the first, byte for byte.
//   MCOMPRESS_MODELS=FOLDER:FOLDER npm run bench -- settled [NAME...]
// Exits with 1 when a model changes, or fails.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openModel } from '../dist/index.js';
import { listModels, root } from './models.mjs';
import { formatTable } from './table.mjs';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-settled-'));

/** Slims `input` to a file called `name`; its path. */
function slim(input, name) {
  const output = join(folder, name);
  const flags = ['--verify', 'off', '--no-profile', '--no-report', '--force'];
  const run = spawnSync(process.execPath, [join(root, 'bin/mcompress.js'), 'slim', input, '-o', output, ...flags], {
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(run.stderr.trim().split('\n').at(-1));
  return output;
}

const nodesOf = async (path) => (await openModel(path)).model.nodeTotal;
const rows = [['model', 'nodes', 'once', 'twice', 'bytes']];
let changed = 0;
for (const path of listModels(process.argv.slice(2))) {
  const row = [basename(path, '.onnx')];
  try {
    const once = slim(path, 'once.onnx');
    const twice = slim(once, 'twice.onnx');
    const isSame = readFileSync(once).equals(readFileSync(twice));
    if (!isSame) changed++;
    row.push(await nodesOf(path), await nodesOf(once), await nodesOf(twice), isSame ? 'same' : 'DIFFER');
  } catch (error) {
    changed++;
    row.push('', '', '', error.message);
  }
  rows.push(row);
}
rmSync(folder, { recursive: true });
console.log(formatTable(rows));
console.log(`${rows.length - 1} models, ${changed} changed or failed`);
process.exit(changed > 0 ? 1 : 0);
