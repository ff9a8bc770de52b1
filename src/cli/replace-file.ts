// Writing a file so that it is never seen half written.
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InputError } from '../base/errors.js';

/** Writes `text` to a temporary name beside `path`, then renames. @throws InputError not-writable */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new InputError('not-writable', 'the file cannot be written', {
      at: { file: path },
      cause,
      fix: 'choose another place',
    });
  }
}
