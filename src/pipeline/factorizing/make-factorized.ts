// One plan carried out. Convolutions go group by group from the input on, each group fitted to what the original gives on what the
// model reads by then, with a recovery behind each; then the products, all at once; then a last recovery.
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InternalError } from '../../base/errors.js';
import { factorize } from '../../fit/low-rank/factorize.js';
import { writeModel } from '../../onnx/write.js';
import type { PlacedChain } from '../../passes/factorize/placed-chain.js';
import { replaceByChain } from '../../passes/factorize/replace-by-chain.js';
import { runtimeGemm } from '../../runtime/gemm.js';
import { allChannels } from '../pruning/kept-channels.js';
import { openBench } from '../pruning/prune-run.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import type { ChainPlan } from './priced-chain.js';
import type { FactorizeRun } from './factorize-run.js';
import { findSites, type LayerSite } from './layer-sites.js';
import { observeLayers, recallLayers } from './observe-layers.js';
import { metricOf, problemOf } from './study.js';

export interface FactorizedModel {
  readonly path: string;
  readonly plan: ChainPlan;
  readonly refitted: number;
  /** By label of a layer: what is lost of its outputs. */
  readonly errors: ReadonlyMap<string, number>;
}

/** Makes the model with these chains; its file lies in the workspace. @throws what running and writing the model throw */
export async function makeFactorized(run: FactorizeRun, plan: ChainPlan): Promise<FactorizedModel> {
  const { request, slimmed, workspace, teacher, recovery } = run;
  const { settings, seed, onStage } = request;
  const bench = await openBench(run, run.base);
  const groups = inGroups(sitesOf(bench, plan), recovery.name === 'none' ? 0 : settings.groupSize);
  const chains: PlacedChain[] = [];
  for (const [at, names] of groups.entries()) {
    if (at > 0) {
      onStage?.(`repairing, ${chains.length} of ${plan.length} layers factorized`);
      if (groups.length > 2) await recovery.recover({ bench, teacher, kept: allChannels(), chains, seed });
    }
    onStage?.(`factorizing, ${chains.length + 1} of ${plan.length}`);
    const from = at === 0 || recovery.name === 'none' ? 'original' : 'student';
    chains.push(...(await factorizeGroup(run, bench, { names, plan, from })));
  }
  onStage?.('repairing');
  const { layers, errors } = await recovery.recover({ bench, teacher, kept: allChannels(), chains, seed });
  const path = join(await mkdtemp(workspace.path('factorized-')), basename(slimmed.path));
  await writeModel(bench.decoded.document, bench.decoded.model, path);
  return { path, plan, refitted: layers, errors };
}

function sitesOf(bench: QuantizationBench, plan: ChainPlan): LayerSite[] {
  const asked = new Map(plan);
  const schemes = [...new Set(plan.map(([, { scheme }]) => scheme))];
  const { sites } = findSites(bench.decoded.model.graph, benchFacts(bench), { schemes, layers: 'all' });
  return sites.filter(({ name }) => asked.has(name));
}

/** Names: convolutions with a kernel in groups of `size` (0: all), then all else. */
function inGroups(sites: readonly LayerSite[], size: number): string[][] {
  const isDense = ({ layer }: LayerSite): boolean => layer.kind === 'rows';
  const [dense, spatial] = [sites.filter(isDense), sites.filter((site) => !isDense(site))].map((part) =>
    part.map(({ name }) => name),
  );
  const groups: string[][] = [];
  const step = size > 0 ? size : Math.max(1, spatial?.length ?? 0);
  for (let at = 0; at < (spatial?.length ?? 0); at += step) groups.push((spatial ?? []).slice(at, at + step));
  return [...groups, ...(dense && dense.length > 0 ? [dense] : [])];
}

interface Group {
  readonly names: readonly string[];
  readonly plan: ChainPlan;
  /** `original`: nothing has changed in front of the layers, or nothing is to make up for it. */
  readonly from: 'original' | 'student';
}

async function factorizeGroup(
  run: FactorizeRun,
  bench: QuantizationBench,
  { names, plan, from }: Group,
): Promise<PlacedChain[]> {
  const { request, teacher, host } = run;
  const { settings, seed, signal } = request;
  const chosen = new Map(plan.filter(([name]) => names.includes(name)));
  const sites = sitesOf(bench, [...chosen]);
  const gemm = runtimeGemm(host, { signal });
  const streamed =
    settings.metric === 'plain'
      ? sites.map((site) => [site, undefined] as const)
      : from === 'student'
        ? observeLayers(bench, sites, { seed, teacher })
        : recallLayers(bench, sites, { seed, cache: run.cache });
  // Layers change when all that is streamed has been seen: what they read must stay the same until then.
  const made: (() => PlacedChain)[] = [];
  for await (const [site, moments] of streamed) {
    const option = chosen.get(site.name);
    const metric = metricOf(settings.metric, moments) ?? { kind: 'plain' as const };
    const problem = await problemOf(site, metric, gemm);
    if (!option || !problem)
      throw new InternalError('unexpected', `${site.name} could be factorized, and no longer can`);
    const chain = await factorize(problem, option.scheme, option.ranks);
    made.push(() => replaceByChain(site, chain));
  }
  return made.map((replace) => replace());
}
