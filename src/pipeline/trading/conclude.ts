// The end of a run that trades accuracy for cost: what was chosen is timed against the original and scored on samples that decided
// nothing, and may stand or not; and what every such run says of it.
import { openModel } from '../../onnx/open.js';
import { dropBest } from '../best-so-far.js';
import { brokenWarnings, lossGate, type Lossy } from '../broken-budget.js';
import { givenUpText } from '../drop-search.js';
import { gateVerdict } from '../evaluation/evaluate-model.js';
import { layerTimes, type LayerTimes } from '../layer-times.js';
import { measureTimed, type TimedPair } from '../measure.js';
import { assumedSizes, digestFiles, figuresOf } from '../model-facts.js';
import { timedRun } from '../pruning/prune-run.js';
import { isTooSlow, timeCandidate } from '../quantization/speed.js';
import { latencyLimit, partOf } from '../setting-table.js';
import type { Side } from '../slim.js';
import { slimmedResult, writeResult, type Result } from '../slimmed-result.js';
import { modelPath, publishModel } from '../written-model.js';
import type { SampledRunOutcome } from '../run-outcome.js';
import { countedBudgets } from './budgets.js';
import type { Candidate } from './candidate.js';
import type { Plan, Priced } from './choose.js';
import type { Found, IdleReason } from './schedule.js';
import type { MadeModel, TradeRun } from './trade-run.js';

/** Why there is no change where there could be. `no-gain`: nothing that was chosen pays. `slower`: the model was measured slower. */
export type TradeReason = IdleReason | 'no-gain' | 'slower';

/** What will be published. */
export interface Kept<O extends Priced, M extends MadeModel> extends Result {
  /** Undefined: this is the slimmed model, or the original. */
  readonly made: M | undefined;
  readonly plan: Plan<O>;
  /** Sites that were put back. */
  readonly putBack: readonly string[];
  /** Why sites that could change did not. */
  readonly otherwise: TradeReason;
}

/** Takes what does not pay within the model out of a candidate. */
export type Settle<O extends Priced, M extends MadeModel> = (candidate: Candidate<O, M>) => Promise<Candidate<O, M>>;

/** What every such run gives, with the verdict on its budgets. */
export interface TradeOutcome extends SampledRunOutcome {
  /** Verdict on the budgets; undefined where none was given. */
  readonly budget: 'met' | 'missed' | undefined;
  /** Time per layer of both models, where they were profiled. */
  readonly times: { readonly before: LayerTimes; readonly after: LayerTimes } | undefined;
  /** The result before the passes that belong behind all else: what further changes go on from. It goes with `dispose`. */
  readonly base: string;
}

/** Measures and sums up what is kept. */
export async function concludeTrade<O extends Priced, M extends MadeModel>(
  run: TradeRun,
  kept: Kept<O, M>,
): Promise<TradeOutcome> {
  const { request, samples, original, shapes, workspace, slimmed } = run;
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
  return {
    before: { ...slimmed.before, times: times?.before },
    after,
    times,
    comparison: kept.score?.comparison,
    loss: kept.score?.loss,
    gate: lossGate(run, lossyOf(kept)),
    budget: budgetVerdict(run, kept, after),
    measurement,
    speedMeasured: run.timed,
    warnings: allWarnings(run, kept),
    path,
    base: kept.made?.raw ?? run.base,
    publish: async (to) => {
      await publishModel(kept.written, to, { workspace, externalData: request.externalData });
      await dropBest(request, to);
    },
    dispose: () => workspace.dispose(),
  };
}

/** What the loss of the result is that of. */
const lossyOf = <O extends Priced, M extends MadeModel>({ score, made }: Kept<O, M>): Lossy => ({
  loss: score?.loss,
  change: made ? 'changed' : 'slimmed',
});

function allWarnings<O extends Priced, M extends MadeModel>(run: TradeRun, kept: Kept<O, M>): string[] {
  const { warnings, scorers, samples } = run;
  const own = [...warnings, ...scorers.select.warnings, ...scorers.report.warnings, ...samples.warnings()];
  return [...brokenWarnings(run, lossyOf(kept)), ...new Set(own)];
}

/** The first candidate that may stand, else the slimmed model. */
export async function keepCandidate<O extends Priced, M extends MadeModel>(
  run: TradeRun,
  { candidates, onLoss, otherwise }: Pick<Found<O, M>, 'candidates' | 'onLoss' | 'otherwise'>,
  settle: Settle<O, M>,
): Promise<Kept<O, M>> {
  let why: TradeReason = otherwise;
  for (const candidate of candidates) {
    const found = await examineCandidate(run, candidate, { settle, onLoss });
    if ('decoded' in found) return found;
    why = found.why;
  }
  return keepSlimmed(run, why);
}

type Verdict<O extends Priced, M extends MadeModel> = Kept<O, M> | { readonly why: TradeReason };

async function examineCandidate<O extends Priced, M extends MadeModel>(
  run: TradeRun,
  first: Candidate<O, M>,
  { settle, onLoss }: { readonly settle: Settle<O, M>; readonly onLoss: 'stay' | 'next' },
): Promise<Verdict<O, M>> {
  const { request, journal, scorers, timed, aim } = run;
  const gated = timed && aim === 'latency';
  const candidate = gated ? await settle(first) : first;
  const { plan } = candidate;
  const putBack = first.plan.map(([name]) => name).filter((name) => plan.every(([other]) => other !== name));
  if (plan.length === 0) return { why: 'no-gain' };
  const path = async (): Promise<string> => (await candidate.file()).path;
  const speed = timed ? await timeCandidate(timedRun(run), path, candidate.key) : undefined;
  if (speed && gated && (isTooSlow(speed) || !isFaster(speed))) return { why: 'slower' };
  const score = await journal.recall(`score of ${candidate.key}`, async () => scorers.report.score(await path()));
  const { maxDrop } = request.settings;
  const isLossy = maxDrop !== undefined && gateVerdict(score.loss, maxDrop) === 'missed';
  if (isLossy && onLoss === 'next') {
    run.warnings.push(givenUpText(candidate.name, score.loss));
    return { why: 'loss' };
  }
  const made = await candidate.file();
  const decoded = await openModel(made.path, { keepOverridable: request.keepOverridable });
  const written = await writeResult(run, decoded);
  return { decoded, written, score, timing: speed?.original, made, plan, putBack, otherwise: 'worth' };
}

/** A change is worth its loss only where the model is measured faster than it was without. */
function isFaster({ original, slimmed }: Awaited<ReturnType<typeof timeCandidate>>): boolean {
  return (slimmed ?? original.latency).verdict === 'faster';
}

/** The slimmed model, or the original where slimming made it slower. */
async function keepSlimmed<O extends Priced, M extends MadeModel>(
  run: TradeRun,
  otherwise: TradeReason,
): Promise<Kept<O, M>> {
  return { ...(await slimmedResult(run, run.original.decoded)), made: undefined, plan: [], putBack: [], otherwise };
}

/** What a budget may be off. */
const SLACK = 0.005;

function budgetVerdict({ request, slimmed }: TradeRun, { timing }: Result, after: Side): TradeOutcome['budget'] {
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
