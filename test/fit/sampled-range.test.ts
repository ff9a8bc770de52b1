// Ranges from samples, against ranges from all elements.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import type { StreamedBatch } from '../../src/fit/accumulator.js';
import { sampleStride } from '../../src/fit/histogram.js';
import { RANGE, type RangeState } from '../../src/fit/range.js';
import { SAMPLED_RANGE } from '../../src/fit/sampled-range.js';

const noise = (seed: number, length: number): Float32Array => {
  const rng = createRng(seed);
  return Float32Array.from({ length }, () => Math.max(-0.2, rng.uniform() * 9 - 5) + 0.2);
};

/** What the model gives of one batch; two values stand in the reductions, this is the second. */
function sampled(data: Float32Array): StreamedBatch {
  const sample = data.filter((_, i) => i % sampleStride(data.length) === 0);
  const sum = data.reduce((all, x) => all + x, 0);
  const reductions = Float32Array.of(-1, -1, -1, Math.min(...data), Math.max(...data), sum);
  return new Map([
    ['s', { data: sample, dims: [sample.length] }],
    ['r', { data: reductions, dims: [6] }],
  ]);
}

function bySample(elements: number, ...batches: readonly Float32Array[]): RangeState | undefined {
  const accumulator = SAMPLED_RANGE.create({ kind: 'sampled-range', values: ['s', 'r'], elements, index: 1 });
  for (const data of batches) accumulator.add(sampled(data));
  return accumulator.state();
}

function byAll(...batches: readonly Float32Array[]): RangeState {
  const accumulator = RANGE.create({ kind: 'range', values: ['v'] });
  for (const data of batches) accumulator.add(new Map([['v', { data, dims: [data.length] }]]));
  return accumulator.state();
}

describe('a range from samples', () => {
  it.each([1, 9, 32_768, 32_769, 100_352])('is that of all %i elements', (length) => {
    const batches = [1, 2, 3].map((seed) => noise(seed, length));
    expect(bySample(length, ...batches)).toEqual(byAll(...batches));
    const merged = SAMPLED_RANGE.merge(bySample(length, noise(1, length)), bySample(length, noise(2, length)));
    expect(merged).toEqual(byAll(noise(1, length), noise(2, length)));
  });

  it('is not known where an element is not finite, or the size is another', () => {
    const broken = noise(1, 40_000).fill(Number.NaN, 1, 2);
    expect(bySample(40_000, broken)).toBeUndefined();
    expect(bySample(40_000, noise(1, 40_000), broken, noise(1, 40_000))).toBeUndefined();
    expect(bySample(40_000, noise(1, 30_000))).toBeUndefined();
    expect(SAMPLED_RANGE.merge(bySample(9, noise(1, 9)), undefined)).toBeUndefined();
  });
});
