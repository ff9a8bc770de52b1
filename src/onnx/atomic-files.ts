// Files that appear whole or not at all: written under another name in the same folder, flushed to disk, then renamed.
import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError, InterruptError } from '../base/errors.js';

/** A file to write: lists of chunks, each used before the next is asked for. */
export interface NewFile {
  readonly path: string;
  readonly batches: Iterable<readonly Uint8Array[]>;
}

/** What went wrong, by the code of the operating system. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is too large for the disk',
};

/**
 * Writes all `files`, then puts them in place in order, replacing what was there. Something that is no file (/dev/null, a
 * pipe) is written directly. @throws InputError not-writable; InterruptError when `signal` fired, with nothing replaced
 */
export async function writeFiles(files: readonly NewFile[], signal?: AbortSignal): Promise<void> {
  const renames: [from: string, to: string][] = [];
  try {
    for (const file of files) {
      const target = await stat(file.path).catch(() => undefined);
      if (target?.isDirectory()) throw notWritable(file.path, 'EISDIR');
      if (target && !target.isFile()) await writeInto(file.path, file, { flags: 'w', mode: undefined, signal });
      else {
        const temporary = join(dirname(file.path), `.${basename(file.path)}.${randomBytes(6).toString('hex')}.tmp`);
        renames.push([temporary, file.path]);
        await writeInto(temporary, file, { flags: 'wx', mode: target?.mode, signal });
      }
    }
    // Together and without a pause, so that no signal is handled between them.
    for (const [from, to] of renames) atPath(to, () => renameSync(from, to));
    for (const folder of new Set(renames.map(([, to]) => dirname(to)))) await flushFolder(folder);
  } catch (error) {
    // What stands in the way of removing it is what went wrong before: that is the error to report.
    for (const [temporary] of renames) await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

interface Opening {
  readonly flags: 'w' | 'wx';
  /** That of the file to be replaced. */
  readonly mode: number | undefined;
  readonly signal: AbortSignal | undefined;
}

async function writeInto(path: string, file: NewFile, { flags, mode, signal }: Opening): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, flags);
    if (mode !== undefined) await handle.chmod(mode & 0o7777);
    for (const batch of file.batches) {
      if (signal?.aborted) throw new InterruptError('interrupted while writing');
      await writeAll(handle, batch);
    }
    if (flags === 'wx') await handle.sync();
  } catch (error) {
    throw isSystemError(error) ? notWritable(file.path, error.code, error) : error;
  } finally {
    await handle?.close();
  }
}

/** A system call may write less than it is given. */
async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  let left = chunks;
  while (left.length > 0) {
    let { bytesWritten: written } = await handle.writev(left);
    const rest: Uint8Array[] = [];
    for (const chunk of left) {
      if (written < chunk.length) rest.push(chunk.subarray(written));
      written = Math.max(0, written - chunk.length);
    }
    left = rest;
  }
}

/** Makes the renames last. Some systems cannot flush a folder: then it is left to them. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function atPath(path: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw isSystemError(error) ? notWritable(path, error.code, error) : error;
  }
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

function notWritable(path: string, code: string, cause?: unknown): InputError {
  const reason = REASONS[code] ?? `the system says ${code}`;
  return new InputError('not-writable', `the file cannot be written: ${reason}`, {
    at: { file: path },
    ...(cause === undefined ? {} : { cause }),
  });
}
