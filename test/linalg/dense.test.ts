// Dense algebra against values worked beforehand with numpy (float64), and against what must hold for any matrix.
import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from '../../src/base/rng.js';
import { cholesky, dampedCholesky, invert, solve } from '../../src/linalg/cholesky.js';
import { addProduct, blockOf, flipped, multiply, multiplyTransposed } from '../../src/linalg/gemm.js';
import {
  leadingSymmetric,
  matrix,
  packedLength,
  packedRow,
  submatrix,
  transpose,
  unpackSymmetric,
  type Matrix,
} from '../../src/linalg/matrix.js';

const filled = (rows: number, columns: number, at: (i: number, j: number) => number): Matrix =>
  matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, (_, k) => at(Math.floor(k / columns), k % columns)),
  );
const random = (rng: Rng, rows: number, columns: number): Matrix => filled(rows, columns, () => rng.normal());
const element = (m: Matrix, i: number, j: number): number => m.data[i * m.columns + j] ?? Number.NaN;

function distance(a: Matrix, b: Matrix): number {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns]);
  return Math.max(0, ...a.data.map((x, i) => Math.abs(x - (b.data[i] ?? Number.NaN))));
}

/** sin and cos of these numbers, and S = A A^T + 5 I. */
const A = filled(5, 5, (i, j) => Math.sin(1 + 7 * i + 3 * j));
const B = filled(5, 3, (i, j) => Math.cos(2 + 5 * i + j));
const S = filled(5, 5, (i, j) => element(multiplyTransposed(A, A), i, j) + (i === j ? 5 : 0));

// numpy: A @ B, numpy.linalg.cholesky(S), solve(S, B), inv(S)[0]
const PRODUCT = [
  -0.6367857660423514, -0.7098598983844108, -0.13029211383848976, -0.9780533812419536, -1.0563093776355679,
  -0.1633994036513202, -0.8379275319304492, -0.8828481437824445, -0.11608224370367419, -0.28537752935542077,
  -0.274853034045206, -0.011629926783537393, 0.40763400649050074, 0.46842349982288894, 0.09854658766376131,
];
const LOWER = [
  2.680476475181781, 0, 0, 0, 0, 1.1739469308743669, 2.8878566200947167, 0, 0, 0, 0.9549460045457852,
  0.9854465889210211, 2.557058664230492, 0, 0, 0.26592496033203156, 0.32939208664520536, 0.23997917963142054,
  2.3015983461999507, 0, -0.5539831503848404, -0.48878771555169026, -0.23984533278722614, -0.009078626832953133,
  2.331822942273507,
];
const SOLUTION = [
  -0.14408492726692648, -0.2051376669905212, -0.07758778172385183, 0.06159297284872244, -0.05017794710580968,
  -0.11581549389871947, 0.09514907022714532, 0.15684711047582964, 0.0743406406905459, -0.07685235323453148,
  0.11598559265007403, 0.202186919547167, -0.15927026412188566, -0.10616646068230469, 0.04454629709686884,
];
const INVERSE_ROW = [
  0.17123843750425388, -0.03841355410698353, -0.029158567581440684, -0.005551865559155948, 0.020787439659723444,
];

describe('against numpy', () => {
  it('multiplies', () => {
    expect(distance(multiply(A, B), matrix(5, 3, Float64Array.from(PRODUCT)))).toBeLessThan(1e-14);
  });

  it('factors, solves and inverts', () => {
    const lower = cholesky(S);
    if (!lower) throw new Error('no factor');
    expect(distance(lower, matrix(5, 5, Float64Array.from(LOWER)))).toBeLessThan(1e-14);
    expect(distance(solve(lower, B), matrix(5, 3, Float64Array.from(SOLUTION)))).toBeLessThan(1e-14);
    const first = invert(lower).data.subarray(0, 5);
    expect(distance(matrix(1, 5, first), matrix(1, 5, Float64Array.from(INVERSE_ROW)))).toBeLessThan(1e-14);
  });
});

