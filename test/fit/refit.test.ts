// Ridge refits: what they must recover, what absorbing removed inputs must cost, and where there is nothing to fit.
import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from '../../src/base/rng.js';
import { RankUpdate, type Moments } from '../../src/fit/rank-update.js';
import { absorbInputs, refitRows } from '../../src/fit/refit.js';
import { cholesky, invert } from '../../src/linalg/cholesky.js';
import { multiply } from '../../src/linalg/gemm.js';
import { matrix, submatrix, transpose, unpackSymmetric, type Matrix } from '../../src/linalg/matrix.js';

const random = (rng: Rng, rows: number, columns: number): Matrix =>
  matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => rng.normal()),
  );

/** Rows of correlated inputs: a few hidden numbers mixed, and some noise of their own; float32 as in a stream. */
function correlated(rng: Rng, count: number, width: number, own = 0.3): Float32Array {
  const mix = random(rng, Math.ceil(width / 2), width);
  const hidden = random(rng, count, mix.rows);
  return Float32Array.from(multiply(hidden, mix).data, (x) => x + own * rng.normal() + 0.5);
}

/** Moments of inputs (count x width) against targets W x + b. */
function momentsOf(x: Float32Array, width: number, rows: Matrix): Moments {
  const update = new RankUpdate(width + 1, rows.rows, 16);
  const taps = Int32Array.of(0);
  for (let at = 0; at < x.length; at += width) {
    const y = Float32Array.from({ length: rows.rows }, (_, o) => {
      let sum = rows.data[o * (width + 1) + width] ?? 0;
      for (let j = 0; j < width; j++) sum += (rows.data[o * (width + 1) + j] ?? 0) * (x[at + j] ?? 0);
      return sum;
    });
    update.addWindow(x, at, width, 1, taps);
    update.addTargets(y, 0, 1);
    update.next();
  }
  return update.moments();
}

const largest = (a: Matrix, b: Matrix): number =>
  Math.max(...a.data.map((x, i) => Math.abs(x - (b.data[i] ?? Number.NaN))));

describe('refitting rows', () => {
  it('finds the rows that made the targets, whatever it starts from', () => {
    const rng = createRng('refit');
    for (const width of [1, 4, 11, 60]) {
      const [wanted, old] = [random(rng, 3, width + 1), random(rng, 3, width + 1)];
      const moments = momentsOf(correlated(rng, 8 * width + 20, width), width, wanted);
      const fit = refitRows(moments, old, { lambda: 1e-10 });
      if (!fit) throw new Error('no fit');
      expect(largest(fit.rows, wanted)).toBeLessThan(1e-4);
      expect(fit.errorAfter / fit.energy).toBeLessThan(1e-11);
      expect(fit.errorBefore).toBeGreaterThan(0.1);
    }
  });

  it('stays at the old rows where lambda is large, except for the bias, which no lambda holds back', () => {
    const rng = createRng('bias');
    const width = 5;
    const wanted = random(rng, 2, width + 1);
    const moments = momentsOf(correlated(rng, 400, width), width, wanted);
    const old = random(rng, 2, width + 1);
    const fit = refitRows(moments, old, { lambda: 1e4 });
    if (!fit) throw new Error('no fit');
    for (let o = 0; o < 2; o++) {
      for (let j = 0; j < width; j++)
        expect(fit.rows.data[o * 6 + j]).toBeCloseTo(old.data[o * 6 + j] ?? Number.NaN, 3);
      // The bias that the old weights need: the mean target minus the mean of what they give.
      const gram = unpackSymmetric(moments.gram, 6);
      let mean = moments.cross[5 * 2 + o] ?? 0;
      for (let j = 0; j < width; j++) mean -= (fit.rows.data[o * 6 + j] ?? 0) * (gram.data[j * 6 + 5] ?? 0);
      expect(fit.rows.data[o * 6 + 5]).toBeCloseTo(mean / 400, 6);
    }
  });

  it('leaves the weights of an input alone that is always zero', () => {
    const rng = createRng('dead');
    const x = correlated(rng, 50, 3).map((value, i) => (i % 3 === 1 ? 0 : value));
    const old = random(rng, 1, 4);
    const fit = refitRows(momentsOf(x, 3, random(rng, 1, 4)), old);
    expect(fit?.rows.data[1]).toBe(old.data[1]);
    expect(fit?.lambda).toBe(1e-4);
  });

  it('fits fewer rows than columns with a raised lambda', () => {
    const rng = createRng('few');
    const wanted = random(rng, 2, 13);
    const fit = refitRows(momentsOf(correlated(rng, 5, 12), 12, wanted), random(rng, 2, 13), { lambda: 0 });
    expect(fit?.lambda).toBeGreaterThan(0);
    expect((fit?.errorAfter ?? 1) / (fit?.energy ?? 1)).toBeLessThan(1e-6);
  });

  it('declines without rows and with numbers that are not finite', () => {
    const rows = matrix(1, 3);
    expect(refitRows(new RankUpdate(3, 1, 8).moments(), rows)).toBeUndefined();
    expect(refitRows(momentsOf(Float32Array.of(1, Number.NaN, 2, 3), 2, rows), rows)).toBeUndefined();
  });
});

