// Starts the built command line as a user does. MCOMPRESS_PROGRAM names another one than that of this checkout.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const program = process.env['MCOMPRESS_PROGRAM'] ?? `${root}bin/mcompress.js`;

export interface Ended {
  /** Exit status; undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunSettings {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** A path under fixtures/. */
export const fixture = (name: string): string => `${root}fixtures/${name}`;

/** Runs `mcompress` with these arguments until it ends. Colours are off and the terminal is none unless `env` says so. */
export async function mcompress(args: readonly string[], { cwd, input = '', env }: RunSettings = {}): Promise<Ended> {
  const plain = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(NO_COLOR|FORCE_COLOR|CI|VITEST.*|NODE_OPTIONS)$/.test(name)),
  );
  const child = spawn(process.execPath, [program, ...args], { cwd: cwd ?? root, env: { ...plain, ...env } });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
    });
  }
  child.stdin.on('error', () => {}).end(input);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve(code ?? undefined));
  });
  return { status, ...text };
}

/** The JSON document on stdout of a run that ended well. */
export async function mcompressJson<T>(args: readonly string[], settings: RunSettings = {}): Promise<T> {
  const { status, stdout, stderr } = await mcompress([...args, '--json'], settings);
  if (status !== 0 && status !== 1) throw new Error(`mcompress ${args.join(' ')} ended with ${status}:\n${stderr}`);
  return JSON.parse(stdout) as T;
}

/** A text as terminals show it: without colours. */
export function withoutColors(text: string): string {
  return stripVTControlCharacters(text);
}

/** Columns of the widest line. */
export function widest(text: string): number {
  return Math.max(
    ...withoutColors(text)
      .split('\n')
      .map((line) => [...line].length),
  );
}
