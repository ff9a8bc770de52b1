// Mean magnitudes and zeros per channel, against a worked case and plain loops over all elements.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import type { StreamedBatch } from '../../src/fit/accumulator.js';
import { ACCUMULATORS } from '../../src/fit/accumulators.js';
import { CHANNEL_MAGNITUDES, type ChannelMagnitudes } from '../../src/fit/channel-magnitudes.js';
import { floats, sizeOf } from './linear-layers.js';

const batch = (dims: readonly number[], data: Float32Array): StreamedBatch => new Map([['x', { dims, data }]]);

function over(axis: number, ...batches: readonly StreamedBatch[]): ChannelMagnitudes {
  const accumulator = CHANNEL_MAGNITUDES.create({ kind: 'channel-magnitudes', values: ['x'], axis });
  for (const one of batches) accumulator.add(one);
  return accumulator.state();
}

describe('channel magnitudes', () => {
  it('of a worked case, over two batches', () => {
    const first = batch([1, 2, 2], Float32Array.of(1, -3, 0, -5));
    const second = batch([1, 2, 2], Float32Array.of(0, 7, -0, 2));
    expect(over(1, first, second)).toEqual({
      count: 4,
      absolute: Float64Array.of(11, 7),
      zeros: Float64Array.of(1, 2),
    });
  });

  it('follow the axis, from either end', () => {
    const dims = [2, 3, 4, 5];
    const data = floats(createRng('axes'), sizeOf(dims)).map((x) => (x < -0.5 ? 0 : x));
    for (const axis of [0, 1, 2, 3, -1, -3]) {
      const at = axis < 0 ? 4 + axis : axis;
      const inner = sizeOf(dims.slice(at + 1));
      const channels = dims[at] ?? 0;
      const members = Array.from({ length: channels }, (_, c) =>
        [...data].filter((_x, i) => Math.floor(i / inner) % channels === c),
      );
      const { count, absolute, zeros } = over(axis, batch(dims, data));
      expect(count).toBe(data.length / channels);
      expect([...zeros]).toEqual(members.map((all) => all.filter((x) => x === 0).length));
      expect([...absolute]).toEqual(
        members.map((all) =>
          expect.closeTo(
            all.reduce((s, x) => s + Math.abs(x), 0),
            10,
          ),
        ),
      );
    }
  });

  it('of shards merge to those of the whole, also where a shard is empty', () => {
    const rng = createRng('merge');
    const [a, b] = [batch([1, 3, 7], floats(rng, 21)), batch([2, 3, 5], floats(rng, 30))];
    const whole = over(1, a, b);
    const merged = CHANNEL_MAGNITUDES.merge(over(1, a), over(1, b));
    expect(merged.count).toBe(whole.count);
    expect(merged.zeros).toEqual(whole.zeros);
    for (const [i, sum] of merged.absolute.entries()) expect(sum).toBeCloseTo(whole.absolute[i] ?? Number.NaN, 12);
    expect(CHANNEL_MAGNITUDES.merge(over(1), whole)).toBe(whole);
    expect(CHANNEL_MAGNITUDES.merge(whole, over(1))).toBe(whole);
    expect(ACCUMULATORS['channel-magnitudes']).toBe(CHANNEL_MAGNITUDES);
  });
});
