// Which factorized models may be the result: the one plan that a budget or a rule gives, or those of a search.
import { GateError } from '../../base/errors.js';
import { searchDrop } from '../drop-search.js';
import { timedRun } from '../pruning/prune-run.js';
import { timeCandidate } from '../quantization/speed.js';
import { latencyLimit, partOf, type LatencyBudget } from '../setting-table.js';
import { candidateOf, judgeCandidate, type Candidate } from './candidate.js';
import {
  cheapest,
  chainFrontier,
  chooseChains,
  costIn,
  costOfPlan,
  mostExact,
  sensitivityFrontier,
  type ChainPlan,
  type Limit,
  type PricedLayer,
} from './choose-chains.js';
import { evbmfPlan } from './evbmf-plan.js';
import type { FactorizeRun } from './factorize-run.js';
import type { FactorizeStep, StayReason } from './outcome.js';
import { planLayers, type LayerStart } from './planner.js';
import { countedBudgets, howMuch, type Counted } from './settings.js';

/** What a schedule found. */
export interface Chosen {
  readonly layers: readonly LayerStart[];
  /** The best first. */
  readonly candidates: readonly Candidate[];
  readonly steps: readonly FactorizeStep[];
  /** Whether a candidate that loses more than is allowed makes way for the next. */
  readonly onLoss: 'stay' | 'next';
  /** Why nothing goes where there is no candidate. */
  readonly otherwise: StayReason;
}

interface Open {
  readonly run: FactorizeRun;
  readonly layers: readonly LayerStart[];
  readonly priced: readonly PricedLayer[];
}

/** @throws GateError when a budget cannot be reached */
export async function chooseFactorized(run: FactorizeRun): Promise<Chosen> {
  const layers = await planLayers(run);
  const priced = layers.flatMap(({ priced: one }) => one ?? []);
  const open: Open = { run, layers, priced };
  const { settings } = run.request;
  const found: Omit<Chosen, 'layers'> = await {
    counted: () => byBudgets(open),
    latency: () => searchLatency(open, settings.latency ?? '1x'),
    ratio: () => byRule(open, `ratio ${settings.ratio}`, ratioPlan(open)),
    energy: () => byRule(open, `energy ${settings.energy}`, energyPlan(open)),
    evbmf: async () => byRule(open, 'ranks by EVBMF', await evbmfPlan(run, priced)),
    loss: () => byDrop(open, settings.maxDrop ?? 0),
    nothing: () => byRule(open, 'nothing', []),
  }[howMuch(settings) ?? 'nothing']();
  return { layers, ...found };
}

type Found = Omit<Chosen, 'layers'>;

function byRule({ run }: Open, name: string, plan: ChainPlan): Found {
  const candidates = plan.length > 0 ? [candidateOf(run, name, plan)] : [];
  return { candidates, steps: [], onLoss: 'stay', otherwise: 'worth' };
}

/** The least error of what has this part of the multiplications at most. */
function ratioPlan({ run, priced }: Open): ChainPlan {
  const { ratio = 1 } = run.request.settings;
  return mostExact(priced, ({ costs }, { whole }) => costs.macs <= ratio * whole.macs);
}

function energyPlan({ run, priced }: Open): ChainPlan {
  const { energy = 1 } = run.request.settings;
  return cheapest(priced, run.aim, ({ error }) => error <= 1 - energy);
}

/** Words for messages. */
const COST_WORDS: Readonly<Record<Counted, string>> = {
  macs: 'multiplications',
  params: 'parameters',
  size: 'size of the file',
};

/** What a figure of the whole model was before slimming, is now, and what of it lies in layers that can become chains. */
function figuresOf(
  { run: { slimmed }, priced }: Open,
  key: Counted,
): { readonly before: number; readonly now: number; readonly open: number } {
  const read = ({ figures, file }: typeof slimmed.before): number =>
    ({ macs: figures.cost.macs, params: figures.cost.parameters, size: file.bytes })[key];
  const open = priced.reduce((sum, { whole }) => sum + costIn(whole, key), 0);
  return { before: read(slimmed.before), now: read(slimmed.after), open };
}

/** Bounds that slimming alone has not met, on what lies in layers that can become chains. */
function limitsOf(open: Open): readonly (Limit & { readonly cost: Counted })[] {
  return countedBudgets(open.run.request.settings).flatMap(([cost, part]) => {
    const { before, now, open: inLayers } = figuresOf(open, cost);
    const most = partOf(part) * before - (now - inLayers);
    return now <= partOf(part) * before ? [] : [{ cost, most }];
  });
}

