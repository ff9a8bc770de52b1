// The basis of a stream against what defines it: inverse to its back, uncorrelated, of unit weight; and what cannot be read is last.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { covarianceOf, streamBasis, type StreamBasis } from '../../src/fit/stream-basis.js';
import { multiply, multiplyTransposed } from '../../src/linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../src/linalg/matrix.js';

const rng = createRng('stream basis');
const random = (rows: number, columns: number): Matrix =>
  matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => rng.normal()),
  );
const diagonal = (numbers: ArrayLike<number>): Matrix => {
  const n = numbers.length;
  return matrix(
    n,
    n,
    Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? (numbers[k / (n + 1)] ?? 0) : 0)),
  );
};
const ones = (n: number): Matrix => diagonal(Array.from({ length: n }, () => 1));
const distance = (a: Matrix, b: Matrix): number =>
  Math.max(...a.data.map((x, i) => Math.abs(x - (b.data[i] ?? Number.NaN))));
const trace = ({ rows, data }: Matrix): number =>
  Array.from({ length: rows }, (_, i) => data[i * rows + i] ?? 0).reduce((sum, x) => sum + x, 0);

function found(covariance: Matrix, weight: Matrix): StreamBasis {
  const basis = streamBasis(covariance, weight);
  if (!basis) throw new Error('no basis');
  return basis;
}

/** trace(M (I - P) S (I - P)^T), P = B F of the first k coordinates. */
function lossOf({ forward, back }: StreamBasis, k: number, covariance: Matrix, weight: Matrix): number {
  const n = forward.rows;
  const kept = diagonal(Array.from({ length: n }, (_, i) => (i < k ? 0 : 1)));
  const rest = multiply(back, multiply(kept, forward));
  return trace(multiply(weight, multiplyTransposed(multiply(rest, covariance), rest)));
}

describe('streamBasis', () => {
  const [a, w] = [random(12, 12), random(20, 12)];
  const [covariance, weight] = [multiplyTransposed(a, a), multiply(transpose(w), w)];
  const basis = found(covariance, weight);

  it('has an inverse, uncorrelated coordinates, and readers that weigh them alike', () => {
    const { forward, back, variances } = basis;
    expect(distance(multiply(forward, back), ones(12))).toBeLessThan(1e-10);
    const turned = multiplyTransposed(multiply(forward, covariance), forward);
    expect(distance(turned, diagonal(variances)) / (variances[0] ?? 0)).toBeLessThan(1e-10);
    expect([...variances]).toEqual([...variances].toSorted((x, y) => y - x));
    expect(distance(multiply(transpose(back), multiply(weight, back)), ones(12))).toBeLessThan(1e-4);
  });

  it('what is lost without the last coordinates is their variance, and less than in other bases', () => {
    for (const k of [3, 6, 11]) {
      const lost = lossOf(basis, k, covariance, weight);
      expect(lost / basis.variances.subarray(k).reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 4);
      for (const other of [found(covariance, ones(12)), found(ones(12), weight), found(ones(12), ones(12))])
        expect(lost).toBeLessThan(lossOf(other, k, covariance, weight));
    }
  });

  it('two channels worked by hand: equal and opposite ones that are read as their sum', () => {
    // x1 - x2 varies nine times as much as x1 + x2, but nobody reads it.
    const s = matrix(2, 2, Float64Array.of(5, -4, -4, 5));
    const { forward, variances } = found(s, matrix(2, 2, Float64Array.of(1, 1, 1, 1)));
    expect(variances[0]).toBeCloseTo(2, 4);
    expect(variances[1]).toBeLessThan(1e-4);
    const [p = 0, q = 0] = forward.data;
    expect(p / q).toBeCloseTo(1, 3);
    expect(Math.abs(p)).toBeCloseTo(1, 3);
  });

  it('declines what is not finite', () => {
    expect(streamBasis(covariance, diagonal(Array.from({ length: 12 }, () => Number.NaN)))).toBeUndefined();
    expect(streamBasis(diagonal(Array.from({ length: 12 }, () => Infinity)), weight)).toBeUndefined();
  });
});

describe('covarianceOf', () => {
  it('takes the mean out: rows (1, 2), (3, 2), (5, 8)', () => {
    const gram = Float64Array.of(1 + 9 + 25, 2 + 6 + 40, 9, 4 + 4 + 64, 12, 3);
    const moments = { columns: 3, outputs: 0, rows: 3, gram, cross: new Float64Array(), energy: new Float64Array() };
    expect([...covarianceOf(moments).data]).toEqual([8 / 3, 4, 4, 8].map((x) => expect.closeTo(x, 12)));
  });
});
