// Which layers become which chains for which aim: what is known of the layers is found out once and noted in the journal, so that a
// run that goes on chooses alike.
import type { FactorScheme } from '../../fit/low-rank/factors.js';
import { convolutionBlock } from '../../runtime/machine.js';
import { runtimeGemm } from '../../runtime/gemm.js';
import { openBench } from '../pruning/prune-run.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import { chainTimer } from './chain-latency.js';
import { costIn, type Costs } from '../trading/costs.js';
import { paretoOptions } from '../trading/pareto.js';
import type { PricedLayer, PricedOption } from './priced-chain.js';
import type { FactorizeRun } from './factorize-run.js';
import { costOfLayer, rankUnit } from './layer-options.js';
import { timesIn } from './keep-paying.js';
import { findSites, type FoundSites, type LayerSite } from './layer-sites.js';
import type { CurvePoint, FactorizedLayer, StayReason } from './outcome.js';
import { studyLayers, type StudiedLayer, type StudiedOption } from './study.js';

/** What is known of one layer before anything is chosen; plain data. */
export interface LayerStart extends Pick<FactorizedLayer, 'name' | 'opType' | 'sizes' | 'curves'> {
  /** Why it stays whole whatever is asked. */
  readonly reason: StayReason | undefined;
  /** Undefined where it has no chains. */
  readonly priced: PricedLayer | undefined;
}

/** Chains of one layer that are timed. */
const MOST_TIMED = 16;
/** Profiles of short layers are rough. */
const MOST_COLD = 4;
/** Points of a curve in the report. */
const MOST_SHOWN = 24;
const FLOAT_BYTES = 4;

/** All layers with weights, in order of execution, with the chains that they can become. */
export function planLayers(run: FactorizeRun): Promise<readonly LayerStart[]> {
  return run.journal.recall('the layers', async () => {
    const bench = await openBench(run, run.base);
    const facts = benchFacts(bench);
    const { settings, seed, signal } = run.request;
    const found = findSites(bench.decoded.model.graph, facts, settings);
    const studied = await studyLayers(bench, found.sites, {
      settings,
      seed,
      unit: rankUnit(run.aim, convolutionBlock()),
      cost: run.aim,
      gemm: runtimeGemm(run.host, { signal }),
      cache: run.cache,
      data: run.samples.dataFree ? 'none' : 'given',
    });
    return startsOf(run, bench, { found, studied });
  });
}

async function startsOf(
  run: FactorizeRun,
  bench: QuantizationBench,
  { found, studied }: { readonly found: FoundSites; readonly studied: readonly StudiedLayer[] },
): Promise<LayerStart[]> {
  const { threads, latencyTable } = run.request;
  const timer = run.timed ? chainTimer(bench, { threads, latencyTable }) : undefined;
  const within = run.timed && run.aim === 'latency' ? await timesIn(run, run.base) : undefined;
  const known = new Map(studied.map((one) => [one.name, one]));
  const sites = new Map(found.sites.map((site) => [site.node, site]));
  const declined = new Map(found.declined.map(({ node, code }) => [node, code]));
  const starts: LayerStart[] = [];
  try {
    for (const node of bench.decoded.model.graph.nodes()) {
      const site = sites.get(node);
      const code = declined.get(node);
      if (code)
        starts.push({
          name: node.label,
          opType: node.opType,
          sizes: undefined,
          curves: [],
          reason: code,
          priced: undefined,
        });
      if (!site) continue;
      bench.onStage?.(`timing chains, ${starts.length + 1} of ${found.sites.length + found.declined.length}`);
      const time: Time = (option) => timer?.timeOf(site, option) ?? Promise.resolve(undefined);
      starts.push(await startOf(site, known.get(site.name), { aim: run.aim, time, within: within?.(site.name) }));
    }
  } finally {
    timer?.save();
  }
  return starts;
}

/** Of a chain, or of the layer. */
type Time = (option?: StudiedOption) => Promise<number | undefined>;

