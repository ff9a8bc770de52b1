// Ranks that kernels like and that save something, chains that are worth a look, and how the loss follows the error between anchors.
import { describe, expect, it } from 'vitest';
import { chainMacs, chainParams, type FactorScheme } from '../../../src/fit/low-rank/factors.js';
import { lowRankProblem } from '../../../src/fit/low-rank/problem.js';
import { chainLayers } from '../../../src/fit/low-rank/scheme-rules.js';
import type { LinearLayer } from '../../../src/fit/patch-geometry.js';
import { chainOptions, rankUnit, ranksOf } from '../../../src/pipeline/factorizing/layer-options.js';
import { paretoOptions } from '../../../src/pipeline/trading/pareto.js';
import { lossCurve } from '../../../src/pipeline/factorizing/study.js';

const conv = (inputs: number, outputs: number, k = 3): LinearLayer => ({
  kind: 'conv',
  inputs,
  outputs,
  groups: 1,
  kernel: [k, k],
  strides: [1, 1],
  dilations: [1, 1],
  begins: [1, 1],
  ends: [1, 1],
});

describe('ranks', () => {
  it.each(['channel-svd', 'spatial-svd', 'tucker-2'] as const)(
    'of %s save something, in multiples of what kernels like',
    (scheme) => {
      const layer = conv(128, 128);
      const input = [14, 14];
      for (const [cost, unit] of [
        ['macs', 16],
        ['latency', 8],
        ['params', 4],
      ] as const) {
        const grid = ranksOf(layer, scheme, { input, unit, cost });
        expect(grid.length).toBeGreaterThan(4);
        for (const ranks of grid) {
          expect(ranks.every((rank) => rank % unit === 0)).toBe(true);
          const layers = chainLayers(layer, scheme, ranks);
          const whole = cost === 'params' ? chainParams([layer]) : chainMacs([layer], input);
          expect(cost === 'params' ? chainParams(layers) : chainMacs(layers, input)).toBeLessThan(whole);
        }
      }
    },
  );

  it('reach as far as anything is saved', () => {
    // R (C k + k O) < C O k^2: spatial SVD of 64 channels saves below 96.
    const grid = ranksOf(conv(64, 64), 'spatial-svd', { input: [8, 8], unit: 16, cost: 'params' });
    expect(Math.max(...grid.flat())).toBe(88);
  });

  it('of narrow layers are multiples of 4; of tiny ones what there is', () => {
    expect(ranksOf(conv(16, 16), 'spatial-svd', { input: [8, 8], unit: 16, cost: 'macs' })).toEqual([
      [4],
      [8],
      [12],
      [16],
      [20],
    ]);
    expect(ranksOf(conv(3, 4), 'channel-svd', { input: [8, 8], unit: 16, cost: 'macs' })).toEqual([[1], [2], [3]]);
    expect(rankUnit('size', 16)).toBe(4);
    expect(rankUnit('latency', 8)).toBe(8);
  });

  it('of a layer that no chain makes cheaper are none', () => {
    const svd: LinearLayer = { kind: 'rows', inputs: 2, outputs: 2, weights: 'input-output' };
    expect(ranksOf(svd, 'svd', { input: [1], unit: 8, cost: 'macs' })).toEqual([]);
  });
});

describe('chains', () => {
  it('of a layer of low rank lose nothing from that rank on', async () => {
    const layer: LinearLayer = { kind: 'rows', inputs: 24, outputs: 32, weights: 'output-input' };
    // Rank 4: row o is a mix of four rows.
    const weights = Float64Array.from({ length: 24 * 32 }, (_, at) => {
      const [o, i] = [Math.floor(at / 24), at % 24];
      return [1, 2, 3, 5].reduce((sum, f) => sum + Math.sin(f * (o + 1)) * Math.cos(f * (i + 2)), 0);
    });
    const problem = await lowRankProblem({ layer, weights, metric: { kind: 'plain' } });
    const schemes: FactorScheme[] = ['svd'];
    const options = await chainOptions(problem, { schemes, input: [10], unit: 4, cost: 'macs' });
    expect(options.map(({ ranks }) => ranks[0])).toEqual([4, 8, 12]);
    for (const { ranks, error, macs, params } of options) {
      const rank = ranks[0] ?? 0;
      expect([macs, params]).toEqual([10 * rank * 56, rank * 56]);
      expect(error).toBeLessThan(1e-9);
    }
    expect(paretoOptions(options, ({ macs }) => macs).map(({ ranks }) => ranks[0])).toContain(4);
  });
});

describe('the loss of the model by the error of a layer', () => {
  it('is what was measured at the anchors, in proportion outside of them, and never falls in between', () => {
    const loss = lossCurve([
      { error: 0.02, loss: 0.001 },
      { error: 0.2, loss: 0.04 },
    ]);
    expect(loss(0.02)).toBeCloseTo(0.001, 12);
    expect(loss(0.2)).toBeCloseTo(0.04, 12);
    expect(loss(0.002)).toBeCloseTo(0.0001, 12);
    expect(loss(0.4)).toBeCloseTo(0.08, 12);
    // Half way between in logarithms.
    expect(loss(Math.sqrt(0.02 * 0.2))).toBeCloseTo(Math.sqrt(0.001 * 0.04), 12);
    expect(lossCurve([])(0.3)).toBe(0.3);
  });
});
