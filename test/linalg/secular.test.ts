// Roots of the secular equation: cases worked by hand, and what must hold for any poles.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { multiplyTransposed } from '../../src/linalg/gemm.js';
import { solveSecular, type SecularProblem } from '../../src/linalg/secular.js';
import { distance, filled, identity } from './matrices.js';

/** Unit eigenvectors of D + rho z z^T, in rows. */
function vectorsOf(problem: SecularProblem): ReturnType<typeof filled> {
  const { gaps, weights } = solveSecular(problem);
  const n = weights.length;
  const rows = filled(n, n, (j, i) => (weights[i] ?? Number.NaN) / (gaps[j * n + i] ?? Number.NaN));
  const lengths = Array.from({ length: n }, (_, j) => Math.hypot(...rows.data.subarray(j * n, (j + 1) * n)));
  return filled(n, n, (j, i) => (rows.data[j * n + i] ?? Number.NaN) / (lengths[j] ?? Number.NaN));
}

describe('the secular equation', () => {
  it('by hand: poles 0 and 1, both squares a half: 1 - sqrt(1/2) and 1 + sqrt(1/2)', () => {
    const half = Math.SQRT1_2;
    const { roots, gaps } = solveSecular({
      poles: Float64Array.of(0, 1),
      weights: Float64Array.of(half, half),
      rho: 1,
    });
    expect([...roots]).toEqual([1 - half, 1 + half].map((x) => expect.closeTo(x, 15)));
    expect([...gaps]).toEqual([half - 1, half, -1 - half, -half].map((x) => expect.closeTo(x, 15)));
  });

  it('one pole moves by rho z^2; no poles have no roots', () => {
    const { roots } = solveSecular({ poles: Float64Array.of(3), weights: Float64Array.of(-2), rho: 0.5 });
    expect([...roots]).toEqual([5]);
    const none = new Float64Array(0);
    expect(solveSecular({ poles: none, weights: none, rho: 1 }).roots).toHaveLength(0);
  });

  it('tells a root from its pole where the weight is 1e-12 of the others', () => {
    // At pole 1 the other terms and the 1 add up to 1 - 1 + 1 = 1, so the root lies 1e-24 / 1 above it.
    const { gaps } = solveSecular({ poles: Float64Array.of(0, 1, 2), weights: Float64Array.of(1, 1e-12, 1), rho: 1 });
    expect((gaps[1 * 3 + 1] ?? 0) / -1e-24).toBeCloseTo(1, 6);
  });

  it('roots interlace and vectors are orthogonal, for poles far apart, close together and of every size', () => {
    const rng = createRng('secular');
    const spacings = [(): number => 1, (): number => 1e-13, (): number => 10 ** (-14 * rng.uniform())];
    for (const spacing of spacings)
      for (const size of [2, 3, 7, 60]) {
        let pole = -1;
        const poles = Float64Array.from({ length: size }, () => (pole += spacing()));
        const raw = Float64Array.from({ length: size }, () => rng.normal() * 10 ** (-3 * rng.uniform()));
        const length = Math.hypot(...raw);
        const problem = { poles, weights: raw.map((x) => x / length), rho: 0.1 + rng.uniform() };
        const { roots, gaps } = solveSecular(problem);
        // Above its own pole and below the next: not to be seen in the root itself where poles are close.
        const isBetween = Array.from(
          roots,
          (_, j) => (gaps[j * size + j] ?? 0) < 0 && (gaps[j * size + j + 1] ?? 1) > 0,
        );
        expect(isBetween.slice(0, -1).concat((gaps.at(-1) ?? 0) < 0)).not.toContain(false);
        expect([...roots]).toEqual([...roots].toSorted((x, y) => x - y));
        const vectors = vectorsOf(problem);
        expect(distance(multiplyTransposed(vectors, vectors), identity(size))).toBeLessThan(1e-14);
        // The trace: of D + rho z z^T with unit z it is that of D and rho.
        const sum = (numbers: Float64Array): number => numbers.reduce((all, x) => all + x, 0);
        const scale = size * Math.max(...poles.map(Math.abs), 1);
        expect(Math.abs(sum(roots) - sum(poles) - problem.rho) / scale).toBeLessThan(1e-14);
      }
  });
});
