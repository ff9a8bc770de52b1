// Chains in the place of layers, on ONNX Runtime: a layer whose weights are a chain multiplied out gives the same as the chain.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { createRng } from '../../../src/base/rng.js';
import type { Factor, Factorization } from '../../../src/fit/low-rank/factors.js';
import { layerSizes, type LinearLayer, type WindowLayer } from '../../../src/fit/patch-geometry.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { printModel } from '../../../src/ir/text/print.js';
import { factorSite, type FactorDecline } from '../../../src/passes/factorize/factor-site.js';
import { replaceByChain } from '../../../src/passes/factorize/replace-by-chain.js';
import { isRefusal } from '../../../src/passes/plan.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { Tensor } from '../../../src/tensor/tensor.js';
import { feedsFor, runModel } from '../run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n';
const parsed = (text: string): Model => parseModel(HEADER + text);

const random = (length: number, seed: string): Float64Array => {
  const rng = createRng(seed);
  return Float64Array.from({ length }, () => Math.fround(rng.normal()));
};

const window = (inputs: number, outputs: number, kernel: number[], more: Partial<WindowLayer> = {}): WindowLayer => {
  const [ones, zeros] = [kernel.map(() => 1), kernel.map(() => 0)];
  return {
    kind: 'conv',
    inputs,
    outputs,
    groups: 1,
    kernel,
    strides: ones,
    dilations: ones,
    begins: zeros,
    ends: zeros,
    ...more,
  };
};
const rows = (inputs: number, outputs: number, weights: 'input-output' | 'output-input'): LinearLayer => ({
  kind: 'rows',
  inputs,
  outputs,
  weights,
});

/** Random weights; a bias on the last layer. */
function chainOf(scheme: Factorization['scheme'], layers: readonly LinearLayer[], bias?: Float64Array): Factorization {
  const factors = layers.map((layer, at): Factor => {
    const { groups, outputs, patch } = layerSizes(layer);
    const weights = random(groups * outputs * patch, `${scheme} ${at}`);
    return { layer, weights, ...(at === layers.length - 1 && bias ? { bias } : {}) };
  });
  return { scheme, ranks: [layers[0]?.outputs ?? 0], factors };
}

const the = (numbers: Float64Array, at: number): number => numbers[at] ?? Number.NaN;
const weightsOf = ({ factors }: Factorization, at: number): Float64Array => factors[at]?.weights ?? new Float64Array(0);

/** C -> R1 -> R2 -> O multiplied out: [O, C, taps]. */
function tuckerWeights(
  chain: Factorization,
  [c, r1, r2, o, taps]: readonly [number, number, number, number, number],
): Float64Array {
  const [v, core, u] = [weightsOf(chain, 0), weightsOf(chain, 1), weightsOf(chain, 2)];
  const w = new Float64Array(o * c * taps);
  for (let out = 0; out < o; out++)
    for (let q = 0; q < r2; q++)
      for (let p = 0; p < r1; p++)
        for (let into = 0; into < c; into++)
          for (let t = 0; t < taps; t++) {
            const at = (out * c + into) * taps + t;
            w[at] = the(w, at) + the(u, out * r2 + q) * the(core, (q * r1 + p) * taps + t) * the(v, p * c + into);
          }
  return w;
}

/** k x 1, then 1 x k: [O, C, k, k]. */
function spatialWeights(chain: Factorization, [c, r, o, k]: readonly [number, number, number, number]): Float64Array {
  const [down, across] = [weightsOf(chain, 0), weightsOf(chain, 1)];
  return Float64Array.from({ length: o * c * k * k }, (_, at) => {
    const [x, y] = [at % k, Math.floor(at / k) % k];
    const [into, out] = [Math.floor(at / (k * k)) % c, Math.floor(at / (k * k * c))];
    let sum = 0;
    for (let p = 0; p < r; p++) sum += the(down, (p * c + into) * k + y) * the(across, (out * r + p) * k + x);
    return sum;
  });
}

