// Opening a model file.
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { InputError, type InputCode } from '../base/errors.js';
import { decodeRead, type DecodedModel, type DecodeOptions } from './decode.js';
import { MAX_MODEL_BYTES } from './schema.js';
import { readSparsely } from './unread.js';
import type { Source } from './wire.js';

/** Bytes from which a file is not held in memory, and its tensors stay on disk: what is read again and again should not. */
const LARGE_FILE = 32 * 2 ** 20;
const LARGE_TENSOR = 2 ** 18;

/** What the codes of the operating system mean for a model that is to be read. */
const FAILURES: Readonly<Record<string, readonly [code: InputCode, says: string]>> = {
  ENOENT: ['not-found', 'the file does not exist'],
  ENOTDIR: ['not-found', 'the file does not exist'],
  EISDIR: ['not-readable', 'this is a folder, not a model'],
  EACCES: ['not-readable', 'permission denied'],
  EPERM: ['not-readable', 'permission denied'],
};

/**
 * Reads the model at `path`. External data is looked for in its folder and read when needed.
 * @throws InputError not-found, not-readable, too-large and all of `decodeModel`
 */
export async function openModel(
  path: string,
  options: Pick<DecodeOptions, 'keepOverridable'> = {},
): Promise<DecodedModel> {
  return decodeRead(await readModelFile(path), { ...options, path });
}

async function readModelFile(path: string): Promise<Pick<Source, 'bytes' | 'unread'>> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const stats = await handle.stat();
    if (stats.size > MAX_MODEL_BYTES) throw tooLarge(path, stats.size);
    if (!stats.isFile()) return { bytes: await handle.readFile() };
    if (stats.size < LARGE_FILE) return { bytes: await readWhole(handle, stats.size) };
    const { size, ino: inode, mtimeMs: changed } = stats;
    return readSparsely(handle.fd, { location: basename(path), path, size, inode, changed }, LARGE_TENSOR);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error instanceof InputError) throw error;
    const [code, says] = FAILURES[String(error.code)] ?? ['not-readable', `the system says ${String(error.code)}`];
    throw new InputError(code, `the model cannot be read: ${says}`, { at: { file: path }, cause: error });
  } finally {
    await handle?.close();
  }
}

/** In one piece: `readFile` reads in many small steps. */
async function readWhole(handle: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function tooLarge(path: string, size: number): InputError {
  const message = `the file has ${(size / 2 ** 30).toFixed(2)} GiB, and a model file cannot pass 2 GiB`;
  return new InputError('too-large', message, { at: { file: path }, fix: 'save the model with external data' });
}
