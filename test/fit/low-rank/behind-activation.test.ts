// Chains in front of a Relu: better behind it on rows that were not fitted, measured here by the definition.
import { describe, expect, it } from 'vitest';
import { createRng, type Rng } from '../../../src/base/rng.js';
import type { LayerRows } from '../../../src/fit/gathered-rows.js';
import { holdHere } from '../../../src/linalg/tall.js';
import { refineBehind } from '../../../src/fit/low-rank/behind-activation.js';
import { composeWeights } from '../../../src/fit/low-rank/compose.js';
import { factorize } from '../../../src/fit/low-rank/factorize.js';
import type { Factorization, FactorScheme } from '../../../src/fit/low-rank/factors.js';
import { lowRankProblem } from '../../../src/fit/low-rank/problem.js';
import { layerSizes, type LinearLayer } from '../../../src/fit/patch-geometry.js';
import { momentsOf, normals, patchRows, square } from './chains.js';

const RELU = { low: 0, high: Infinity };
const relu = (x: number): number => Math.max(0, x);

/** Rows as numbers, and as they are handed over. */
interface KnownRows {
  readonly patches: readonly Float32Array[];
  readonly targets: readonly Float32Array[];
  readonly rows: LayerRows;
}

async function known(patches: readonly Float32Array[], targets: readonly Float32Array[]): Promise<KnownRows> {
  const held = holdHere((patches[0]?.length ?? 0) + 1, patches.length);
  await held.append(Float32Array.from(patches.flatMap((patch) => [...patch, 1])));
  const all = Float32Array.from(targets.flatMap((target) => [...target]));
  return { patches, targets, rows: { count: patches.length, patches: [held], targets: all } };
}

/** Rows with what the layer gives there; `drift`: how far the patches that the chain sees are from those of the original. */
function rowsOf(
  rng: Rng,
  layer: LinearLayer,
  weights: Float64Array,
  bias: Float64Array,
  drift: number,
): Promise<KnownRows> {
  const { patch } = layerSizes(layer);
  const patches = patchRows(createRng('rows'), patch, 400).map((row) => row.map((x) => x + rng.normal() * 1e-3));
  const targets = patches.map((row) =>
    Float32Array.from(bias, (b, o) => row.reduce((sum, x, j) => sum + x * (weights[o * patch + j] ?? 0), b)),
  );
  return known(
    patches.map((row) => Float32Array.from(row, (x) => x + drift * rng.normal())),
    targets,
  );
}

/** By the definition: the mean of |relu(y) - relu(K x + b)|^2 over the variance of relu(y). */
function errorOf(chain: Factorization, { patches, targets }: KnownRows): number {
  const rows = composeWeights(chain);
  const bias = chain.factors.at(-1)?.bias;
  let [error, variance] = [0, 0];
  for (let o = 0; o < rows.rows; o++) {
    const wanted = targets.map((target) => relu(target[o] ?? 0));
    const mean = wanted.reduce((sum, y) => sum + y, 0) / wanted.length;
    for (const [i, patch] of patches.entries()) {
      const given = patch.reduce((sum, x, j) => sum + x * (rows.data[o * rows.columns + j] ?? 0), bias?.[o] ?? 0);
      error += (relu(given) - (wanted[i] ?? 0)) ** 2;
      variance += ((wanted[i] ?? 0) - mean) ** 2;
    }
  }
  return error / variance;
}

const dense: LinearLayer = { kind: 'rows', inputs: 9, outputs: 12, weights: 'output-input' };
const cases: readonly (readonly [FactorScheme, LinearLayer, readonly number[]])[] = [
  ['svd', dense, [3]],
  ['channel-svd', square(3, 10), [3]],
  ['spatial-svd', square(3, 10), [3]],
  ['tucker-2', square(4, 10), [3, 3]],
  ['cp', square(3, 10), [4]],
];

describe('a chain in front of a Relu', () => {
  it.each(cases)('%s is better behind it on rows that it has not seen', async (scheme, layer, ranks) => {
    const rng = createRng(`behind ${scheme}`);
    const weights = normals(rng, layerSizes(layer).patch * layer.outputs);
    // Half of what the layer gives is cut off.
    const bias = normals(rng, layer.outputs);
    const fit = await rowsOf(rng, layer, weights, bias, 0.2);
    const held = await rowsOf(rng, layer, weights, bias, 0.2);
    const moments = momentsOf(fit.patches.map((patch) => [...patch]));
    const problem = await lowRankProblem({ layer, weights, bias, metric: { kind: 'outputs', moments } });
    const chain = await factorize(problem, scheme, ranks);
    const found = await refineBehind({
      layer,
      stored: { weights, bias },
      chain,
      bounds: RELU,
      fit: fit.rows,
      held: held.rows,
    });
    expect(found.errorBefore).toBeCloseTo(errorOf(chain, held), 4);
    expect(found.errorAfter).toBeCloseTo(errorOf(found.chain, held), 4);
    expect(found.errorAfter).toBeLessThan(0.97 * found.errorBefore);
    expect(found.chain.ranks).toEqual(chain.ranks);
    expect(found.chain.factors.map((factor) => factor.layer)).toEqual(chain.factors.map((factor) => factor.layer));
  });

  it('of a very wide layer keeps all but its last factor', async () => {
    const wide: LinearLayer = { kind: 'rows', inputs: 2500, outputs: 6, weights: 'output-input' };
    const rng = createRng('wide');
    const weights = normals(rng, 6 * 2500);
    const bias = normals(rng, 6);
    const rows = async (count: number): Promise<LayerRows> => {
      const patches = Array.from({ length: count }, () => Float32Array.from({ length: 2500 }, () => rng.normal()));
      const targets = patches.map((row) =>
        Float32Array.from(bias, (b, o) => row.reduce((sum, x, j) => sum + x * (weights[o * 2500 + j] ?? 0), b)),
      );
      return (await known(patches, targets)).rows;
    };
    const chain = await factorize(
      await lowRankProblem({ layer: wide, weights, bias, metric: { kind: 'plain' } }),
      'svd',
      [2],
    );
    const found = await refineBehind({
      layer: wide,
      stored: { weights, bias },
      chain,
      bounds: RELU,
      fit: await rows(60),
      held: await rows(30),
    });
    expect(found.chain.factors[0]).toBe(chain.factors[0]);
    expect(found.errorAfter).toBeLessThan(found.errorBefore);
  });

  it('stays as it is where it is exact', async () => {
    const rng = createRng('exact');
    const weights = normals(rng, 108);
    const bias = normals(rng, 12);
    const fit = await rowsOf(rng, dense, weights, bias, 0);
    const held = await rowsOf(rng, dense, weights, bias, 0);
    const problem = await lowRankProblem({ layer: dense, weights, bias, metric: { kind: 'plain' } });
    const chain = await factorize(problem, 'svd', [9]);
    const found = await refineBehind({
      layer: dense,
      stored: { weights, bias },
      chain,
      bounds: RELU,
      fit: fit.rows,
      held: held.rows,
    });
    expect(found.errorAfter).toBeLessThan(1e-9);
    expect(found.errorAfter).toBeLessThanOrEqual(found.errorBefore);
  });
});
