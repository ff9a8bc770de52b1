// Statistics per channel and errors against a reference, against hand-worked numbers and plain loops over all elements.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import type { StreamedBatch } from '../../src/fit/accumulator.js';
import { ACCUMULATORS } from '../../src/fit/accumulators.js';
import { CHANNEL_STATISTICS, channelStatistics } from '../../src/fit/channel-statistics.js';
import { meanErrors, relativeNoise, SIGNAL_ERROR, signalToNoise } from '../../src/fit/signal-error.js';
import { floats, sizeOf } from './linear-layers.js';

const batch = (name: string, dims: readonly number[], data: Float32Array): StreamedBatch =>
  new Map([[name, { dims, data }]]);
const pair = (dims: readonly number[], teacher: Float32Array, student: Float32Array): StreamedBatch =>
  new Map([
    ['teacher/x', { dims, data: teacher }],
    ['student/x', { dims, data: student }],
  ]);

describe('channel statistics', () => {
  it('of a worked case, over two batches', () => {
    const statistics = CHANNEL_STATISTICS.create({ kind: 'channel-statistics', values: ['x'], axis: 1 });
    statistics.add(batch('x', [1, 2, 2], Float32Array.of(1, 3, -1, -5)));
    statistics.add(batch('x', [1, 2, 2], Float32Array.of(5, 7, 0, 2)));
    const sums = statistics.state();
    expect(sums.count).toBe(4);
    expect(channelStatistics(sums)).toEqual({
      mean: Float64Array.of(4, -1),
      // ((-3)^2 + 1 + 1 + 9) / 4 and (0 + 16 + 1 + 9) / 4
      variance: Float64Array.of(5, 6.5),
      min: Float64Array.of(1, -5),
      max: Float64Array.of(7, 2),
    });
  });

  it('follow the axis, from either end, and take a value without that axis as one channel', () => {
    const rng = createRng('axes');
    const dims = [2, 3, 4, 5];
    const data = floats(rng, sizeOf(dims));
    for (const axis of [0, 1, 2, 3, -1, -3]) {
      const at = axis < 0 ? 4 + axis : axis;
      const inner = sizeOf(dims.slice(at + 1));
      const channels = dims[at] ?? 0;
      const members = Array.from({ length: channels }, (_, c) =>
        [...data].filter((_x, i) => Math.floor(i / inner) % channels === c),
      );
      const statistics = CHANNEL_STATISTICS.create({ kind: 'channel-statistics', values: ['x'], axis });
      statistics.add(batch('x', dims, data));
      const { mean, min } = channelStatistics(statistics.state());
      expect([...min]).toEqual(members.map((all) => Math.min(...all)));
      expect([...mean]).toEqual(members.map((all) => expect.closeTo(all.reduce((a, b) => a + b) / all.length, 12)));
    }
    const one = CHANNEL_STATISTICS.create({ kind: 'channel-statistics', values: ['x'], axis: 1 });
    one.add(batch('x', [3], Float32Array.of(1, 2, 6)));
    expect([...channelStatistics(one.state()).mean]).toEqual([3]);
  });

  it('of shards merge to those of the whole', () => {
    const rng = createRng('merge');
    const over = (batches: readonly Float32Array[]) => {
      const statistics = CHANNEL_STATISTICS.create({ kind: 'channel-statistics', values: ['x'], axis: 1 });
      for (const data of batches) statistics.add(batch('x', [1, 3, 7], data));
      return statistics.state();
    };
    // Halves of whole numbers: their sums are exact in any order.
    const all = Array.from({ length: 6 }, () => Float32Array.from({ length: 21 }, () => rng.int(-99, 99) / 2));
    expect(CHANNEL_STATISTICS.merge(over(all.slice(0, 2)), over(all.slice(2)))).toEqual(over(all));
    expect(CHANNEL_STATISTICS.merge(over([]), over(all))).toEqual(over(all));
    expect(CHANNEL_STATISTICS.merge(over(all), over([]))).toEqual(over(all));
  });

  it('refuse another number of channels, and a value that does not come', () => {
    const statistics = CHANNEL_STATISTICS.create({ kind: 'channel-statistics', values: ['x'], axis: 1 });
    statistics.add(batch('x', [1, 2], Float32Array.of(1, 2)));
    expect(() => statistics.add(batch('x', [1, 3], new Float32Array(3)))).toThrow('has 3 channels, and had 2');
    expect(() => statistics.add(batch('y', [1, 2], new Float32Array(2)))).toThrow('no value "x"');
  });
});

