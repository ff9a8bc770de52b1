// Second-order rounding against GPTQ as it is written in the paper, and against nearest rounding in the norm of the inputs.
import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from '../../src/base/rng.js';
import { roundLayer } from '../../src/fit/layer-weights.js';
import { changeError, refitRows } from '../../src/fit/refit.js';
import type { LinearLayer } from '../../src/fit/patch-geometry.js';
import { PATCH_MOMENTS } from '../../src/fit/patch-moments.js';
import { RankUpdate, type Moments } from '../../src/fit/rank-update.js';
import { nearestIntegers, roundRows, type IntegerRange } from '../../src/fit/round-weights.js';
import { cholesky, invert } from '../../src/linalg/cholesky.js';
import { multiply } from '../../src/linalg/gemm.js';
import { leadingSymmetric, matrix, submatrix, transpose, type Matrix } from '../../src/linalg/matrix.js';

const INT8: IntegerRange = { min: -127, max: 127 };
const INT7: IntegerRange = { min: -64, max: 63 };
const INT4: IntegerRange = { min: -7, max: 7 };

const random = (rng: Rng, rows: number, columns: number): Matrix =>
  matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => rng.normal()),
  );

/** Inputs of which each is a mix of `hidden` numbers, plus `own` noise and an offset. */
function momentsOf(rng: Rng, width: number, count = 12 * width, offset = 0): Moments {
  const mix = random(rng, Math.ceil(width / 4), width);
  const x = Float32Array.from(
    multiply(random(rng, count, mix.rows), mix).data,
    (value) => value + 0.2 * rng.normal() + offset,
  );
  const update = new RankUpdate(width + 1, 0, 32);
  for (let row = 0; row < count; row++) {
    update.addWindow(x, row * width, width, 1, Int32Array.of(0));
    update.next();
  }
  return update.moments();
}

const scalesOf = (rows: Matrix, { max }: IntegerRange): Float64Array =>
  Float64Array.from({ length: rows.rows }, (_, o) => {
    const row = rows.data.subarray(o * rows.columns, (o + 1) * rows.columns);
    return Math.max(...row.map(Math.abs)) / max;
  });

const scaled = (integers: Int8Array, scales: Float64Array, rows: Matrix): Matrix =>
  matrix(
    rows.rows,
    rows.columns,
    Float64Array.from(integers, (q, i) => q * (scales[Math.floor(i / rows.columns)] ?? 1)),
  );

const sum = (numbers: Float64Array): number => numbers.reduce((all, x) => all + x, 0);

/** Frantar et al. 2023: columns by falling diagonal, U the upper Cholesky factor of H^-1, errors spread along its rows. */
function gptq(rows: Matrix, scales: Float64Array, gram: Matrix, damping: number, range: IntegerRange): Int8Array {
  const n = rows.columns;
  const mean = Array.from({ length: n }, (_, i) => gram.data[i * n + i] ?? 0).reduce((a, b) => a + b) / n;
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => (gram.data[b * n + b] ?? 0) - (gram.data[a * n + a] ?? 0),
  );
  const h = matrix(n, n);
  order.forEach((a, i) =>
    order.forEach((b, j) => (h.data[i * n + j] = (gram.data[a * n + b] ?? 0) + (i === j ? damping * mean : 0))),
  );
  const lower = cholesky(h);
  const inner = lower && cholesky(invert(lower));
  if (!inner) throw new Error('no factor');
  const upper = transpose(inner);
  const integers = new Int8Array(rows.data.length);
  for (let o = 0; o < rows.rows; o++) {
    const w = order.map((a) => rows.data[o * n + a] ?? 0);
    const scale = scales[o] ?? 1;
    for (let i = 0; i < n; i++) {
      const q = Math.min(range.max, Math.max(range.min, Math.round((w[i] ?? 0) / scale)));
      integers[o * n + (order[i] ?? 0)] = q;
      const e = ((w[i] ?? 0) - q * scale) / (upper.data[i * n + i] ?? 1);
      for (let j = i; j < n; j++) w[j] = (w[j] ?? 0) - e * (upper.data[i * n + j] ?? 0);
    }
  }
  return integers;
}

