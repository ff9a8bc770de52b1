// What is gathered of layers: moments in one run over the samples or in many, against the original's outputs where asked; and the times of
// layers and chains, which a table keeps.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { relativeError } from '../../../src/fit/low-rank/compose.js';
import { factorize } from '../../../src/fit/low-rank/factorize.js';
import { lowRankProblem } from '../../../src/fit/low-rank/problem.js';
import { fullRanks } from '../../../src/fit/low-rank/scheme-rules.js';
import type { PatchMoments } from '../../../src/fit/patch-moments.js';
import { replaceByChain } from '../../../src/passes/factorize/replace-by-chain.js';
import { chainTimer } from '../../../src/pipeline/factorizing/chain-latency.js';
import { findSites, type LayerSite } from '../../../src/pipeline/factorizing/layer-sites.js';
import { emptyCache, observeLayers, recallLayers } from '../../../src/pipeline/factorizing/observe-layers.js';
import { benchFacts, type QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { decoded, plantedBench } from '../pruning/repair-net.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-observe-layers-'));
const host = new RuntimeHost();
let workspace: Workspace;
beforeAll(async () => void (workspace = await Workspace.create(undefined)));
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
  rmSync(folder, { recursive: true });
});

const DIMS = [1, 6, 9, 9];
const NET = `g (float[1,6,9,9] x) => (float[1,5] y)
<float[8,6,3,3] w = random(1), float[8] b = random(2), float[10,8,3,3] v = random(3), float[10,5] u = random(4), float[5] c = random(5)>
{
  h = Conv <pads = [1, 1, 1, 1]> (x, w, b)
  r = Relu (h)
  d = Conv <strides = [2, 2]> (r, v)
  p = GlobalAveragePool (d)
  f = Flatten (p)
  m = MatMul (f, u)
  y = Add (m, c)
}`;

const benchOf = (samples: number): QuantizationBench =>
  plantedBench({ text: NET, dims: DIMS, units: {} }, { host, workspace, samples }).bench;

const sitesOf = (bench: QuantizationBench): readonly LayerSite[] =>
  findSites(bench.decoded.model.graph, benchFacts(bench), { schemes: [], layers: 'all' }).sites;

async function gathered(
  all: AsyncIterable<readonly [LayerSite, PatchMoments | undefined]>,
): Promise<Map<string, PatchMoments | undefined>> {
  const found = new Map<string, PatchMoments | undefined>();
  for await (const [site, moments] of all) found.set(site.name, moments);
  return found;
}

describe('moments of layers', () => {
  it('are the same in one run over the samples and in one per layer, and come from the cache the second time', async () => {
    const bench = benchOf(12);
    const sites = sitesOf(bench);
    expect(sites.map(({ output }) => output.name)).toEqual(['h', 'd', 'y']);
    const once = await gathered(observeLayers(bench, sites, { seed: 0 }));
    const apiece = await gathered(observeLayers(bench, sites, { seed: 0, momentBytes: 1 }));
    expect(apiece).toEqual(once);
    const cache = emptyCache();
    expect(await gathered(recallLayers(bench, sites, { seed: 0, cache }))).toEqual(once);
    const idle: QuantizationBench = {
      ...bench,
      feeds: () => Promise.reject(new Error('nothing is streamed again')) as never,
    };
    expect(await gathered(recallLayers(idle, sites, { seed: 0, cache }))).toEqual(once);
  });

  it('with targets give chains that make up for what is lost before them', async () => {
    const teacher = decoded(NET);
    const bench = benchOf(60);
    // The first layer has lost three of its ranks: what comes later is fitted to what the original gave.
    const [first] = sitesOf(bench);
    if (!first) throw new Error('no site');
    const problem = await lowRankProblem({
      layer: first.layer,
      weights: first.stored.weights,
      bias: first.stored.bias,
      metric: { kind: 'plain' },
    });
    replaceByChain(first, await factorize(problem, 'channel-svd', [5]));
    const last = sitesOf(bench).at(-1);
    if (last?.output.name !== 'y') throw new Error('no last layer');
    const moments = (await gathered(observeLayers(bench, [last], { seed: 0, teacher }))).get(last.name);
    expect(moments?.parts[0]?.outputs).toBe(5);
    if (!moments) throw new Error('no moments');
    const { layer, stored } = last;
    const full = fullRanks(layer, 'svd');
    const common = { layer, weights: stored.weights, bias: stored.bias };
    const plain = await factorize(await lowRankProblem({ ...common, metric: { kind: 'plain' } }), 'svd', full);
    const fitted = await lowRankProblem({ ...common, metric: { kind: 'outputs', moments, damping: 1e-6 } });
    const before = relativeError(layer, stored, plain, moments);
    expect(before).toBeGreaterThan(0.01);
    expect(relativeError(layer, stored, await factorize(fitted, 'svd', full), moments)).toBeLessThan(0.8 * before);
  });
});

describe('times of layers and chains', { timeout: 60_000 }, () => {
  it('are measured once, kept in the table, and read back', async () => {
    const bench = benchOf(1);
    const [, site] = sitesOf(bench);
    if (!site) throw new Error('no site');
    const latencyTable = join(folder, 'table.json');
    const chain = { scheme: 'tucker-2', ranks: [4, 4] } as const;
    const first = chainTimer(bench, { threads: 1, latencyTable });
    const found = [await first.timeOf(site), await first.timeOf(site, chain)];
    first.save();
    for (const us of found) expect(us).toBeGreaterThan(0);
    const table = JSON.parse(readFileSync(latencyTable, 'utf8')) as {
      microseconds: Record<string, number>;
      fingerprint: string;
    };
    const keys = Object.keys(table.microseconds);
    expect(keys.map((key) => key.replace(/^.* (whole|as .*)$/, '$1'))).toEqual(['as tucker-2 4,4', 'whole']);
    const changed = Object.fromEntries(keys.map((key, at) => [key, 1000 + at]));
    writeFileSync(latencyTable, JSON.stringify({ ...table, microseconds: changed }));
    const again = chainTimer(bench, { threads: 1, latencyTable });
    expect([await again.timeOf(site), await again.timeOf(site, chain)]).toEqual([1001, 1000]);
    // A table of another machine is not mixed with what is measured here.
    writeFileSync(latencyTable, JSON.stringify({ ...table, fingerprint: 'other', microseconds: changed }));
    const foreign = chainTimer(bench, { threads: 1, latencyTable });
    expect(await foreign.timeOf(site, { scheme: 'tucker-2', ranks: [8, 8] })).toBe(undefined);
    expect(await foreign.timeOf(site)).toBe(1001);
  });
});
