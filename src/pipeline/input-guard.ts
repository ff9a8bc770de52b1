// An input is never overwritten unasked: neither the model nor a file of its weights, under whatever spelling.
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '../base/errors.js';

/** A file that a run reads. */
export interface ReadFile {
  readonly path: string;
  /** What it is to the run: `the baseline`. */
  readonly what: string;
}

/** Refuses to write to a file that the run reads. @throws UsageError would-overwrite */
export function guardReads(reads: readonly ReadFile[], writes: readonly string[]): void {
  const known = new Map(reads.map(({ path, what }) => [realPath(path), what]));
  for (const path of writes) {
    const what = known.get(realPath(path));
    if (what === undefined) continue;
    throw new UsageError('would-overwrite', `${path} is ${what}, and would be replaced`, {
      fix: 'choose other names with -o and --report, or allow it with --force',
    });
  }
}

/** One name for a file however it is spelled; a file that is not there yet is named by its folder. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    try {
      return join(realpathSync(dirname(path)), basename(path));
    } catch {
      return resolve(path);
    }
  }
}
