// Writing a model to disk, its large tensors to a file beside it where they are too many for one file or the user asks.
import { basename } from 'node:path';
import type { Model } from '../ir/model.js';
import type { Tensor } from '../tensor/tensor.js';
import { writeFiles } from './atomic-files.js';
import type { OnnxDocument } from './document.js';
import { encodeRope, tooLarge, type EncodeOptions } from './encode.js';
import type { ExternalPlace } from './encode-context.js';
import { MAX_MODEL_BYTES } from './schema.js';

export interface WriteOptions extends Pick<EncodeOptions, 'weightInputs' | 'metadata'> {
  /**
   * `auto` (default): all in one file unless it would pass 2 GiB. `always`: initializers from 1 KiB on go to PATH.data.
   * In both, the result needs no file of the input any more.
   */
  readonly externalData?: 'never' | 'auto' | 'always';
  /** Bytes that the model file may have, for `auto` and `never`; default and at most 2 GiB, the limit of the format. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

export interface WrittenModel {
  /** Bytes of the model file. */
  readonly bytes: number;
  /** Bytes of the data file; 0 when there is none. */
  readonly externalBytes: number;
  /** Paths written, the model last. */
  readonly files: readonly string[];
}

/** Smaller tensors stay in the model: shapes and scalars must be readable without the data file. */
const MIN_EXTERNAL_BYTES = 1024;
/** Tensors of a page and more begin at a page, as the ONNX specification asks, so that they can be mapped; others at 64. */
const PAGE = 4096;
const ALIGNMENT = 64;

/**
 * Writes `model` to `path`, atomically: after a failure or an interruption the old files are there as they were. Tensors
 * are read one piece at a time.
 * @throws InputError not-writable, too-large, external-data; InterruptError
 */
export async function writeModel(
  document: OnnxDocument | undefined,
  model: Model,
  path: string,
  options: WriteOptions = {},
): Promise<WrittenModel> {
  const { externalData = 'auto', weightInputs = 'keep', metadata, signal } = options;
  const encoding = { weightInputs, ...(metadata ? { metadata } : {}) };
  const maxBytes = Math.min(options.maxBytes ?? MAX_MODEL_BYTES, MAX_MODEL_BYTES);
  if (externalData !== 'always') {
    const rope = encodeRope(document, model, encoding);
    if (rope.length <= maxBytes) {
      await writeFiles([{ path, batches: rope.batches() }], signal);
      return { bytes: rope.length, externalBytes: 0, files: [path] };
    }
    if (externalData === 'never') throw tooLarge(rope.length, maxBytes);
  }
  const data = dataFile(`${path}.data`);
  const rope = encodeRope(document, model, encoding, { kind: 'external', place: data.place });
  if (rope.length > maxBytes) throw tooLarge(rope.length, maxBytes);
  const files = [
    ...(data.size() > 0 ? [{ path: data.path, batches: data.batches() }] : []),
    { path, batches: rope.batches() },
  ];
  await writeFiles(files, signal);
  return { bytes: rope.length, externalBytes: data.size(), files: files.map((file) => file.path) };
}

interface DataFile {
  readonly path: string;
  readonly place: (tensor: Tensor) => ExternalPlace | undefined;
  readonly size: () => number;
  readonly batches: () => Iterable<readonly Uint8Array[]>;
}

/** Gives each tensor a place in the data file at `path`, once. */
function dataFile(path: string): DataFile {
  const places = new Map<Tensor, ExternalPlace>();
  let size = 0;
  const place = (tensor: Tensor): ExternalPlace | undefined => {
    const length = tensor.byteLength;
    if (length < MIN_EXTERNAL_BYTES) return undefined;
    const known = places.get(tensor);
    if (known) return known;
    const alignment = length >= PAGE ? PAGE : ALIGNMENT;
    const offset = Math.ceil(size / alignment) * alignment;
    size = offset + length;
    const made = { location: basename(path), offset, length };
    places.set(tensor, made);
    return made;
  };
  return { path, place, size: () => size, batches: () => dataBatches(places) };
}

function* dataBatches(places: ReadonlyMap<Tensor, ExternalPlace>): Generator<readonly Uint8Array[]> {
  let end = 0;
  for (const [tensor, { offset, length }] of places) {
    if (offset > end) yield [new Uint8Array(offset - end)];
    for (const piece of tensor.pieces()) yield [piece];
    end = offset + length;
  }
}
