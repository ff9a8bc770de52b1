// Writing texts to files so that they are never seen half written.
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InputError } from '../base/errors.js';
import { writeFiles } from '../onnx/atomic-files.js';

/** A text file to write. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** Writes `files`, all or none, and makes their folders. @throws InputError not-writable */
export async function replaceFiles(files: readonly TextFile[]): Promise<void> {
  const encoder = new TextEncoder();
  for (const { path } of files) await makeFolder(path);
  await writeFiles(files.map(({ path, text }) => ({ path, batches: [[encoder.encode(text)]] })));
}

/** Writes one file. @throws InputError not-writable */
export async function replaceFile(path: string, text: string): Promise<void> {
  await replaceFiles([{ path, text }]);
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw new InputError('not-writable', 'the folder of the file cannot be made', {
      at: { file: path },
      cause,
      fix: 'choose another place',
    });
  }
}
