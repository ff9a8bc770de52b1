// The order in which samples are read, and disjoint parts of a data set.
import { createRng, type Rng } from '../base/rng.js';

/**
 * Positions 0..size-1 in an order drawn from `seed`. With `labels` it is stratified: every class is spread evenly over the
 * order, so that any stretch of it holds the classes in the proportions of the whole.
 */
export function shuffledOrder(size: number, seed: number, labels?: readonly number[]): Int32Array {
  const rng = createRng(seed).fork('sample-order');
  const order = permutation(
    Int32Array.from({ length: size }, (_, i) => i),
    rng,
  );
  if (labels === undefined) return order;
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const seen = new Map<number, number>();
  const offsets = new Map<number, number>();
  const keys = new Float64Array(size);
  for (const index of order) {
    const label = labels[index] ?? -1;
    const rank = seen.get(label) ?? 0;
    seen.set(label, rank + 1);
    if (rank === 0) offsets.set(label, rng.uniform());
    // The n-th of a class comes after n/count of the data; the offset keeps classes from marching in step.
    keys[index] = (rank + (offsets.get(label) ?? 0)) / (counts.get(label) ?? 1);
  }
  return order.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b);
}

/** Fisher-Yates. */
function permutation(items: Int32Array, rng: Rng): Int32Array {
  for (let i = items.length - 1; i > 0; i--) {
    const j = rng.int(0, i);
    const kept = items[i] ?? 0;
    items[i] = items[j] ?? 0;
    items[j] = kept;
  }
  return items;
}

/** Options of `DataSet.samples` for two parts that share no sample. */
export interface SplitParts {
  readonly calibrate: { readonly order: 'shuffled'; readonly seed: number; readonly from: number; readonly to: number };
  readonly score: { readonly order: 'shuffled'; readonly seed: number; readonly from: number; readonly to: number };
}

/**
 * The first `calibrateCount` of `count` samples in the order of `seed`, and the others. The same seed gives the same parts;
 * with labels both hold the classes in the proportions of the whole.
 */
export function splitData(count: number, calibrateCount: number, seed: number): SplitParts {
  const cut = Math.max(0, Math.min(count, calibrateCount));
  const part = (from: number, to: number) => ({ order: 'shuffled', seed, from, to }) as const;
  return { calibrate: part(0, cut), score: part(cut, count) };
}
