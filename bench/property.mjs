// Bar: random graphs through all exact passes break no promise (same outputs, settled, repeatable, reversible).
//   npm run bench -- property [COUNT=2000] [FIRST SEED=0]
// Prints every graph that breaks one, shrunk, as IR text. Exits with 1 when there is any.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleTest } from './bundle.mjs';
import { root } from './models.mjs';

const [count = '2000', first = '0'] = process.argv.slice(2);
const outfile = await bundleTest('test/property/long-run.ts');
const { longRun } = await import(pathToFileURL(outfile).href);
const broken = await longRun({
  count: Number(count),
  first: Number(first),
  worker: join(root, 'dist/runtime/worker.js'),
  print: (line) => console.log(line),
});
process.exit(broken === 0 ? 0 : 1);
