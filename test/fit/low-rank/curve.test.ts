// Curves of error against rank, against the chains that they stand for.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { relativeError } from '../../../src/fit/low-rank/compose.js';
import { errorCurve, rankGrid } from '../../../src/fit/low-rank/curve.js';
import { factorize } from '../../../src/fit/low-rank/factorize.js';
import { lowRankProblem, type LowRankProblem } from '../../../src/fit/low-rank/problem.js';
import { fullRanks, schemesFor } from '../../../src/fit/low-rank/scheme-rules.js';
import { momentsOf, normals, patchRows, square } from './chains.js';

const layer = square(6, 8);
const rng = createRng('curve');
const weights = normals(rng, 6 * 8 * 9);
const bias = normals(rng, 8);
const moments = momentsOf(patchRows(rng, 54, 300));
const plain = lowRankProblem({ layer, weights, bias, metric: { kind: 'plain' } });
const outputs = lowRankProblem({ layer, weights, bias, metric: { kind: 'outputs', moments, damping: 1e-7 } });

async function realErrors(
  problem: LowRankProblem,
  scheme: 'channel-svd' | 'spatial-svd' | 'tucker-2' | 'cp',
): Promise<number[]> {
  const errors: number[] = [];
  for (const ranks of rankGrid(layer, scheme)) {
    const chain = await factorize(problem, scheme, ranks);
    errors.push(relativeError(layer, { weights, bias }, chain, problem.metric === 'plain' ? undefined : moments));
  }
  return errors;
}

describe('curve of error against rank', () => {
  it('is exact for the SVD', async () => {
    for (const problem of [await plain, await outputs]) {
      const real = await realErrors(problem, 'channel-svd');
      const curve = await errorCurve(problem, 'channel-svd');
      curve.forEach(({ error }, i) => expect(error).toBeCloseTo(real[i] ?? Number.NaN, 5));
    }
  });

  it.each(['spatial-svd', 'tucker-2'] as const)(
    'of %s is not below what the chain has, and not far above',
    async (scheme) => {
      for (const problem of [await plain, await outputs]) {
        const real = await realErrors(problem, scheme);
        const curve = await errorCurve(problem, scheme);
        for (const [i, { error }] of curve.entries()) {
          expect(error).toBeGreaterThan((real[i] ?? 0) - 1e-3);
          expect(error).toBeLessThan(8 * (real[i] ?? 0) + 1e-3);
        }
      }
    },
  );

  it('of CP is near to what the chain has', async () => {
    const real = await realErrors(await plain, 'cp');
    const curve = await errorCurve(await plain, 'cp');
    for (const [i, { error }] of curve.entries()) expect(Math.abs(error - (real[i] ?? 0))).toBeLessThan(0.05);
  });

  it('falls with every rank, and ends near 0 where all is kept', async () => {
    for (const problem of [await plain, await outputs])
      for (const scheme of schemesFor(layer).offered) {
        const curve = await errorCurve(problem, scheme);
        const rises = curve.flatMap((a) =>
          curve.filter((b) => a.ranks.every((rank, i) => rank <= (b.ranks[i] ?? 0)) && b.error > a.error + 1e-9),
        );
        expect(rises).toEqual([]);
        expect(curve.at(-1)?.error).toBeLessThan(scheme.includes('cp') ? 1 : 1e-6);
        expect(curve.every(({ error }) => error >= 0 && error < 1.0001)).toBe(true);
      }
  });

  it('takes ranks of the caller', async () => {
    const curve = await errorCurve(await outputs, 'tucker-2', [
      [2, 3],
      [6, 8],
    ]);
    expect(curve.map(({ ranks }) => ranks)).toEqual([
      [2, 3],
      [6, 8],
    ]);
  });

  it('counts what targets keep beyond every chain', async () => {
    const rows = patchRows(createRng('noise rows'), 54, 400);
    const noise = createRng('noise');
    const targets = rows.map(() => Array.from({ length: 8 }, () => noise.normal()));
    const metric = { kind: 'outputs', moments: momentsOf(rows, targets) } as const;
    const curve = await errorCurve(await lowRankProblem({ layer, weights, bias, metric }), 'channel-svd');
    // Targets that have nothing to do with the patches.
    expect(curve.every(({ error }) => error > 0.5)).toBe(true);
  });

  it('is all zeros, not a division by 0, for zero weights', async () => {
    const zeros = await lowRankProblem({ layer, weights: new Float64Array(432), metric: { kind: 'outputs', moments } });
    for (const scheme of schemesFor(layer).offered)
      expect((await errorCurve(zeros, scheme)).every(({ error }) => error === 0)).toBe(true);
  });

  it('works on large layers by the covariances of channels and taps where the equations would be too many', async () => {
    const wide = square(160, 20);
    const seed = createRng('wide');
    const own = normals(seed, 160 * 20 * 9);
    const sample = Array.from({ length: 100 }, () => Array.from({ length: 1440 }, () => Math.fround(seed.normal())));
    const metric = { kind: 'outputs', moments: momentsOf(sample) } as const;
    const problem = await lowRankProblem({ layer: wide, weights: own, metric });
    const curve = await errorCurve(problem, 'tucker-2', [
      [64, 20],
      [144, 20],
      [160, 20],
    ]);
    const errors = curve.map(({ error }) => error);
    expect(errors[0]).toBeGreaterThan(errors[1] ?? Infinity);
    expect(errors[1]).toBeGreaterThan(errors[2] ?? Infinity);
    expect(errors[2]).toBeLessThan(1e-6);
    expect(fullRanks(wide, 'tucker-2')).toEqual([160, 20]);
  });
});
