// The accurate singular values against those of numpy and of mpmath at 60 digits, and against what must hold for any matrix.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { multiply } from '../../src/linalg/gemm.js';
import { jacobiSvd } from '../../src/linalg/jacobi.js';
import { matrix, transpose } from '../../src/linalg/matrix.js';
import {
  distance,
  expectOrthonormal,
  filled,
  found,
  random,
  rebuilt,
  relativeError,
  WAVES,
  withValues,
} from './matrices.js';

describe('one-sided Jacobi', () => {
  it('by hand: [1 1; 0 1e-10] has the product 1e-10 and the sum of squares 2 + 1e-20', () => {
    const { values } = found(jacobiSvd(matrix(2, 2, Float64Array.of(1, 1, 0, 1e-10))));
    expect(relativeError(values, [Math.SQRT2, 1e-10 / Math.SQRT2])).toBeLessThan(1e-15);
  });

  it('agrees with numpy', () => {
    const { values } = found(jacobiSvd(WAVES));
    const known = [2.4471854895790024, 2.2635100655610363, 1.2057773480954461, 0.4434306852909507];
    expect(relativeError(values, known)).toBeLessThan(1e-15 * 4);
  });

  it('has every value of columns over 12 decades right to the last digits (mpmath)', () => {
    const graded = filled(7, 5, (i, j) => Math.cos(1 + i + 2 * j + i * j) * 10 ** (-3 * j));
    const known = [
      1.8555861056269753, 0.0019457473874368296, 7.851901321466064e-7, 7.962032321014408e-10, 7.455203590970705e-13,
    ];
    expect(relativeError(found(jacobiSvd(graded)).values, known)).toBeLessThan(1e-14);
    expect(relativeError(found(jacobiSvd(transpose(graded))).values, known)).toBeLessThan(1e-14);
  });

  it('has the values of the Hilbert matrix of 10 rows, condition 1.6e13, right to some rounding errors of the largest (mpmath)', () => {
    const known = [
      1.7519196702651776, 0.3429295484835091, 0.035741816271639235, 0.0025308907686700287, 0.0001287496142763734,
      4.729689293190096e-6, 1.2289677387429186e-7, 2.1474388217975424e-9, 2.2667455503810733e-11,
      1.0932524334974553e-13,
    ];
    const svd = found(jacobiSvd(filled(10, 10, (i, j) => 1 / (i + j + 1))));
    expect(Math.max(...known.map((x, i) => Math.abs(x - (svd.values[i] ?? 0))))).toBeLessThan(3e-15);
    expectOrthonormal(svd, 1e-14);
  });

  it('wide, tall and square matrices of any condition come back', () => {
    const rng = createRng('jacobi');
    for (const [m, n] of [
      [1, 1],
      [1, 6],
      [5, 3],
      [9, 30],
      [40, 40],
    ] as const) {
      const spectrum = Array.from({ length: Math.min(m, n) }, (_, i) => 10 ** -i);
      for (const a of [random(rng, m, n), withValues(rng, m, n, spectrum)]) {
        const svd = found(jacobiSvd(a));
        expectOrthonormal(svd, 1e-13);
        expect(distance(rebuilt(svd), a)).toBeLessThan(1e-14 * (svd.values[0] ?? 0));
        expect([...svd.values]).toEqual([...svd.values].toSorted((x, y) => y - x));
      }
    }
  });

  it('of rank 3 the others are rounding errors, and a rank cuts them off', () => {
    const rng = createRng('rank 3');
    const a = multiply(random(rng, 20, 3), random(rng, 3, 11));
    const svd = found(jacobiSvd(a));
    expect(svd.values[2]).toBeGreaterThan(0.1);
    expect(svd.values[3] ?? 0).toBeLessThan(1e-13);
    const cut = found(jacobiSvd(a, { rank: 3 }));
    expect([cut.u.columns, cut.values.length, cut.vt.rows]).toEqual([3, 3, 3]);
    expect(distance(rebuilt(cut), a)).toBeLessThan(1e-13);
  });

  it('scale does not matter, zeros have no values, and what is not finite is declined', () => {
    const known = [2.4471854895790024, 2.2635100655610363, 1.2057773480954461, 0.4434306852909507];
    for (const scale of [2 ** 600, 2 ** -600]) {
      const { values } = found(jacobiSvd({ ...WAVES, data: WAVES.data.map((x) => x * scale) }));
      expect(
        relativeError(
          values.map((x) => x / scale),
          known,
        ),
      ).toBeLessThan(1e-14);
    }
    expect(found(jacobiSvd(matrix(3, 2))).values).toHaveLength(0);
    expect(jacobiSvd(matrix(1, 2, Float64Array.of(1, Infinity)))).toBeUndefined();
    expect(() => jacobiSvd(WAVES, { rank: -1 })).toThrow('-1 is no rank');
  });
});
