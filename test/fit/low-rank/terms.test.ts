// CP and what it is made of: terms, their start, descent, correction, conjugate gradients, whitening.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { conjugateGradients } from '../../../src/fit/low-rank/conjugate-gradients.js';
import { cancellation, correctTerms, cpFactors, fitTerms, termRows } from '../../../src/fit/low-rank/cp.js';
import { descend } from '../../../src/fit/low-rank/descent.js';
import { balance, powerTerms, rowPowers, sensitivity, type Terms } from '../../../src/fit/low-rank/rank-one-terms.js';
import { TensorProblem, type TensorSizes } from '../../../src/fit/low-rank/tensor-problem.js';
import { separableGram, whiten } from '../../../src/fit/low-rank/whitening.js';
import { multiplyTransposed } from '../../../src/linalg/gemm.js';
import { matrix, type Matrix } from '../../../src/linalg/matrix.js';
import { normals } from './chains.js';

const sizesOf = (outputs: number, channels: number, taps: number): TensorSizes => ({
  ...{ outputs, channels, taps },
  kernel: [taps],
});
const problemOf = (sizes: TensorSizes, data: Float64Array, gram?: Matrix): TensorProblem =>
  new TensorProblem(sizes, matrix(sizes.outputs, sizes.channels * sizes.taps, data), gram);

describe('tensor power method', () => {
  it('finds orthogonal terms exactly, from the largest', () => {
    // 5 e1 o e2 o (3, 4)/5 + 2 e2 o e1 o (4, -3)/5.
    const data = Float64Array.of(0, 0, 3, 4, 0, 0, 1.6, -1.2, 0, 0, 0, 0);
    const terms = powerTerms(matrix(2, 6, data), sizesOf(2, 3, 2), 2);
    const weights = rowPowers(terms.out).map((power, r) =>
      Math.sqrt(power * (rowPowers(terms.input)[r] ?? 0) * (rowPowers(terms.tap)[r] ?? 0)),
    );
    expect(weights[0]).toBeCloseTo(5, 9);
    expect(weights[1]).toBeCloseTo(2, 9);
    termRows(terms).data.forEach((value, i) => expect(value).toBeCloseTo(data[i] ?? Number.NaN, 9));
  });

  it('gives the same terms every time', () => {
    const rows = matrix(4, 12, normals(createRng('again'), 48));
    expect(powerTerms(rows, sizesOf(4, 4, 3), 3)).toEqual(powerTerms(rows, sizesOf(4, 4, 3), 3));
  });
});

describe('terms', () => {
  const rng = createRng('terms');
  const terms: Terms = {
    out: matrix(2, 3, normals(rng, 6)),
    input: matrix(
      2,
      4,
      normals(rng, 8).map((x) => 10 * x),
    ),
    tap: matrix(2, 2, normals(rng, 4)),
  };

  it('are the same when balanced, and felt less', () => {
    const balanced = balance(terms);
    const before = termRows(terms).data;
    termRows(balanced).data.forEach((value, i) => expect(value).toBeCloseTo(before[i] ?? Number.NaN, 9));
    expect(sensitivity(balanced)).toBeLessThan(sensitivity(terms));
    expect(sensitivity(balance(balanced))).toBeCloseTo(sensitivity(balanced), 9);
  });

  it('are felt as random changes of their vectors show', () => {
    // The mean of |change|^2 over changes of variance s^2 is s^2 times the sensitivity.
    const noise = createRng('noise');
    const scale = 1e-4;
    const moved = ({ rows, columns, data }: Matrix): Matrix =>
      matrix(
        rows,
        columns,
        data.map((x) => x + scale * noise.normal()),
      );
    const own = termRows(terms).data;
    let sum = 0;
    for (let i = 0; i < 4000; i++) {
      const other = termRows({ out: moved(terms.out), input: moved(terms.input), tap: moved(terms.tap) }).data;
      sum += own.reduce((all, x, j) => all + (x - (other[j] ?? 0)) ** 2, 0);
    }
    expect(sum / 4000 / scale ** 2 / sensitivity(terms)).toBeCloseTo(1, 1);
  });
});

describe('cancellation', () => {
  it('is 1 for orthogonal terms and grows as terms take each other back', () => {
    const pair = (second: readonly number[]): Terms => ({
      out: matrix(2, 2, Float64Array.of(1, 0, ...second)),
      input: matrix(2, 1, Float64Array.of(1, 1)),
      tap: matrix(2, 1, Float64Array.of(1, 1)),
    });
    expect(cancellation(pair([0, 1]))).toBe(1);
    // (1, 0) and (-0.9, 0): squares 1.81, of the sum 0.01.
    expect(cancellation(pair([-0.9, 0]))).toBeCloseTo(181, 9);
  });
});

