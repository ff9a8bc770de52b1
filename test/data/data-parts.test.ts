// Parts of a data set as a data set: the same samples in the same order, whatever order is asked for, and nothing besides.
import { describe, expect, it } from 'vitest';
import { dataParts } from '../../src/data/data-parts.js';
import type { DataSet, Sample, StreamOptions } from '../../src/data/data-set.js';
import { shuffledOrder } from '../../src/data/sample-order.js';

const SIZE = 20;

/** Samples that are called by their place, shuffled as data sets are. */
function numbered(): DataSet {
  async function* samples({ from = 0, to = SIZE, order, seed = 0 }: StreamOptions = {}): AsyncGenerator<Sample> {
    const places = order === 'shuffled' ? shuffledOrder(SIZE, seed) : Int32Array.from({ length: SIZE }, (_, at) => at);
    for (const place of places.slice(from, to)) yield { name: String(place), label: undefined, feeds: new Map() };
  }
  return {
    path: 'numbers',
    size: SIZE,
    labelled: false,
    classes: undefined,
    digest: () => Promise.resolve('numbers'),
    samples,
    skipped: [],
    warnings: () => ['of all'],
  };
}

async function names(data: DataSet, options?: StreamOptions): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of data.samples(options)) found.push(Number(name));
  return found;
}

const SEED = 7;
const order = [...shuffledOrder(SIZE, SEED)];
const parts = dataParts(
  numbered(),
  [
    { from: 2, to: 6 },
    { from: 10, to: 13 },
    { from: 10, to: 13 },
  ],
  SEED,
);

describe('parts of a data set', () => {
  it('hold the samples of each part, one behind the other, in the order of the seed', async () => {
    const expected = [...order.slice(2, 6), ...order.slice(10, 13), ...order.slice(10, 13)];
    expect(parts.size).toBe(10);
    expect(await names(parts)).toEqual(expected);
    expect(await names(parts, { order: 'shuffled', seed: 99 })).toEqual(expected);
  });

  it('can be cut anywhere', async () => {
    const all = await names(parts);
    for (const [from, to] of [
      [0, 4],
      [3, 5],
      [4, 10],
      [6, 8],
      [9, 50],
      [5, 5],
    ] as const)
      expect(await names(parts, { from, to })).toEqual(all.slice(from, to));
  });

  it('have a digest of their own, and leave warnings to the whole', async () => {
    const others = dataParts(numbered(), [{ from: 2, to: 6 }], SEED);
    expect(await parts.digest()).not.toBe(await others.digest());
    expect(await parts.digest()).not.toBe('numbers');
    expect(parts.warnings()).toEqual([]);
  });
});
