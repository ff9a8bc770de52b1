// Which models may be the result: the one plan that a budget or a rule gives, or those of a search.
import { GateError } from '../../base/errors.js';
import { searchDrop } from '../drop-search.js';
import { timedRun } from '../pruning/prune-run.js';
import { timeCandidate } from '../quantization/speed.js';
import { latencyLimit, partOf, type LatencyBudget } from '../setting-table.js';
import { countedBudgets } from './budgets.js';
import { candidateOf, judgeCandidate, type Candidate, type TradeStep } from './candidate.js';
import {
  chooseWithin,
  costOfPlan,
  lossFrontier,
  sensitivityFrontier,
  type Plan,
  type Priced,
  type PricedSite,
} from './choose.js';
import { costIn, type Counted, type Limit } from './costs.js';
import type { MadeModel, Trade } from './trade-run.js';

/** Why nothing is changed where there is no candidate. `worth`: others lose less by what they save. `met`: the budget was met without. */
export type IdleReason = 'worth' | 'met' | 'loss';

/** What a schedule found. */
export interface Found<O extends Priced, M extends MadeModel> {
  /** The best first. */
  readonly candidates: readonly Candidate<O, M>[];
  readonly steps: readonly TradeStep[];
  /** Whether a candidate that loses more than is allowed makes way for the next. */
  readonly onLoss: 'stay' | 'next';
  readonly otherwise: IdleReason;
}

/** How plans come to be, from one line to the next: by the least loss together, or the same loss for every site. */
export type FrontierRule = 'together' | 'each';

/** One plan. */
export function byRule<O extends Priced, M extends MadeModel>(
  trade: Trade<O, M>,
  name: string,
  plan: Plan<O>,
): Found<O, M> {
  const candidates = plan.length > 0 ? [candidateOf(trade, name, plan)] : [];
  return { candidates, steps: [], onLoss: 'stay', otherwise: 'worth' };
}

/** Words for messages. */
const COST_WORDS: Readonly<Record<Counted, string>> = {
  macs: 'multiplications',
  params: 'parameters',
  size: 'size of the file',
};

/** What a figure of the whole model was before slimming, is now, and what of it lies in sites that can change. */
function figuresOf<O extends Priced, M extends MadeModel>(
  { run: { slimmed }, priced }: Trade<O, M>,
  key: Counted,
): { readonly before: number; readonly now: number; readonly open: number } {
  const read = ({ figures, file }: typeof slimmed.before): number =>
    ({ macs: figures.cost.macs, params: figures.cost.parameters, size: file.bytes })[key];
  const open = priced.reduce((sum, { whole }) => sum + costIn(whole, key), 0);
  return { before: read(slimmed.before), now: read(slimmed.after), open };
}

/** Bounds that slimming alone has not met, on what lies in sites that can change. */
function limitsOf<O extends Priced, M extends MadeModel>(
  trade: Trade<O, M>,
): readonly (Limit & { readonly cost: Counted })[] {
  return countedBudgets(trade.run.request.settings).flatMap(([cost, part]) => {
    const { before, now, open: inSites } = figuresOf(trade, cost);
    const most = partOf(part) * before - (now - inSites);
    return now <= partOf(part) * before ? [] : [{ cost, most }];
  });
}

/** The least loss within the bounds on counted figures. @throws GateError when they cannot be met */
export function byBudgets<O extends Priced, M extends MadeModel>(
  trade: Trade<O, M>,
  rule: FrontierRule = 'together',
): Found<O, M> {
  const { run, priced } = trade;
  const { settings } = run.request;
  const limits = limitsOf(trade);
  const name = countedBudgets(settings)
    .map(([key, part]) => `${key} ${part}`)
    .join(', ');
  if (limits.length === 0) return { candidates: [], steps: [], onLoss: 'stay', otherwise: 'met' };
  if (rule === 'each') {
    const plans = sensitivityFrontier(priced, run.aim, SEARCH_POINTS);
    const plan = plans.find((one) => limits.every(({ cost, most }) => costOfPlan(priced, one, cost) <= most));
    return byRule(trade, name, plan ?? plans.at(-1) ?? []);
  }
  const choice = chooseWithin(priced, limits);
  if (choice.kind === 'found') return byRule(trade, name, choice.plan);
  const missed = limits.find(({ cost }) => cost === choice.limit.cost);
  if (!missed) return byRule(trade, name, []);
  const { before, now, open: inSites } = figuresOf(trade, missed.cost);
  // Rounded up, so that what is named can be had.
  const part = (Math.ceil((100 * (choice.least + now - inSites)) / before) / 100).toFixed(2);
  throw new GateError(
    `${trade.what} cannot bring the ${COST_WORDS[missed.cost]} down to ${settings[missed.cost]}: ${part}x is the least`,
    { fix: `ask for ${part}x or more` },
  );
}