describe('alternating least squares', () => {
  it('finds the terms of a kernel that has them', async () => {
    const rng = createRng('exact');
    const made: Terms = {
      out: matrix(4, 9, normals(rng, 36)),
      input: matrix(4, 8, normals(rng, 32)),
      tap: matrix(4, 5, normals(rng, 20)),
    };
    const problem = problemOf(sizesOf(9, 8, 5), termRows(made).data);
    const found = await cpFactors(problem, 4);
    expect((found?.error ?? Infinity) / (await problem.energy())).toBeLessThan(1e-7);
  });

  it('says the error that the terms have', async () => {
    const problem = problemOf(sizesOf(6, 5, 4), normals(createRng('error'), 120));
    const found = await cpFactors(problem, 3);
    expect(found && (await problem.error(termRows(found.terms)))).toBeCloseTo(found?.error ?? Number.NaN, 8);
  });

  it('is corrected where terms diverge: felt far less, for hardly any error', async () => {
    // e1 o e1 o e2 + e1 o e2 o e1 + e2 o e1 o e1 has rank 3, but terms of rank 2 come as near as they like by growing against each other.
    const data = new Float64Array(8);
    [data[1], data[2], data[4]] = [1, 1, 1];
    const problem = problemOf(sizesOf(2, 2, 2), data);
    const free = await fitTerms(problem, 2);
    const bound = free && (await correctTerms(problem, free));
    if (!free || !bound) throw new Error('no terms');
    expect(cancellation(free.terms)).toBeGreaterThan(10);
    expect(sensitivity(bound.terms)).toBeLessThan(0.8 * sensitivity(free.terms));
    expect(bound.error).toBeLessThanOrEqual(free.error * 1.003 + 0.003);
  });

  it('refuses numbers that are not finite', async () => {
    expect(await cpFactors(problemOf(sizesOf(2, 2, 2), new Float64Array(8).fill(Number.NaN)), 1)).toBeUndefined();
  });
});

describe('descent with momentum', () => {
  const terms: Terms = { out: matrix(1, 1), input: matrix(1, 1), tap: matrix(1, 1) };

  it('never takes a sweep that is worse, and stops when two in a row gain nothing', async () => {
    const errors = [5, 7, 4, 9, 9, 1];
    let calls = 0;
    const sweep = async (): Promise<{ terms: Terms; error: number }> => ({ terms, error: errors[calls++] ?? 0 });
    // 5 is taken; 7 with momentum is not; 4 without is; 9 with is not, 9 without is not: the end.
    expect((await descend({ terms, error: 10 }, sweep, { sweeps: 20, leastGain: 0 })).error).toBe(4);
    expect(calls).toBe(5);
  });

  it('ends when there is little to gain', async () => {
    let calls = 0;
    const sweep = async (): Promise<{ terms: Terms; error: number }> => ({ terms, error: 10 - 0.001 * ++calls });
    await descend({ terms, error: 10 }, sweep, { sweeps: 20, leastGain: 0.01 });
    expect(calls).toBe(3);
  });
});

describe('conjugate gradients', () => {
  it('solves as many equations as steps', async () => {
    // [[4, 1], [1, 3]] x = (1, 2): x = (1, 7) / 11.
    const apply = (x: Float64Array): Float64Array =>
      Float64Array.of(4 * (x[0] ?? 0) + (x[1] ?? 0), (x[0] ?? 0) + 3 * (x[1] ?? 0));
    const options = { precondition: (x: Float64Array) => Float64Array.from(x), iterations: 2, tolerance: 1e-12 };
    const x = await conjugateGradients(apply, Float64Array.of(1, 2), Float64Array.of(5, -5), options);
    expect(x[0]).toBeCloseTo(1 / 11, 10);
    expect(x[1]).toBeCloseTo(7 / 11, 10);
  });

  it('leaves a start that is right as it is', async () => {
    const options = { precondition: (x: Float64Array) => x, iterations: 5, tolerance: 1e-6 };
    expect(await conjugateGradients((x) => x, Float64Array.of(1, 2), Float64Array.of(1, 2), options)).toEqual(
      Float64Array.of(1, 2),
    );
  });
});

describe('whitening', () => {
  const rng = createRng('whitening');
  const positive = (size: number): Matrix => {
    const root = matrix(size, size, normals(rng, size * size));
    return multiplyTransposed(root, root);
  };
  const [channel, tap] = [positive(3), positive(2)];
  const gram = matrix(6, 6);
  gram.data.forEach((_, i) => {
    const [row, column] = [Math.floor(i / 6), i % 6];
    const c = channel.data[Math.floor(row / 2) * 3 + Math.floor(column / 2)] ?? 0;
    gram.data[i] = c * (tap.data[(row % 2) * 2 + (column % 2)] ?? 0);
  });

  it('finds the two parts of a covariance that is a product', () => {
    const found = separableGram(gram, sizesOf(4, 3, 2));
    gram.data.forEach((value, i) => {
      const [row, column] = [Math.floor(i / 6), i % 6];
      const c = found.channel.data[Math.floor(row / 2) * 3 + Math.floor(column / 2)] ?? 0;
      expect(c * (found.tap.data[(row % 2) * 2 + (column % 2)] ?? 0)).toBeCloseTo(value, 9);
    });
  });

  it('makes the plain metric that of the outputs, and finds its way back', async () => {
    const terms: Terms = {
      out: matrix(2, 4, normals(rng, 8)),
      input: matrix(2, 3, normals(rng, 6)),
      tap: matrix(2, 2, normals(rng, 4)),
    };
    const problem = problemOf(sizesOf(4, 3, 2), normals(rng, 24), gram);
    const white = await whiten(problem);
    const back = { out: terms.out, input: white.channels(terms.input), tap: white.taps(terms.tap) };
    const error = await problem.error(termRows(back));
    expect(await white.problem.error(termRows(terms))).toBeCloseTo(error, 6);
  });
});