function byBudgets(open: Open): Found {
  const { run, priced } = open;
  const { settings } = run.request;
  const limits = limitsOf(open);
  const name = countedBudgets(settings)
    .map(([key, part]) => `${key} ${part}`)
    .join(', ');
  if (limits.length === 0) return { candidates: [], steps: [], onLoss: 'stay', otherwise: 'met' };
  if (settings.ranks === 'sensitivity') {
    const plans = sensitivityFrontier(priced, run.aim, SEARCH_POINTS);
    const plan = plans.find((one) => limits.every(({ cost, most }) => costOfPlan(priced, one, cost) <= most));
    return byRule(open, name, plan ?? plans.at(-1) ?? []);
  }
  const choice = chooseChains(priced, limits);
  if (choice.kind === 'found') return byRule(open, name, choice.plan);
  const missed = limits.find(({ cost }) => cost === choice.limit.cost);
  if (!missed) return byRule(open, name, []);
  const { before, now, open: inLayers } = figuresOf(open, missed.cost);
  // Rounded up, so that what is named can be had.
  const part = (Math.ceil((100 * (choice.least + now - inLayers)) / before) / 100).toFixed(2);
  throw new GateError(
    `chains cannot bring the ${COST_WORDS[missed.cost]} down to ${settings[missed.cost]}: ${part}x is the least`,
    { fix: `ask for ${part}x or more` },
  );
}

/** Models that are looked at, from nearly all layers whole to the cheapest chains. */
const SEARCH_POINTS = 48;

/** As much goes as loses no more than `maxDrop` on the samples for selection; the loss is taken to grow along the frontier. */
async function byDrop({ run, priced }: Open, maxDrop: number): Promise<Found> {
  const frontier = run.request.settings.ranks === 'sensitivity' ? sensitivityFrontier : chainFrontier;
  const plans = frontier(priced, run.aim, SEARCH_POINTS);
  const candidates = plans.map((plan, at) => candidateOf(run, `candidate ${at + 1} of ${plans.length}`, plan));
  const judge = (one: Candidate): Promise<FactorizeStep> => judgeCandidate(run, one, undefined);
  const found = await searchDrop(run.request, { maxDrop, candidates, judge });
  return { ...found, onLoss: 'next', otherwise: plans.length === 0 ? 'worth' : 'loss' };
}

const MOST_TRIES = 5;
/** The next try aims lower than the last one missed by. */
const EAGERNESS = 0.97;
/** Part of what layers take that a try leaves, at least. */
const LEAST_LEFT = 0.05;

/** Chains for a time, corrected by how long the models that come out really take. */
async function searchLatency(open: Open, latency: LatencyBudget): Promise<Found> {
  const { run, priced } = open;
  const { slimmed } = run;
  const full = await timeCandidate(timedRun(run), () => Promise.resolve(slimmed.path), 'the slimmed model');
  const before = full.original.latency;
  const limit = latencyLimit(latency);
  const asked = 'times' in limit ? limit.times : limit.ms / before.before.wall.p50;
  const start = before[before.decidedBy].value;
  // What is as fast as asked without that stays whole.
  if (asked >= start) return { candidates: [], steps: [], onLoss: 'stay', otherwise: 'met' };
  const layersUs = priced.reduce((sum, { whole }) => sum + costIn(whole, 'latency'), 0);
  const wholeUs = before.after.wall.p50 * 1000;
  const candidates: Candidate[] = [];
  const steps: FactorizeStep[] = [];
  let saved = (1 - asked / start) * wholeUs;
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const name = `${latency}, try ${tries}`;
    const most = Math.max(LEAST_LEFT * layersUs, leastLeft(priced), layersUs - saved);
    const choice = chooseChains(priced, [{ cost: 'latency', most }]);
    if (choice.kind === 'infeasible' || choice.plan.length === 0) break;
    const candidate = candidateOf(run, name, choice.plan);
    const speed = await timeCandidate(timedRun(run), async () => (await candidate.file()).path, name);
    const ratio = speed.original.latency[speed.original.latency.decidedBy].value;
    candidates.unshift(candidate);
    steps.push(await judgeCandidate(run, candidate, ratio));
    if (ratio <= asked || most <= leastLeft(priced)) break;
    // As much more as the try fell short of, by what it saved of what it meant to.
    const reached = Math.max(0.2, (start - ratio) / Math.max(1e-9, (start * (layersUs - most)) / wholeUs));
    saved = layersUs - most + (((ratio - asked * EAGERNESS) / start) * wholeUs) / Math.min(1, reached);
  }
  return { candidates, steps, onLoss: 'stay', otherwise: 'worth' };
}

/** The least time that the layers together can take. */
function leastLeft(priced: readonly PricedLayer[]): number {
  return priced.reduce(
    (sum, { whole, options }) =>
      sum + Math.min(costIn(whole, 'latency'), ...options.map(({ costs }) => costIn(costs, 'latency'))),
    0,
  );
}
