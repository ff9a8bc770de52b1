// Model files too large to hold: the data of large initializers stays on disk, as external data does. The buffer has the
// size of the file, so that every offset is that of the file; pages that nothing is read into take no memory.
import { readSync } from 'node:fs';
import { InputError } from '../base/errors.js';
import { Tensor } from '../tensor/tensor.js';
import { FileBytes, type ExternalFile } from './external.js';
import { GRAPH, MODEL, TENSOR, WIRE } from './schema.js';
import { WireReader, type Source, type Span } from './wire.js';

/** Regions of a file that were not read, in ascending order. */
export class UnreadRegions {
  readonly #file: ExternalFile;
  readonly #regions: readonly Span[];

  constructor(file: ExternalFile, regions: readonly Span[]) {
    this.#file = file;
    this.#regions = regions;
  }

  /** The unread parts of `[start, end)`, in order. */
  within(start: number, end: number): Span[] {
    let [low, high] = [0, this.#regions.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#regions[middle]?.end ?? 0) > start) high = middle;
      else low = middle + 1;
    }
    const found: Span[] = [];
    for (let region = this.#regions[low]; region && region.start < end; region = this.#regions[++low])
      found.push({ start: Math.max(region.start, start), end: Math.min(region.end, end) });
    return found;
  }

  /** Bytes of the file, read when asked for. */
  bytes({ start, end }: Span): FileBytes {
    return new FileBytes(this.#file, start, end - start);
  }

  /** The same as a tensor, as which what is written takes it. */
  tensor(span: Span): Tensor {
    return new Tensor('uint8', [span.end - span.start], this.bytes(span));
  }
}

/** What can be read at once: a page more or less does not matter. */
const BLOCK = 65536;
/** Tag and length of a field, or a whole number: two varints. */
const HEADER = 20;
/** Where the data of initializers stands in a model. */
const INITIALIZER_DATA = [MODEL.graph, GRAPH.initializer, TENSOR.rawData];

/**
 * The bytes of the file behind `descriptor`, without the `raw_data` of initializers from `leaveFrom` bytes on. A file
 * whose fields do not fit into each other is read whole, for the decoder to say what is wrong.
 */
export function readSparsely(
  descriptor: number,
  file: ExternalFile,
  leaveFrom: number,
): Pick<Source, 'bytes' | 'unread'> {
  const bytes = Buffer.allocUnsafeSlow(file.size);
  const isRead = new Uint8Array(Math.ceil(file.size / BLOCK));
  const read = (start: number, end: number): void => {
    for (let block = Math.floor(start / BLOCK); block * BLOCK < Math.min(end, file.size); block++) {
      if (isRead[block] === 1) continue;
      isRead[block] = 1;
      readBlock(descriptor, bytes, block * BLOCK, Math.min((block + 1) * BLOCK, file.size));
    }
  };
  const unread: Span[] = [];
  try {
    const source = { bytes, file: file.path };
    findData(source, read, { body: { start: 0, end: file.size }, path: INITIALIZER_DATA, leaveFrom }, unread);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    unread.length = 0;
  }
  let end = 0;
  for (const region of unread) {
    read(end, region.start);
    end = region.end;
  }
  read(end, file.size);
  return unread.length === 0 ? { bytes } : { bytes, unread: new UnreadRegions(file, unread) };
}

/** A file that was cut off meanwhile leaves zeros, which the decoder takes for damage. */
function readBlock(descriptor: number, bytes: Buffer, start: number, end: number): void {
  for (let at = start; at < end;) {
    const count = readSync(descriptor, bytes, at, end - at, at);
    if (count === 0) {
      bytes.fill(0, at, end);
      return;
    }
    at += count;
  }
}

interface Place {
  readonly body: Span;
  /** Field numbers from here on. */
  readonly path: readonly number[];
  readonly leaveFrom: number;
}

function findData(
  source: Source,
  read: (start: number, end: number) => void,
  { body, path, leaveFrom }: Place,
  found: Span[],
): void {
  const [number, ...deeper] = path;
  const reader = new WireReader(source, body);
  for (;;) {
    read(reader.at, reader.at + HEADER);
    if (!reader.next()) return;
    if (reader.number !== number || reader.wireType !== WIRE.bytes) continue;
    if (deeper.length > 0) findData(source, read, { body: reader.body(), path: deeper, leaveFrom }, found);
    else if (reader.end - reader.bodyStart >= leaveFrom) found.push(reader.body());
  }
}
