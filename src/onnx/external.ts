// External data: tensors whose bytes stand in a file beside the model. A location may not lead out of the model's folder,
// since a model file comes from strangers and would otherwise read any file of the machine into its weights.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { InputError, type ErrorPlace } from '../base/errors.js';
import type { LazyBytes } from '../tensor/tensor.js';

/** Bytes read at once where a tensor or a file is read in pieces. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Where a tensor's bytes stand, as `external_data` says. */
export interface ExternalReference {
  readonly location: string;
  readonly offset: number;
  /** To the end of the file when absent. */
  readonly length: number | undefined;
  /** SHA-1 of the whole file, in hex. */
  readonly checksum: string | undefined;
}

/** A file of tensors, as it was when the model was opened. */
export interface ExternalFile {
  readonly location: string;
  readonly path: string;
  readonly size: number;
  readonly inode: number;
  readonly changed: number;
}

/** The files that a model's tensors name, each checked once. */
export class ExternalFolder {
  readonly #folder: string;
  readonly #files = new Map<string, ExternalFile>();
  readonly #digests = new Map<ExternalFile, string>();

  /** `folder`: where the model file stands. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Paths of the files that were named so far. */
  get paths(): string[] {
    return [...this.#files.values()].map(({ path }) => path);
  }

  /** The bytes that `reference` names, `byteLength` of them. @throws InputError external-data */
  bytes(reference: ExternalReference, byteLength: number, at: ErrorPlace): FileBytes {
    const { location, offset, length, checksum } = reference;
    const file = this.#file(location, at);
    if (length !== undefined && length !== byteLength) {
      throw new InputError('bad-tensor', `external_data has length ${length}, but the tensor has ${byteLength} bytes`, {
        at,
      });
    }
    if (offset + byteLength > file.size) {
      const reach = `the tensor reaches to byte ${offset + byteLength} of "${location}", which has ${file.size}`;
      throw new InputError('external-data', reach, { at, fix: 'copy the whole data file beside the model' });
    }
    const bytes = new FileBytes(file, offset, byteLength);
    if (checksum !== undefined) this.#verify(bytes, checksum.toLowerCase(), at);
    return bytes;
  }

  /** Locations of the files that tensors were found in. */
  get locations(): string[] {
    return [...this.#files.keys()];
  }

  #file(location: string, at: ErrorPlace): ExternalFile {
    const known = this.#files.get(location);
    if (known) return known;
    const parts = location.split(/[\\/]/);
    if (
      location === '' ||
      isAbsolute(location) ||
      /^[A-Za-z]:|^\\/.test(location) ||
      parts.includes('..') ||
      location.includes('\0')
    ) {
      throw outside(location, at);
    }
    const path = join(this.#folder, location);
    try {
      const home = realpathSync(this.#folder);
      const inside = relative(home, realpathSync(path));
      if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) throw outside(location, at);
      // Asked before anything is opened: opening a pipe would wait for somebody to write into it.
      const stats = statSync(path);
      if (!stats.isFile()) throw new TypeError(`${path} is not a file`);
      closeSync(openSync(path, 'r'));
      const file = { location, path, size: stats.size, inode: stats.ino, changed: stats.mtimeMs };
      this.#files.set(location, file);
      return file;
    } catch (cause) {
      if (cause instanceof InputError) throw cause;
      throw new InputError('external-data', `the data file "${location}" cannot be read`, {
        at,
        cause,
        fix: 'copy the data file beside the model',
      });
    }
  }

  /** The specification means the digest of the whole file; a digest of the tensor alone is what some writers give. */
  #verify(bytes: FileBytes, checksum: string, at: ErrorPlace): void {
    const { file } = bytes;
    let digest = this.#digests.get(file);
    if (digest === undefined) this.#digests.set(file, (digest = sha1(new FileBytes(file, 0, file.size))));
    if (digest === checksum || sha1(bytes) === checksum) return;
    const fix = 'the data file belongs to another model or was damaged: fetch it again';
    throw new InputError('external-data', `the SHA-1 of "${file.location}" is not the one the model gives`, {
      at,
      fix,
    });
  }
}

function sha1(bytes: FileBytes): string {
  const hash = createHash('sha1');
  for (const piece of bytes.pieces()) hash.update(piece);
  return hash.digest('hex');
}

/** A region of a data file. */
export class FileBytes implements LazyBytes {
  readonly file: ExternalFile;
  readonly offset: number;
  readonly byteLength: number;

  constructor(file: ExternalFile, offset: number, byteLength: number) {
    this.file = file;
    this.offset = offset;
    this.byteLength = byteLength;
  }

  read(): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(this.byteLength);
    let filled = 0;
    for (const piece of this.pieces(bytes)) filled += piece.length;
    return bytes.subarray(0, filled);
  }

  /** The bytes in order. Without `into`, one buffer serves all pieces: use each before asking for the next. */
  *pieces(into?: Uint8Array): Generator<Uint8Array> {
    const { file } = this;
    if (this.byteLength === 0) return;
    const descriptor = guarded(file, () => openSync(file.path, 'r'));
    try {
      const stats = fstatSync(descriptor);
      if (stats.ino !== file.inode || stats.size !== file.size || stats.mtimeMs !== file.changed) throw changed(file);
      const buffer = into ?? Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.byteLength));
      for (let done = 0; done < this.byteLength;) {
        const start = into ? done : 0;
        const count = guarded(file, () =>
          readSync(descriptor, buffer, start, Math.min(PIECE_BYTES, this.byteLength - done), this.offset + done),
        );
        if (count === 0) throw changed(file);
        yield buffer.subarray(start, start + count);
        done += count;
      }
    } finally {
      closeSync(descriptor);
    }
  }
}

/** What `read` gives; an error of the system is one of the model's data. */
function guarded<T>(file: ExternalFile, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new InputError('external-data', `the data file "${file.location}" cannot be read any more`, {
      at: { file: file.location },
      cause,
    });
  }
}

function outside(location: string, at: ErrorPlace): InputError {
  const fix = 'put the data file into the folder of the model (a copy, no link) and name it without ".."';
  return new InputError('external-data', `the data file "${location}" lies outside the folder of the model`, {
    at,
    fix,
  });
}

function changed(file: ExternalFile): InputError {
  return new InputError('external-data', `the data file "${file.location}" was changed while it was in use`, {
    at: { file: file.location },
    fix: 'start again',
  });
}
