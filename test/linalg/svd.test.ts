// Singular values against those worked by hand and by numpy, and against what must hold for any matrix.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { multiply, type Gemm } from '../../src/linalg/gemm.js';
import { matrix } from '../../src/linalg/matrix.js';
import { gramSvd, gramSvdWith } from '../../src/linalg/svd.js';
import { expectOrthonormal, found, random, rebuilt, distance, relativeError, WAVES, withValues } from './matrices.js';

// numpy.linalg.svd(WAVES): values, and the first column of U and row of V^T, the first element positive.
const WAVES_VALUES = [2.4471854895790024, 2.2635100655610363, 1.2057773480954461, 0.4434306852909507];
const WAVES_U = [0.17255228947756807, 0.8103974306387398, -0.23928503594524664, 0.5061861153596185];
const WAVES_V = [
  0.34168653894076906, 0.17557616823333036, 0.5665497743909336, 0.39657843214541544, 0.5030311671009218,
  0.3480371581813203,
];

describe('through the Gram matrix', () => {
  it('by hand: [3 0; 4 5] is 3 sqrt 5 and sqrt 5 along (1, 3) and (3, -1)', () => {
    const svd = found(gramSvd(matrix(2, 2, Float64Array.of(3, 0, 4, 5))));
    expect([...svd.values]).toEqual([expect.closeTo(Math.sqrt(45), 13), expect.closeTo(Math.sqrt(5), 13)]);
    const [a, b] = [1 / Math.sqrt(10), 3 / Math.sqrt(10)];
    expect([...svd.u.data].map(Math.abs)).toEqual([a, b, b, a].map((x) => expect.closeTo(x, 13)));
    expect(distance(rebuilt(svd), matrix(2, 2, Float64Array.of(3, 0, 4, 5)))).toBeLessThan(1e-14);
  });

  it('wide, tall and square matrices come back, and with a rank the error is the values left out', () => {
    const rng = createRng('svd');
    for (const [m, n] of [
      [1, 1],
      [1, 9],
      [7, 2],
      [12, 40],
      [40, 12],
      [33, 33],
    ] as const) {
      const a = random(rng, m, n);
      const svd = found(gramSvd(a));
      expect(svd.values).toHaveLength(Math.min(m, n));
      expect(distance(rebuilt(svd), a)).toBeLessThan(1e-12);
      expectOrthonormal(svd, 1e-10);
      const rank = Math.ceil(Math.min(m, n) / 3);
      const cut = found(gramSvd(a, { rank }));
      expect([cut.u.rows, cut.u.columns, cut.vt.rows, cut.vt.columns]).toEqual([m, rank, rank, n]);
      const error = rebuilt(cut).data.reduce((sum, x, i) => sum + (x - (a.data[i] ?? 0)) ** 2, 0);
      const left = svd.values.subarray(rank).reduce((sum, x) => sum + x * x, 0);
      expect(error).toBeCloseTo(left, 10);
    }
  });

  it('leaves out what rounding hides: a product of rank 5 has 5 values, zeros have none', () => {
    const rng = createRng('rank');
    const svd = found(gramSvd(multiply(random(rng, 30, 5), random(rng, 5, 50))));
    expect(svd.values).toHaveLength(5);
    expectOrthonormal(svd, 1e-11);
    const none = found(gramSvd(matrix(3, 8)));
    expect([none.values.length, none.u.rows, none.u.columns, none.vt.rows, none.vt.columns]).toEqual([0, 3, 0, 0, 8]);
  });

  it('declines what is not finite and refuses what is no rank', () => {
    expect(gramSvd(matrix(2, 3, Float64Array.of(1, 2, Number.NaN, 0, 0, 1)))).toBeUndefined();
    expect(() => gramSvd(matrix(2, 2), { rank: 0 })).toThrow('0 is no rank');
    expect(() => gramSvd(matrix(2, 2), { rank: 1.5 })).toThrow('1.5 is no rank');
  });

  it('gives the same with products made elsewhere, and sends only heavy ones there', async () => {
    const rng = createRng('gemm');
    const sizes: number[][] = [];
    const gemm: Gemm = (a, b) => {
      sizes.push([a.rows, a.columns, b.columns]);
      return Promise.resolve(multiply(a, b));
    };
    const small = random(rng, 10, 20);
    expect(await gramSvdWith(gemm, small)).toEqual(gramSvd(small));
    expect(sizes).toEqual([]);
    const large = random(rng, 600, 100);
    expect(await gramSvdWith(gemm, large, { rank: 40 })).toEqual(gramSvd(large, { rank: 40 }));
    expect(sizes).toEqual([
      [100, 600, 100],
      [40, 100, 600],
    ]);
  });

  it('agrees with numpy', () => {
    const { values, u, vt } = found(gramSvd(WAVES));
    expect(relativeError(values, WAVES_VALUES)).toBeLessThan(1e-13);
    const first = { u: [...u.data].filter((_, k) => k % 4 === 0), v: [...vt.data.subarray(0, 6)] };
    const sign = Math.sign(first.v[0] ?? 0);
    expect(first.u.map((x) => x * sign)).toEqual(WAVES_U.map((x) => expect.closeTo(x, 13)));
    expect(first.v.map((x) => x * sign)).toEqual(WAVES_V.map((x) => expect.closeTo(x, 13)));
  });

  it('has 1e-5 of the largest value right to 1e-6 of itself, and leaves out what lies below 1e-7', () => {
    const rng = createRng('decades');
    const spectrum = Array.from({ length: 64 }, (_, i) => 10 ** (-i / 6));
    const a = withValues(rng, 64, 256, spectrum);
    const svd = found(gramSvd(a));
    const told = spectrum.filter((x) => x >= 1e-5);
    expect(relativeError(svd.values, told)).toBeLessThan(1e-6);
    expectOrthonormal(found(gramSvd(a, { rank: told.length })), 1e-5);
    expect(svd.values.length).toBeLessThan(spectrum.filter((x) => x >= 0.5e-7).length + 1);
    expect(distance(rebuilt(svd), a)).toBeLessThan(1e-7);
  });
});
