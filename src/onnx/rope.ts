// A message under construction: regions of the input file, new bytes, and tensors that are read only when written. Only
// lengths are added up, so that a model with gigabytes of weights is put together in no time and no memory.
import type { Tensor } from '../tensor/tensor.js';
import { WIRE } from './schema.js';
import type { Source } from './wire.js';

/** A region of a buffer; neighbours grow together. */
interface Region {
  readonly bytes: Buffer;
  readonly start: number;
  end: number;
}

type Part = Region | Tensor;

/** Chunks below this size are copied together, so that writing needs few system calls. */
const SMALL_CHUNK = 4096;
const MERGED_CHUNK = 65536;
/** Chunks given out at once: system calls take 1024 at most. */
const BATCH_CHUNKS = 512;

const isRegion = (part: Part): part is Region => 'end' in part;

export class Rope {
  readonly #parts: Part[] = [];
  #length = 0;

  /** Bytes in all. */
  get length(): number {
    return this.#length;
  }

  /** Appends what stands at `[start, end)` without copying; what stayed on disk is read when it is written. */
  copy({ bytes, unread }: Pick<Source, 'bytes' | 'unread'>, start: number, end: number): this {
    let from = start;
    for (const part of unread?.within(start, end) ?? []) {
      this.#region(bytes, from, part.start);
      if (unread) this.tensor(unread.tensor(part));
      from = part.end;
    }
    return this.#region(bytes, from, end);
  }

  #region(bytes: Buffer, start: number, end: number): this {
    const last = this.#parts.at(-1);
    if (last && isRegion(last) && last.bytes === bytes && last.end === start) last.end = end;
    else if (end > start) this.#parts.push({ bytes, start, end });
    this.#length += end - start;
    return this;
  }

  /** Appends `bytes` without copying. */
  push(bytes: Uint8Array): this {
    return this.#region(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength);
  }

  /** Appends the bytes of `tensor` (not of strings). */
  tensor(tensor: Tensor): this {
    if (!tensor.isLazy) return this.push(tensor.bytes());
    this.#parts.push(tensor);
    this.#length += tensor.byteLength;
    return this;
  }

  append(rope: Rope): this {
    for (const part of rope.#parts) {
      if (isRegion(part)) this.#region(part.bytes, part.start, part.end);
      else this.tensor(part);
    }
    return this;
  }

  /** Appends a field that holds `contents`. */
  field(number: number, contents: Rope): this {
    return this.push(varints([number * 8 + WIRE.bytes, contents.length])).append(contents);
  }

  /** The bytes in order, all tensors read. */
  chunks(): Uint8Array[] {
    return [...this.#batches((tensor) => [tensor.bytes()])].flat();
  }

  /** The bytes in order, in lists of chunks, lazy tensors in pieces: use each list before asking for the next. */
  batches(): Generator<readonly Uint8Array[]> {
    return this.#batches((tensor) => tensor.pieces());
  }

  *#batches(read: (tensor: Tensor) => Iterable<Uint8Array>): Generator<readonly Uint8Array[]> {
    let batch: Region[] = [];
    for (const part of this.#parts) {
      if (isRegion(part) && batch.push(part) < BATCH_CHUNKS) continue;
      if (batch.length > 0) yield withSmallMerged(batch);
      batch = [];
      if (!isRegion(part)) for (const piece of read(part)) yield [piece];
    }
    if (batch.length > 0) yield withSmallMerged(batch);
  }
}

/** The regions as chunks, runs of small ones as one chunk each. */
function withSmallMerged(regions: readonly Region[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let size = 0;
  const flush = (): void => {
    if (run.length > 0) chunks.push(run.length === 1 && run[0] ? run[0] : Buffer.concat(run));
    run = [];
    size = 0;
  };
  for (const { bytes, start, end } of regions) {
    const chunk = bytes.subarray(start, end);
    if (chunk.length >= SMALL_CHUNK || size + chunk.length > MERGED_CHUNK) flush();
    run.push(chunk);
    size += chunk.length;
    if (chunk.length >= SMALL_CHUNK) flush();
  }
  flush();
  return chunks;
}

/** Unsigned varints, one after the other. */
function varints(numbers: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (let rest of numbers) {
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}
