// A trained 3x3 kernel of the fixtures (GoogLeNet on CIFAR-10, 48 -> 96 channels): singular values of its unfoldings as numpy has them,
// by every route, with products by the runtime too.
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import { evbmf } from '../../src/linalg/evbmf.js';
import { jacobiSvd } from '../../src/linalg/jacobi.js';
import { randomizedSvd, randomizedSvdWith } from '../../src/linalg/randomized.js';
import { symmetricEigen, symmetricEigenWith } from '../../src/linalg/eigen.js';
import { multiplyTransposed } from '../../src/linalg/gemm.js';
import { transpose } from '../../src/linalg/matrix.js';
import { gramSvd, gramSvdWith, type Svd } from '../../src/linalg/svd.js';
import { denseArray, unfold } from '../../src/linalg/unfolding.js';
import { openModel } from '../../src/onnx/open.js';
import { runtimeGemm } from '../../src/runtime/gemm.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { distance, expectOrthonormal, found, rebuilt, relativeError } from './matrices.js';

// numpy.linalg.svd in float64: the first values, the last two, and the sum of squares behind the first 24.
const KNOWN = [
  {
    first: [
      1.2482883375709424, 1.1540989920829654, 1.1001098570218297, 1.0774242406665333, 1.0568541253700305,
      1.025518765840075,
    ],
    last: [0.3570272093555904, 0.33796634676074955],
    behind: 22.960702219297918,
  },
  {
    first: [
      1.406035624558745, 1.3116842098482007, 1.2696832236598308, 1.2397012546536084, 1.2155815353024857,
      1.188006225194377,
    ],
    last: [0.7160666459138436, 0.704307002622254],
    behind: 15.682895218641622,
  },
] as const;

const { model } = await openModel(fileURLToPath(new URL('../../fixtures/googlenet-lrn-cifar10.onnx', import.meta.url)));
const weights = found([...model.graph.initializers].find(({ name }) => name === 'features.16.b2.1.0.weight')?.constant);
const kernel = denseArray(weights.dims, weights.toFloat64());
const sumOfSquares = (values: Float64Array): number => values.reduce((sum, x) => sum + x * x, 0);

describe.each([0, 1] as const)('the unfolding along axis %i', (axis) => {
  const unfolded = unfold(kernel, axis);
  const known = KNOWN[axis];

  it.each([
    ['gram', gramSvd],
    ['jacobi', jacobiSvd],
  ])('%s', (_, route: (a: typeof unfolded, options?: { rank: number }) => Svd | undefined) => {
    const svd = found(route(unfolded));
    expect(relativeError(svd.values, known.first)).toBeLessThan(1e-13);
    expect(relativeError(svd.values.slice(-2), known.last)).toBeLessThan(1e-13);
    expect(distance(rebuilt(svd), unfolded)).toBeLessThan(1e-13);
    expectOrthonormal(svd, 1e-12);
    const cut = rebuilt(found(route(unfolded, { rank: 24 })));
    const error = sumOfSquares(cut.data.map((x, i) => x - (unfolded.data[i] ?? 0)));
    expect(error).toBeCloseTo(known.behind, 11);
  });

  it('randomized: within 3 % of the best error', () => {
    const svd = found(randomizedSvd(unfolded, { rank: 24, rng: createRng(axis) }));
    const error = sumOfSquares(rebuilt(svd).data.map((x, i) => x - (unfolded.data[i] ?? 0)));
    expect(error).toBeGreaterThan(known.behind * (1 - 1e-12));
    expect(Math.sqrt(error / known.behind)).toBeLessThan(1.03);
    expectOrthonormal(svd, 1e-12);
  });
});

describe('products by the runtime', () => {
  const host = new RuntimeHost();
  afterAll(() => host.dispose());
  const gemm = runtimeGemm(host);
  const wide = unfold(kernel, 0);

  it('give what JavaScript gives, to rounding error', async () => {
    const [here, there] = [found(gramSvd(wide, { rank: 40 })), found(await gramSvdWith(gemm, wide, { rank: 40 }))];
    expect(relativeError(there.values, [...here.values])).toBeLessThan(1e-13);
    expect(distance(rebuilt(there), rebuilt(here))).toBeLessThan(1e-12);
    const sketch = { rank: 60, rng: createRng('runtime') };
    const found60 = found(await randomizedSvdWith(gemm, wide, sketch));
    const same = found(randomizedSvd(wide, { ...sketch, rng: createRng('runtime') }));
    expect(relativeError(found60.values, [...same.values])).toBeLessThan(1e-12);
    // 432 x 432, of rank 96.
    const gram = multiplyTransposed(transpose(wide), transpose(wide));
    const [ours, theirs] = [found(symmetricEigen(gram)), found(await symmetricEigenWith(gemm, gram))];
    expect(Math.max(...ours.values.map((x, i) => Math.abs(x - (theirs.values[i] ?? 0))))).toBeLessThan(1e-14);
  });
});

it('EVBMF agrees with scipy: 5 of 96 rise above white noise', () => {
  const { rank, noise } = evbmf(found(gramSvd(unfold(kernel, 0))).values, 96, 432);
  expect(rank).toBe(5);
  expect(noise / 0.0009506456161372699).toBeCloseTo(1, 5);
});
