// `npm run build`: dist/ gets the library (tsc, with declarations) and dist/bin/ the command line (esbuild). The command
// line is bundled because start-up is dominated by loading many small modules; it is split, so that a verb loads only
// its own code. The process that holds ONNX Runtime is an entry of its own in the same flat folder: code in any chunk
// finds it beside itself. onnxruntime-node has native parts and stays outside.
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installIfNeeded, markBuilt, root, runOrExit, sourceHash } from './prepare.mjs';

const licenceFile = /^(licen[cs]e|notice|copying)/i;

/** Licence texts of the packages that went into the bundle, since the bundle redistributes them. */
function licenceTexts(metafile) {
  const folders = Object.keys(metafile.inputs).map(
    (input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0],
  );
  return [...new Set(folders)]
    .filter(Boolean)
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      const texts = readdirSync(join(root, folder))
        .filter((file) => licenceFile.test(file))
        .map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
      return [`${name} ${version} (${license})`, ...texts].join('\n\n');
    })
    .join(`\n\n${'-'.repeat(80)}\n\n`);
}

async function bundle(folder) {
  const { build } = await import('esbuild');
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      main: 'src/cli/main.ts',
      worker: 'src/runtime/worker.ts',
      'accumulator-thread': 'src/runtime/accumulator-thread.ts',
    },
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['onnxruntime-node', 'sharp'],
    // CommonJS dependencies in the bundle call require() for modules of Node.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    metafile: true,
    logLevel: 'warning',
  });
  writeFileSync(join(folder, 'LICENSES.txt'), `Parts of other packages in this folder:\n\n${licenceTexts(metafile)}\n`);
}

installIfNeeded();
const hash = sourceHash();
const fresh = join(root, `.cache/dist-${process.pid}`);
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
mkdirSync(fresh, { recursive: true });
runOrExit(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json', '--outDir', fresh]);
await bundle(join(fresh, 'bin'));
// A program that is running keeps working with what it has loaded; nobody sees half a dist.
rmSync(join(root, 'dist'), { recursive: true, force: true });
renameSync(fresh, join(root, 'dist'));
markBuilt(hash);
