// Refits that are judged on rows held out: the ridge follows the noise, and what does not help is not done.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { refitHeldOut, type SplitMoments } from '../../src/fit/held-out-refit.js';
import type { RowLayer } from '../../src/fit/patch-geometry.js';
import { RankUpdate } from '../../src/fit/rank-update.js';

const layerOf = (inputs: number, outputs: number): RowLayer => ({
  kind: 'rows',
  inputs,
  outputs,
  weights: 'output-input',
});

/** y = weights x + bias + noise for random x; every fourth row is held out. */
function sumsOf(
  layer: RowLayer,
  { weights, bias, noise, rows }: { weights: number[]; bias: number[]; noise: number; rows: number },
): SplitMoments {
  const rng = createRng('rows');
  const newSums = (): RankUpdate => new RankUpdate(layer.inputs + 1, layer.outputs, 16);
  const [fit, held] = [newSums(), newSums()];
  const everywhere = Int32Array.of(0);
  for (let row = 0; row < rows; row++) {
    const x = Float32Array.from({ length: layer.inputs }, () => rng.normal());
    const y = Float32Array.from({ length: layer.outputs }, (_, o) => {
      const product = x.reduce((sum, value, i) => sum + value * (weights[o * layer.inputs + i] ?? 0), 0);
      return product + (bias[o] ?? 0) + noise * rng.normal();
    });
    const sums = row % 4 === 3 ? held : fit;
    sums.addWindow(x, 0, layer.inputs, 1, everywhere);
    sums.addTargets(y, 0, 1);
    sums.next();
  }
  return { fit: { parts: [fit.moments()] }, held: { parts: [held.moments()] } };
}

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);

describe('refitHeldOut', () => {
  it('finds weights and bias that are there to be found', () => {
    const layer = layerOf(3, 2);
    const [weights, bias] = [
      [1, -2, 3, 0.5, 0, -1],
      [4, -5],
    ];
    const found = refitHeldOut(
      layer,
      { weights: zeros(6), bias: zeros(2) },
      sumsOf(layer, { weights, bias, noise: 0, rows: 400 }),
    );
    expect(Array.from(found?.layer?.weights ?? [])).toEqual(weights.map((w) => expect.closeTo(w, 5)));
    expect(Array.from(found?.layer?.bias ?? [])).toEqual(bias.map((b) => expect.closeTo(b, 5)));
    // Means of 4 and -5 are no variance: with no weights at all the error is that and the variance.
    expect(found?.errorBefore).toBeGreaterThan(2);
    expect(found?.errorAfter).toBeLessThan(1e-10);
  });

  it('takes a stronger ridge where there are few rows and much noise', () => {
    const layer = layerOf(60, 1);
    const weights = Array.from({ length: 60 }, (_, i) => Math.cos(i) / 8);
    const ridge = (noise: number, rows: number): number => {
      const sums = sumsOf(layer, { weights, bias: [0], noise, rows });
      return refitHeldOut(layer, { weights: zeros(60), bias: [0] }, sums)?.lambda ?? 0;
    };
    expect(ridge(0.001, 2000)).toBeLessThan(1e-3);
    expect(ridge(2, 80)).toBeGreaterThan(0.05);
  });

  it('leaves weights alone that are as good as they can be', () => {
    const layer = layerOf(40, 1);
    const weights = Array.from({ length: 40 }, (_, i) => Math.sin(i));
    const sums = sumsOf(layer, { weights, bias: [1], noise: 1, rows: 60 });
    const found = refitHeldOut(layer, { weights, bias: [1] }, sums, 1e-6);
    expect(found?.layer).toBeUndefined();
    expect(found?.errorAfter).toBeGreaterThan(found?.errorBefore ?? Infinity);
    const exact = refitHeldOut(
      layer,
      { weights, bias: [1] },
      sumsOf(layer, { weights, bias: [1], noise: 0, rows: 60 }),
    );
    expect(exact?.layer).toBeUndefined();
    expect(exact?.errorBefore).toBeLessThan(1e-11);
  });

  it('gives nothing for sums without rows', () => {
    const layer = layerOf(2, 1);
    const sums = sumsOf(layer, { weights: [1, 1], bias: [0], noise: 0, rows: 3 });
    expect(refitHeldOut(layer, { weights: [0, 0], bias: [0] }, sums)).toBeUndefined();
  });
});
