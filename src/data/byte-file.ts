// Slices of a file, plain or gzipped. A large plain file is read where asked; a small one is read once, and a gzipped one unpacked
// once, as it has no random access, and kept.
import { open, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { badData } from './source.js';

const UNPACKED_LIMIT = 2 ** 31 - 1;
const PIECE = 2 ** 20;
/** Bytes up to which a plain file is kept: opening a file takes longer than reading one of its samples. */
const KEPT = 2 ** 26;

export interface ByteFile {
  readonly path: string;
  /** Bytes, unpacked. */
  readonly size: number;
  /** @throws InputError bad-data when the file ends before */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** @throws InputError bad-data for what cannot be opened or unpacked */
export async function openByteFile(path: string): Promise<ByteFile> {
  if (path.toLowerCase().endsWith('.gz')) return inMemory(path, await unpack(path));
  const { size } = await stat(path).catch((cause: unknown) => {
    throw badData(path, 'the file cannot be opened', { cause });
  });
  if (size > KEPT) return { path, size, read: (offset, length) => readSlice(path, offset, length) };
  let whole: Promise<ByteFile> | undefined;
  const kept = (): Promise<ByteFile> => (whole ??= readSlice(path, 0, size).then((bytes) => inMemory(path, bytes)));
  return { path, size, read: async (offset, length) => (await kept()).read(offset, length) };
}

/** All of a file in pieces. */
export async function* pieces(file: ByteFile): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += PIECE) yield await file.read(at, Math.min(PIECE, file.size - at));
}

/** What a source of one file hashes: its labels, then all of the file. */
export async function* labelledContent(
  labels: readonly number[] | undefined,
  file: ByteFile,
): AsyncGenerator<Uint8Array | string> {
  yield `${labels?.join(',') ?? ''};`;
  yield* pieces(file);
}

async function unpack(path: string): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(await readFile(path), { maxOutputLength: UNPACKED_LIMIT });
  } catch (cause) {
    throw badData(path, 'the file cannot be unpacked', { cause, fix: 'check it with: gzip -t' });
  }
}

function inMemory(path: string, bytes: Uint8Array): ByteFile {
  return {
    path,
    size: bytes.byteLength,
    read: (offset, length) =>
      offset + length > bytes.byteLength
        ? Promise.reject(cutOff(path))
        : Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

async function readSlice(path: string, offset: number, length: number): Promise<Uint8Array> {
  const handle = await open(path).catch((cause: unknown) => {
    throw badData(path, 'the file cannot be opened', { cause });
  });
  try {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw cutOff(path);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

const cutOff = (path: string): Error => badData(path, 'the file is cut off');
