// One module of the tests as a bundle that plain Node runs: the long runs share their code with the suite.
import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { root } from './models.mjs';

/** Bundles `entry` (from the root of the repository) into .cache, beside what it writes; returns the path. */
export async function bundleTest(entry) {
  const outfile = join(root, '.cache', basename(dirname(entry)), `${basename(entry, '.ts')}.mjs`);
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['onnxruntime-node'],
    logLevel: 'warning',
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
  return outfile;
}