interface Timing {
  readonly aim: FactorizeRun['aim'];
  readonly time: Time;
  /** Microseconds of the layer within the model. */
  readonly within: number | undefined;
}

/** By how much a layer is timed too short alone, where its weights are in the cache: so is every chain, by the weights that it has. */
export const coldness = (alone: number | undefined, within: number | undefined): number =>
  alone && within ? Math.min(MOST_COLD, Math.max(1, within / alone)) : 1;

async function startOf(
  site: LayerSite,
  studied: StudiedLayer | undefined,
  { aim, time, within }: Timing,
): Promise<LayerStart> {
  const { name, node, layer } = site;
  const kernel = layer.kind === 'rows' ? [] : layer.kernel;
  const sizes = { inputs: layer.inputs, outputs: layer.outputs, kernel };
  const about = { name, opType: node.opType, sizes };
  if (!studied || studied.options.length === 0)
    return { ...about, curves: [], reason: studied?.why ?? 'no-saving', priced: undefined };
  const { macs, params } = costOfLayer(layer, site.sizes);
  const alone = await time();
  const cold = coldness(alone, within);
  const timed = async (option?: StudiedOption): Promise<number | undefined> => {
    const us = option ? await time(option) : alone;
    return us === undefined ? undefined : us * cold;
  };
  const whole = costsOf({ macs: macs * site.batch, params }, await timed());
  const shown = perScheme(studied.options, aim === 'latency' ? MOST_TIMED : MOST_SHOWN * 2);
  const options: PricedOption[] = [];
  for (const option of aim === 'latency' ? shown : studied.options)
    options.push({ ...plain(option), costs: costsOf(option, aim === 'latency' ? await timed(option) : undefined) });
  const cheaper = options.filter(({ costs }) => costIn(costs, aim) < costIn(whole, aim));
  const reason = cheaper.length > 0 ? undefined : aim === 'latency' ? 'slower-chain' : 'no-saving';
  return {
    ...about,
    curves: curvesOf(shown, options),
    reason,
    priced: reason ? undefined : { name, whole, options: cheaper },
  };
}

const plain = ({ scheme, ranks, error, loss }: StudiedOption): Omit<PricedOption, 'costs'> => ({
  scheme,
  ranks,
  error,
  loss,
});

const costsOf = ({ macs, params }: Pick<Costs, 'macs' | 'params'>, latency: number | undefined): Costs => ({
  macs,
  params,
  size: params * FLOAT_BYTES,
  latency,
});

/** The best of each scheme, as many of each. */
function perScheme(options: readonly StudiedOption[], most: number): StudiedOption[] {
  const schemes = [...new Set(options.map(({ scheme }) => scheme))];
  const each = Math.max(2, Math.floor(most / schemes.length));
  return schemes.flatMap((scheme) => {
    const best = paretoOptions(
      options.filter((option) => option.scheme === scheme),
      ({ macs }) => macs,
    );
    const places = Array.from({ length: each }, (_, at) => Math.round((at * (best.length - 1)) / (each - 1)));
    return best.filter((_, at) => places.includes(at));
  });
}

function curvesOf(shown: readonly StudiedOption[], options: readonly PricedOption[]): FactorizedLayer['curves'] {
  const times = new Map(options.map((option) => [keyOf(option), option.costs.latency]));
  const schemes = [...new Set(shown.map(({ scheme }) => scheme))];
  const pointsOf = (scheme: FactorScheme): CurvePoint[] =>
    shown
      .filter((option) => option.scheme === scheme)
      .map((option) => {
        const { ranks, macs, params, error } = option;
        return { ranks, macs, params, error, us: times.get(keyOf(option)) };
      });
  return schemes.map((scheme) => ({ scheme, points: pointsOf(scheme) }));
}

const keyOf = ({ scheme, ranks }: { readonly scheme: string; readonly ranks: readonly number[] }): string =>
  `${scheme} ${ranks.join(',')}`;