/** Models that are looked at, from nearly all sites whole to the cheapest. */
const SEARCH_POINTS = 48;

/** As much goes as loses no more than `maxDrop` on the samples for selection; the loss is taken to grow along the frontier. */
export async function byDrop<O extends Priced, M extends MadeModel>(
  trade: Trade<O, M>,
  maxDrop: number,
  rule: FrontierRule = 'together',
): Promise<Found<O, M>> {
  const { run, priced } = trade;
  const frontier = rule === 'each' ? sensitivityFrontier<O> : lossFrontier<O>;
  const plans = frontier(priced, run.aim, run.request.searchPoints ?? SEARCH_POINTS);
  const candidates = plans.map((plan, at) => candidateOf(trade, `candidate ${at + 1} of ${plans.length}`, plan));
  const judge = (one: Candidate<O, M>): Promise<TradeStep> => judgeCandidate(run, one, trade.timeOf);
  const found = await searchDrop(run.request, { maxDrop, candidates, judge });
  return { ...found, onLoss: 'next', otherwise: plans.length === 0 ? 'worth' : 'loss' };
}

const MOST_TRIES = 5;
/** The next try aims lower than the last one missed by. */
const EAGERNESS = 0.97;
/** Part of what sites take that a try leaves, at least. */
const LEAST_LEFT = 0.05;

/** A plan for a time, corrected by how long the models that come out really take. */
export async function searchLatency<O extends Priced, M extends MadeModel>(
  trade: Trade<O, M>,
  latency: LatencyBudget,
): Promise<Found<O, M>> {
  const { run, priced } = trade;
  const { slimmed } = run;
  const full = await timeCandidate(timedRun(run), () => Promise.resolve(slimmed.path), 'the slimmed model');
  const before = full.original.latency;
  const limit = latencyLimit(latency);
  const asked = 'times' in limit ? limit.times : limit.ms / before.before.wall.p50;
  const start = before[before.decidedBy].value;
  // What is as fast as asked without that stays whole.
  if (asked >= start) return { candidates: [], steps: [], onLoss: 'stay', otherwise: 'met' };
  const sitesUs = priced.reduce((sum, { whole }) => sum + costIn(whole, 'latency'), 0);
  const wholeUs = before.after.wall.p50 * 1000;
  const candidates: Candidate<O, M>[] = [];
  const steps: TradeStep[] = [];
  let saved = (1 - asked / start) * wholeUs;
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const name = `${latency}, try ${tries}`;
    const most = Math.max(LEAST_LEFT * sitesUs, leastLeft(priced), sitesUs - saved);
    const choice = chooseWithin(priced, [{ cost: 'latency', most }]);
    if (choice.kind === 'infeasible' || choice.plan.length === 0) break;
    const candidate = candidateOf(trade, name, choice.plan);
    const speed = await timeCandidate(timedRun(run), async () => (await candidate.file()).path, candidate.key);
    const ratio = speed.original.latency[speed.original.latency.decidedBy].value;
    candidates.unshift(candidate);
    steps.push(await judgeCandidate(run, candidate, ratio));
    if (ratio <= asked || most <= leastLeft(priced)) break;
    // As much more as the try fell short of, by what it saved of what it meant to.
    const reached = Math.max(0.2, (start - ratio) / Math.max(1e-9, (start * (sitesUs - most)) / wholeUs));
    saved = sitesUs - most + (((ratio - asked * EAGERNESS) / start) * wholeUs) / Math.min(1, reached);
  }
  return { candidates, steps, onLoss: 'stay', otherwise: 'worth' };
}

/** The least time that the sites together can take. */
function leastLeft<O extends Priced>(priced: readonly PricedSite<O>[]): number {
  return priced.reduce(
    (sum, { whole, options }) =>
      sum + Math.min(costIn(whole, 'latency'), ...options.map(({ costs }) => costIn(costs, 'latency'))),
    0,
  );
}
