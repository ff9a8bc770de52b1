// Chains that are refitted as one layer: damaged ones of full rank give again what the layers gave, one behind the other, behind an
// activation or none, in front of a residual sum; what the last layer alone cannot mend.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { factorize } from '../../../src/fit/low-rank/factorize.js';
import type { Factorization, FactorScheme } from '../../../src/fit/low-rank/factors.js';
import { lowRankProblem } from '../../../src/fit/low-rank/problem.js';
import { checkModel } from '../../../src/ir/check.js';
import type { PlacedChain } from '../../../src/passes/factorize/placed-chain.js';
import { replaceByChain } from '../../../src/passes/factorize/replace-by-chain.js';
import { findSites } from '../../../src/pipeline/factorizing/layer-sites.js';
import { allChannels } from '../../../src/pipeline/pruning/kept-channels.js';
import { repairLayers } from '../../../src/pipeline/pruning/repair.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { answers, apart, plantedBench } from './repair-net.js';

const host = new RuntimeHost();
let workspace: Workspace;
beforeAll(async () => void (workspace = await Workspace.create(undefined)));
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

const DIMS = [1, 4, 8, 8];
const NET = `g (float[1,4,8,8] x) => (float[1,3] y)
<float[6,4,3,3] w = random(1), float[6] b = random(2), float[6,6,3,3] v = random(3), float[5,6,3,3] u = random(4),
 float[5,3] t = random(5), float[3] c = random(6)>
{
  h = Conv <pads = [1, 1, 1, 1]> (x, w, b)
  r = Relu (h)
  d = Conv <pads = [1, 1, 1, 1]> (r, v)
  s = Add (d, r)
  e = Relu (s)
  f = Conv <strides = [2, 2]> (e, u)
  p = GlobalAveragePool (f)
  q = Flatten (p)
  m = MatMul (q, t)
  y = Add (m, c)
}`;

/** By output of the layer: a scheme with ranks that leave nothing out. */
const CHAINS: Readonly<Record<string, readonly [FactorScheme, readonly number[]]>> = {
  h: ['channel-svd', [6]],
  d: ['tucker-2', [6, 6]],
  f: ['spatial-svd', [15]],
  y: ['svd', [3]],
};

/** Noise on all factors: none of the channels between them is what it was. */
function damaged(chain: Factorization): Factorization {
  const factors = chain.factors.map((factor, at) => {
    const rng = createRng(`damage ${at}`);
    const size = Math.sqrt(factor.weights.reduce((sum, w) => sum + w * w, 0) / factor.weights.length);
    return { ...factor, weights: factor.weights.map((weight) => weight + 0.7 * size * rng.normal()) };
  });
  return { ...chain, factors };
}

async function damage(bench: QuantizationBench, names: readonly string[]): Promise<PlacedChain[]> {
  const { graph } = bench.decoded.model;
  const schemes = names.flatMap((name) => CHAINS[name]?.[0] ?? []);
  const { sites } = findSites(graph, benchFacts(bench), { schemes, layers: 'all' });
  const chains: PlacedChain[] = [];
  for (const site of sites) {
    const [scheme, ranks] = CHAINS[site.output.name] ?? [];
    if (!scheme || !ranks || !names.includes(site.output.name)) continue;
    const { layer, stored } = site;
    const problem = await lowRankProblem({ layer, ...stored, metric: { kind: 'plain' } });
    chains.push(replaceByChain(site, damaged(await factorize(problem, scheme, ranks))));
  }
  expect(chains.length).toBe(names.length);
  return chains;
}

const benchOf = () => plantedBench({ text: NET, dims: DIMS, units: {} }, { host, workspace, samples: 48 });

describe('a damaged chain', { timeout: 60_000 }, () => {
  it.each([[['h']], [['d']], [['f']], [['y']], [['h', 'd', 'f', 'y']]])('is mended: %j', async (asked) => {
    const { bench, teacher } = benchOf();
    const chains = await damage(bench, asked);
    const wanted = await answers(host, teacher, DIMS);
    const before = apart(wanted, await answers(host, bench.decoded, DIMS));
    expect(before).toBeGreaterThan(0.05);
    const { layers, refitted } = await repairLayers(bench, teacher, allChannels(), { chains });
    expect(checkModel(bench.decoded.model)).toEqual([]);
    expect(apart(wanted, await answers(host, bench.decoded, DIMS))).toBeLessThan(1e-3);
    expect(refitted).toBeGreaterThanOrEqual(asked.length);
    // One line for each layer of the original, none for what is inside of a chain.
    expect(layers.filter(({ result }) => result === 'no-counterpart')).toEqual([]);
    for (const { errorBefore = 0, errorAfter = 0 } of layers) expect(errorAfter).toBeLessThan(errorBefore + 1e-9);
  });

  it('is mended from every eighth row of few samples, of which every eighth judges', async () => {
    const { bench, teacher } = plantedBench({ text: NET, dims: DIMS, units: {} }, { host, workspace, samples: 12 });
    const chains = await damage(bench, ['h']);
    const wanted = await answers(host, teacher, DIMS);
    const before = apart(wanted, await answers(host, bench.decoded, DIMS));
    // 64 positions of 36 numbers each.
    const options = { chains, positions: 64, patchBytes: (4 * 12 * 64 * 36) / 8 };
    const { layers } = await repairLayers(bench, teacher, allChannels(), options);
    expect(layers[0]).toMatchObject({ result: 'refitted' });
    expect(apart(wanted, await answers(host, bench.decoded, DIMS))).toBeLessThan(0.1 * before);
  });

  it('cannot be mended by its last layer alone', async () => {
    const { bench, teacher } = benchOf();
    await damage(bench, ['h', 'd', 'f']);
    await repairLayers(bench, teacher, allChannels());
    const wanted = await answers(host, teacher, DIMS);
    expect(apart(wanted, await answers(host, bench.decoded, DIMS))).toBeGreaterThan(0.01);
  });

  it('is left as it is where nothing is better', async () => {
    const { bench, teacher } = benchOf();
    const { graph } = bench.decoded.model;
    const { sites } = findSites(graph, benchFacts(bench), { schemes: ['channel-svd'], layers: 'conv' });
    const [site] = sites;
    if (!site) throw new Error('no site');
    const problem = await lowRankProblem({ layer: site.layer, ...site.stored, metric: { kind: 'plain' } });
    const chains = [replaceByChain(site, await factorize(problem, 'channel-svd', [6]))];
    await repairLayers(bench, teacher, allChannels(), { chains });
    const wanted = await answers(host, teacher, DIMS);
    expect(apart(wanted, await answers(host, bench.decoded, DIMS))).toBeLessThan(1e-5);
  });
});
