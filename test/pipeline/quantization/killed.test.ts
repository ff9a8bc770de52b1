// A run that is killed at random points and begun again each time goes on, and ends with the bytes of one that ran through
// with the same timings.
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { writeNet } from './net.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mcompress-killed-'));
// Two folders under the package, from where it finds the worker of the runtime and the version.
const bundles = join(root, 'node_modules/.mcompress-test');
const script = join(bundles, `run-child-${process.pid}.mjs`);

beforeAll(async () => {
  mkdirSync(bundles, { recursive: true });
  writeNet(folder);
  await build({
    entryPoints: [fileURLToPath(new URL('run-child.ts', import.meta.url))],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['onnxruntime-node', 'sharp'],
    banner: { js: "import { createRequire as made } from 'node:module'; const require = made(import.meta.url);" },
    logLevel: 'error',
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(script, { force: true });
});

const MAX_DROP = '0.04';

/** Runs to the end, or until `ms` have passed; returns the exit status, undefined when it was killed. */
async function run(output: string, journal: string, ms: number): Promise<number | undefined> {
  const child = spawn(process.execPath, [script, folder, MAX_DROP, output, journal], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const timer = Number.isFinite(ms) ? setTimeout(() => child.kill('SIGKILL'), ms) : undefined;
  const status = await new Promise<number | undefined>((resolve) =>
    child.once('exit', (code) => resolve(code ?? undefined)),
  );
  clearTimeout(timer);
  return status;
}

const linesOf = (journal: string): string[] =>
  existsSync(join(folder, journal)) ? readFileSync(join(folder, journal), 'utf8').trim().split('\n') : [];

it('goes on after kill -9, and ends with the same bytes', { timeout: 300_000 }, async () => {
  const rng = createRng('kills');
  let kills = 0;
  let last: number | undefined;
  let lines = linesOf('killed.jsonl');
  for (let wait = 1500; ; wait += 400 + rng.int(0, 600)) {
    const status = await run('killed.onnx', 'killed.jsonl', kills < 12 ? wait : Infinity);
    const now = linesOf('killed.jsonl');
    // What was written whole is never lost.
    expect(now.slice(0, Math.max(0, lines.length - 1))).toEqual(lines.slice(0, -1));
    lines = now;
    last = status;
    if (status !== undefined) break;
    kills++;
    expect(existsSync(join(folder, 'killed.onnx'))).toBe(false);
  }
  expect(last).toBe(0);
  expect(kills).toBeGreaterThan(1);
  const killed = readFileSync(join(folder, 'killed.onnx'));
  copyFileSync(join(folder, 'killed.jsonl'), join(folder, 'through.jsonl'));
  expect(await run('through.onnx', 'through.jsonl', Infinity)).toBe(0);
  expect(readFileSync(join(folder, 'through.onnx')).equals(killed)).toBe(true);
  expect(linesOf('through.jsonl')).toEqual(lines);
  expect(lines.filter((line) => line.includes('"score of')).length).toBeGreaterThan(1);
});
