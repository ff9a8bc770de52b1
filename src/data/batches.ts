// Samples joined along their first axis, for models that take several at once.
import { storageBytes } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import type { Sample } from './data-set.js';

export interface Batch {
  /** The samples, in order: names and labels. */
  readonly samples: readonly Sample[];
  /** A tensor per input: first axis as long as `samples` (times that of a sample). */
  readonly feeds: ReadonlyMap<string, Tensor>;
}

/**
 * Batches of `size` samples; the last one may be smaller, and one ends early where the next sample has other dims.
 * Samples of inputs without a batch axis of 1 in front (scalars, states) go separate ways.
 */
export async function* batches(samples: AsyncIterable<Sample>, size: number): AsyncGenerator<Batch> {
  let waiting: Sample[] = [];
  for await (const sample of samples) {
    const [first] = waiting;
    if (first && !joinable(first, sample)) {
      yield join(waiting);
      waiting = [];
    }
    waiting.push(sample);
    if (waiting.length >= size) {
      yield join(waiting);
      waiting = [];
    }
  }
  if (waiting.length > 0) yield join(waiting);
}

function joinable(a: Sample, b: Sample): boolean {
  return [...a.feeds].every(([name, tensor]) => {
    const other = b.feeds.get(name);
    return (
      other !== undefined &&
      tensor.dims[0] === 1 &&
      other.dims.length === tensor.dims.length &&
      tensor.dims.every((dim, axis) => axis === 0 || dim === other.dims[axis])
    );
  });
}

function join(samples: readonly Sample[]): Batch {
  const [first] = samples;
  if (!first || samples.length === 1) return { samples, feeds: first?.feeds ?? new Map<string, Tensor>() };
  const feeds = new Map<string, Tensor>();
  for (const [name, { dtype, dims }] of first.feeds) {
    const parts = samples.flatMap((sample) => sample.feeds.get(name) ?? []);
    const rows = parts.reduce((sum, part) => sum + (part.dims[0] ?? 1), 0);
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    const bytes = new Uint8Array(storageBytes(dtype, size));
    let at = 0;
    for (const part of parts) {
      bytes.set(part.bytes(), at);
      at += part.byteLength;
    }
    feeds.set(name, new Tensor(dtype, [rows, ...dims.slice(1)], bytes));
  }
  return { samples, feeds };
}
