// Layers as chains: evaluated position by position, cases worked out by hand, kernels of known rank, degenerate input.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { composeWeights, relativeError } from '../../../src/fit/low-rank/compose.js';
import { factorize } from '../../../src/fit/low-rank/factorize.js';
import type { FactorScheme } from '../../../src/fit/low-rank/factors.js';
import type { Metric } from '../../../src/fit/low-rank/metric.js';
import { lowRankProblem } from '../../../src/fit/low-rank/problem.js';
import { fullRanks, schemesFor } from '../../../src/fit/low-rank/scheme-rules.js';
import { layerSizes, storedWeights, weightRows, type LinearLayer } from '../../../src/fit/patch-geometry.js';
import { multiply, type Gemm } from '../../../src/linalg/gemm.js';
import {
  distance,
  evaluate,
  momentsOf,
  normals,
  outputError,
  patchRows,
  randomConv,
  randomPicture,
  square,
} from './chains.js';

const PLAIN: Metric = { kind: 'plain' };
const dense = (inputs: number, outputs: number, weights: 'input-output' | 'output-input'): LinearLayer => ({
  kind: 'rows',
  inputs,
  outputs,
  weights,
});

/** The three metrics over the same random patches. */
function metricsFor(layer: LinearLayer, seed: string): Metric[] {
  const { patch } = layerSizes(layer);
  const moments = momentsOf(patchRows(createRng(seed), patch, 4 * patch));
  return [PLAIN, { kind: 'diagonal', moments }, { kind: 'outputs', moments }];
}

describe('a chain of full rank', () => {
  const cases: readonly (readonly [string, LinearLayer])[] = [
    ['1-D', randomConv(createRng('one'), 1)],
    ['2-D', { ...randomConv(createRng('two'), 2), kernel: [3, 2], begins: [2, 0], ends: [0, 1], strides: [2, 1] }],
    ['3-D', { ...randomConv(createRng('three'), 3), kernel: [2, 3, 1] }],
    ['1x1 with a stride', { ...square(5, 3), kernel: [1, 1], begins: [0, 1], ends: [1, 0], strides: [2, 2] }],
    ['Gemm', dense(4, 6, 'output-input')],
    ['MatMul', dense(6, 4, 'input-output')],
  ];
  it.each(cases)('gives what the layer gives: %s', async (name, layer) => {
    const rng = createRng(name);
    const weights = normals(rng, layerSizes(layer).patch * layer.outputs);
    const bias = normals(rng, layer.outputs);
    const picture = randomPicture(rng, layer.inputs, layer.kind === 'rows' ? [3] : layer.kernel.map(() => 7));
    const whole = evaluate([{ layer, weights, bias }], picture);
    for (const metric of metricsFor(layer, name)) {
      const problem = await lowRankProblem({ layer, weights, bias, metric });
      for (const scheme of schemesFor(layer).offered) {
        if (scheme === 'cp' || scheme === 'tucker-cp') continue;
        const chain = await factorize(problem, scheme, fullRanks(layer, scheme));
        expect(distance(evaluate(chain.factors, picture), whole)).toBeLessThan(1e-8);
      }
    }
  });
});

describe('geometry of the chain', () => {
  it('is that of the layer for random convolutions of one to three axes, whatever the ranks', async () => {
    const rng = createRng('geometry');
    for (let round = 0; round < 30; round++) {
      const layer = randomConv(rng, rng.int(1, 3));
      const weights = normals(rng, layerSizes(layer).patch * layer.outputs);
      const bias = normals(rng, layer.outputs);
      const scheme = rng.pick(schemesFor(layer).offered);
      const ranks = fullRanks(layer, scheme).map((most) => rng.int(1, Math.min(most, 6)));
      const metric = rng.pick(metricsFor(layer, `geometry-${round}`));
      const chain = await factorize(await lowRankProblem({ layer, weights, bias, metric }), scheme, ranks);
      const picture = randomPicture(
        rng,
        layer.inputs,
        layer.kernel.map(() => rng.int(5, 7)),
      );
      // The chain gives what its composed kernel gives in the layer's own geometry.
      const composed = storedWeights(layer, composeWeights(chain).data);
      const own = chain.factors.at(-1)?.bias ?? [];
      const expected = evaluate([{ layer, weights: composed, bias: Float64Array.from(own) }], picture);
      expect(distance(evaluate(chain.factors, picture), expected)).toBeLessThan(1e-9);
      expect(chain.ranks).toEqual(ranks);
      expect(chain.factors.slice(0, -1).every((factor) => factor.bias === undefined)).toBe(true);
    }
  });

  it('leaves a layer without a bias without one, unless the mean is to be kept', async () => {
    const layer = square(3, 4);
    const weights = normals(createRng('no bias'), 108);
    const [plain, , outputs] = metricsFor(layer, 'no bias');
    for (const [metric, has] of [
      [plain, false],
      [outputs, true],
    ] as const) {
      if (!metric) continue;
      const chain = await factorize(await lowRankProblem({ layer, weights, metric }), 'tucker-2', [2, 2]);
      expect(chain.factors.at(-1)?.bias !== undefined).toBe(has);
    }
  });
});

