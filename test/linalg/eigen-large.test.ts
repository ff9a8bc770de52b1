// Eigenvalues of matrices that are divided: known spectra, clusters that make halves nearly independent, and parts of the vectors.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { symmetricEigen, symmetricEigenWith, type SymmetricEigen } from '../../src/linalg/eigen.js';
import { multiply, multiplyTransposed, type Gemm } from '../../src/linalg/gemm.js';
import { matrix, type Matrix } from '../../src/linalg/matrix.js';
import { distance, filled, found, identity, random } from './matrices.js';

const banded = (n: number, diagonal: (i: number) => number, beside: (i: number) => number): Matrix =>
  filled(n, n, (i, j) => (i === j ? diagonal(i) : Math.abs(i - j) === 1 ? beside(Math.min(i, j)) : 0));

/** The largest error of A v = lambda v, relative to the largest eigenvalue, and of orthonormal rows; infinite where values do not fall. */
function errorOf(a: Matrix, { values, vectors }: SymmetricEigen): number {
  if (values.some((x, i) => x > (values[i - 1] ?? Infinity))) return Infinity;
  const scale = values.reduce((most, x) => Math.max(most, Math.abs(x)), Number.MIN_VALUE);
  const images = multiply(vectors, a);
  const scaled = filled(
    vectors.rows,
    a.rows,
    (i, j) => (vectors.data[i * a.rows + j] ?? 0) * (values[i] ?? Number.NaN),
  );
  const deviation = distance(multiplyTransposed(vectors, vectors), identity(vectors.rows));
  return Math.max(distance(images, scaled) / scale, deviation);
}

const BOUND = 2e-14;

describe('known spectra', () => {
  it('the second difference of 257 points has 2 - 2 cos(k pi / 258)', () => {
    const a = banded(
      257,
      () => 2,
      () => -1,
    );
    const eigen = found(symmetricEigen(a));
    expect(errorOf(a, eigen)).toBeLessThan(BOUND);
    const error = eigen.values.map((x, i) => Math.abs(x - 2 + 2 * Math.cos(((257 - i) * Math.PI) / 258)));
    expect(Math.max(...error)).toBeLessThan(2e-14);
  });

  it('the Clement matrix of 200 rows has 199, 197 to -199', () => {
    const a = banded(
      200,
      () => 0,
      (i) => Math.sqrt((i + 1) * (199 - i)),
    );
    const eigen = found(symmetricEigen(a));
    expect(errorOf(a, eigen)).toBeLessThan(BOUND);
    expect(Math.max(...eigen.values.map((x, i) => Math.abs(x - 199 + 2 * i)))).toBeLessThan(1e-11);
  });
});

describe('what must hold', () => {
  it('where reflections come in several blocks', () => {
    const b = random(createRng('several'), 300, 300);
    const a = filled(300, 300, (i, j) => (b.data[i * 300 + j] ?? 0) + (b.data[j * 300 + i] ?? 0));
    expect(errorOf(a, found(symmetricEigen(a)))).toBeLessThan(BOUND);
  });

  it.each([1e-4, 1e-10, 1e-14, 0])('glued Wilkinson matrices: 10 nearly equal ones of each value (glue %s)', (glue) => {
    const a = banded(
      210,
      (i) => Math.abs((i % 21) - 10),
      (i) => (i % 21 === 20 ? glue : 1),
    );
    expect(errorOf(a, found(symmetricEigen(a)))).toBeLessThan(BOUND);
  });

  it('graded both ways, of low rank, of ones, of nothing but a diagonal, and zero', () => {
    const n = 150;
    const thin = random(createRng('thin'), n, 9);
    for (const a of [
      filled(n, n, (i, j) => 10 ** (-(i + j) / 10) * (i === j ? 2 : 1)),
      filled(n, n, (i, j) => 10 ** ((i + j - 2 * n) / 10) * (i === j ? 2 : 1)),
      multiplyTransposed(thin, thin),
      filled(n, n, () => 1),
      banded(
        n,
        (i) => (i * 7) % 13,
        () => 0,
      ),
      matrix(n, n),
    ])
      expect(errorOf(a, found(symmetricEigen(a)))).toBeLessThan(BOUND);
  });
});

describe('some of the vectors', () => {
  it('are those of the largest values, with all values', () => {
    const b = random(createRng('some'), 120, 120);
    const a = filled(120, 120, (i, j) => (b.data[i * 120 + j] ?? 0) + (b.data[j * 120 + i] ?? 0));
    const all = found(symmetricEigen(a));
    for (const count of [0, 1, 17, 500]) {
      const some = found(symmetricEigen(a, { count }));
      const rows = Math.min(count, 120);
      expect(some.values).toEqual(all.values);
      expect(distance(some.vectors, matrix(rows, 120, all.vectors.data.slice(0, rows * 120)))).toBeLessThan(1e-12);
    }
    // Those that deflate count too: 140 equal values and 10 above them.
    const clustered = filled(150, 150, (i, j) =>
      i === j ? (i < 10 ? 5 + i : 1) : i + j === 149 && Math.min(i, j) < 10 ? 0.5 : 0,
    );
    expect(errorOf(clustered, found(symmetricEigen(clustered, { count: 30 })))).toBeLessThan(BOUND);
  });

  it('with products made elsewhere are the same; what fails there is passed on', async () => {
    const b = random(createRng('elsewhere'), 260, 260);
    const a = filled(260, 260, (i, j) => (b.data[i * 260 + j] ?? 0) + (b.data[j * 260 + i] ?? 0));
    let calls = 0;
    const gemm: Gemm = (x, y) => {
      calls++;
      return Promise.resolve(multiply(x, y));
    };
    expect(await symmetricEigenWith(gemm, a)).toEqual(symmetricEigen(a));
    expect(calls).toBeGreaterThan(3);
    await expect(symmetricEigenWith(() => Promise.reject(new Error('no runtime')), a)).rejects.toThrow('no runtime');
  });
});
