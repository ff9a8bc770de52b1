// Bar: removing 30 % of the units at random keeps a valid model whose outputs equal those of the original with the same
// units set to zero where layers sum over them, within 1e-4 of the output's scale: every group alone, and all together.
//   npm run bench -- prune-correctness [--graphs COUNT=500] [--first SEED=0] [--share 0.3] [--json FILE] [MODEL FOLDER or NAME...]
// Every model as it is and after `slim` (which computes shapes beforehand, so that fewer groups are frozen), on random feeds
// and border values, graph optimizations off. Then COUNT random nets, whose seeds are printed where they miss. Exits
// with 1 on a miss.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleTest } from './bundle.mjs';
import { bin, feedFlags, feedOptions, listModels, modelName, root } from './models.mjs';
import { formatTable } from './table.mjs';

const LIMIT = 1e-4;
const { values: options, positionals } = parseArgs({
  options: {
    graphs: { type: 'string', default: '500' },
    first: { type: 'string', default: '0' },
    share: { type: 'string', default: '0.3' },
    json: { type: 'string' },
  },
  allowPositionals: true,
});

/** Sizes of inputs for this comparison, where those of the catalogue take long. */
const SMALL = { 'ppocrv4-det': { shapes: new Map([['x', [1, 3, 64, 96]]]) } };

const { openRemoval } = await import(pathToFileURL(await bundleTest('test/passes/prune/long-run.ts')).href);
const scratch = mkdtempSync(join(tmpdir(), 'mcompress-prune-'));
const run = openRemoval({ worker: join(root, 'dist/runtime/worker.js'), share: Number(options.share), limit: LIMIT });

/** The model slimmed, or why there is none. */
function slim(path) {
  const target = join(scratch, 'slim.onnx');
  const flags = ['--verify', 'off', '--no-profile', '--no-report', '--quiet', ...feedFlags(modelName(path))];
  const { status, stderr } = spawnSync(process.execPath, [bin, 'slim', path, '-o', target, ...flags], {
    encoding: 'utf8',
  });
  return status === 0 ? { target } : { error: stderr.trim().split('\n')[0] ?? `status ${status}` };
}

const codes = (counts) => [...counts].map(([code, count]) => `${code} ${count}`).join(', ');
const figure = (value) => (value === undefined ? '' : value === 0 ? '0' : value.toExponential(1));

const row = (name, form, { groups, prunable, frozen, refused, trials }) => ({
  name,
  form,
  groups,
  prunable,
  frozen: Object.fromEntries(frozen),
  refused: Object.fromEntries(refused),
  trials: trials.length,
  worst: trials.reduce((worst, { error = 0 }) => Math.max(worst, error), 0),
  misses: trials.filter(({ miss }) => miss !== undefined),
  cells: [name, form, groups, prunable, trials.length, codes(frozen), codes(refused)],
});

try {
  const rows = [];
  for (const path of listModels(positionals)) {
    const name = modelName(path);
    for (const form of ['as it is', 'slim']) {
      process.stderr.write(`${name} ${form}\n`);
      const { target, error } = form === 'slim' ? slim(path) : { target: path };
      const result = error ?? (await run.model(target, { ...feedOptions(name), ...SMALL[name] }));
      if (typeof result === 'string') console.log(`${name} ${form}: left out: ${result}`);
      else rows.push(row(name, form, result));
    }
  }
  const header = ['model', 'form', 'groups', 'prunable', 'removals', 'frozen by', 'refused by', 'worst', ''];
  const cells = rows.map((one) => [
    ...one.cells,
    figure(one.worst),
    one.misses.length > 0 ? `${one.misses.length} MISSED` : '',
  ]);
  console.log(formatTable([header, ...cells]));
  for (const { name, form, misses } of rows)
    for (const { what, miss } of misses) console.log(`${name} ${form}: ${what}: ${miss}`);
  const nets = await run.nets(Number(options.first), Number(options.graphs), (line) => console.log(line));
  console.log(
    `\n${nets.nets} random nets from seed ${options.first}: ${nets.prunable} groups prunable of ${nets.groups}, ${nets.trials} removals, worst ${figure(nets.worst)}, ${nets.missed.length} nets missed`,
  );
  console.log(`frozen by ${codes(nets.frozen)}${nets.refused.size > 0 ? `; refused by ${codes(nets.refused)}` : ''}`);
  if (nets.missed.length > 0) console.log(`seeds that missed: ${nets.missed.join(' ')}`);
  const missed = rows.filter(({ misses }) => misses.length > 0).length;
  const able = new Set(rows.filter(({ prunable }) => prunable > 0).map(({ name }) => name));
  console.log(
    `\n${rows.length - missed} of ${rows.length} rows within ${LIMIT} of scale; ${able.size} models have a prunable group`,
  );
  if (options.json) {
    const plain = { ...nets, frozen: Object.fromEntries(nets.frozen), refused: Object.fromEntries(nets.refused) };
    const models = rows.map(({ cells: _, ...one }) => one);
    writeFileSync(options.json, `${JSON.stringify({ limit: LIMIT, models, nets: plain }, null, 2)}\n`);
  }
  if (missed > 0 || nets.missed.length > 0 || rows.length === 0) process.exitCode = 1;
} finally {
  await run.dispose();
  rmSync(scratch, { recursive: true, force: true });
}