describe('products', () => {
  it('equal the plain triple loop for sizes around the tiles and the packed depth', () => {
    const rng = createRng('products');
    for (const [m, k, n] of [
      [1, 1, 1],
      [3, 5, 2],
      [4, 4, 4],
      [9, 257, 6],
      [17, 300, 33],
      [2, 0, 3],
    ] as const) {
      const [a, b] = [random(rng, m, k), random(rng, k, n)];
      const plain = filled(m, n, (i, j) => {
        let sum = 0;
        for (let r = 0; r < k; r++) sum += element(a, i, r) * element(b, r, j);
        return sum;
      });
      expect(distance(multiply(a, b), plain)).toBeLessThan(1e-11);
      expect(distance(multiplyTransposed(a, transpose(b)), plain)).toBeLessThan(1e-11);
    }
  });

  it('add to a rectangle of a larger matrix and touch nothing else', () => {
    const rng = createRng('blocks');
    const [c, a, b] = [random(rng, 7, 9), random(rng, 3, 5), random(rng, 4, 5)];
    const expected = filled(7, 9, (i, j) => {
      if (i < 2 || i >= 5 || j < 4 || j >= 8) return element(c, i, j);
      let sum = 0;
      for (let r = 0; r < 5; r++) sum += element(a, i - 2, r) * element(b, j - 4, r);
      return element(c, i, j) - 2 * sum;
    });
    addProduct(blockOf(c, 2, 5, 4, 8), blockOf(a, 0, 3, 0, 5), flipped(blockOf(b, 0, 4, 0, 5)), -2);
    expect(distance(c, expected)).toBeLessThan(1e-13);
  });

  it('refuse sizes that do not fit', () => {
    expect(() => multiply(A, matrix(4, 2))).toThrow('5x5 by 4x2');
    expect(() => matrix(2, 2, new Float64Array(3))).toThrow('cannot have 3 elements');
  });
});

describe('packed triangles', () => {
  it('keep every element once', () => {
    const n = 6;
    const packed = new Float64Array(packedLength(n));
    for (let i = 0; i < n; i++) for (let j = i; j < n; j++) packed[packedRow(n, i) + j] = 10 * i + j;
    const symmetric = filled(n, n, (i, j) => 10 * Math.min(i, j) + Math.max(i, j));
    expect(unpackSymmetric(packed, n)).toEqual(symmetric);
    expect(leadingSymmetric(packed, n, 4)).toEqual(submatrix(symmetric, [0, 1, 2, 3], [0, 1, 2, 3]));
    expect(submatrix(symmetric, [5, 0], [1]).data).toEqual(Float64Array.of(15, 1));
  });
});

describe('Cholesky', () => {
  it('factors and solves systems larger than a block', () => {
    const rng = createRng('cholesky');
    for (const n of [1, 47, 48, 49, 131]) {
      const a = random(rng, n, n + 3);
      const gram = multiplyTransposed(a, a);
      const lower = cholesky(gram);
      if (!lower) throw new Error(`no factor of size ${n}`);
      expect(distance(multiplyTransposed(lower, lower), gram)).toBeLessThan(1e-10);
      expect(lower.data.every((x, k) => k % n <= Math.floor(k / n) || x === 0)).toBe(true);
      const x = random(rng, n, 5);
      const b = multiply(gram, x);
      const kept = Float64Array.from(b.data);
      const residual = distance(multiply(gram, solve(lower, b)), b);
      expect(residual).toBeLessThan(1e-9);
      expect(b.data).toEqual(kept);
    }
  });

  it('reads the lower triangle only', () => {
    const upperless = filled(5, 5, (i, j) => (j > i ? Number.NaN : element(S, i, j)));
    expect(cholesky(upperless)).toEqual(cholesky(S));
  });

  it('declines what is not positive definite or not finite', () => {
    expect(cholesky(matrix(2, 2, Float64Array.of(1, 2, 2, 1)))).toBeUndefined();
    expect(cholesky(matrix(2, 2))).toBeUndefined();
    expect(cholesky(matrix(1, 1, Float64Array.of(Infinity)))).toBeUndefined();
    expect(dampedCholesky(matrix(1, 1, Float64Array.of(Number.NaN)))).toBeUndefined();
  });

  it('adds the damping to the diagonal, relative to its mean, but not where it is left out', () => {
    const diagonal = filled(3, 3, (i, j) => (i === j ? [2, 6, 100][i] : 0) ?? 0);
    const damped = dampedCholesky(diagonal, { damping: 0.5, undamped: [2] });
    expect(damped?.damping).toBe(0.5);
    expect([0, 4, 8].map((k) => (damped?.lower.data[k] ?? 0) ** 2)).toEqual([4, 8, 100].map((x) => expect.closeTo(x)));
  });

  it('raises the damping until there is a factor', () => {
    const rng = createRng('singular');
    const a = random(rng, 12, 4);
    const singular = multiplyTransposed(a, a);
    const damped = dampedCholesky(singular);
    expect(damped?.damping).toBeGreaterThan(0);
    expect(damped?.damping).toBeLessThan(1e-6);
    const zero = dampedCholesky(matrix(3, 3));
    expect(zero?.damping).toBeGreaterThan(0);
    // The lowest eigenvalue is -2, the mean of the diagonal 1.
    expect(dampedCholesky(matrix(2, 2, Float64Array.of(1, 3, 3, 1)))?.damping).toBeCloseTo(10);
  });
});
