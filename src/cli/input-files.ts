// Which files a command line names: globs, stdin, the output of each input, and the guard of inputs.
import { statSync, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../base/errors.js';
import { realPath } from '../pipeline/input-guard.js';

export const STDIO = '-';

/** One model to read and where the result goes. */
export interface Job {
  /** A path, or `-` for stdin. */
  readonly input: string;
  /** A path, or `-` for stdout. */
  readonly output: string;
}

/**
 * Jobs for the inputs of a command line. Patterns with `*`, `?` or `[..]` in the file name are expanded here too, for
 * shells that do not. Several inputs need `output` to be a folder. Without one, `net.onnx` goes to `net.<ending>.onnx`.
 * @throws UsageError no-input, would-overwrite, conflict
 */
export async function planJobs(
  patterns: readonly string[],
  output: string | undefined,
  { overwrite, ending }: { readonly overwrite: 'refuse' | 'force'; readonly ending: string },
): Promise<Job[]> {
  const named = (await Promise.all(patterns.map(expand))).flat();
  // One file under two spellings is one model.
  const seen = new Set<string>();
  const inputs = named.filter((path) => {
    const key = path === STDIO ? STDIO : realPath(path);
    return !seen.has(key) && seen.add(key);
  });
  const folder = output !== undefined && output !== STDIO && (output.endsWith('/') || isFolder(output));
  if (inputs.length > 1 && output !== undefined && !folder) {
    throw new UsageError('conflict', `${inputs.length} models cannot go to one file`, {
      fix: 'name a folder: -o FOLDER/',
    });
  }
  const jobs = inputs.map((input): Job => {
    if (output === undefined && input === STDIO) return { input, output: STDIO };
    if (output === undefined) return { input, output: join(dirname(input), outputName(input, ending)) };
    return { input, output: folder ? join(output, input === STDIO ? 'model.onnx' : basename(input)) : output };
  });
  checkCollisions(jobs, overwrite);
  return jobs;
}

/** `net.onnx` → `net.slim.onnx`. */
function outputName(input: string, ending: string): string {
  return `${basename(input).replace(/\.onnx$/i, '')}.${ending}.onnx`;
}

/** Whether `path` is something that cannot be replaced by a file: a device, a pipe. */
export function isSpecial(path: string): boolean {
  const stats = statsOf(path);
  return stats !== undefined && !stats.isFile() && !stats.isDirectory();
}

function checkCollisions(jobs: readonly Job[], overwrite: 'refuse' | 'force'): void {
  const outputs = new Map<string, string>();
  const inputs = new Set(jobs.filter(({ input }) => input !== STDIO).map(({ input }) => realPath(input)));
  for (const { input, output } of jobs) {
    if (output === STDIO || isSpecial(output)) continue;
    const target = realPath(output);
    const other = outputs.get(target);
    if (other !== undefined)
      throw new UsageError('conflict', `${input} and ${other} would both be written to ${output}`, {
        fix: 'rename one, or run them into different folders',
      });
    outputs.set(target, input);
    if (overwrite === 'refuse' && inputs.has(target)) {
      throw new UsageError('would-overwrite', `the output ${output} is an input`, {
        fix: 'choose another name with -o, or allow it with --force',
      });
    }
  }
}

async function expand(pattern: string): Promise<string[]> {
  const name = basename(pattern);
  if (pattern === STDIO || !/[*?[]/.test(name) || exists(pattern)) return [pattern];
  const folder = dirname(pattern);
  const matcher = globExpression(name);
  const names = await readdir(folder).catch(() => []);
  const matches = names.filter((entry) => matcher.test(entry) && !entry.startsWith('.')).sort();
  if (matches.length === 0)
    throw new UsageError('no-input', `no file matches ${pattern}`, { fix: 'check the folder and the pattern' });
  return matches.map((entry) => (pattern.startsWith(folder) ? join(folder, entry) : entry));
}

/** A file-name glob (`*`, `?`, `[a-z]`, `[!a-z]`) as a regular expression over one name. */
function globExpression(glob: string): RegExp {
  const source = glob.replace(
    /\[(!?)([^\]]+)\]|[*?]|[\\^$.|+(){}[\]]/g,
    (token, negated: string | undefined, set: string | undefined) => {
      if (set !== undefined) return `[${negated === '!' ? '^' : ''}${set.replace(/[\\\]^]/g, '\\$&')}]`;
      if (token === '*') return '.*';
      return token === '?' ? '.' : `\\${token}`;
    },
  );
  return new RegExp(`^${source}$`);
}

function exists(path: string): boolean {
  return statsOf(path) !== undefined;
}

function isFolder(path: string): boolean {
  return statsOf(path)?.isDirectory() === true;
}

/** Undefined where nothing is, or where it cannot be looked at: using the path will say why. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
