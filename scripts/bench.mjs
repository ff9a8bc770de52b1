// `npm run bench -- NAME [ARGUMENTS]`: sets the checkout up, then runs bench/NAME.mjs. Without a name it lists them;
// `all` runs those that have a bar.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { prepare, root, runOrExit } from './prepare.mjs';

const modules = [
  'bundle',
  'fusion-conv-cases',
  'fusion-operator-cases',
  'fusion-parts',
  'fusion-times',
  'models',
  'process-tree',
  'real-inputs',
  'synthetic-net',
  'table',
];
const [name, ...args] = process.argv.slice(2);
const scripts = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => basename(file, '.mjs'))
  .filter((script) => !modules.includes(script));

const purposeOf = (script) =>
  readFileSync(join(root, 'bench', `${script}.mjs`), 'utf8')
    .split('\n')[0]
    ?.replace(/^\/\/ /, '') ?? '';

/** Every script whose first line names a bar, one after the other; its table, then who met the bar. */
function runBars() {
  const results = scripts
    .filter((script) => /^Bars?\b/.test(purposeOf(script)))
    .map((script) => {
      console.log(`\n${script}: ${purposeOf(script)}\n`);
      const { status } = spawnSync(process.execPath, [join(root, 'bench', `${script}.mjs`), ...args], {
        stdio: 'inherit',
      });
      return { script, status };
    });
  console.log();
  for (const { script, status } of results)
    console.log(`${script.padEnd(16)} ${verdicts[status] ?? `ended with ${status}`}`);
  process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;
}

const verdicts = { 0: 'met', 1: 'MISSED', 2: 'could not run' };
if (name === 'all') {
  prepare();
  runBars();
} else if (name !== undefined && scripts.includes(name)) {
  prepare();
  runOrExit(process.execPath, [join(root, 'bench', `${name}.mjs`), ...args]);
} else {
  if (name !== undefined) console.error(`There is no bench/${name}.mjs. Give one of:`);
  for (const script of scripts) console.error(`  ${script.padEnd(16)} ${purposeOf(script)}`);
  console.error(`  ${'all'.padEnd(16)} every one that has a bar`);
  process.exit(name === undefined ? 0 : 2);
}
