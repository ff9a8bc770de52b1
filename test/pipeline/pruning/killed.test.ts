// DropNet's loop, killed at random points and begun again each time, goes on, and ends with the bytes of one that ran through.
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { writeNet } from '../quantization/net.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mcompress-killed-pruning-'));
// Two folders under the package, from where it finds the worker of the runtime and the version.
const bundles = join(root, 'node_modules/.mcompress-test');
const script = join(bundles, `prune-child-${process.pid}.mjs`);

beforeAll(async () => {
  mkdirSync(bundles, { recursive: true });
  writeNet(folder);
  await build({
    entryPoints: [fileURLToPath(new URL('run-child.ts', import.meta.url))],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['onnxruntime-node', 'sharp', 'vitest'],
    banner: { js: "import { createRequire as made } from 'node:module'; const require = made(import.meta.url);" },
    logLevel: 'error',
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(script, { force: true });
});

/** Runs to the end, or until `isTime`; returns the exit status, undefined when it was killed. */
async function run(output: string, journal: string, isTime: () => boolean): Promise<number | undefined> {
  const child = spawn(process.execPath, [script, folder, output, journal], { stdio: ['ignore', 'ignore', 'inherit'] });
  const timer = setInterval(() => void (isTime() && child.kill('SIGKILL')), 20);
  const status = await new Promise<number | undefined>((resolve) =>
    child.once('exit', (code) => resolve(code ?? undefined)),
  );
  clearInterval(timer);
  return status;
}

const linesOf = (journal: string): string[] =>
  existsSync(join(folder, journal)) ? readFileSync(join(folder, journal), 'utf8').trim().split('\n') : [];

/** A clock that runs out `wait` milliseconds after the journal has come two steps further than now. */
function clock(journal: string, wait: number): () => boolean {
  const before = linesOf(journal).length;
  let grown: number | undefined;
  return () => {
    if (linesOf(journal).length >= before + 2) grown ??= performance.now();
    return grown !== undefined && performance.now() - grown >= wait;
  };
}

const MOST_KILLS = 6;

it('goes on after kill -9, and ends with the same bytes', { timeout: 600_000 }, async () => {
  const rng = createRng('kills');
  let kills = 0;
  let status: number | undefined;
  while (status === undefined) {
    const before = linesOf('killed.jsonl');
    const isTime = kills < MOST_KILLS ? clock('killed.jsonl', rng.int(0, 300)) : () => false;
    status = await run('killed.onnx', 'killed.jsonl', isTime);
    // What was written whole is never lost.
    expect(linesOf('killed.jsonl').slice(0, Math.max(0, before.length - 1))).toEqual(before.slice(0, -1));
    if (status === undefined) kills++;
  }
  expect(status).toBe(0);
  expect(kills).toBeGreaterThan(1);
  const lines = linesOf('killed.jsonl');
  expect(lines.filter((line) => line.includes('"step":"cycle')).length).toBeGreaterThan(2);
  const killed = readFileSync(join(folder, 'killed.onnx'));
  // Neither the best so far nor the files of cycles stay behind.
  expect(readdirSync(folder).filter((name) => /cycle|best/.test(name))).toEqual([]);
  // With the journal alone everything is made again as it was decided.
  copyFileSync(join(folder, 'killed.jsonl'), join(folder, 'again.jsonl'));
  expect(await run('again.onnx', 'again.jsonl', () => false)).toBe(0);
  expect(readFileSync(join(folder, 'again.onnx')).equals(killed)).toBe(true);
  expect(linesOf('again.jsonl')).toEqual(lines);
  // And without it, decided again.
  expect(await run('through.onnx', 'through.jsonl', () => false)).toBe(0);
  expect(readFileSync(join(folder, 'through.onnx')).equals(killed)).toBe(true);
});
