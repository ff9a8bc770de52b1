// Pivoted QR, least squares and condition numbers: figures of numpy, cases worked by hand, and the systems they must warn of.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { cholesky } from '../../src/linalg/cholesky.js';
import { choleskyCondition } from '../../src/linalg/condition.js';
import { multiply, multiplyTransposed } from '../../src/linalg/gemm.js';
import { leastSquares } from '../../src/linalg/least-squares.js';
import { matrix, submatrix, transpose, type Matrix } from '../../src/linalg/matrix.js';
import { pivotedQr } from '../../src/linalg/qr.js';
import { distance, filled, found, identity, random, withValues } from './matrices.js';

const indices = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const A = filled(6, 3, (i, j) => Math.sin(1 + i * i + 3 * j * (i + 1)));
const B = filled(6, 2, (i, j) => Math.cos(j === 0 ? i : 2 + 3 * i));

describe('pivoted QR', () => {
  it('gives the columns in order, orthonormal Q and a falling diagonal', () => {
    const rng = createRng('qr');
    for (const [m, n] of [
      [1, 1],
      [8, 3],
      [3, 8],
      [20, 20],
    ] as const) {
      for (const a of [random(rng, m, n), multiply(random(rng, m, 2), random(rng, 2, n)), matrix(m, n)]) {
        const { q, r, order } = pivotedQr(a);
        expect(distance(multiply(q, r), submatrix(a, indices(m), order))).toBeLessThan(1e-13);
        expect(distance(multiply(transpose(q), q), identity(Math.min(m, n)))).toBeLessThan(1e-14);
        const pivots = indices(r.rows).map((i) => Math.abs(r.data[i * n + i] ?? 0));
        for (const [i, pivot] of pivots.slice(1).entries()) expect(pivot).toBeLessThan((pivots[i] ?? 0) + 1e-13);
        expect(r.data.every((x, k) => k % n >= Math.floor(k / n) || x === 0)).toBe(true);
      }
    }
  });

  it('shows the rank on the diagonal', () => {
    const rng = createRng('qr rank');
    const { r } = pivotedQr(multiply(random(rng, 12, 4), random(rng, 4, 9)));
    expect(Math.abs(r.data[3 * 9 + 3] ?? 0)).toBeGreaterThan(1e-3);
    expect(Math.abs(r.data[4 * 9 + 4] ?? 0)).toBeLessThan(1e-13);
  });
});

describe('least squares', () => {
  it('agrees with numpy', () => {
    const { solution, residuals, rank, conditioning } = found(leastSquares(A, B));
    const known = [
      0.746190342030263, -0.07251730776532266, -0.03946149556408574, 0.17138964392872671, -0.0834977943640657,
      0.16815633054023424,
    ];
    expect(distance(solution, matrix(3, 2, Float64Array.from(known)))).toBeLessThan(1e-14);
    expect([...residuals]).toEqual([0.6506807412605393, 0.1988750060604272].map((x) => expect.closeTo(x, 13)));
    expect([rank, conditioning]).toEqual([3, 'well']);
  });

  it('by hand: a line through (0, 1), (1, 3), (2, 4) is 7/6 + 3/2 x', () => {
    const line = found(
      leastSquares(matrix(3, 2, Float64Array.of(1, 0, 1, 1, 1, 2)), matrix(3, 1, Float64Array.of(1, 3, 4))),
    );
    expect([...line.solution.data]).toEqual([expect.closeTo(7 / 6, 14), expect.closeTo(1.5, 14)]);
    expect(line.residuals[0]).toBeCloseTo(1 / 6, 14);
  });

  it('says ill where rounding errors show, and well where only the scale of unknowns differs', () => {
    const rng = createRng('ill');
    const x = random(rng, 6, 1);
    const ill = withValues(rng, 30, 6, [1, 1, 1, 1, 1, 1e-10]);
    const { conditioning, condition, rank, solution } = found(leastSquares(ill, multiply(ill, x)));
    expect([conditioning, rank]).toEqual(['ill', 6]);
    expect(condition).toBeGreaterThan(1e9);
    expect(condition).toBeLessThan(1e11);
    expect(distance(solution, x)).toBeLessThan(1e-4);
    expect(found(leastSquares(ill, multiply(ill, x), { limit: 1e12 })).conditioning).toBe('well');
    const scaled = filled(6, 3, (i, j) => (A.data[i * 3 + j] ?? 0) * 10 ** (-100 * j));
    const other = found(leastSquares(scaled, B));
    expect(other.conditioning).toBe('well');
    expect(other.condition).toBeCloseTo(found(leastSquares(A, B)).condition, 10);
    expect((other.solution.data[4] ?? 0) / 1e200).toBeCloseTo(-0.0834977943640657, 12);
  });

  it('says deficient where unknowns are free, and still leaves the least residual', () => {
    const rng = createRng('free');
    const a = multiply(random(rng, 12, 2), random(rng, 2, 5));
    const target = multiply(a, random(rng, 5, 1));
    const { conditioning, rank, residuals, solution } = found(leastSquares(a, target));
    expect([conditioning, rank]).toEqual(['deficient', 2]);
    expect(residuals[0]).toBeLessThan(1e-25);
    expect(solution.data.filter((x) => x === 0)).toHaveLength(3);
    expect(found(leastSquares(random(rng, 2, 4), random(rng, 2, 1))).conditioning).toBe('deficient');
    const zero = found(leastSquares(matrix(3, 2), random(rng, 3, 1)));
    expect([zero.rank, zero.conditioning, ...zero.solution.data]).toEqual([0, 'deficient', 0, 0]);
  });

  it('declines what is not finite, and refuses sizes that do not fit', () => {
    expect(leastSquares(matrix(1, 1, Float64Array.of(Number.NaN)), matrix(1, 1))).toBeUndefined();
    expect(() => leastSquares(A, matrix(5, 1))).toThrow('5 right-hand sides for 6 equations');
  });
});

describe('condition numbers', () => {
  const conditionOf = (a: Matrix): number => choleskyCondition(a, found(cholesky(a)));

  it('of a diagonal are exact, of other matrices near the true one (numpy)', () => {
    expect(conditionOf(filled(3, 3, (i, j) => (i === j ? ([4, 1, 0.01][i] ?? 0) : 0)))).toBeCloseTo(400, 9);
    const damped = multiplyTransposed(transpose(A), transpose(A));
    for (let i = 0; i < 3; i++) damped.data[i * 4] = (damped.data[i * 4] ?? 0) + 0.01;
    const estimate = conditionOf(damped);
    expect(estimate).toBeLessThan(3.6347302471871665 * (1 + 1e-12));
    expect(estimate).toBeGreaterThan(3.6347302471871665 / 3);
    const hilbert = conditionOf(filled(8, 8, (i, j) => 1 / (i + j + 1)));
    expect(hilbert).toBeGreaterThan(33872792384 / 3);
    expect(hilbert).toBeLessThan(33872792384 * 1.001);
  });
});
