// What each layer would lose as a chain, first in its own outputs and then in those of the whole model: chains of a few sizes are
// put in its place, and between them the error of the model follows that of the layer on a straight line of logarithms.
import { AppError, InterruptError } from '../../base/errors.js';
import { factorize } from '../../fit/low-rank/factorize.js';
import type { Metric } from '../../fit/low-rank/metric.js';
import { lowRankProblem, type LowRankProblem } from '../../fit/low-rank/problem.js';
import type { PatchMoments } from '../../fit/patch-moments.js';
import type { Gemm } from '../../linalg/gemm.js';
import { replaceByChain } from '../../passes/factorize/replace-by-chain.js';
import { Judge } from '../pruning/sensitivity.js';
import type { QuantizationBench } from '../quantization/bench.js';
import { paretoOptions } from '../trading/pareto.js';
import { chainOptions, type ChainOption, type OptionRequest } from './layer-options.js';
import type { LayerSite } from './layer-sites.js';
import { recallLayers, type MomentCache } from './observe-layers.js';
import type { FactorizeSettings } from './settings.js';

/** A chain with what the model loses by it: noise over signal of the outputs. */
export interface StudiedOption extends ChainOption {
  readonly loss: number;
}

/** Plain data. */
export interface StudiedLayer {
  readonly name: string;
  readonly options: readonly StudiedOption[];
  /** Why there are none. */
  readonly why: 'no-moments' | 'not-finite' | 'no-saving' | undefined;
}

export interface StudyRequest extends Pick<OptionRequest, 'unit' | 'cost'> {
  readonly settings: Pick<FactorizeSettings, 'metric'>;
  readonly seed: number;
  readonly gemm: Gemm;
  readonly cache: MomentCache;
  /** `none`: nothing is judged by what comes out of the model. */
  readonly data: 'given' | 'none';
  /** Samples that errors of the model are measured on; by default few. */
  readonly judged?: number;
}

/** Shares of the variance of a layer's output near which the whole model is looked at. */
const ANCHORS = [0.02, 0.2] as const;
const LEAST = 1e-12;
const MOST = 1e6;

/** The layers with the chains that they could become, in their order. The model is as it was afterwards. */
export async function studyLayers(
  bench: QuantizationBench,
  sites: readonly LayerSite[],
  request: StudyRequest,
): Promise<StudiedLayer[]> {
  const judge = request.data === 'given' && sites.length > 0 ? await Judge.gather(bench, request) : undefined;
  const found: StudiedLayer[] = [];
  for await (const [site, moments] of momentsOf(bench, sites, request)) {
    bench.onStage?.(`looking at layers, ${found.length + 1} of ${sites.length}`);
    found.push(await studyLayer(site, moments, { judge, request }));
  }
  return found;
}

/** Nothing is streamed where only weights count. */
async function* momentsOf(
  bench: QuantizationBench,
  sites: readonly LayerSite[],
  { settings, seed, cache }: StudyRequest,
): AsyncGenerator<readonly [LayerSite, PatchMoments | undefined]> {
  if (settings.metric === 'plain') for (const site of sites) yield [site, undefined];
  else yield* recallLayers(bench, sites, { seed, cache });
}

/** What counts as an error; undefined where the moments that it needs could not be had. */
export function metricOf(kind: FactorizeSettings['metric'], moments: PatchMoments | undefined): Metric | undefined {
  if (kind === 'plain') return { kind };
  return moments && { kind, moments };
}

/** Undefined where weights or moments are not finite. */
export async function problemOf(site: LayerSite, metric: Metric, gemm: Gemm): Promise<LowRankProblem | undefined> {
  const { layer, stored } = site;
  try {
    return await lowRankProblem({ layer, weights: stored.weights, bias: stored.bias, metric, gemm });
  } catch (error) {
    if (error instanceof InterruptError || !(error instanceof AppError)) throw error;
    return undefined;
  }
}

interface Study {
  readonly judge: Judge | undefined;
  readonly request: StudyRequest;
}

async function studyLayer(
  site: LayerSite,
  moments: PatchMoments | undefined,
  { judge, request }: Study,
): Promise<StudiedLayer> {
  const { name, schemes } = site;
  const metric = metricOf(request.settings.metric, moments);
  if (!metric) return { name, options: [], why: 'no-moments' };
  const problem = await problemOf(site, metric, request.gemm);
  if (!problem) return { name, options: [], why: 'not-finite' };
  const { unit, cost } = request;
  const all = await chainOptions(problem, { schemes, input: site.sizes, unit, cost });
  const options = all.map((option) => ({ ...option, macs: option.macs * site.batch }));
  if (options.length === 0) return { name, options: [], why: 'no-saving' };
  const anchors = judge ? await measuredAnchors(site, problem, { judge, options }) : [];
  const loss = lossCurve(anchors);
  return { name, options: options.map((option) => ({ ...option, loss: loss(option.error) })), why: undefined };
}

interface Anchor {
  /** Of the layer, and of the model. */
  readonly error: number;
  readonly loss: number;
}

async function measuredAnchors(
  site: LayerSite,
  problem: LowRankProblem,
  { judge, options }: { readonly judge: Judge; readonly options: readonly ChainOption[] },
): Promise<Anchor[]> {
  const best = paretoOptions(options, ({ macs }) => macs);
  const apart = (option: ChainOption, error: number): number =>
    Math.abs(Math.log(Math.max(LEAST, option.error) / error));
  const chosen = ANCHORS.flatMap((error) => best.toSorted((a, b) => apart(a, error) - apart(b, error))[0] ?? []);
  const anchors: Anchor[] = [];
  for (const { scheme, ranks, error } of new Set(chosen)) {
    const chain = await factorize(problem, scheme, ranks);
    anchors.push({ error, loss: await judge.errorAfter(() => void replaceByChain(site, chain)) });
  }
  return anchors;
}

/** The loss of the model by the error of a layer: e * s(e), log s straight between anchors and level outside of them. */
export function lossCurve(anchors: readonly Anchor[]): (error: number) => number {
  const scales = anchors
    .filter(({ error }) => error > LEAST)
    .map(({ error, loss }) => ({ at: Math.log(error), log: Math.log(Math.max(LEAST, loss) / error) }))
    .toSorted((a, b) => a.at - b.at);
  return (error) => {
    const at = Math.log(Math.max(LEAST, error));
    const above = scales.find((scale) => scale.at >= at);
    const below = scales.findLast((scale) => scale.at <= at);
    const [from, to] = [below ?? above, above ?? below];
    if (!from || !to) return Math.min(MOST, error);
    const share = to.at > from.at ? (at - from.at) / (to.at - from.at) : 0;
    return Math.min(MOST, error * Math.exp(from.log + (to.log - from.log) * share));
  };
}
