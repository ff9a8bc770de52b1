// Ranks by variational Bayes: figures worked out in Python with scipy's minimizer, matrices of a known rank, and the limits.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { evbmf } from '../../src/linalg/evbmf.js';
import { multiply } from '../../src/linalg/gemm.js';
import { jacobiSvd } from '../../src/linalg/jacobi.js';
import { found, random } from './matrices.js';

// 12 x 40: rank 3 and noise of deviation 0.6; 10 x 15: noise of deviation 0.7 alone.
const RANK_3 = [21.9011, 16.9119, 12.1274, 5.1126, 4.6418, 4.4902, 3.9061, 3.2754, 3.1365, 2.9649, 2.6139, 2.0386];
const NOISE = [4.4327, 4.0357, 3.265, 2.8329, 2.4717, 1.9429, 1.7008, 1.6314, 1.3365, 0.9392];

describe('EVBMF', () => {
  it('agrees with scipy on the same free energy', () => {
    const signal = evbmf(RANK_3, 12, 40);
    expect(signal.rank).toBe(3);
    expect(signal.noise).toBeCloseTo(0.38404085089, 6);
    const noise = evbmf(NOISE, 10, 15);
    expect(noise.rank).toBe(0);
    expect(noise.noise).toBeCloseTo(0.4848528532, 7);
  });

  it('finds 8 of 64 under noise of variance 0.25, whichever side is longer and whatever the scale', () => {
    const rng = createRng('evbmf');
    const signal = multiply(random(rng, 64, 8), random(rng, 8, 256));
    const { values } = found(jacobiSvd({ ...signal, data: signal.data.map((x) => x + 0.5 * rng.normal()) }));
    const { rank, noise } = evbmf(values, 64, 256);
    expect(rank).toBe(8);
    expect(Math.abs(noise - 0.25)).toBeLessThan(0.01);
    expect(evbmf(values, 256, 64)).toEqual({ rank, noise });
    const scaled = evbmf(
      values.map((x) => x * 1e9),
      64,
      256,
    );
    expect([scaled.rank, scaled.noise / 1e18]).toEqual([8, expect.closeTo(noise, 7)]);
  });

  it('without noise it finds the rank and no noise, values that are missing counting as zero', () => {
    const rng = createRng('exact');
    const { values } = found(jacobiSvd(multiply(random(rng, 30, 4), random(rng, 4, 50))));
    for (const list of [values, values.subarray(0, 4)]) {
      const { rank, noise } = evbmf(list, 30, 50);
      expect(rank).toBe(4);
      expect(noise).toBeLessThan(1e-10);
    }
  });

  it('nothing has rank 0', () => {
    expect(evbmf([], 3, 5)).toEqual({ rank: 0, noise: 0 });
    expect(evbmf([0, 0], 2, 5)).toEqual({ rank: 0, noise: 0 });
    expect(evbmf([3], 1, 9).rank).toBe(0);
  });
});