describe('absorbing removed inputs', () => {
  const width = 12;
  const removed = [2, 3, 7];

  it('is the optimal brain surgeon of a block: change and cost', () => {
    const rng = createRng('absorb');
    const old = random(rng, 4, width + 1);
    const moments = momentsOf(correlated(rng, 300, width), width, old);
    const result = absorbInputs(moments, old, removed, { lambda: 0 });
    if (!result) throw new Error('no result');
    const gram = unpackSymmetric(moments.gram, width + 1);
    const factor = cholesky(gram);
    if (!factor) throw new Error('no factor');
    const inverse = invert(factor);
    const all = Array.from({ length: width + 1 }, (_, i) => i);
    const outputs = [0, 1, 2, 3];
    const inner = cholesky(submatrix(inverse, removed, removed));
    if (!inner) throw new Error('no inner factor');
    const dropped = submatrix(old, outputs, removed);
    // dW = -W_S (H^-1_SS)^-1 H^-1_S: with cost tr(W_S (H^-1_SS)^-1 W_S^T)
    const share = multiply(dropped, invert(inner));
    const change = multiply(share, submatrix(inverse, removed, all));
    const expected = matrix(
      4,
      width + 1,
      old.data.map((w, i) => w - (change.data[i] ?? 0)),
    );
    expect(largest(result.rows, expected)).toBeLessThan(1e-9);
    const cost = multiply(share, transpose(dropped));
    const trace = outputs.reduce((sum, o) => sum + (cost.data[o * 4 + o] ?? 0), 0);
    expect(result.errorAfter).toBeCloseTo(trace / 300, 9);
    expect(result.errorAfter).toBeLessThan(result.errorBefore);
    for (let o = 0; o < 4; o++) for (const column of removed) expect(result.rows.data[o * 13 + column]).toBe(0);
  });

  it('costs nothing where the others make up the removed input', () => {
    const rng = createRng('dependent');
    const x = correlated(rng, 200, 4);
    // Input 3 = 2 x0 - x1 + 1: the bias takes the 1.
    for (let at = 0; at < x.length; at += 4) x[at + 3] = 2 * (x[at] ?? 0) - (x[at + 1] ?? 0) + 1;
    const old = random(rng, 2, 5);
    const result = absorbInputs(momentsOf(x, 4, old), old, [3], { lambda: 1e-12 });
    if (!result) throw new Error('no result');
    expect(result.errorAfter / result.energy).toBeLessThan(1e-9);
    for (let o = 0; o < 2; o++) {
      const lost = old.data[o * 5 + 3] ?? 0;
      const gain = [2, -1, 0, 0, 1].map((share, j) => (j === 3 ? 0 : (old.data[o * 5 + j] ?? 0) + share * lost));
      for (const [j, value] of gain.entries()) expect(result.rows.data[o * 5 + j]).toBeCloseTo(value, 4);
    }
  });

  it('refuses to remove the bias', () => {
    const old = matrix(1, 3);
    expect(() => absorbInputs(momentsOf(Float32Array.of(1, 2), 2, old), old, [2])).toThrow('bias');
  });
});