describe('signal error', () => {
  const values = ['teacher/x', 'student/x'] as const;

  it('of a worked case', () => {
    const error = SIGNAL_ERROR.create({ kind: 'signal-error', values, axis: 1 });
    error.add(pair([1, 2, 2], Float32Array.of(3, 4, 0, 10), Float32Array.of(3, 3, 1, 10)));
    error.add(pair([1, 2, 2], Float32Array.of(0, 0, 0, 0), Float32Array.of(0, 0, -1, 2)));
    const state = error.state();
    expect(state).toEqual({
      count: 4,
      signal: Float64Array.of(25, 100),
      noise: Float64Array.of(1, 6),
      difference: Float64Array.of(1, -2),
    });
    expect([...meanErrors(state)]).toEqual([0.25, -0.5]);
    expect(relativeNoise(state)).toBe(7 / 125);
    expect(signalToNoise(state)).toBeCloseTo(12.5181, 4);
  });

  it('is in dB: noise of a thousandth of the amplitude is 60', () => {
    const rng = createRng('db');
    const teacher = floats(rng, 1000);
    const error = SIGNAL_ERROR.create({ kind: 'signal-error', values });
    error.add(
      pair(
        [10, 100],
        teacher,
        teacher.map((x, i) => x * (i % 2 === 0 ? 1.001 : 0.999)),
      ),
    );
    expect(error.state().signal.length).toBe(1);
    expect(signalToNoise(error.state())).toBeCloseTo(60, 2);
  });

  it('has its limits: equal values, and a reference of zeros', () => {
    const of = (teacher: number, student: number) => {
      const error = SIGNAL_ERROR.create({ kind: 'signal-error', values });
      error.add(pair([1], Float32Array.of(teacher), Float32Array.of(student)));
      return signalToNoise(error.state());
    };
    expect(of(2, 2)).toBe(Infinity);
    expect(of(0, 0)).toBe(Infinity);
    expect(of(0, 1)).toBe(-Infinity);
    expect(of(Number.NaN, 1)).toBeNaN();
  });

  it('of shards merges to that of the whole', () => {
    const over = (seeds: readonly number[]) => {
      const error = SIGNAL_ERROR.create({ kind: 'signal-error', values, axis: -1 });
      for (const seed of seeds) {
        const rng = createRng(seed);
        const whole = (): Float32Array => Float32Array.from({ length: 8 }, () => rng.int(-9, 9));
        error.add(pair([2, 4], whole(), whole()));
      }
      return error.state();
    };
    expect(SIGNAL_ERROR.merge(over([1]), over([2, 3]))).toEqual(over([1, 2, 3]));
    expect(SIGNAL_ERROR.merge(over([]), over([2]))).toEqual(over([2]));
  });

  it('refuses values of different shapes', () => {
    const error = SIGNAL_ERROR.create({ kind: 'signal-error', values });
    const unlike = new Map([
      ['teacher/x', { dims: [2], data: new Float32Array(2) }],
      ['student/x', { dims: [1, 2], data: new Float32Array(2) }],
    ]);
    expect(() => error.add(unlike)).toThrow('"teacher/x" is [2]');
  });
});

it('the registry knows every accumulator by its own name', () => {
  for (const [name, { kind }] of Object.entries(ACCUMULATORS)) expect(kind).toBe(name);
  expect(Object.keys(ACCUMULATORS)).toEqual(
    expect.arrayContaining(['channel-statistics', 'patch-moments', 'signal-error']),
  );
});
