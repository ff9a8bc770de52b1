// Unfoldings, Khatri-Rao products and products along an axis: small cases worked by hand, and the identities that tie them together.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { multiply, multiplyTransposed } from '../../src/linalg/gemm.js';
import { matrix, type Matrix } from '../../src/linalg/matrix.js';
import { denseArray, fold, khatriRao, modeProduct, modeProductWith, unfold } from '../../src/linalg/unfolding.js';

const counted = (count: number): Float64Array => Float64Array.from({ length: count }, (_, i) => i);
const rows = (m: Matrix): number[][] =>
  Array.from({ length: m.rows }, (_, i) => [...m.data.subarray(i * m.columns, (i + 1) * m.columns)]);

describe('unfoldings', () => {
  it('of 2 x 3 x 2, by hand', () => {
    const array = denseArray([2, 3, 2], counted(12));
    expect(rows(unfold(array, 0))).toEqual([
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9, 10, 11],
    ]);
    expect(rows(unfold(array, 1))).toEqual([
      [0, 1, 6, 7],
      [2, 3, 8, 9],
      [4, 5, 10, 11],
    ]);
    expect(rows(unfold(array, 2))).toEqual([
      [0, 2, 4, 6, 8, 10],
      [1, 3, 5, 7, 9, 11],
    ]);
  });

  it('fold back along every axis', () => {
    const array = denseArray([3, 4, 1, 5], counted(60));
    for (const axis of [0, 1, 2, 3]) expect(fold(unfold(array, axis), axis, array.shape)).toEqual(array);
    const vector = denseArray([4], counted(4));
    expect(fold(unfold(vector, 0), 0, [4])).toEqual(vector);
  });

  it('refuse axes and shapes that do not fit', () => {
    expect(() => unfold(denseArray([2, 2]), 2)).toThrow('no axis 2');
    expect(() => fold(matrix(2, 3), 0, [2, 2])).toThrow('2x3 is no unfolding of 2x2 along axis 0');
    expect(() => denseArray([2, 2], counted(5))).toThrow('cannot have 5 elements');
  });
});

describe('Khatri-Rao products', () => {
  it('of 2 x 2 by 3 x 2, by hand', () => {
    const product = khatriRao([
      matrix(2, 2, Float64Array.of(1, 2, 3, 4)),
      matrix(3, 2, Float64Array.of(5, 6, 7, 8, 9, 10)),
    ]);
    expect(rows(product)).toEqual([
      [5, 12],
      [7, 16],
      [9, 20],
      [15, 24],
      [21, 32],
      [27, 40],
    ]);
  });

  it('give every unfolding of a sum of outer products', () => {
    const rng = createRng('cp');
    const shape = [3, 4, 2, 5];
    const factors = shape.map((extent) =>
      matrix(
        extent,
        3,
        Float64Array.from({ length: extent * 3 }, () => rng.normal()),
      ),
    );
    const data = Float64Array.from({ length: 120 }, (_, at) => {
      const index = [Math.floor(at / 40), Math.floor(at / 10) % 4, Math.floor(at / 5) % 2, at % 5];
      const term = (r: number): number =>
        factors.reduce((product, factor, axis) => product * (factor.data[(index[axis] ?? 0) * 3 + r] ?? Number.NaN), 1);
      return term(0) + term(1) + term(2);
    });
    for (const [axis, factor] of factors.entries()) {
      const expected = multiplyTransposed(factor, khatriRao(factors.toSpliced(axis, 1)));
      const actual = unfold(denseArray(shape, data), axis);
      expect(Math.max(...actual.data.map((x, i) => Math.abs(x - (expected.data[i] ?? Number.NaN))))).toBeLessThan(
        1e-13,
      );
    }
  });

  it('of one factor is that factor; of none, or of unequal columns, there is none', () => {
    const one = matrix(2, 2, counted(4));
    expect(khatriRao([one])).toEqual(one);
    expect(() => khatriRao([])).toThrow('needs a factor');
    expect(() => khatriRao([one, matrix(2, 3)])).toThrow('2 and 3 columns');
  });
});

describe('products along an axis', () => {
  it('of 2 x 3 x 2 with 1 x 3, by hand', async () => {
    const array = denseArray([2, 3, 2], counted(12));
    const factor = matrix(1, 3, Float64Array.of(1, 10, 100));
    const expected = denseArray([2, 1, 2], Float64Array.of(420, 531, 1086, 1197));
    expect(modeProduct(array, 1, factor)).toEqual(expected);
    expect(await modeProductWith((a, b) => Promise.resolve(multiply(a, b)), array, 1, factor)).toEqual(expected);
  });

  it('along different axes commute', () => {
    const array = denseArray([2, 3, 4], counted(24));
    const [a, b] = [matrix(2, 2, Float64Array.of(1, 2, 3, 4)), matrix(3, 4, counted(12))];
    expect(modeProduct(modeProduct(array, 0, a), 2, b)).toEqual(modeProduct(modeProduct(array, 2, b), 0, a));
  });
});
