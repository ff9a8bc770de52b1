// A model as the runtime layer takes it: a file path, or bytes. Paths are preferred; larger byte models go to the child
// through a private file, since a message of that size is slower and doubles the memory.
import { createHash, randomUUID } from 'node:crypto';
import { statSync, type BigIntStats } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../base/errors.js';
import type { SessionOptions, WireModel } from './protocol.js';

/** Path of an ONNX file, or its bytes (not changed afterwards). */
export type ModelSource = string | Uint8Array;

const MESSAGE_LIMIT = 2 ** 21;

/** Digests already computed, by the identity of the bytes. */
export type DigestMemo = WeakMap<Uint8Array, string>;

/**
 * A key that is equal for equal models: of the content for bytes; of path, size, inode and times of change for a file, as
 * candidates of one size follow each other within one tick of the file system's clock.
 * @throws InputError not-found, not-readable
 */
export function modelKey(model: ModelSource, memo: DigestMemo): string {
  if (typeof model === 'string') {
    const path = resolve(model);
    const { size, ino, mtimeNs, ctimeNs } = statModel(path);
    return [path, size, ino, mtimeNs, ctimeNs].join('|');
  }
  const known = memo.get(model);
  if (known !== undefined) return known;
  const digest = createHash('sha1').update(model).digest('hex');
  memo.set(model, digest);
  return digest;
}

function statModel(path: string): BigIntStats {
  let stats;
  try {
    stats = statSync(path, { bigint: true });
  } catch (cause) {
    throw new InputError('not-found', 'the model file does not exist or cannot be reached', {
      at: { file: basename(path) },
      cause,
    });
  }
  if (!stats.isFile())
    throw new InputError('not-readable', 'the model is not a file', { at: { file: basename(path) } });
  return stats;
}

/** How the model is called in messages. */
export function modelName(model: ModelSource): string {
  return typeof model === 'string' ? basename(model) : 'model';
}

/** Folders that ONNX Runtime may name in an error about this model. */
export function modelFolders(model: ModelSource): readonly string[] {
  return typeof model === 'string' ? [dirname(resolve(model))] : [];
}

/**
 * The model in the form of a message, passed to `use`; a private file written for it in `folder` is removed afterwards.
 * Bytes with external data are never put in a file: the runtime would look for the data beside that file.
 */
export async function withWireModel<T>(
  model: ModelSource,
  options: SessionOptions,
  folder: () => string,
  use: (wire: WireModel) => Promise<T>,
): Promise<T> {
  if (typeof model === 'string') return use({ path: resolve(model) });
  if (model.byteLength <= MESSAGE_LIMIT || options.externalFolder !== undefined) return use({ bytes: model });
  const path = join(folder(), `${randomUUID()}.onnx`);
  try {
    await writeFile(path, model);
    return await use({ path });
  } finally {
    await rm(path, { force: true });
  }
}
