// Samples joined to batches.
import { expect, it } from 'vitest';
import { batches } from '../../src/data/batches.js';
import type { Sample } from '../../src/data/data-set.js';
import { Tensor } from '../../src/tensor/tensor.js';

const sample = (label: number, ...tensors: [string, Tensor][]): Sample => ({
  name: `s${label}`,
  label,
  feeds: new Map(tensors),
});
const row = (...values: number[]): Tensor => Tensor.fromNumbers('float32', [1, values.length], values);

async function* from(samples: readonly Sample[]): AsyncGenerator<Sample> {
  for (const item of samples) yield await Promise.resolve(item);
}

async function joined(samples: readonly Sample[], size: number): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const batch of batches(from(samples), size))
    found.push([
      batch.samples.map(({ label }) => label),
      ...[...batch.feeds.values()].map((tensor) => [tensor.dims, tensor.toNumbers()]),
    ]);
  return found;
}

it('joins along the first axis, the last batch may be smaller', async () => {
  const samples = [0, 1, 2].map((i) => sample(i, ['x', row(i, 10 + i)], ['n', Tensor.int64s([i])]));
  expect(await joined(samples, 2)).toEqual([
    [
      [0, 1],
      [
        [2, 2],
        [0, 10, 1, 11],
      ],
      [[2], [0, 1]],
    ],
    [
      [2],
      [
        [1, 2],
        [2, 12],
      ],
      [[1], [2]],
    ],
  ]);
  expect(await joined(samples, 1)).toHaveLength(3);
  expect(await joined([], 4)).toEqual([]);
});

it('ends a batch where the dims change', async () => {
  const samples = [sample(0, ['x', row(1, 2)]), sample(1, ['x', row(1, 2, 3)]), sample(2, ['x', row(4, 5, 6)])];
  expect(await joined(samples, 8)).toEqual([
    [
      [0],
      [
        [1, 2],
        [1, 2],
      ],
    ],
    [
      [1, 2],
      [
        [2, 3],
        [1, 2, 3, 4, 5, 6],
      ],
    ],
  ]);
});

it('keeps samples with scalars apart', async () => {
  const samples = [0, 1].map((i) => sample(i, ['x', row(i)], ['rate', Tensor.scalar('int64', 16000)]));
  expect(await joined(samples, 2)).toHaveLength(2);
});
