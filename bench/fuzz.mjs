// Bar: damaged model files are read or refused with one classified error: no crash, no hang, bounded memory.
//   npm run bench -- fuzz [COUNT=20000] [FIRST=0] [model folder or part of a name]...
// Mutants of the models of fixtures/ and of the assets (those under 8 MB) are read, checked, inferred, counted, printed,
// written, edited and read again, and go through the exact passes without a runtime, in two processes with a memory limit
// and a time limit for each mutant. Faults are kept in .cache/fuzz/faults; `fuzz 1 NUMBER` makes one mutant again. Exits
// with 1 when there is any.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bundleTest } from './bundle.mjs';
import { assets, root } from './models.mjs';

/** Far more than the slowest takes, since the machine may have other work. */
const SECONDS_PER_MUTANT = 60;
const HEAP_MIB = 512;
const RSS_LIMIT = 2 ** 30;
const MAX_FILE_BYTES = 8e6;
const PROCESSES = 2;

const [count = 20000, first = 0] = process.argv
  .slice(2)
  .filter((word) => /^\d+$/.test(word))
  .map(Number);
const only = process.argv.slice(2).filter((word) => !/^\d+$/.test(word));

function modelsIn(folder) {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.onnx'))
      .sort()
      .map((file) => join(folder, file));
  } catch {
    return [];
  }
}

const paths = ['fixtures', 'fixtures/small']
  .map((folder) => join(root, folder))
  .concat(join(assets, 'models'))
  .flatMap(modelsIn)
  .filter((path) => statSync(path).size < MAX_FILE_BYTES)
  .filter((path) => only.length === 0 || only.some((word) => path.includes(word)));

const home = join(root, '.cache/fuzz');
mkdirSync(home, { recursive: true });
const outfile = await bundleTest('test/fuzz/child.ts');

const counts = new Map();
const faults = [];
const report = (fault) => {
  faults.push(fault);
  console.error(`FAULT ${fault}`);
};
let [slowest, largest, done] = [{ ms: 0 }, 0, 0];

function record({ name, outcome, ms, rss }) {
  const key = outcome.kind === 'refused' ? outcome.code : outcome.kind;
  counts.set(key, (counts.get(key) ?? 0) + 1);
  if (outcome.kind === 'fault') report(`${name}: ${outcome.stage}: ${outcome.message}`);
  if (rss > RSS_LIMIT && largest <= RSS_LIMIT) report(`${name}: ${Math.round(rss / 2 ** 20)} MiB of memory`);
  if (ms > slowest.ms) slowest = { name, ms };
  largest = Math.max(largest, rss);
  done += 1;
  if (done % 1000 === 0) console.error(`${done} mutants, ${faults.length} faults`);
}

/** Mutants `from`, `from + PROCESSES`, ... in one child; goes on behind one that the child dies of. */
function runChild(from) {
  return new Promise((resolve) => {
    if (from >= first + count) return resolve();
    let current = { begins: from, name: `${from}` };
    let [watchdog, why] = [undefined, ''];
    const child = spawn(
      process.execPath,
      [`--max-old-space-size=${HEAP_MIB}`, outfile, from, PROCESSES, first + count, join(home, 'faults'), ...paths],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    child.stderr.on('data', (text) => (why = `${why}${text}`.slice(-500)));
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const message = JSON.parse(line);
      clearTimeout(watchdog);
      if ('ended' in message) {
        current = undefined;
        record(message);
      } else {
        current = message;
        watchdog = setTimeout(() => {
          why = `no answer within ${SECONDS_PER_MUTANT} s`;
          child.kill('SIGKILL');
        }, SECONDS_PER_MUTANT * 1000);
      }
    });
    lines.on('close', () => {
      clearTimeout(watchdog);
      if (current === undefined) return resolve();
      report(`${current.name}: the process died: ${why}`);
      counts.set('died', (counts.get('died') ?? 0) + 1);
      return resolve(runChild(current.begins + PROCESSES));
    });
  });
}

const started = performance.now();
await Promise.all(Array.from({ length: PROCESSES }, (_, i) => runChild(first + i)));

console.log(`${done} mutants of ${paths.length} files in ${((performance.now() - started) / 1000).toFixed(0)} s`);
for (const [key, times] of [...counts].sort((a, b) => b[1] - a[1]))
  console.log(`${key.padEnd(16)} ${String(times).padStart(6)}`);
console.log(
  `slowest ${(slowest.ms / 1000).toFixed(2)} s (${slowest.name}), largest process ${Math.round(largest / 2 ** 20)} MiB`,
);
console.log(`${faults.length} faults`);
process.exit(faults.length === 0 && done === count ? 0 : 1);
