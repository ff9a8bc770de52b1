// Brings a checkout into a state in which it can run: dependencies installed, dist built. Needs nothing but Node and
// npm, so that `npm test`, `npm run demo` and `npm run bench` work on a fresh clone.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const stampFile = join(root, '.cache/build-stamp');
const builtFiles = ['dist/index.js', 'dist/bin/main.js', 'dist/bin/worker.js', 'dist/bin/accumulator-thread.js'];

// The install script of onnxruntime-node downloads CUDA providers, which nothing here uses, and fails the whole
// installation where it cannot. npm 11 also reads `allowScripts` in package.json; npm 10 does not.
const childEnvironment = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };

/** Runs a program in the package folder with the terminal of this one; ends this process when it fails. */
export function runOrExit(command, args, { output = 'inherit' } = {}) {
  const run = spawnSync(command, args, { cwd: root, env: childEnvironment, stdio: ['ignore', output, 'inherit'] });
  if (run.error) throw run.error;
  if (run.status !== 0) process.exit(run.status ?? 1);
}

/** The npm that runs this script, else the one on the path. */
function runNpm(args) {
  const npm = process.env.npm_execpath;
  // Standard output belongs to the program that runs afterwards.
  if (npm?.endsWith('.js')) runOrExit(process.execPath, [npm, ...args], { output: 2 });
  else if (process.platform === 'win32')
    runOrExit(process.env.ComSpec ?? 'cmd.exe', ['/d', '/c', 'npm', ...args], { output: 2 });
  else runOrExit('npm', args, { output: 2 });
}

function modified(path) {
  const full = join(root, path);
  return existsSync(full) ? statSync(full).mtimeMs : undefined;
}

/** Installs the dependencies when they are missing or older than the lockfile. */
export function installIfNeeded() {
  const installed = modified('node_modules/.package-lock.json');
  const locked = modified('package-lock.json');
  if (installed !== undefined && (locked === undefined || installed >= locked)) return;
  console.error('Installing the dependencies (npm ci) ...');
  runNpm(['ci', '--no-audit', '--no-fund', '--loglevel', 'warn']);
}

/** Hash of everything that dist is made from. Times would not notice a removed file. */
export function sourceHash() {
  const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const inputs = [
    ...sources,
    ...['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/build.mjs'].map((file) => join(root, file)),
  ];
  const hash = createHash('sha256');
  for (const file of inputs.sort()) hash.update(`${file.slice(root.length)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

/** Whether dist is there and was made from the sources as they are. */
export function isBuilt() {
  return (
    builtFiles.every((file) => existsSync(join(root, file))) &&
    existsSync(stampFile) &&
    readFileSync(stampFile, 'utf8') === sourceHash()
  );
}

/** Notes that dist belongs to the sources of this hash. */
export function markBuilt(hash) {
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, hash);
}

/** Builds dist when it is missing or does not belong to the sources. */
export function buildIfNeeded() {
  if (isBuilt()) return;
  console.error('Building dist ...');
  runOrExit(process.execPath, [join(root, 'scripts/build.mjs')], { output: 2 });
}

export function prepare() {
  installIfNeeded();
  buildIfNeeded();
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) prepare();
