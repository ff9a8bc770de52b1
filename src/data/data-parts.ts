// Parts of a data set, one behind the other, as a data set of their own: runs that are given it see nothing else, in the same order
// whatever order they ask for.
import type { DataSet, Sample, StreamOptions } from './data-set.js';

/** Positions in the seeded order: from (included) to (excluded). */
export interface DataPart {
  readonly from: number;
  readonly to: number;
}

/**
 * The samples of `parts`, in the order of `seed`. A part may come twice; its samples then do. What is found wrong with them is said by
 * `data` alone.
 */
export function dataParts<D extends DataSet>(data: D, parts: readonly DataPart[], seed: number): D {
  const starts = parts.map((_, at) => parts.slice(0, at).reduce((sum, { from, to }) => sum + to - from, 0));
  const size = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  async function* samples({ from = 0, to = size, signal }: StreamOptions = {}): AsyncGenerator<Sample> {
    for (const [at, part] of parts.entries()) {
      const start = starts[at] ?? 0;
      const first = Math.max(part.from, part.from + from - start);
      const last = Math.min(part.to, part.from + to - start);
      if (first < last)
        yield* data.samples({ order: 'shuffled', seed, from: first, to: last, ...(signal ? { signal } : {}) });
    }
  }
  return {
    ...data,
    size,
    digest: async () => JSON.stringify([await data.digest(), seed, parts]),
    samples,
    get skipped() {
      return data.skipped;
    },
    warnings: () => [],
  };
}