/** A then B multiplied out, [K, N] or (for `output-input`) [N, K]. */
function productWeights(
  chain: Factorization,
  [k, r, n]: readonly [number, number, number],
  lies: 'input-output' | 'output-input',
) {
  const [a, b] = [weightsOf(chain, 0), weightsOf(chain, 1)];
  const isTurned = lies === 'output-input';
  return Float64Array.from({ length: k * n }, (_, at) => {
    const [i, j] = isTurned ? [at % k, Math.floor(at / k)] : [Math.floor(at / n), at % n];
    let sum = 0;
    for (let p = 0; p < r; p++)
      sum += (isTurned ? the(a, p * k + i) : the(a, i * r + p)) * (isTurned ? the(b, j * r + p) : the(b, p * n + j));
    return sum;
  });
}

/** Gives the initializer `name` these numbers. */
function store(model: Model, name: string, numbers: Float64Array): void {
  const value = [...model.graph.initializers].find((one) => one.name === name);
  if (!value?.constant) throw new Error(`no initializer ${name}`);
  const { dims } = value.constant;
  model.graph.setInitializer(value, { kind: 'dense', tensor: Tensor.fromNumbers('float32', dims, numbers) });
}

async function distance(model: Model, chain: Factorization, opType: string): Promise<number> {
  const feeds = feedsFor(model, 1);
  const before = await runModel(host, model, feeds);
  const node = model.graph.nodes().find((one) => one.opType === opType);
  const site = node && factorSite(node, createFacts(model));
  if (!site || isRefusal(site)) throw new Error(`no site: ${site?.refused}`);
  const made = replaceByChain(site, chain).nodes;
  expect(made.map((one) => one.opType)).toEqual(chain.factors.map(() => opType));
  expect(checkModel(model)).toEqual([]);
  const after = await runModel(host, model, feeds);
  let worst = 0;
  for (const [name, tensor] of before) {
    const [x, y] = [tensor.toNumbers(), after.get(name)?.toNumbers() ?? []];
    const scale = Math.max(...x.map(Math.abs));
    for (const [at, number] of x.entries()) worst = Math.max(worst, Math.abs(number - (y[at] ?? Number.NaN)) / scale);
  }
  return worst;
}

const GEOMETRY = { strides: [2, 1], dilations: [1, 2], begins: [1, 0], ends: [0, 2] };
const ATTRIBUTES = 'strides = [2, 1], dilations = [1, 2], pads = [1, 0, 0, 2]';

