// vitest global set-up: neither a child process nor a thread can run TypeScript on Node 20, so the entries of the runtime
// are bundled to dist unless the compiled ones there are newer than their sources.
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'dist/runtime');
const ENTRIES = ['worker', 'accumulator-thread'];

export async function setup(): Promise<void> {
  const sources = ['base', 'tensor', 'linalg', 'fit', 'runtime'].flatMap((layer) =>
    readdirSync(join(root, 'src', layer), { recursive: true }).map((file) => join(root, 'src', layer, String(file))),
  );
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  const isFresh = (file: string): boolean => existsSync(file) && statSync(file).mtimeMs > newest;
  if (ENTRIES.every((entry) => isFresh(join(folder, `${entry}.js`)))) return;
  const draft = join(folder, `draft-${process.pid}`);
  await build({
    entryPoints: ENTRIES.map((entry) => join(root, `src/runtime/${entry}.ts`)),
    outdir: draft,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['onnxruntime-node'],
    logLevel: 'warning',
  });
  for (const entry of ENTRIES) renameSync(join(draft, `${entry}.js`), join(folder, `${entry}.js`));
  rmSync(draft, { recursive: true });
}
