// A chain read from where it stands is the one that was put there; one written over another is as if it had stood there from the start.
import { afterAll, describe, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { factorize } from '../../../src/fit/low-rank/factorize.js';
import type { Factorization } from '../../../src/fit/low-rank/factors.js';
import { lowRankProblem } from '../../../src/fit/low-rank/problem.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { factorSite, type FactorSite } from '../../../src/passes/factorize/factor-site.js';
import { readChain, writeChain } from '../../../src/passes/factorize/placed-chain.js';
import { replaceByChain } from '../../../src/passes/factorize/replace-by-chain.js';
import { isRefusal } from '../../../src/passes/plan.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { feedsFor, runModel } from '../run-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const NETS = {
  Conv: `g (float[1,4,7,7] x) => (float[1,6,7,7] y)
<float[6,4,3,3] w = random(1), float[6] b = random(2)>
{ y = Conv <pads = [1, 1, 1, 1]> (x, w, b) }`,
  'Conv without a bias': `g (float[1,4,7,7] x) => (float[1,6,5,5] y)
<float[6,4,3,3] w = random(1)>
{ y = Conv (x, w) }`,
  Gemm: `g (float[3,8] x) => (float[3,6] y)
<float[8,6] w = random(1), float[6] b = random(2)>
{ y = Gemm <alpha = 0.5, beta = 2.0> (x, w, b) }`,
  'Gemm, transposed': `g (float[3,8] x) => (float[3,6] y)
<float[6,8] w = random(1), float[6] b = random(2)>
{ y = Gemm <transB = 1> (x, w, b) }`,
  MatMul: `g (float[3,8] x) => (float[3,6] y)
<float[8,6] w = random(1), float[6] b = random(2)>
{
  m = MatMul (x, w)
  y = Add (m, b)
}`,
} as const;

const parsed = (text: string): Model => parseModel(`<ir_version: 8, opset_import: ["" : 17]>\n${text}`);

function siteOf(model: Model): FactorSite {
  const [node] = model.graph.nodes();
  const site = node && factorSite(node, createFacts(model));
  if (!site || isRefusal(site)) throw new Error('no site');
  return site;
}

const chainFor = async ({ layer, stored }: FactorSite): Promise<Factorization> =>
  factorize(
    await lowRankProblem({ layer, ...stored, metric: { kind: 'plain' } }),
    layer.kind === 'rows' ? 'svd' : 'spatial-svd',
    [4],
  );

/** Other numbers in the same places. */
const changed = (chain: Factorization): Factorization => ({
  ...chain,
  factors: chain.factors.map(({ layer, weights, bias }, at) => ({
    layer,
    weights: weights.map((weight, i) => weight * (1 + (i % 7) / 10) - at),
    ...(bias ? { bias: bias.map((number, i) => number + i) } : {}),
  })),
});

/** Zeros stand for no bias. */
const numbersOf = (chain: Factorization | undefined): number[][] =>
  (chain?.factors ?? []).map(({ layer, weights, bias }) =>
    // As float32 stores them, or nearly so.
    [...weights, ...(bias ?? new Float64Array(layer.outputs))].map((number) => Math.round(number * 1e5) / 1e5 + 0),
  );

describe.each(Object.entries(NETS))('a chain for %s', (_, text) => {
  it('reads as it was put there, and as it was written', async () => {
    const model = parsed(text);
    const site = siteOf(model);
    const chain = await chainFor(site);
    const placed = replaceByChain(site, chain);
    expect(numbersOf(readChain(placed))).toEqual(numbersOf(chain));
    const other = changed(chain);
    writeChain(placed, other);
    expect(numbersOf(readChain(placed))).toEqual(numbersOf(other));
  });

  it('works as one that was put there, once it is written', async () => {
    const [written, put] = [parsed(text), parsed(text)];
    const chain = await chainFor(siteOf(put));
    const other = changed(chain);
    writeChain(replaceByChain(siteOf(written), chain), other);
    replaceByChain(siteOf(put), other);
    const feeds = feedsFor(put, 1);
    const [a, b] = [await runModel(host, written, feeds), await runModel(host, put, feeds)];
    for (const [name, tensor] of b) expect(a.get(name)?.toNumbers()).toEqual(tensor.toNumbers());
  });
});
