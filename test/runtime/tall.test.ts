// Tall matrices held here and by the child process, against products by their definition.
import { afterAll, describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { multiply } from '../../src/linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../src/linalg/matrix.js';
import { holdHere, type Hold } from '../../src/linalg/tall.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { runtimeHold } from '../../src/runtime/tall.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const rng = createRng('tall');
const random = (rows: number, columns: number): Matrix =>
  matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => Math.fround(rng.normal())),
  );

const furthest = (a: Matrix, b: Matrix): number =>
  Math.max(...a.data.map((x, i) => Math.abs(x - (b.data[i] ?? Number.NaN))));

const HOLDS: Readonly<Record<string, Hold>> = { 'in this process': holdHere, 'by the child': runtimeHold(host) };

describe.each(Object.entries(HOLDS))('a tall matrix held %s', (_, hold) => {
  it('gives its products, whatever blocks it came in', async () => {
    const x = random(203, 31);
    const [b, y] = [random(31, 6), random(203, 5)];
    const held = hold(31, 203);
    for (const [from, to] of [
      [0, 100],
      [100, 101],
      [101, 203],
    ] as const) {
      const block = Float32Array.from(x.data.subarray(from * 31, to * 31));
      await held.append(block);
      // It is the caller's again.
      block.fill(Number.NaN);
    }
    expect([held.rows, held.columns]).toEqual([203, 31]);
    const [gram, times, across] = [await held.gram(), await held.times(b), await held.across(y)];
    expect([gram.rows, gram.columns, times.rows, times.columns, across.rows, across.columns]).toEqual([
      31, 31, 203, 6, 31, 5,
    ]);
    expect(furthest(gram, multiply(transpose(x), x))).toBeLessThan(1e-11);
    expect(furthest(times, multiply(x, b))).toBeLessThan(1e-5);
    expect(furthest(across, multiply(transpose(x), y))).toBeLessThan(1e-11);
    await held.release();
    expect(held.rows).toBe(0);
  });

  it('without rows has products that are zero or empty', async () => {
    const held = hold(3, 0);
    expect([...(await held.gram()).data]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect((await held.times(random(3, 2))).rows).toBe(0);
    expect([...(await held.across(matrix(0, 1))).data]).toEqual([0, 0, 0]);
    await held.release();
  });

  it('takes whole rows only, and factors that fit', async () => {
    const held = hold(4, 2);
    await expect(held.append(new Float32Array(6))).rejects.toThrow('no rows of 4');
    await held.append(new Float32Array(8));
    await expect(held.across(matrix(3, 1))).rejects.toThrow('3 rows against 2');
    await held.release();
  });
});
