// Runs in processes of their own, to be killed at any point and begun again: what is known of them is in their files.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Says whether it is time to kill a run that begins when the clock is made. */
export type Clock = () => boolean;
const NEVER: Clock = () => false;

export interface KilledRun {
  readonly args: readonly string[];
  /** Name of its journal. */
  readonly journal: string;
  readonly most: number;
  readonly clock: () => Clock;
  readonly afterKill?: () => void;
}

/** The program in a file of TypeScript, which Node 20 cannot run: bundled before the tests of a file, and removed after them. */
export class ChildRun {
  /** Where it works; named to it as its first argument. */
  readonly folder = mkdtempSync(join(tmpdir(), 'mcompress-killed-'));
  readonly #script: string;

  constructor(source: URL) {
    // Two folders under the package, from where it finds the worker of the runtime and the version.
    const bundles = join(root, 'node_modules/.mcompress-test');
    this.#script = join(bundles, `${basename(this.folder)}.mjs`);
    beforeAll(async () => {
      mkdirSync(bundles, { recursive: true });
      await build({
        entryPoints: [fileURLToPath(source)],
        outfile: this.#script,
        bundle: true,
        platform: 'node',
        format: 'esm',
        external: ['onnxruntime-node', 'sharp', 'vitest'],
        banner: { js: "import { createRequire as made } from 'node:module'; const require = made(import.meta.url);" },
        logLevel: 'error',
      });
    });
    afterAll(() => {
      rmSync(this.folder, { recursive: true });
      rmSync(this.#script, { force: true });
    });
  }

  /** Runs to the end, or until `isTime`; returns the exit status, undefined when it was killed. */
  async run(args: readonly string[], isTime: Clock = NEVER): Promise<number | undefined> {
    const child = spawn(process.execPath, [this.#script, this.folder, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const timer = setInterval(() => void (isTime() && child.kill('SIGKILL')), 20);
    const status = await new Promise<number | undefined>((resolve) =>
      child.once('exit', (code) => resolve(code ?? undefined)),
    );
    clearInterval(timer);
    return status;
  }

  bytes(name: string): Buffer {
    return readFileSync(join(this.folder, name));
  }

  linesOf(journal: string): string[] {
    return existsSync(join(this.folder, journal)) ? this.bytes(journal).toString().trim().split('\n') : [];
  }
}

/** Runs until it ends well, killed before by at most `most` clocks; returns how often that was. */
export async function runKilled(
  child: ChildRun,
  { args, journal, most, clock, afterKill }: KilledRun,
): Promise<number> {
  for (let kills = 0; ; kills++) {
    const before = child.linesOf(journal);
    const status = await child.run(args, kills < most ? clock() : NEVER);
    // What was written whole is never lost.
    expect(child.linesOf(journal).slice(0, Math.max(0, before.length - 1))).toEqual(before.slice(0, -1));
    if (status !== undefined) {
      expect(status).toBe(0);
      return kills;
    }
    afterKill?.();
  }
}
