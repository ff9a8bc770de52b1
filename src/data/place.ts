// What lies at the path that was given.
import { open, readdir, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { createReadStream, existsSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { InputError } from '../base/errors.js';
import type { Place } from './source.js';

const HEAD_BYTES = 16;

/** `folder#part` as path and part; a path that exists as it is has no part. */
export function splitPart(given: string): { readonly path: string; readonly part: string | undefined } {
  const at = given.lastIndexOf('#');
  return at <= 0 || existsSync(given)
    ? { path: given, part: undefined }
    : { path: given.slice(0, at), part: given.slice(at + 1) };
}

/** @throws InputError not-found */
export async function lookAt(path: string): Promise<Place> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new InputError('not-found', 'there is no such file or folder of samples', { at: { file: path }, cause });
  });
  const name = basename(path).toLowerCase().replace(/\.gz$/, '');
  if (!found.isDirectory()) return { path, name, form: 'file', head: await readHead(path), files: [], folders: [] };
  const entries = (await readdir(path, { withFileTypes: true })).filter((entry) => !entry.name.startsWith('.'));
  const isFolder = await Promise.all(
    entries.map(async (entry) =>
      // A link to a folder counts as a folder.
      entry.isSymbolicLink()
        ? ((await stat(`${path}/${entry.name}`).catch(() => undefined))?.isDirectory() ?? false)
        : entry.isDirectory(),
    ),
  );
  const names = (wanted: 'files' | 'folders'): string[] =>
    entries.flatMap((entry, i) => (isFolder[i] === (wanted === 'folders') ? [entry.name] : [])).sort();
  return { path, name, form: 'folder', head: new Uint8Array(), files: names('files'), folders: names('folders') };
}

/** The first bytes, unpacked where the name ends in .gz; none of what cannot be read. */
async function readHead(path: string): Promise<Uint8Array> {
  try {
    if (!path.toLowerCase().endsWith('.gz')) {
      const handle = await open(path);
      try {
        const { buffer, bytesRead } = await handle.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
        return buffer.subarray(0, bytesRead);
      } finally {
        await handle.close();
      }
    }
    for await (const piece of createReadStream(path).pipe(createGunzip()))
      return (piece as Uint8Array).subarray(0, HEAD_BYTES);
  } catch {
    // The kind that takes the file says what is wrong with it.
  }
  return new Uint8Array();
}