describe('kernels of low rank are found again', () => {
  const cases: readonly (readonly [FactorScheme, readonly number[], readonly number[]])[] = [
    ['channel-svd', [3], [3]],
    ['spatial-svd', [2], [2]],
    ['tucker-2', [3, 2], [3, 2]],
    ['cp', [3], [3]],
    ['tucker-cp', [3, 3, 3], [3, 3, 3]],
  ];
  it.each(cases)('%s', async (scheme, made, ranks) => {
    const layer = square(7, 6);
    const rng = createRng(`recovery ${scheme}`);
    const source = await lowRankProblem({ layer, weights: normals(rng, 7 * 6 * 9), metric: PLAIN });
    const weights = storedWeights(layer, composeWeights(await factorize(source, scheme, made)).data);
    for (const metric of metricsFor(layer, scheme)) {
      const chain = await factorize(await lowRankProblem({ layer, weights, metric }), scheme, ranks);
      expect(relativeError(layer, { weights, bias: new Float64Array(6) }, chain)).toBeLessThan(1e-4);
    }
  });
});

describe('truncated SVD, by hand', () => {
  // y = diag(3, 2, 1) x + (1, 1, 1).
  const layer = dense(3, 3, 'input-output');
  const weights = Float64Array.of(3, 0, 0, 0, 2, 0, 0, 0, 1);
  const bias = Float64Array.of(1, 1, 1);

  it('leaves out the smallest weight where the weights count', async () => {
    const chain = await factorize(await lowRankProblem({ layer, weights, bias, metric: PLAIN }), 'svd', [2]);
    expect(Array.from(composeWeights(chain).data, (x) => Math.round(x * 1e9) / 1e9)).toEqual([
      3, 0, 0, 0, 2, 0, 0, 0, 0,
    ]);
    expect(relativeError(layer, { weights, bias }, chain)).toBeCloseTo(1 / 14, 12);
    expect(chain.factors[1]?.bias).toEqual(bias);
  });

  // x = (7 + a/10, 5 + b, 4 + 4c) with a, b, c = -1 or 1, all eight: variances of the outputs 9/100, 4, 16.
  const rows = [-1, 1].flatMap((a) => [-1, 1].flatMap((b) => [-1, 1].map((c) => [7 + a / 10, 5 + b, 4 + 4 * c])));
  const moments = momentsOf(rows);

  it('leaves out the output that varies least where the output counts, and keeps its mean in the bias', async () => {
    const problem = await lowRankProblem({ layer, weights, bias, metric: { kind: 'outputs', moments, damping: 1e-9 } });
    const chain = await factorize(problem, 'svd', [2]);
    expect(Array.from(composeWeights(chain).data, (x) => Math.round(x * 1e5) / 1e5)).toEqual([
      0, 0, 0, 0, 2, 0, 0, 0, 1,
    ]);
    expect(Array.from(chain.factors[1]?.bias ?? [], (x) => Math.round(x * 1e5) / 1e5)).toEqual([22, 1, 1]);
    expect(relativeError(layer, { weights, bias }, chain, moments)).toBeCloseTo(0.09 / 20.09, 5);
  });

  it('counts the mean where no bias takes it up', async () => {
    const plain = await factorize(await lowRankProblem({ layer, weights, bias, metric: PLAIN }), 'svd', [2]);
    // What is lost is 4 + 4 c: its mean square is 32.
    expect(relativeError(layer, { weights, bias }, plain, moments)).toBeCloseTo(32 / 20.09, 5);
  });

  it('counts weights by the power of their channels', async () => {
    // Mean squares of the channels: 49.01, 26, 32; 9 x 49, 4 x 26, 1 x 32: the third is the least again; with the first turned off
    // it is the first.
    const small = momentsOf(rows.map(([, b, c]) => [0.1, b ?? 0, c ?? 0]));
    const problem = await lowRankProblem({ layer, weights, bias, metric: { kind: 'diagonal', moments: small } });
    const chain = await factorize(problem, 'svd', [2]);
    expect(Array.from(composeWeights(chain).data, (x) => Math.round(x * 1e9) / 1e9)).toEqual([
      0, 0, 0, 0, 2, 0, 0, 0, 1,
    ]);
  });
});

