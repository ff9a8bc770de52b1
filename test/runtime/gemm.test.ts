// Products by the runtime are those of this package's own loops, at any size through one session.
import { afterAll, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { multiply } from '../../src/linalg/gemm.js';
import { matrix } from '../../src/linalg/matrix.js';
import { runtimeGemm } from '../../src/runtime/gemm.js';
import { RuntimeHost } from '../../src/runtime/host.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

it('multiplies in float64', async () => {
  const gemm = runtimeGemm(host);
  const rng = createRng('runtime gemm');
  for (const [m, k, n] of [
    [1, 1, 1],
    [3, 200, 7],
    [65, 40, 33],
  ] as const) {
    const a = matrix(
      m,
      k,
      Float64Array.from({ length: m * k }, () => rng.normal()),
    );
    const b = matrix(
      k,
      n,
      Float64Array.from({ length: k * n }, () => rng.normal()),
    );
    const [mine, theirs] = [multiply(a, b), await gemm(a, b)];
    expect([theirs.rows, theirs.columns]).toEqual([m, n]);
    expect(Math.max(...mine.data.map((x, i) => Math.abs(x - (theirs.data[i] ?? Number.NaN))))).toBeLessThan(1e-12);
  }
});

it('says what does not fit', async () => {
  await expect(runtimeGemm(host)(matrix(2, 3), matrix(4, 2))).rejects.toMatchObject({ code: 'runtime-failed' });
});
