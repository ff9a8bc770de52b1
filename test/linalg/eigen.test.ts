// Eigenvalues against those worked by hand or known in closed form, and against what must hold for any symmetric matrix.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { symmetricEigen, type SymmetricEigen } from '../../src/linalg/eigen.js';
import { multiply, multiplyTransposed } from '../../src/linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../src/linalg/matrix.js';

const filled = (n: number, at: (i: number, j: number) => number): Matrix =>
  matrix(
    n,
    n,
    Float64Array.from({ length: n * n }, (_, k) => at(Math.floor(k / n), k % n)),
  );
const element = (m: Matrix, i: number, j: number): number => m.data[i * m.columns + j] ?? Number.NaN;
const identity = (n: number): Matrix => filled(n, (i, j) => (i === j ? 1 : 0));
const distance = (a: Matrix, b: Matrix): number =>
  Math.max(0, ...a.data.map((x, i) => Math.abs(x - (b.data[i] ?? Number.NaN))));

function found(a: Matrix): SymmetricEigen {
  const eigen = symmetricEigen(a);
  if (!eigen) throw new Error('no eigenvalues');
  return eigen;
}

/** V^T diag(values) V. */
function rebuilt({ values, vectors }: SymmetricEigen): Matrix {
  const scaled = filled(vectors.rows, (i, j) => element(vectors, i, j) * (values[i] ?? Number.NaN));
  return multiply(transpose(vectors), scaled);
}

/** All that must hold, relative to the largest element. */
function expectEigen(a: Matrix, tolerance = 1e-13): SymmetricEigen {
  const eigen = found(a);
  const scale = Math.max(...a.data.map(Math.abs), Number.MIN_VALUE);
  expect(distance(rebuilt(eigen), a) / scale).toBeLessThan(tolerance * a.rows);
  expect(distance(multiplyTransposed(eigen.vectors, eigen.vectors), identity(a.rows))).toBeLessThan(tolerance * a.rows);
  expect([...eigen.values]).toEqual([...eigen.values].toSorted((x, y) => y - x));
  return eigen;
}

describe('worked by hand', () => {
  it('2 x 2: [2 1; 1 2] has 3 along (1, 1) and 1 along (1, -1)', () => {
    const { values, vectors } = found(matrix(2, 2, Float64Array.of(2, 1, 1, 2)));
    expect([...values]).toEqual([expect.closeTo(3, 14), expect.closeTo(1, 14)]);
    const half = Math.SQRT1_2;
    expect([...vectors.data.map(Math.abs)]).toEqual([half, half, half, half].map((x) => expect.closeTo(x, 14)));
    expect(element(vectors, 0, 0) * element(vectors, 0, 1)).toBeGreaterThan(0);
    expect(element(vectors, 1, 0) * element(vectors, 1, 1)).toBeLessThan(0);
  });

  it('3 x 3: [2 0 0; 0 3 4; 0 4 9] has 11 along (0, 1, 2), 2 along (1, 0, 0) and 1 along (0, 2, -1)', () => {
    const { values, vectors } = found(matrix(3, 3, Float64Array.of(2, 0, 0, 0, 3, 4, 0, 4, 9)));
    expect([...values]).toEqual([11, 2, 1].map((x) => expect.closeTo(x, 13)));
    const [one, two] = [1 / Math.sqrt(5), 2 / Math.sqrt(5)];
    expect([...vectors.data]).toEqual([0, one, two, 1, 0, 0, 0, two, -one].map((x) => expect.closeTo(x, 13)));
  });

  it('the second difference of 100 points has 2 - 2 cos(k pi / 101)', () => {
    const n = 100;
    const eigen = expectEigen(filled(n, (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0)));
    const known = Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos(((n - k) * Math.PI) / (n + 1)));
    expect(Math.max(...known.map((x, i) => Math.abs(x - (eigen.values[i] ?? 0))))).toBeLessThan(1e-13);
  });

  it('sizes 0 and 1, zeros, and what is diagonal already', () => {
    expect(found(matrix(0, 0)).values).toHaveLength(0);
    const one = found(matrix(1, 1, Float64Array.of(-7)));
    expect([[...one.values], [...one.vectors.data]]).toEqual([[-7], [1]]);
    expect([...expectEigen(matrix(4, 4)).values]).toEqual([0, 0, 0, 0]);
    expect([...found(filled(4, (i, j) => (i === j ? ([3, -1, 5, 0][i] ?? 0) : 0))).values]).toEqual([5, 3, 0, -1]);
  });
});

describe('what must hold', () => {
  it('random matrices of many sizes, scales and ranks', () => {
    const rng = createRng('eigen');
    for (const n of [2, 3, 5, 16, 33, 80])
      for (const scale of [1, 1e-200, 1e150]) {
        const b = filled(n, () => rng.normal() * scale);
        expectEigen(filled(n, (i, j) => element(b, i, j) + element(b, j, i)));
      }
    const thin = matrix(
      60,
      7,
      Float64Array.from({ length: 420 }, () => rng.normal()),
    );
    const { values } = expectEigen(multiplyTransposed(thin, thin));
    expect(values[6]).toBeGreaterThan(1);
    expect(Math.max(...values.subarray(7).map(Math.abs))).toBeLessThan(1e-12);
  });

  it('many equal eigenvalues, and eigenvalues over 16 decades', () => {
    const { values } = expectEigen(filled(50, (i, j) => (i === j ? 3 : 2)));
    expect(values[0]).toBeCloseTo(101, 10);
    expect([...values.subarray(1)]).toEqual(Array.from({ length: 49 }, () => expect.closeTo(1, 11)));
    expectEigen(filled(40, (i, j) => 10 ** (-(i + j) / 5) * (i === j ? 2 : 1)));
  });

  it('the lower triangle is read, and the matrix stays as it is', () => {
    const full = matrix(3, 3, Float64Array.of(2, 0, 0, 0, 3, 4, 0, 4, 9));
    const lower = matrix(3, 3, Float64Array.of(2, 99, 99, 0, 3, 99, 0, 4, 9));
    const before = [...lower.data];
    expect([...found(lower).values]).toEqual([...found(full).values].map((x) => expect.closeTo(x, 12)));
    expect([...lower.data]).toEqual(before);
  });

  it('declines what is not finite, and what is not square', () => {
    expect(symmetricEigen(matrix(2, 2, Float64Array.of(1, 0, Number.NaN, 1)))).toBeUndefined();
    expect(symmetricEigen(matrix(2, 2, Float64Array.of(1, 0, Infinity, 1)))).toBeUndefined();
    expect(() => symmetricEigen(matrix(1, 2))).toThrow('no eigenvalues');
  });
});
