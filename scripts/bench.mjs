// `npm run bench -- NAME [ARGUMENTS]`: sets the checkout up, then runs bench/NAME.mjs. Without a name it lists them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { prepare, root, runOrExit } from './prepare.mjs';

const modules = ['models', 'table'];
const [name, ...args] = process.argv.slice(2);
const scripts = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => basename(file, '.mjs'))
  .filter((script) => !modules.includes(script));

if (name !== undefined && scripts.includes(name) && existsSync(join(root, 'bench', `${name}.mjs`))) {
  prepare();
  runOrExit(process.execPath, [join(root, 'bench', `${name}.mjs`), ...args]);
} else {
  if (name !== undefined) console.error(`There is no bench/${name}.mjs. Give one of:`);
  for (const script of scripts) {
    const purpose = readFileSync(join(root, 'bench', `${script}.mjs`), 'utf8')
      .split('\n')[0]
      ?.replace(/^\/\/ /, '');
    console.error(`  ${script.padEnd(16)} ${purpose}`);
  }
  process.exit(name === undefined ? 0 : 2);
}
