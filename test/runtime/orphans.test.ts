// However a program ends, its child does not outlive it; and a program does not end because its child does.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const here = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcompress-orphans-'));
  buildSync({
    stdin: {
      contents: `export { RuntimeHost } from './host.js'; export { Tensor } from '../tensor/tensor.js';`,
      resolveDir: here('src/runtime'),
    },
    outfile: join(folder, 'host.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run of a model in a program of its own. */
const programOf = (model: string, dims: readonly number[], then: string): string => `
    import { RuntimeHost, Tensor } from ${JSON.stringify(join(folder, 'host.mjs'))};
    import { pathToFileURL } from 'node:url';
    const host = new RuntimeHost({ workerUrl: pathToFileURL(${JSON.stringify(here('dist/runtime/worker.js'))}) });
    const model = ${JSON.stringify(here(`fixtures/${model}`))};
    const { inputs } = await host.describe(model);
    const dims = ${JSON.stringify(dims)};
    const feeds = new Map([[inputs[0].name, Tensor.fromNumbers('float32', dims, new Float64Array(dims.reduce((all, size) => all * size)))]]);
    const running = host.run(model, feeds);
    ${then}`;

/** Starts a run of seconds, lets the program end by `end`, and returns the child's process id. */
async function endProgram(end: string, signal?: NodeJS.Signals): Promise<number> {
  const code = programOf(
    'basic-pitch-nmp.onnx',
    [6, 43844, 1],
    `setTimeout(() => {
      console.log(host.pid);
      ${end}
    }, 100);
    await running;`,
  );
  const program = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
  const said: string[] = [];
  program.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.push(text);
    if (signal) program.kill(signal);
  });
  await new Promise((resolve) => program.on('close', resolve));
  return Number(said.join(''));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe.skipIf(process.platform === 'win32')('the child of a program that ends', () => {
  it.each([
    ['by process.exit', 'process.exit(0);', undefined],
    ['by a signal that it does not handle', '', 'SIGTERM'],
    ['by SIGKILL', '', 'SIGKILL'],
  ] as const)('%s, in the middle of a run', async (_how, end, signal) => {
    const pid = await endProgram(end, signal);
    expect(pid).toBeGreaterThan(0);
    // A run cannot be broken off from inside: without a word from its program the child goes when its run is over.
    while (isAlive(pid)) await pause(50);
    expect(isAlive(pid)).toBe(false);
  });
});

describe('a program whose child is ended', () => {
  it('goes on, though a reply was under way', async () => {
    const code = programOf(
      'mnist-bn-as-exported.onnx',
      [1, 1, 28, 28],
      `running.catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      // The reply comes, and nobody takes it up before the child is ended.
      const start = Date.now();
      while (Date.now() - start < 1500);
      await host.dispose();
      console.log('goes on');`,
    );
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
    expect({ said: stdout.trim(), status }).toEqual({ said: 'goes on', status: 0 });
  });
});