describe('a chain in the place of a layer', () => {
  it('Conv by Tucker-2: strides, pads, dilations and bias land where they belong', async () => {
    const model = parsed(`g (float[2,5,11,12] x) => (float[2,6,A,B] y)
<float[6,5,3,3] w = random(1), float[6] b = random(2)>
{
  h = Conv <${ATTRIBUTES}> (x, w, b)
  y = Relu (h)
}`);
    const bias = random(6, 'bias');
    const chain = chainOf(
      'tucker-2',
      [window(5, 4, [1, 1]), window(4, 3, [3, 3], GEOMETRY), window(3, 6, [1, 1])],
      bias,
    );
    store(model, 'w', tuckerWeights(chain, [5, 4, 3, 6, 9]));
    store(model, 'b', bias);
    expect(await distance(model, chain, 'Conv')).toBeLessThan(1e-5);
    const names = [...model.graph.initializers].map(({ name }) => name);
    expect(names).toEqual(['w_factor_1', 'w_factor_2', 'w_factor_3', 'b_1']);
    expect(printModel(model, { weights: 'full' })).toContain('h_factor_1');
  });

  it('Gemm of an old operator set, in which each needs a bias', async () => {
    const model = parseModel(`<ir_version: 4, opset_import: ["" : 7]>
g (float[2,5] x) => (float[2,6] y)
<float[5,6] w = random(1), float[6] b = random(2)>
{
  y = Gemm (x, w, b)
}`);
    const bias = random(6, 'bias');
    const chain = chainOf('svd', [rows(5, 3, 'input-output'), rows(3, 6, 'input-output')], bias);
    store(model, 'w', productWeights(chain, [5, 3, 6], 'input-output'));
    store(model, 'b', bias);
    expect(await distance(model, chain, 'Gemm')).toBeLessThan(1e-5);
    expect(model.graph.nodes().map(({ inputs }) => inputs.length)).toEqual([3, 3]);
  });

  it('a layer that is the last of a chain already: no two nodes have one name, which the runtime refuses', async () => {
    const model = parsed(`g (float[1,5,8,8] x) => (float[1,6,A,B] y)
<float[6,5,1,1] w = random(1)>
{
  [conv] y = Conv (x, w)
}`);
    const chain = (r: number, c: number): Factorization =>
      chainOf('channel-svd', [window(c, r, [1, 1]), window(r, 6, [1, 1])]);
    for (const factors of [chain(4, 5), chain(3, 4)]) {
      const node = model.graph.nodes().find(({ name }) => name === 'conv');
      const site = node && factorSite(node, createFacts(model));
      if (!site || isRefusal(site)) throw new Error('no site');
      replaceByChain(site, factors);
    }
    expect(model.graph.nodes().map(({ name }) => name)).toEqual(['conv_factor_1', 'conv_factor_2', 'conv']);
    expect((await runModel(host, model, feedsFor(model, 1))).get('y')?.dims).toEqual([1, 6, 8, 8]);
  });

  it('Conv by k x 1 and 1 x k, with auto_pad', async () => {
    const model = parsed(`g (float[1,4,9,9] x) => (float[1,5,A,B] y)
<float[5,4,3,3] w = random(1)>
{
  y = Conv <auto_pad = "SAME_UPPER"> (x, w)
}`);
    const half = (k: number[], begins: number[]): Partial<WindowLayer> => ({ kernel: k, begins, ends: begins });
    const chain = chainOf('spatial-svd', [
      window(4, 3, [3, 1], half([3, 1], [1, 0])),
      window(3, 5, [1, 3], half([1, 3], [0, 1])),
    ]);
    store(model, 'w', spatialWeights(chain, [4, 3, 5, 3]));
    expect(await distance(model, chain, 'Conv')).toBeLessThan(1e-5);
  });

  it('Conv by CP: the kernel is depthwise', async () => {
    const model = parsed(`g (float[1,4,9] x) => (float[1,5,A] y)
<float[5,4,3] w = random(1)>
{
  y = Conv <pads = [1, 1]> (x, w)
}`);
    const depthwise = window(6, 6, [3], { groups: 6, begins: [1], ends: [1] });
    const chain = chainOf('cp', [window(4, 6, [1]), depthwise, window(6, 5, [1])]);
    const core = new Float64Array(6 * 6 * 3);
    weightsOf(chain, 1).forEach((weight, at) => (core[Math.floor(at / 3) * 7 * 3 + (at % 3)] = weight));
    const full = {
      ...chain,
      factors: chain.factors.map((factor, at) => (at === 1 ? { ...factor, weights: core } : factor)),
    };
    store(model, 'w', tuckerWeights(full, [4, 6, 6, 5, 3]));
    expect(await distance(model, chain, 'Conv')).toBeLessThan(1e-5);
  });

  it.each(['input-output', 'output-input'] as const)('Gemm %s with alpha and beta', async (lies) => {
    const isTurned = lies === 'output-input';
    const model = parsed(`g (float[3,7] x) => (float[3,4] y)
<float[${isTurned ? '4,7' : '7,4'}] w = random(1), float[4] b = random(2)>
{
  y = Gemm <alpha = 0.5, beta = 2.0${isTurned ? ', transB = 1' : ''}> (x, w, b)
}`);
    const bias = random(4, 'bias');
    const chain = chainOf('svd', [rows(7, 2, lies), rows(2, 4, lies)], bias);
    store(
      model,
      'w',
      productWeights(chain, [7, 2, 4], lies).map((weight) => weight * 2),
    );
    store(
      model,
      'b',
      bias.map((number) => number / 2),
    );
    expect(await distance(model, chain, 'Gemm')).toBeLessThan(1e-5);
  });

  it.each([
    ['with its Add, which stays', 'm = MatMul (x, w)\n  y = Add (b, m)', 2],
    ['without bias', 'y = MatMul (x, w)', 0],
  ])('MatMul of four axes %s', async (_, body, biased) => {
    const model = parsed(`g (float[2,3,5,7] x) => (float[2,3,5,4] y)
<float[7,4] w = random(1), float[4] b = random(2)>
{
  ${body}
}`);
    const bias = random(4, 'bias');
    const chain = chainOf(
      'svd',
      [rows(7, 2, 'input-output'), rows(2, 4, 'input-output')],
      biased > 0 ? bias : undefined,
    );
    store(model, 'w', productWeights(chain, [7, 2, 4], 'input-output'));
    store(model, 'b', bias);
    expect(await distance(model, chain, 'MatMul')).toBeLessThan(1e-5);
    expect(model.graph.nodes()).toHaveLength(biased > 0 ? 3 : 2);
  });

  it('a bias that a chain brings to a product gets an Add in front of what reads it', () => {
    const model = parsed(`g (float[5,7] x, float[5,4] z) => (float[5,4] y)
<float[7,4] w = random(1)>
{
  m = MatMul (x, w)
  y = Add (m, z)
}`);
    const [node] = model.graph.nodes();
    const site = node && factorSite(node, createFacts(model));
    if (!site || isRefusal(site)) throw new Error('no site');
    replaceByChain(site, chainOf('svd', [rows(7, 2, 'input-output'), rows(2, 4, 'input-output')], random(4, 'bias')));
    expect(model.graph.nodes().map(({ opType }) => opType)).toEqual(['MatMul', 'MatMul', 'Add', 'Add']);
    expect(checkModel(model)).toEqual([]);
  });
});

