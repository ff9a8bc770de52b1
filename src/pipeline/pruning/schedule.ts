// In which steps units leave, and which of the models that come out may be the result.
import { searchDrop } from '../drop-search.js';
import { timeCandidate } from '../quantization/speed.js';
import { judgeCandidate, type Candidate } from './candidate.js';
import type { GroupStart } from './group-rows.js';
import type { KeepReason, PruneStep } from './outcome.js';
import { Planner } from './planner.js';
import { timedRun, type PruneRun } from './prune-run.js';
import { latencyLimit, partOf, type LatencyBudget } from '../setting-table.js';
import { budgetOf } from './settings.js';
import type { Objective } from './width-choice.js';

/** What a schedule found. */
export interface Chosen {
  /** The groups of the slimmed model. */
  readonly groups: readonly GroupStart[];
  /** The best first. */
  readonly candidates: readonly Candidate[];
  readonly steps: readonly PruneStep[];
  /** Whether a candidate that loses more than is allowed makes way for the next. */
  readonly onLoss: 'stay' | 'next';
  /** Why nothing leaves where there is no candidate. */
  readonly otherwise: KeepReason;
}

/** All units that leave leave at once. @throws GateError when a budget cannot be reached */
export async function pruneAtOnce(run: PruneRun): Promise<Chosen> {
  const { settings } = run.request;
  const planner = await Planner.open(run);
  const budget = budgetOf(settings);
  if (budget === undefined && settings.maxDrop !== undefined) return byDrop(run, planner, settings.maxDrop);
  if (budget === undefined)
    return { groups: await planner.groups(), candidates: [], steps: [], onLoss: 'stay', otherwise: 'worth' };
  if (settings.latency !== undefined) return searchLatency(run, planner, settings.latency);
  const objective = objectiveOf(run, planner);
  const isMet = objective === undefined;
  const candidates = isMet ? [] : [await planner.candidate(objective, `${budget} ${settings[budget]}`)];
  return { groups: await planner.groups(), candidates, steps: [], onLoss: 'stay', otherwise: isMet ? 'met' : 'worth' };
}

/** What the budget asks for, of the figures before slimming; undefined where slimming alone has met it. */
function objectiveOf({ request, slimmed }: PruneRun, planner: Planner): Objective | undefined {
  const { ratio, macs, params, memory } = request.settings;
  if (ratio !== undefined) return { kind: 'ratio', value: ratio, scope: planner.scope };
  if (memory !== undefined) {
    const of = slimmed.before.figures.peakActivationBytes;
    const most = partOf(memory) * of;
    return slimmed.after.figures.peakActivationBytes <= most ? undefined : { kind: 'memory', most, of };
  }
  const [kind, figure] = macs === undefined ? (['params', 'parameters'] as const) : (['macs', 'macs'] as const);
  const part = macs ?? params;
  const [before, now] = [slimmed.before, slimmed.after].map(({ figures }) => figures.cost[figure]);
  if (part === undefined || before === undefined || now === undefined) return undefined;
  const limit = partOf(part) * before;
  return now <= limit ? undefined : { kind, factor: limit / now };
}

/** Models that are looked at, from nearly all units to the fewest. */
const SEARCH_POINTS = 64;

/**
 * As much leaves as loses no more than `maxDrop` on the samples for selection, on the line of the least loss for each time
 * (untimed: for each number of multiplications). The loss is taken to grow along it.
 */
async function byDrop(run: PruneRun, planner: Planner, maxDrop: number): Promise<Chosen> {
  const candidates = await planner.frontier(run.timed ? 'latency' : 'macs', run.request.searchPoints ?? SEARCH_POINTS);
  const groups = await planner.groups();
  const judge = (one: Candidate): Promise<PruneStep> => judgeCandidate(run, one, groups);
  return {
    groups,
    ...(await searchDrop(run.request, { maxDrop, candidates, judge })),
    onLoss: 'next',
    otherwise: 'loss',
  };
}

const MOST_TRIES = 5;
/** The next try aims lower than the last one missed by. */
const EAGERNESS = 0.98;
/** The least that one try aims at, of the one before. */
const BOLDEST = 0.6;

/** Widths for a time, corrected by how long the models that come out really take. */
async function searchLatency(run: PruneRun, planner: Planner, latency: LatencyBudget): Promise<Chosen> {
  const { slimmed } = run;
  const full = await timeCandidate(timedRun(run), () => Promise.resolve(slimmed.path), 'the slimmed model');
  const before = full.original.latency;
  const limit = latencyLimit(latency);
  const asked = 'times' in limit ? limit.times : limit.ms / before.before.wall.p50;
  const start = before[before.decidedBy].value;
  const candidates: Candidate[] = [];
  const steps: PruneStep[] = [];
  let factor = asked / start;
  // What is as fast as asked without that stays whole.
  for (let tries = 1; factor < 1 && tries <= MOST_TRIES; tries++) {
    const name = `${latency}, try ${tries}`;
    const found = await planner.candidate({ kind: 'latency', factor }, name).catch((error: unknown) => {
      if (candidates.length > 0) return undefined;
      throw error;
    });
    if (!found) break;
    const speed = await timeCandidate(timedRun(run), async () => (await found.file()).path, name);
    const ratio = speed.original.latency[speed.original.latency.decidedBy].value;
    candidates.unshift(found);
    steps.push({ ...(await judgeCandidate(run, found, await planner.groups())), latencyRatio: ratio });
    if (ratio <= asked) break;
    factor *= Math.max(BOLDEST, Math.min(EAGERNESS, (asked / ratio) * EAGERNESS));
  }
  return { groups: await planner.groups(), candidates, steps, onLoss: 'stay', otherwise: 'met' };
}
