// A model from a path or standard input.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, InterruptError, UsageError } from '../base/errors.js';
import { decodeModel, type DecodedModel } from '../onnx/decode.js';
import { openModel } from '../onnx/open.js';
import { STDIO } from './input-files.js';

/**
 * All bytes of standard input.
 * @throws InputError not-onnx when there are none; UsageError no-input when it is a keyboard; InterruptError
 */
export async function readStdin(signal?: AbortSignal): Promise<Uint8Array> {
  if (process.stdin.isTTY)
    throw new UsageError('no-input', 'standard input is a terminal', { fix: 'pipe a model into it, or name a file' });
  const chunks: Uint8Array[] = [];
  const stop = (): void => void process.stdin.destroy(new InterruptError('interrupted'));
  signal?.addEventListener('abort', stop);
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) chunks.push(chunk);
  signal?.removeEventListener('abort', stop);
  const bytes = Buffer.concat(chunks);
  if (bytes.length === 0)
    throw new InputError('not-onnx', 'standard input is empty', { fix: 'pipe a model into it, or name a file' });
  return bytes;
}

/** Opens the model of a command. @throws InputError as `decodeModel` and `openModel` */
export async function readModel(path: string, options: { readonly keepOverridable: boolean }): Promise<DecodedModel> {
  if (path !== STDIO) return openModel(path, options);
  return decodeModel(await readStdin(), { ...options, path: 'stdin' });
}

/** A decoded model, and the file it stands in. */
export interface ModelFile {
  readonly decoded: DecodedModel;
  readonly path: string;
}

/** Opens a model that ONNX Runtime will open too: what comes from stdin lies in a private file while `use` runs. */
export async function withModelFile<T>(
  path: string,
  options: { readonly keepOverridable: boolean },
  use: (file: ModelFile) => Promise<T>,
): Promise<T> {
  if (path !== STDIO) return use({ decoded: await openModel(path, options), path });
  const folder = await mkdtemp(join(tmpdir(), 'mcompress-'));
  try {
    const bytes = await readStdin();
    const file = join(folder, 'stdin.onnx');
    await writeFile(file, bytes);
    return await use({ decoded: decodeModel(bytes, { ...options, path: 'stdin' }), path: file });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