describe('fitted to the output', () => {
  const ranksOf: Readonly<Partial<Record<FactorScheme, readonly number[]>>> = {
    'channel-svd': [3],
    'spatial-svd': [4],
    'tucker-2': [3, 3],
    cp: [5],
    'tucker-cp': [3, 4, 3],
  };
  it.each(Object.entries(ranksOf))('%s is never worse there than the plain chain', async (name, ranks) => {
    const scheme = schemesFor(square(2, 2)).offered.find((one) => one === name) ?? 'cp';
    const rng = createRng(`never worse ${name}`);
    for (let round = 0; round < 4; round++) {
      const layer = square(rng.int(4, 6), rng.int(4, 7));
      const { patch } = layerSizes(layer);
      const weights = normals(rng, patch * layer.outputs);
      const bias = normals(rng, layer.outputs);
      const rows = patchRows(rng, patch, 5 * patch);
      const moments = momentsOf(rows);
      const errors: number[] = [];
      for (const metric of [PLAIN, { kind: 'outputs', moments, damping: 1e-6 }] as const) {
        const chain = await factorize(await lowRankProblem({ layer, weights, bias, metric }), scheme, ranks ?? []);
        const error = relativeError(layer, { weights, bias }, chain, moments);
        const found = { rows: composeWeights(chain).data, bias: chain.factors.at(-1)?.bias ?? [] };
        // The error from the sums is that of the rows themselves.
        expect(error).toBeCloseTo(outputError(rows, { rows: weightRows(layer, weights), bias }, found), 6);
        errors.push(error);
      }
      expect(errors[1] ?? Infinity).toBeLessThan((errors[0] ?? 0) * 0.7);
    }
  });

  it('meets targets that are not what the layer gives, as far as rows of that rank can', async () => {
    const rng = createRng('targets');
    const layer = dense(6, 4, 'output-input');
    const wanted = normals(rng, 24);
    const rows = patchRows(rng, 6, 60);
    const targets = rows.map((row) =>
      Array.from({ length: 4 }, (_, o) =>
        Math.fround(row.reduce((sum, x, j) => sum + x * (wanted[o * 6 + j] ?? 0), 2)),
      ),
    );
    const moments = momentsOf(rows, targets);
    const weights = wanted.map((x) => x + 0.3 * rng.normal());
    const bias = new Float64Array(4);
    const problem = await lowRankProblem({ layer, weights, bias, metric: { kind: 'outputs', moments, damping: 1e-9 } });
    const full = await factorize(problem, 'svd', [4]);
    expect(relativeError(layer, { weights, bias }, full, moments)).toBeLessThan(1e-5);
    const own = await lowRankProblem({
      ...{ layer, weights, bias },
      metric: { kind: 'outputs', moments: momentsOf(rows), damping: 1e-9 },
    });
    const [fitted, unaware] = [await factorize(problem, 'svd', [2]), await factorize(own, 'svd', [2])];
    expect(relativeError(layer, { weights, bias }, fitted, moments)).toBeLessThan(
      relativeError(layer, { weights, bias }, unaware, moments),
    );
  });

  it('uses a given product for heavy ones', async () => {
    const layer = square(96, 64);
    const rng = createRng('gemm');
    const weights = normals(rng, 96 * 64 * 9);
    const rows = Array.from({ length: 40 }, () => Array.from({ length: 864 }, () => Math.fround(rng.normal())));
    let calls = 0;
    const gemm: Gemm = async (a, b) => {
      calls++;
      return multiply(a, b);
    };
    const metric: Metric = { kind: 'outputs', moments: momentsOf(rows) };
    const chain = await factorize(await lowRankProblem({ layer, weights, metric, gemm }), 'channel-svd', [8]);
    const alone = await factorize(await lowRankProblem({ layer, weights, metric }), 'channel-svd', [8]);
    expect(calls).toBeGreaterThan(0);
    expect(chain.factors[0]?.weights).toEqual(alone.factors[0]?.weights);
  });
});

