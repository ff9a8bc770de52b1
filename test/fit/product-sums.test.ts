// Sums by products of many rows, against sums row by row.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { patchOf } from '../../src/fit/clipped-refit.js';
import { layerSums } from '../../src/fit/layer-sums.js';
import type { LinearLayer } from '../../src/fit/patch-geometry.js';
import { windowOf } from '../../src/fit/patch-moments.js';
import { productSums } from '../../src/fit/product-sums.js';
import { multiply, type Gemm } from '../../src/linalg/gemm.js';

const LAYERS: Readonly<Record<string, { readonly layer: LinearLayer; readonly dims: readonly number[] }>> = {
  rows: { layer: { kind: 'rows', inputs: 5, outputs: 3, weights: 'input-output' }, dims: [7, 5] },
  'a padded convolution of two groups': {
    layer: {
      kind: 'conv',
      inputs: 4,
      outputs: 6,
      groups: 2,
      kernel: [3, 3],
      strides: [1, 2],
      dilations: [1, 1],
      begins: [1, 0],
      ends: [1, 0],
    },
    dims: [1, 4, 5, 6],
  },
};

describe('productSums', () => {
  it.each(Object.entries(LAYERS))('are the sums of the rows: %s', async (_, { layer, dims }) => {
    let products = 0;
    const gemm: Gemm = (a, b) => {
      products++;
      return Promise.resolve(multiply(a, b));
    };
    const [wide, narrow] = [productSums(layer), layerSums(layer)];
    const rng = createRng('rows');
    for (let sample = 0; sample < 600; sample++) {
      const data = Float32Array.from({ length: dims.reduce((all, n) => all * n, 1) }, () => rng.normal());
      const window = windowOf(layer, { data, dims });
      for (let one = 0; one < window.samples; one++) {
        for (let position = 0; position < window.positions; position++) {
          const target = Float32Array.from({ length: layer.outputs }, () => rng.normal());
          wide.add(patchOf(layer, window, one, position), target);
          narrow.add(window, one, position, target, 0);
        }
      }
      await wide.settle(gemm, 'enough');
    }
    // Before the end, but not for every sample.
    expect(products).toBeGreaterThan(0);
    expect(products).toBeLessThan(100);
    await wide.settle(gemm, 'all');
    const [found, expected] = [wide.moments().parts, narrow.moments().parts];
    expect(found).toHaveLength(expected.length);
    for (const [group, part] of expected.entries()) {
      const { gram, cross, energy, ...sizes } = found[group] ?? part;
      expect(sizes).toEqual({ columns: part.columns, outputs: part.outputs, rows: part.rows });
      for (const [ours, theirs] of [
        [gram, part.gram],
        [cross, part.cross],
        [energy, part.energy],
      ] as const)
        expect([...ours]).toEqual([...theirs].map((x) => expect.closeTo(x, 6)));
    }
  });
});
