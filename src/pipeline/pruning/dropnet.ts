// DropNet's loop (Tan and Motani 2020): in each cycle a share of what remains leaves by a score that is taken anew, what is left
// recovers, and is judged. It ends when accuracy (without labels: agreement) falls under kappa times that at the start, or
// when the budget is met. A cycle begins with the file that the last one wrote: one that is read back gives the same bytes.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { findChannelGroups } from '../../analysis/channels.js';
import { openModel } from '../../onnx/open.js';
import { SCORES } from '../../passes/prune/scores/registry.js';
import { keepBest } from '../best-so-far.js';
import { gateVerdict } from '../evaluation/evaluate-model.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import type { Score } from '../quantization/score-candidate.js';
import { timeCandidate } from '../quantization/speed.js';
import { candidateOf, stepOf, unitsLeft, type Candidate } from './candidate.js';
import { costAt, countedCost } from './costs.js';
import { CycleFiles, makeCycle, type PlainModel } from './cycle-files.js';
import { cycleUnits, type CycleUnits, type PaperWidths } from './cycle-units.js';
import { groupStarts, type GroupStart } from './group-rows.js';
import { groupLevels } from './levels.js';
import type { PruneStep } from './outcome.js';
import { levelOptions } from './planner.js';
import { openBench, timedRun, type PruneRun } from './prune-run.js';
import type { Chosen } from './schedule.js';
import { scopeOf, scoreGroups, type GroupScores } from './score-groups.js';
import { latencyLimit, partOf } from '../setting-table.js';

/** A cycle that is done; plain data. */
interface Cycle {
  readonly model: PlainModel;
  /** Units that remain on paper. */
  readonly widths: readonly (readonly [string, number])[];
  readonly step: PruneStep;
  /** Accuracy, or agreement, as part of that at the start. */
  readonly part: number;
}

/** What the cycles have in common. */
interface Loop {
  readonly run: PruneRun;
  readonly groups: readonly GroupStart[];
  readonly files: CycleFiles;
  /** Those that held, one after the other. */
  readonly good: Cycle[];
}

/** Cycles that may be the result, where a later one may not stand. */
const MOST_CANDIDATES = 3;

/** Runs the loop. @throws what scoring, removing, repairing and running throw */
export async function pruneInCycles(run: PruneRun): Promise<Chosen> {
  const groups = await run.journal.recall('the groups', () => startGroups(run));
  const loop: Loop = { run, groups, files: new CycleFiles(run), good: [] };
  const steps: PruneStep[] = [];
  for (let number = 1; ; number++) {
    let isNew = false;
    const cycle = await run.journal.recall(`cycle ${number}`, async () => {
      isNew = true;
      return (await runCycle(loop, number)) ?? null;
    });
    if (!cycle) break;
    steps.push(cycle.step);
    if (!holds(run, cycle)) break;
    loop.good.push(cycle);
    if (isNew) {
      const path = await loop.files.get(loop.good.map(({ model }) => model));
      await keepBest(run.request, () => openModel(path, run.request));
    }
    if (await isEnough(loop, candidateFrom(loop, number))) break;
  }
  const last = loop.good.length;
  const candidates = Array.from({ length: Math.min(MOST_CANDIDATES, last) }, (_, back) =>
    candidateFrom(loop, last - back),
  );
  return { groups, candidates, steps, onLoss: 'next', otherwise: 'loss' };
}

async function startGroups(run: PruneRun): Promise<GroupStart[]> {
  const { groups, scored } = await lookAt(run, run.slimmed.path);
  return groupStarts(groups, scored);
}

interface Looked {
  readonly bench: QuantizationBench;
  readonly groups: readonly ChannelGroup[];
  readonly scored: readonly GroupScores[];
}

/** The groups of a model and their scores. */
async function lookAt(run: PruneRun, path: string): Promise<Looked> {
  const { seed } = run.request;
  const bench = await openBench(run, path);
  const groups = findChannelGroups(bench.decoded.model, benchFacts(bench));
  const open = groups.filter(({ frozen, width }) => frozen === undefined && width > 1);
  return { bench, groups, scored: await scoreGroups(bench, open, { name: run.score, seed }) };
}

/** One cycle; undefined where nothing is left that could leave. */
async function runCycle({ run, groups, files, good }: Loop, number: number): Promise<Cycle | undefined> {
  const { request, scorers } = run;
  const before = good.map(({ model }) => model);
  const path = await files.get(before);
  request.onStage?.(`cycle ${number}`);
  const looked = await lookAt(run, path);
  const chosen = choose(run, looked, { before: new Map(good.at(-1)?.widths), groups, good });
  if (chosen.removals.size === 0) return undefined;
  const removals = [...chosen.removals].map(([{ name }, units]) => [name, units] as const);
  const made = await makeCycle(run, path, { removals, before: before.at(-1) });
  if (made.removed.size === 0) return undefined;
  const model = await files.put(number, made, removals);
  request.onStage?.(`judging cycle ${number}`);
  const score = await scorers.select.score(made.path);
  const units = unitsLeft(groups, [...good.map((cycle) => ({ removed: new Map(cycle.model.removed) })), made]);
  const step = await stepOf(run, { name: `cycle ${number}`, path: made.path, loss: score.loss, units });
  return { model, widths: [...chosen.widths], step, part: partKept(score) };
}

