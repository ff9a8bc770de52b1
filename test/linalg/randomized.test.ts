// Randomized singular values against exact ones, where a sketch must find them and where it may miss a little.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { multiply, type Gemm } from '../../src/linalg/gemm.js';
import { matrix } from '../../src/linalg/matrix.js';
import { randomizedSvd, randomizedSvdWith } from '../../src/linalg/randomized.js';
import { distance, expectOrthonormal, found, random, rebuilt, relativeError, withValues } from './matrices.js';

describe('randomized singular values', () => {
  it('a matrix of the rank that is asked for comes back, wide and tall', () => {
    const rng = createRng('exact');
    for (const [m, n] of [
      [60, 90],
      [90, 60],
    ] as const) {
      const a = withValues(rng, m, n, [9, 8, 3, 0.5, 0.01]);
      const svd = found(randomizedSvd(a, { rank: 5, rng }));
      expect(relativeError(svd.values, [9, 8, 3, 0.5, 0.01])).toBeLessThan(1e-10);
      expect(distance(rebuilt(svd), a)).toBeLessThan(1e-13);
      expectOrthonormal(svd, 1e-10);
      // More than there are: only those that are there.
      expect(found(randomizedSvd(a, { rank: 12, rng })).values).toHaveLength(5);
    }
  });

  it('a falling spectrum: the error is hardly above the best one, and no value too large', () => {
    const rng = createRng('falling');
    const spectrum = Array.from({ length: 80 }, (_, i) => 1 / (1 + i));
    const a = withValues(rng, 100, 80, spectrum);
    const left = (rank: number, passes: number): number => {
      const svd = found(randomizedSvd(a, { rank, rng: createRng('sketch'), passes }));
      expect(svd.values).toHaveLength(rank);
      for (const [i, value] of svd.values.entries()) expect(value).toBeLessThan((spectrum[i] ?? 0) * (1 + 1e-10));
      expectOrthonormal(svd, 1e-10);
      return Math.hypot(...rebuilt(svd).data.map((x, i) => x - (a.data[i] ?? 0)));
    };
    const best = Math.hypot(...spectrum.slice(12));
    const errors = [2, 3, 4, 5, 6].map((passes) => left(12, passes) / best);
    expect(errors).toEqual(errors.toSorted((x, y) => y - x));
    expect(errors[3]).toBeLessThan(1.005);
    expect(errors[0]).toBeGreaterThan(1.05);
  });

  it('values over 14 decades do not break it', () => {
    const rng = createRng('ill');
    const spectrum = Array.from({ length: 40 }, (_, i) => 10 ** (-i / 2.8));
    const a = withValues(rng, 50, 40, spectrum);
    const svd = found(randomizedSvd(a, { rank: 40, rng }));
    expect(relativeError(svd.values, spectrum.slice(0, 14))).toBeLessThan(1e-6);
    expect(distance(rebuilt(svd), a)).toBeLessThan(1e-7);
  });

  it('equal seeds give equal results, here and with products made elsewhere', async () => {
    const a = random(createRng('a'), 150, 200);
    const options = (seed: string): { rank: number; rng: ReturnType<typeof createRng> } => ({
      rank: 100,
      rng: createRng(seed),
    });
    let calls = 0;
    const gemm: Gemm = (x, y) => {
      calls++;
      return Promise.resolve(multiply(x, y));
    };
    const here = randomizedSvd(a, options('one'));
    expect(await randomizedSvdWith(gemm, a, options('one'))).toEqual(here);
    expect(calls).toBeGreaterThan(5);
    expect(randomizedSvd(a, options('two'))).not.toEqual(here);
  });

  it('zeros have no values, and what is not finite is declined', () => {
    const rng = createRng(0);
    expect(found(randomizedSvd(matrix(4, 5), { rank: 2, rng })).values).toHaveLength(0);
    expect(randomizedSvd(matrix(2, 2, Float64Array.of(1, 2, Number.NaN, 3)), { rank: 1, rng })).toBeUndefined();
    expect(() => randomizedSvd(matrix(2, 2), { rank: 0.5, rng })).toThrow('0.5 is no rank');
    expect(() => randomizedSvd(matrix(2, 2), { rank: 1, rng, passes: 1 })).toThrow('1 passes are too few');
  });
});