describe('degenerate layers', () => {
  const layer = square(3, 4);
  const stored = (weights: Float64Array): { weights: Float64Array; bias: Float64Array } => ({
    weights,
    bias: Float64Array.of(1, 2, 3, 4),
  });
  const schemes = schemesFor(layer).offered;
  const ranks = (scheme: FactorScheme): number[] => fullRanks(layer, scheme).map(() => 2);

  it.each(schemes)('%s of zeros is zeros', async (scheme) => {
    const own = stored(new Float64Array(108));
    for (const metric of metricsFor(layer, 'zeros')) {
      const chain = await factorize(await lowRankProblem({ layer, ...own, metric }), scheme, ranks(scheme));
      const last = chain.factors.at(-1)?.bias ?? new Float64Array(4);
      expect(composeWeights(chain).data.every((x) => x === 0)).toBe(true);
      expect(Array.from(last)).toEqual([1, 2, 3, 4]);
      expect(relativeError(layer, own, chain)).toBe(0);
    }
  });

  it.each(schemes)('%s on one sample, or on samples that are all zero, is finite', async (scheme) => {
    const own = stored(normals(createRng('one sample'), 108));
    for (const row of [Array.from({ length: 27 }, () => 0), Array.from({ length: 27 }, (_, i) => i % 5)])
      for (const kind of ['diagonal', 'outputs'] as const) {
        const problem = await lowRankProblem({ layer, ...own, metric: { kind, moments: momentsOf([row]) } });
        const chain = await factorize(problem, scheme, ranks(scheme));
        for (const { weights, bias } of chain.factors)
          expect([...weights, ...(bias ?? [])].every((x) => Number.isFinite(x))).toBe(true);
      }
  });

  it.each(schemes)('%s gives on the one sample that there is what the layer gives', async (scheme) => {
    const own = stored(normals(createRng('one sample'), 108));
    const row = Array.from({ length: 27 }, (_, i) => i % 5);
    const problem = await lowRankProblem({ layer, ...own, metric: { kind: 'outputs', moments: momentsOf([row]) } });
    const chain = await factorize(problem, scheme, ranks(scheme));
    const found = { rows: composeWeights(chain).data, bias: chain.factors.at(-1)?.bias ?? [] };
    const given = (of: { rows: ArrayLike<number>; bias: ArrayLike<number> }): number[] =>
      Array.from({ length: 4 }, (_, o) => row.reduce((s, x, j) => s + x * (of.rows[o * 27 + j] ?? 0), of.bias[o] ?? 0));
    const before = given({ rows: own.weights, bias: own.bias });
    given(found).forEach((y, o) => expect(y).toBeCloseTo(before[o] ?? Number.NaN, 8));
  });

  it('refuses numbers that are not finite, schemes that do not apply, and wrong numbers of ranks', async () => {
    const broken = stored(new Float64Array(108).fill(Number.NaN));
    await expect(lowRankProblem({ layer, ...broken, metric: PLAIN })).rejects.toMatchObject({ code: 'invariant' });
    const problem = await lowRankProblem({ layer, ...stored(new Float64Array(108)), metric: PLAIN });
    await expect(factorize(problem, 'svd', [1])).rejects.toMatchObject({ code: 'invariant' });
    await expect(factorize(problem, 'tucker-2', [1])).rejects.toMatchObject({ code: 'invariant' });
    const grouped = { ...square(4, 4), groups: 2 };
    const request = { layer: grouped, weights: new Float64Array(72), metric: PLAIN };
    await expect(lowRankProblem(request)).rejects.toMatchObject({ code: 'invariant' });
  });

  it('lowers ranks that are too high', async () => {
    const problem = await lowRankProblem({ layer, ...stored(normals(createRng('high'), 108)), metric: PLAIN });
    expect((await factorize(problem, 'tucker-2', [99, 99])).ranks).toEqual([3, 4]);
  });
});