describe('second-order rounding', () => {
  it('gives the integers of GPTQ', () => {
    const rng = createRng('gptq');
    for (const width of [1, 2, 9, 50, 120]) {
      const rows = random(rng, 5, width);
      const moments = momentsOf(rng, width, 12 * width + 5);
      const scales = scalesOf(rows, INT4);
      const result = roundRows(rows, scales, moments, { range: INT4, damping: 0.01 });
      const expected = gptq(rows, scales, leadingSymmetric(moments.gram, width + 1, width), 0.01, INT4);
      const nearest = nearestIntegers(rows, scales, INT4);
      for (let o = 0; o < 5; o++) {
        const [got, paper, plain] = [result.integers, expected, nearest].map((all) =>
          all.subarray(o * width, (o + 1) * width),
        );
        // A row that is better off with nearest rounding takes that.
        const isBetter = (result.error[o] ?? 0) < (result.nearestError[o] ?? 0);
        expect(got).toEqual(isBetter ? paper : plain);
      }
    }
  });

  it('is never worse than nearest rounding, and reports the errors there are', () => {
    const rng = createRng('never worse');
    for (let i = 0; i < 40; i++) {
      const width = rng.int(1, 40);
      const rows = random(rng, rng.int(1, 6), width);
      const range = rng.pick([INT8, INT7, INT4]);
      const scales = scalesOf(rows, range);
      const moments = momentsOf(rng, width, rng.int(1, 8 * width), rng.normal());
      const result = roundRows(rows, scales, moments, { range });
      const gram = leadingSymmetric(moments.gram, width + 1, width);
      const errorOf = (integers: Int8Array): number =>
        changeError(gram, rows, scaled(integers, scales, rows)) / moments.rows;
      expect(sum(result.error)).toBeCloseTo(errorOf(result.integers), 9);
      expect(sum(result.nearestError)).toBeCloseTo(errorOf(nearestIntegers(rows, scales, range)), 9);
      expect(sum(result.energy)).toBeCloseTo(changeError(gram, rows, matrix(rows.rows, width)) / moments.rows, 6);
      result.error.forEach((error, o) => expect(error).toBeLessThanOrEqual(result.nearestError[o] ?? 0));
      expect(Math.min(...result.integers)).toBeGreaterThanOrEqual(range.min);
      expect(Math.max(...result.integers)).toBeLessThanOrEqual(range.max);
      expect(result.biasShift).toEqual(new Float64Array(rows.rows));
    }
  });

  it('takes several times less error at 4 bits on correlated inputs', () => {
    const rng = createRng('int4');
    const rows = random(rng, 32, 144);
    const result = roundRows(rows, scalesOf(rows, INT4), momentsOf(rng, 144), { range: INT4 });
    expect(sum(result.nearestError) / sum(result.error)).toBeGreaterThan(4);
  });

  it('lets the bias take up the mean of the error', () => {
    const rng = createRng('shift');
    const rows = random(rng, 8, 30);
    const scales = scalesOf(rows, INT4);
    const moments = momentsOf(rng, 30, 500, 3);
    const kept = roundRows(rows, scales, moments, { range: INT4 });
    const shifted = roundRows(rows, scales, moments, { range: INT4, bias: 'shifted' });
    expect(sum(shifted.error)).toBeLessThan(sum(kept.error));
    // Error with the shift as the weight of the constant input.
    const full = leadingSymmetric(moments.gram, 31, 31);
    const withBias = (weights: Matrix, bias: Float64Array): Matrix => {
      const all = matrix(8, 31);
      for (let o = 0; o < 8; o++) {
        all.data.set(weights.data.subarray(o * 30, (o + 1) * 30), o * 31);
        all.data[o * 31 + 30] = bias[o] ?? 0;
      }
      return all;
    };
    const before = withBias(rows, new Float64Array(8));
    const errorWith = (bias: Float64Array): number =>
      changeError(full, before, withBias(scaled(shifted.integers, scales, rows), bias)) / moments.rows;
    expect(errorWith(shifted.biasShift)).toBeCloseTo(sum(shifted.error), 6);
    expect(errorWith(shifted.biasShift.map((shift) => shift + 0.01))).toBeGreaterThan(errorWith(shifted.biasShift));
    expect(errorWith(shifted.biasShift.map((shift) => shift - 0.01))).toBeGreaterThan(errorWith(shifted.biasShift));
  });

  it('rounds to the nearest without moments, ties to even', () => {
    const rows = matrix(1, 6, Float64Array.of(0.5, 1.5, -0.5, -2.5, 2.6, -200));
    const empty = new RankUpdate(7, 0, 8).moments();
    const result = roundRows(rows, [1], empty, { range: INT8, bias: 'shifted' });
    expect([...result.integers]).toEqual([0, 2, 0, -2, 3, -127]);
    expect(result.biasShift).toEqual(Float64Array.of(0));
  });

  it('leaves weights that are whole multiples as they are', () => {
    const rng = createRng('whole');
    const integers = Int8Array.from({ length: 40 }, () => rng.int(-127, 127));
    const rows = matrix(
      4,
      10,
      Float64Array.from(integers, (q) => q * 0.25),
    );
    const result = roundRows(rows, [0.25, 0.25, 0.25, 0.25], momentsOf(rng, 10), { range: INT8, bias: 'shifted' });
    expect(result.integers).toEqual(integers);
    expect(sum(result.error)).toBe(0);
  });

  it('refuses what does not belong together', () => {
    const moments = momentsOf(createRng('x'), 3);
    expect(() => roundRows(matrix(1, 4), [1], moments, { range: INT8 })).toThrow('moments of 4 columns');
    expect(() => roundRows(matrix(2, 3), [1], moments, { range: INT8 })).toThrow('1 scales for 2 rows');
  });
});

