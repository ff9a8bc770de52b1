// Ctrl-C in the middle of a run: status 130, old files whole, nothing left behind.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { asset } from '../runtime/assets.js';
import { fixture, program } from './run-program.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();

interface Stopped {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Seconds from the signal to the end. */
  readonly seconds: number;
}

/**
 * Starts `slim`, and sends `signal` once `isBusy` says so: to the whole group as a terminal does, or to the program alone.
 */
async function stop(
  args: readonly string[],
  signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP',
  to: 'group' | 'program',
  isBusy: (stderr: string) => boolean,
): Promise<Stopped> {
  const child = spawn(process.execPath, [program, 'slim', '-v', ...args], { cwd: scratch.folder, detached: true });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      said[name] += chunk.toString();
    });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (!isBusy(said.stderr) && child.exitCode === null) await pause(5);
  await pause(30);
  const start = performance.now();
  const { pid = 0 } = child;
  process.kill(to === 'group' ? -pid : pid, signal);
  return { status: await ended, ...said, seconds: (performance.now() - start) / 1000 };
}

/** `-v` without a terminal prints a line per stage on stderr. */
const during =
  (stage: string) =>
  (stderr: string): boolean =>
    stderr.includes(stage);

/** One inference of the fixture takes seconds at this size. */
const SLOW = [fixture('basic-pitch-nmp.onnx'), '--input', '24x43844x1', '-o', 'net.slim.onnx'];
const runsSlow = during('running the original');

describe.skipIf(process.platform === 'win32')('a run that is stopped', () => {
  it.each([
    ['SIGINT', 'group'],
    ['SIGTERM', 'program'],
    ['SIGHUP', 'group'],
  ] as const)('by %s to the %s while ONNX Runtime is busy', async (signal, to) => {
    writeFileSync(scratch.path('net.slim.onnx'), 'old model');
    const { status, stdout, stderr, seconds } = await stop(SLOW, signal, to, runsSlow);
    expect(status).toBe(130);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/interrupted: nothing was changed\n$/);
    expect(seconds).toBeLessThan(20);
    expect(scratch.files()).toEqual(['net.slim.onnx']);
    expect(scratch.read('net.slim.onnx').toString()).toBe('old model');
  });

  it('between several models says how many were done', async () => {
    const small = fixture('small/residual-net.onnx');
    const [model = ''] = SLOW;
    const args = [small, model, '--input', '24x43844x1', '-o', 'out/', '--no-profile', '--no-report'];
    // The first model has another input shape, and so fails; the second is stopped.
    const { status, stderr } = await stop(args, 'SIGINT', 'group', during('nmp.onnx: running the original'));
    expect(status).toBe(130);
    expect(stderr).toMatch(/interrupted: 1 of 2 models were done\n$/);
    expect(scratch.files()).toEqual([]);
  });

  it('while it waits for standard input', async () => {
    const child = spawn(process.execPath, [program, 'slim', '-'], { cwd: scratch.folder });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await pause(1500);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(output).toBe('');
  });

  const candy = asset('style-candy.onnx');
  it.skipIf(!existsSync(candy))(
    'on style-candy, one second per inference, at any moment',
    async () => {
      for (const stage of ['reading', 'running the original']) {
        const { status } = await stop([candy, '-o', 'x.onnx'], 'SIGINT', 'group', during(stage));
        expect({ stage, status, files: readdirSync(scratch.folder) }).toEqual({ stage, status: 130, files: [] });
      }
    },
    180_000,
  );
});
