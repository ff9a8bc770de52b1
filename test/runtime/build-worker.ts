// vitest global set-up: a child process cannot run TypeScript on Node 20, so the runtime worker is bundled to dist
// unless the compiled one there is newer than its sources.
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const worker = join(root, 'dist/runtime/worker.js');

export async function setup(): Promise<void> {
  const sources = ['base', 'tensor', 'linalg', 'fit', 'runtime'].flatMap((layer) =>
    readdirSync(join(root, 'src', layer), { recursive: true }).map((file) => join(root, 'src', layer, String(file))),
  );
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (existsSync(worker) && statSync(worker).mtimeMs > newest) return;
  const draft = `${worker}.${process.pid}`;
  mkdirSync(dirname(worker), { recursive: true });
  await build({
    entryPoints: [join(root, 'src/runtime/worker.ts')],
    outfile: draft,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['onnxruntime-node'],
    logLevel: 'warning',
  });
  renameSync(draft, worker);
}