describe('rounding a layer', () => {
  it('comes nearer to the teacher when it was refitted to it on the inputs of the student', () => {
    const rng = createRng('asymmetric');
    const [width, outputs, count] = [24, 6, 600];
    const layer: LinearLayer = { kind: 'rows', inputs: width, outputs, weights: 'output-input' };
    const weights = random(rng, outputs, width);
    const mix = random(rng, 8, width);
    const clean = multiply(random(rng, count, 8), mix);
    const y = Float32Array.from(multiply(clean, transpose(weights)).data, (value) => value + 1);
    // What earlier layers lost: coarse steps, and a bias of their own.
    const x = Float32Array.from(clean.data, (value) => Math.round(value) + 0.3);
    const gathered = PATCH_MOMENTS.create({ kind: 'patch-moments', values: ['x', 'y'], layer, positions: 1, seed: 0 });
    gathered.add(
      new Map([
        ['x', { data: x, dims: [count, width] }],
        ['y', { data: y, dims: [count, outputs] }],
      ]),
    );
    const moments = gathered.state();
    const range = { range: INT8, bias: 'shifted' } as const;
    const errorOf = (integers: Int8Array, scales: Float64Array, bias: Float64Array): number => {
      let error = 0;
      for (let row = 0; row < count; row++) {
        for (let o = 0; o < outputs; o++) {
          let output = bias[o] ?? 0;
          for (let j = 0; j < width; j++)
            output += (integers[o * width + j] ?? 0) * (scales[o] ?? 0) * (x[row * width + j] ?? 0);
          error += (output - (y[row * outputs + o] ?? 0)) ** 2;
        }
      }
      return error / count;
    };
    const before = new Float64Array(outputs).fill(1);
    const plain = roundLayer(layer, weights.data, scalesOf(weights, INT8), moments, range);
    const old = matrix(outputs, width + 1, new Float64Array(outputs * (width + 1)).fill(1));
    for (let o = 0; o < outputs; o++) old.data.set(weights.data.subarray(o * width, (o + 1) * width), o * (width + 1));
    const [part] = moments.parts;
    const fit = part && refitRows(part, old);
    if (!fit) throw new Error('no fit');
    const every = Array.from({ length: outputs }, (_, o) => o);
    const own = submatrix(
      fit.rows,
      every,
      Array.from({ length: width }, (_, j) => j),
    );
    const scales = scalesOf(own, INT8);
    const fitted = roundLayer(layer, own.data, scales, moments, range);
    const bias = submatrix(fit.rows, every, [width]).data.map((b, o) => b + (fitted.biasShift[o] ?? 0));
    const nearest = before.map((b, o) => b + (plain.biasShift[o] ?? 0));
    const after = errorOf(fitted.integers, scales, bias);
    expect(after).toBeLessThan(0.7 * errorOf(plain.integers, scalesOf(weights, INT8), nearest));
    expect(after / fit.errorAfter).toBeGreaterThan(0.99);
    expect(after).toBeCloseTo(fit.errorAfter + sum(fitted.error), 1);
  });

  it('rounds each group by its own moments, weights as ONNX stores them', () => {
    const rng = createRng('groups');
    const layer: LinearLayer = {
      kind: 'conv-transpose',
      inputs: 6,
      outputs: 4,
      groups: 2,
      kernel: [2, 2],
      strides: [1, 1],
      dilations: [1, 1],
      begins: [0, 0],
      ends: [0, 0],
    };
    const weights = random(rng, 1, 48).data;
    const parts = [momentsOf(rng, 12), momentsOf(rng, 12)];
    const scales = Float64Array.of(0.3, 0.4, 0.35, 0.5);
    const result = roundLayer(layer, weights, scales, { parts }, { range: INT4, bias: 'shifted' });
    for (const [group, part] of parts.entries()) {
      // [C = 6, O/g = 2, 4] of this group as rows.
      const at = (o: number, c: number, tap: number): number => ((group * 3 + c) * 2 + o) * 4 + tap;
      const rows = matrix(2, 12);
      for (let i = 0; i < 24; i++) {
        const [o, c, tap] = [Math.floor(i / 12), Math.floor((i % 12) / 4), i % 4];
        rows.data[i] = weights[at(o, c, tap)] ?? 0;
      }
      const own = scales.subarray(group * 2, group * 2 + 2);
      const expected = roundRows(rows, own, part, { range: INT4, bias: 'shifted' });
      for (let i = 0; i < 24; i++) {
        const [o, c, tap] = [Math.floor(i / 12), Math.floor((i % 12) / 4), i % 4];
        expect(result.integers[at(o, c, tap)]).toBe(expected.integers[i]);
      }
      expect(result.error.subarray(group * 2, group * 2 + 2)).toEqual(expected.error);
      expect(result.biasShift.subarray(group * 2, group * 2 + 2)).toEqual(expected.biasShift);
    }
  });

  it('takes moments in runs of channels', () => {
    const rng = createRng('runs');
    const layer: LinearLayer = { kind: 'rows', inputs: 7, outputs: 3, weights: 'output-input' };
    const weights = random(rng, 3, 7).data;
    const parts = [momentsOf(rng, 4), momentsOf(rng, 3)];
    const result = roundLayer(layer, weights, [0.2, 0.2, 0.2], { parts }, { range: INT4 });
    const first = matrix(3, 4, Float64Array.from([0, 1, 2].flatMap((o) => [...weights.subarray(o * 7, o * 7 + 4)])));
    const expected = roundRows(first, [0.2, 0.2, 0.2], parts[0] ?? momentsOf(rng, 4), { range: INT4 });
    for (let o = 0; o < 3; o++)
      expect(result.integers.subarray(o * 7, o * 7 + 4)).toEqual(expected.integers.subarray(o * 4, o * 4 + 4));
    expect(() => roundLayer(layer, weights, [1, 1, 1], { parts: parts.slice(1) }, { range: INT4 })).toThrow(
      '3 columns',
    );
  });
});
