// Order statistics against numpy's definition, intervals against the binomial interval of a median, verdicts by hand.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { summarize, type TimedBlock } from '../../src/runtime/latency.js';
import {
  blockedInterval,
  blockedMedian,
  halfWidth,
  median,
  percentiles,
  quantile,
  ratioVerdict,
} from '../../src/runtime/statistics.js';

describe('quantile', () => {
  it('interpolates as numpy.quantile does', () => {
    // numpy.quantile([1, 2, 4, 8], [0, .25, .5, .75, 1])
    const values = [8, 1, 4, 2];
    expect([0, 0.25, 0.5, 0.75, 1].map((q) => quantile(values, q))).toEqual([1, 1.75, 3, 5, 8]);
    expect(values).toEqual([8, 1, 4, 2]);
    expect(median([])).toBeNaN();
    expect(percentiles(Array.from({ length: 101 }, (_, i) => 100 - i))).toEqual({ min: 0, p50: 50, p90: 90, p99: 99 });
  });
});

describe('blockedInterval', () => {
  const rng = createRng(5);
  const draw = (count: number, mean: number): number[] =>
    Array.from({ length: count }, () => mean * Math.exp(0.05 * rng.normal()));

  it('is the same for the same seed', () => {
    const blocks = [
      { stratum: 'a', values: draw(50, 1) },
      { stratum: 'b', values: draw(50, 1) },
    ];
    expect(blockedInterval(blocks, 1)).toEqual(blockedInterval(blocks, 1));
    expect(blockedInterval(blocks, 1)).not.toEqual(blockedInterval(blocks, 2));
  });

  it('covers the truth about as often as it says, and narrows with more values', () => {
    let covered = 0;
    for (let i = 0; i < 200; i++) {
      const { low, high } = blockedInterval([{ stratum: 'a', values: draw(60, 1) }], i);
      if (low <= 1 && high >= 1) covered++;
    }
    expect(covered).toBeGreaterThan(180);
    const few = halfWidth(blockedInterval([{ stratum: 'a', values: draw(20, 1) }], 1));
    const many = halfWidth(blockedInterval([{ stratum: 'a', values: draw(2000, 1) }], 1));
    expect(many).toBeLessThan(few / 4);
  });

  it('cancels what only the order of creation does', () => {
    const blocks = [
      { stratum: 'forwards', values: [1.1, 1.1, 1.1] },
      { stratum: 'backwards', values: [1 / 1.1, 1 / 1.1, 1 / 1.1] },
    ];
    expect(blockedMedian(blocks)).toBeCloseTo(1, 12);
  });

  it('is widened by blocks that differ', () => {
    const spread = (shift: number) => [0, 1, 2].map((i) => ({ stratum: 'a', values: draw(300, 1 + i * shift) }));
    expect(halfWidth(blockedInterval(spread(0.05), 1))).toBeGreaterThan(4 * halfWidth(blockedInterval(spread(0), 1)));
  });

  it('leaves empty blocks out', () => {
    expect(
      blockedMedian([
        { stratum: 'a', values: [] },
        { stratum: 'b', values: [2] },
      ]),
    ).toBeCloseTo(2, 12);
  });
});

describe('ratioVerdict', () => {
  it.each([
    [0.9, 0.85, 0.95, 'faster'],
    [1.1, 1.05, 1.2, 'slower'],
    [0.9, 0.8, 1.01, 'no-difference'],
    [1.1, 0.99, 1.2, 'no-difference'],
    // Significant, but within the margin of 1 %.
    [0.995, 0.992, 0.998, 'no-difference'],
    [1.005, 1.002, 1.008, 'no-difference'],
  ] as const)('%s [%s, %s] is %s', (value, low, high, verdict) => {
    expect(ratioVerdict({ value, low, high }, 0.01)).toBe(verdict);
  });
});

describe('summarize', () => {
  const rng = createRng(9);
  interface Shape {
    readonly ratio: number;
    readonly wallNoise: number;
    readonly cpuNoise: number;
    readonly cpuRatio?: number;
    readonly share?: number;
  }
  const noisy = (mean: number, noise: number): number => mean * Math.exp(noise * rng.normal());
  const block = (stratum: string, { ratio, wallNoise, cpuNoise, cpuRatio = ratio, share = 1 }: Shape): TimedBlock => {
    const side = (wallMean: number, cpuMean: number) => ({
      wall: Array.from({ length: 60 }, () => noisy(wallMean, wallNoise)),
      cpu: Array.from({ length: 60 }, () => noisy(cpuMean * share, cpuNoise)),
    });
    return { stratum, models: [side(10, 10), side(10 * ratio, 10 * cpuRatio)] };
  };
  const blocks = (shape: Shape): TimedBlock[] =>
    ['forwards', 'backwards', 'forwards', 'backwards'].map((stratum) => block(stratum, shape));

  it('lets the quieter clock decide at one thread', () => {
    const result = summarize(blocks({ ratio: 0.9, wallNoise: 0.5, cpuNoise: 0.02 }), 1, {});
    expect(result).toMatchObject({ decidedBy: 'cpu', verdict: 'faster', rounds: 240, blocks: 4 });
    expect(result.cpu.value).toBeCloseTo(0.9, 1);
    expect(summarize(blocks({ ratio: 0.9, wallNoise: 0.5, cpuNoise: 0.02 }), 1, { threads: 2 }).decidedBy).toBe('wall');
    expect(summarize(blocks({ ratio: 1.2, wallNoise: 0.02, cpuNoise: 0.1 }), 1, {})).toMatchObject({
      decidedBy: 'wall',
      verdict: 'slower',
    });
  });

  it('says nothing where the clocks contradict each other', () => {
    expect(summarize(blocks({ ratio: 1.3, cpuRatio: 0.8, wallNoise: 0.05, cpuNoise: 0.01 }), 1, {}).verdict).toBe(
      'no-difference',
    );
  });

  it('warns of a processor shared with others', () => {
    expect(summarize(blocks({ ratio: 1, wallNoise: 0.05, cpuNoise: 0.05, share: 0.6 }), 1, {})).toMatchObject({
      contended: true,
      verdict: 'no-difference',
    });
  });

  it('reports percentiles of both models, and whether the precision was reached', () => {
    const result = summarize(blocks({ ratio: 0.5, wallNoise: 0.01, cpuNoise: 0.01 }), 3, {});
    expect(result.before.wall.p50).toBeCloseTo(10, 0);
    expect(result.after.wall.p90).toBeLessThan(result.before.wall.p50);
    expect(result).toMatchObject({ batch: 3, settled: true });
    expect(summarize(blocks({ ratio: 1, wallNoise: 1, cpuNoise: 1 }), 1, { precision: 0.001 }).settled).toBe(false);
  });

  it('leaves samples out during which a clock did not move', () => {
    const still = { wall: [1, 1, 1], cpu: [0, 0.5, 0.5] };
    const result = summarize([{ stratum: 'a', models: [still, { wall: [1, 1, 1], cpu: [0.5, 0.5, 0] }] }], 1, {});
    expect(result.cpu.value).toBeCloseTo(1, 12);
  });
});
