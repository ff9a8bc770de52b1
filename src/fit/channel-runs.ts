// Walks over the elements of a streamed value channel by channel.
import { invariant } from '../base/errors.js';
import type { StreamedBatch, StreamedValue } from './accumulator.js';

/** The value `name`, which the stream was asked for. */
export function streamedValue(batch: StreamedBatch, name: string): StreamedValue {
  const value = batch.get(name);
  invariant(value, `no value "${name}" in the stream`);
  return value;
}

/**
 * Calls `visit` with index ranges (from, to, step) of a row-major array that together hold each element once, every
 * range within one channel. `axis`: that of the channels, from the end where negative; a value without it is one channel.
 */
export function forEachChannelRun(
  dims: readonly number[],
  axis: number,
  visit: (channel: number, from: number, to: number, step: number) => void,
): void {
  const at = axis < 0 ? dims.length + axis : axis;
  const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);
  const size = product(dims);
  if (size === 0) return;
  const channels = dims[at] ?? 1;
  const inner = at < 0 || at >= dims.length ? size : product(dims.slice(at + 1));
  if (inner === 1) {
    for (let channel = 0; channel < channels; channel++) visit(channel, channel, size, channels);
    return;
  }
  for (let from = 0; from < size; from += inner) visit((from / inner) % channels, from, from + inner, 1);
}