const DECLINED: Readonly<Record<string, readonly [FactorDecline | undefined, string]>> = {
  'a depthwise Conv': [
    'grouped',
    'g (float[1,4,5,5] x) => (y) <float[4,1,3,3] w = random(1)> { y = Conv <group = 4> (x, w) }',
  ],
  'a ConvTranspose': [
    'transposed',
    'g (float[1,4,5,5] x) => (y) <float[4,2,3,3] w = random(1)> { y = ConvTranspose (x, w) }',
  ],
  'weights that the caller gives': [
    'computed-weights',
    'g (float[1,4,5,5] x, float[2,4,3,3] w) => (y) { y = Conv (x, w) }',
  ],
  'weights that the caller may replace': [
    'computed-weights',
    'g (float[1,4,5,5] x, float[2,4,3,3] w) => (y) <float[2,4,3,3] w = random(1)> { y = Conv (x, w) }',
  ],
  'weights of two layers': [
    'shared-weights',
    'g (float[1,4,5,5] x) => (y, z) <float[4,4,3,3] w = random(1)> { y = Conv (x, w) z = Conv <pads = [1, 1, 1, 1]> (x, w) }',
  ],
  'weights that are an output': [
    'shared-weights',
    'g (float[1,4,5,5] x) => (y, float[2,4,3,3] w) <float[2,4,3,3] w = random(1)> { y = Conv (x, w) }',
  ],
  'double weights': [
    'unsupported-type',
    'g (double[1,4,5,5] x) => (y) <double[2,4,3,3] w = random(1)> { y = Conv (x, w) }',
  ],
  'a transposed input': [
    'unsupported-layer',
    'g (float[7,3] x) => (y) <float[7,4] w = random(1)> { y = Gemm <transA = 1> (x, w) }',
  ],
  'a bias per position': [
    'unsupported-bias',
    'g (float[3,7] x) => (y) <float[7,4] w = random(1), float[3,4] b = random(2)> { y = Gemm (x, w, b) }',
  ],
  'a product of activations': [undefined, 'g (float[3,7] x, float[7,4] z) => (y) { y = MatMul (x, z) }'],
  'no layer': [undefined, 'g (float[3,7] x) => (y) { y = Relu (x) }'],
};

describe('layers that stay whole', () => {
  it.each(Object.entries(DECLINED))('%s', (_, [code, text]) => {
    const model = parsed(text);
    const [node] = model.graph.nodes();
    const site = node && factorSite(node, createFacts(model));
    expect(site && (isRefusal(site) ? site.refused : 'site')).toBe(code);
  });
});