/** Accuracy against that at the start; without labels agreement; of other outputs what is not error. */
function partKept({ accuracy, comparison, loss }: Score): number {
  if (accuracy) return accuracy.candidate.top1.value / Math.max(accuracy.original.top1.value, Number.MIN_VALUE);
  return comparison.agreement?.value ?? 1 - loss.value / 100;
}

function holds({ request: { settings } }: PruneRun, { part, step }: Cycle): boolean {
  const isWithin = settings.maxDrop === undefined || gateVerdict(step.loss, settings.maxDrop) === 'met';
  return part >= settings.kappa && isWithin;
}

interface Progress {
  readonly before: PaperWidths;
  readonly groups: readonly GroupStart[];
  readonly good: readonly Cycle[];
}

/** Halvings of the share of a cycle that would miss the budget by too much. */
const HALVINGS = 12;

/** What leaves: of the share that is asked for, or of the least that meets the budget. */
function choose(run: PruneRun, { bench, scored }: Looked, progress: Progress): CycleUnits {
  const { settings } = run.request;
  const facts = benchFacts(bench);
  const options = { ...levelOptions(run.request), most: Infinity };
  const levels = new Map(scored.map(({ group }) => [group, groupLevels(group, facts, options)]));
  const scope = scopeOf(settings, SCORES[run.score]);
  const at = (share: number, before: PaperWidths): CycleUnits =>
    cycleUnits(scored, before, { scope, share, levels: (group) => levels.get(group) ?? [group.width] });
  let { before } = progress;
  let found = at(settings.share, before);
  // Where no group has come to a width that suits, nothing changes, and the next cycle follows at once.
  while (found.removals.size === 0 && paperLeft(found.widths) < paperLeft(before)) {
    before = found.widths;
    found = at(settings.share, before);
  }
  const meets = budgetTest(run, bench, scored, progress);
  if (!meets?.(found)) return found;
  let [low, high] = [0, settings.share];
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (low + high) / 2;
    const tried = at(middle, before);
    if (meets(tried)) [high, found] = [middle, tried];
    else low = middle;
  }
  return found;
}

/** Infinite where nothing is known yet: then the first cycle changes it. */
const paperLeft = (widths: PaperWidths): number =>
  widths.size === 0 ? Infinity : [...widths.values()].reduce((sum, width) => sum + width, 0);

/** Whether a choice meets the budget; undefined where only time, or nothing, is asked for. */
function budgetTest(
  run: PruneRun,
  bench: QuantizationBench,
  scored: readonly GroupScores[],
  { groups, good }: Progress,
): ((chosen: CycleUnits) => boolean) | undefined {
  const { ratio, macs, params } = run.request.settings;
  if (ratio !== undefined) {
    const all = unitsLeft(groups, []);
    const left = good.at(-1)?.step.units ?? all;
    return ({ removals }) =>
      left - [...removals.values()].reduce((sum, units) => sum + units.length, 0) <= all * (1 - ratio);
  }
  const part = macs ?? params;
  if (part === undefined) return undefined;
  const kind = macs === undefined ? 'params' : 'macs';
  const { cost: whole } = run.slimmed.before.figures;
  const limit = partOf(part) * (kind === 'macs' ? whole.macs : whole.parameters);
  const cost = countedCost(
    bench.decoded.model,
    benchFacts(bench),
    scored.map(({ group }) => group),
    kind,
  );
  return ({ removals }) =>
    costAt(cost, new Map([...removals].map(([group, units]) => [group, group.width - units.length]))) <= limit;
}

/** Whether the last good cycle meets the budget. */
async function isEnough({ run, groups, good }: Loop, candidate: Candidate): Promise<boolean> {
  const { ratio, macs, params, latency } = run.request.settings;
  const { step } = good.at(-1) ?? {};
  if (!step) return false;
  const { cost: whole } = run.slimmed.before.figures;
  if (ratio !== undefined) return step.units <= unitsLeft(groups, []) * (1 - ratio);
  if (macs !== undefined) return step.macs <= partOf(macs) * whole.macs;
  if (params !== undefined) return step.parameters <= partOf(params) * whole.parameters;
  if (latency === undefined || !run.timed) return false;
  const path = async (): Promise<string> => (await candidate.file()).path;
  const { latency: found } = (await timeCandidate(timedRun(run), path, candidate.name)).original;
  const limit = latencyLimit(latency);
  return 'times' in limit ? found[found.decidedBy].value <= limit.times : found.after.wall.p50 <= limit.ms;
}

/** The model after the first `count` good cycles. */
function candidateFrom({ run, files, good }: Loop, count: number): Candidate {
  const models = good.slice(0, count).map(({ model }) => model);
  return candidateOf(run, { name: `cycle ${count}` }, () => files.made(models));
}
