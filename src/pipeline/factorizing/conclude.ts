// The end of a factorization run: chains that do not pay are put back, what is left is timed against the original and scored on
// samples that decided nothing, and all that is said of it.
import { openModel } from '../../onnx/open.js';
import { dropBest } from '../best-so-far.js';
import { brokenWarnings, lossGate, type Lossy } from '../broken-budget.js';
import { givenUpText } from '../drop-search.js';
import { gateVerdict } from '../evaluation/evaluate-model.js';
import { layerTimes } from '../layer-times.js';
import { measureTimed, type TimedPair } from '../measure.js';
import { assumedSizes, digestFiles, figuresOf } from '../model-facts.js';
import { timedRun } from '../pruning/prune-run.js';
import { isTooSlow, timeCandidate } from '../quantization/speed.js';
import { latencyLimit, partOf } from '../setting-table.js';
import type { Side } from '../slim.js';
import { slimmedResult, writeResult, type Result } from '../slimmed-result.js';
import { modelPath, publishModel } from '../written-model.js';
import type { Candidate } from './candidate.js';
import type { FactorizeRun } from './factorize-run.js';
import { withoutLosers } from './keep-paying.js';
import { layerRows } from './layer-rows.js';
import type { FactorizedModel } from './make-factorized.js';
import type { FactorizeOutcome, StayReason } from './outcome.js';
import type { Chosen } from './schedule.js';
import { countedBudgets } from './settings.js';

/** What will be published. */
interface Kept extends Result {
  /** Undefined: this is the slimmed model, or the original. */
  readonly made: FactorizedModel | undefined;
  /** Layers that were put back. */
  readonly putBack: readonly string[];
  /** Why layers that have chains stayed whole. */
  readonly otherwise: StayReason;
}

/** Writes what was chosen, and sums the run up. */
export async function concludeFactorizing(run: FactorizeRun, chosen: Chosen): Promise<FactorizeOutcome> {
  const { request, samples, original, shapes, workspace, slimmed } = run;
  const kept = await keepCandidate(run, chosen);
  const path = modelPath(kept.written);
  const { timing } = kept;
  const pair = { before: original.path, after: path };
  const measurement = timing && (await measureTimed(run.host, pair, samples.first, { timing, request }));
  request.onStage?.('summing up');
  const { profiles } = measurement ?? {};
  const times = profiles && {
    before: layerTimes(original.decoded.model, profiles.before),
    after: layerTimes(kept.decoded.model, profiles.after),
  };
  const after: Side = {
    file: await digestFiles(path, kept.written.externalBytes, request.compression),
    figures: figuresOf(kept.decoded.model, assumedSizes(kept.decoded.model, shapes, undefined)),
    times: times?.after,
  };
  const models = { before: original.decoded.model, after: kept.decoded.model };
  return {
    before: { ...slimmed.before, times: times?.before },
    after,
    layers: layerRows(chosen.layers, { ...kept, models, times }),
    aim: run.aim,
    steps: chosen.steps,
    refitted: kept.made?.refitted ?? 0,
    comparison: kept.score?.comparison,
    loss: kept.score?.loss,
    gate: lossGate(run, lossyOf(kept)),
    budget: budgetVerdict(run, kept, after),
    measurement,
    kept: kept.made ? 'factorized' : 'original',
    speedMeasured: run.timed,
    samples: samples.counts,
    dataFree: samples.dataFree,
    warnings: allWarnings(run, kept),
    path,
    publish: async (to) => {
      await publishModel(kept.written, to, { workspace, externalData: request.externalData });
      await dropBest(request, to);
    },
    dispose: () => workspace.dispose(),
  };
}

/** What the loss of the result is that of. */
const lossyOf = ({ score, made }: Kept): Lossy => ({ loss: score?.loss, change: made ? 'changed' : 'slimmed' });

function allWarnings(run: FactorizeRun, kept: Kept): string[] {
  const { warnings, scorers, samples } = run;
  const own = [...warnings, ...scorers.select.warnings, ...scorers.report.warnings, ...samples.warnings()];
  return [...brokenWarnings(run, lossyOf(kept)), ...new Set(own)];
}

/** The first candidate that may stand, else the slimmed model. */
async function keepCandidate(run: FactorizeRun, { candidates, onLoss, otherwise }: Chosen): Promise<Kept> {
  let why = otherwise;
  for (const candidate of candidates) {
    const found = await examineCandidate(run, candidate, onLoss);
    if ('decoded' in found) return found;
    why = found.why;
  }
  return keepSlimmed(run, why);
}

type Verdict = Kept | { readonly why: StayReason };

async function examineCandidate(run: FactorizeRun, first: Candidate, onLoss: Chosen['onLoss']): Promise<Verdict> {
  const { request, journal, scorers, timed, aim } = run;
  const gated = timed && aim === 'latency';
  const candidate = gated ? await withoutLosers(run, first) : first;
  const putBack = first.plan.map(([name]) => name).filter((name) => candidate.plan.every(([other]) => other !== name));
  if (candidate.plan.length === 0) return { why: 'no-gain' };
  const path = async (): Promise<string> => (await candidate.file()).path;
  const speed = timed ? await timeCandidate(timedRun(run), path, candidate.name) : undefined;
  if (speed && gated && (isTooSlow(speed) || !isFaster(speed))) return { why: 'slower' };
  const score = await journal.recall(`score of ${candidate.name}`, async () => scorers.report.score(await path()));
  const { maxDrop } = request.settings;
  const isLossy = maxDrop !== undefined && gateVerdict(score.loss, maxDrop) === 'missed';
  if (isLossy && onLoss === 'next') {
    run.warnings.push(givenUpText(candidate.name, score.loss));
    return { why: 'loss' };
  }
  const made = await candidate.file();
  const decoded = await openModel(made.path, { keepOverridable: request.keepOverridable });
  const written = await writeResult(run, decoded);
  return { decoded, written, score, timing: speed?.original, made, putBack, otherwise: 'worth' };
}

/** Chains are worth their loss only where the model is measured faster than it was with its layers whole. */
function isFaster({ original, slimmed }: Awaited<ReturnType<typeof timeCandidate>>): boolean {
  return (slimmed ?? original.latency).verdict === 'faster';
}

/** The slimmed model, or the original where slimming made it slower. */
async function keepSlimmed(run: FactorizeRun, otherwise: StayReason): Promise<Kept> {
  return { ...(await slimmedResult(run, run.original.decoded)), made: undefined, putBack: [], otherwise };
}

/** What a budget may be off. */
const SLACK = 0.005;

function budgetVerdict({ request, slimmed }: FactorizeRun, { timing }: Kept, after: Side): FactorizeOutcome['budget'] {
  const { settings } = request;
  const read = ({ figures, file }: Pick<Side, 'figures' | 'file'>) => ({
    macs: figures.cost.macs,
    params: figures.cost.parameters,
    size: file.bytes,
  });
  const [was, now] = [read(slimmed.before), read(after)];
  const counted = countedBudgets(settings).map(([key, part]) => now[key] <= (partOf(part) + SLACK) * was[key]);
  const { latency } = settings;
  const timed = latency !== undefined && timing ? [isInTime(latencyLimit(latency), timing)] : [];
  const all = [...counted, ...timed];
  if (latency !== undefined && !timing) return 'missed';
  return all.length === 0 ? undefined : all.every(Boolean) ? 'met' : 'missed';
}

function isInTime(limit: ReturnType<typeof latencyLimit>, { latency }: TimedPair): boolean {
  if ('times' in limit) return latency[latency.decidedBy].value <= limit.times + SLACK;
  return latency.after.wall.p50 <= limit.ms;
}
