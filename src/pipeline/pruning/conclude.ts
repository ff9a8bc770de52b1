// The end of a pruning run: the exact passes tidy up, what came out is timed against the original and scored on samples that
// decided nothing, and all that is said of it.
import { openModel } from '../../onnx/open.js';
import { dropBest } from '../best-so-far.js';
import { brokenWarnings, lossGate, type Lossy } from '../broken-budget.js';
import { givenUpText } from '../drop-search.js';
import { gateVerdict } from '../evaluation/evaluate-model.js';
import { layerTimes, type LayerTimes } from '../layer-times.js';
import { measureTimed, type TimedPair } from '../measure.js';
import { assumedSizes, digestFiles, figuresOf, type ModelFigures } from '../model-facts.js';
import { isTooSlow, timeCandidate } from '../quantization/speed.js';
import { compareLatency } from '../../runtime/latency.js';
import type { Side } from '../slim.js';
import { slimmedResult, writeResult, type Result } from '../slimmed-result.js';
import { externalBytes, modelPath, publishModel } from '../written-model.js';
import type { Candidate } from './candidate.js';
import { dropCycleFiles } from './cycle-files.js';
import { groupRows } from './group-rows.js';
import type { PrunedModel } from './make-pruned.js';
import type { KeepReason, PruneOutcome } from './outcome.js';
import { timedRun, type PruneRun } from './prune-run.js';
import type { Chosen } from './schedule.js';
import { latencyLimit } from '../setting-table.js';
import { budgetOf, type BudgetKey } from './settings.js';

/** What will be published. */
interface Kept extends Result {
  /** The steps in which units left; none: this is the slimmed model. */
  readonly made: readonly PrunedModel[];
  /** Why groups that could lose units did not. */
  readonly otherwise: KeepReason;
  readonly reasons: Candidate['reasons'];
}

/** Writes what was chosen, and sums the run up. */
export async function concludePruning(run: PruneRun, chosen: Chosen): Promise<PruneOutcome> {
  const { request, samples, original, score, shapes, workspace } = run;
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
  const groups = groupRows(chosen.groups, kept.made, { ...kept, times });
  const open = groups.filter((_, at) => chosen.groups[at]?.reason === undefined);
  const before = await sideOfOriginal(run, times?.before);
  const after: Side = {
    file: await digestFiles(path, kept.written.externalBytes, request.compression),
    figures: figuresOf(kept.decoded.model, assumedSizes(kept.decoded.model, shapes, undefined)),
    times: times?.after,
  };
  const reached: Reached = { after: after.figures, timing: kept.timing, made: kept.made };
  return {
    before,
    after,
    groups,
    score,
    units: {
      before: open.reduce((sum, { width }) => sum + width.before, 0),
      after: open.reduce((sum, { width }) => sum + width.after, 0),
    },
    steps: chosen.steps,
    subset: await subsetOf(run, kept),
    removalError: worstRemoval(kept.made),
    refitted: kept.made.at(-1)?.refitted ?? 0,
    comparison: kept.score?.comparison,
    loss: kept.score?.loss,
    gate: lossGate(run, lossyOf(kept)),
    budget: budgetVerdict(run, reached),
    measurement,
    kept: kept.made.length > 0 || run.subset ? 'pruned' : 'original',
    speedMeasured: run.timed,
    samples: samples.counts,
    dataFree: samples.dataFree,
    warnings: [...brokenWarnings(run, lossyOf(kept)), ...allWarnings(run, kept.made)],
    path,
    publish: async (to) => {
      await publishModel(kept.written, to, { workspace, externalData: request.externalData });
      await dropBest(request, to);
      await dropCycleFiles(request.journal, chosen.steps.length);
    },
    dispose: () => workspace.dispose(),
  };
}

/** What the loss of the result is that of. */
const lossyOf = ({ score, made }: Kept): Lossy => ({
  loss: score?.loss,
  change: made.length > 0 ? 'changed' : 'slimmed',
});

function allWarnings({ warnings, scorers, samples }: PruneRun, made: readonly PrunedModel[]): string[] {
  const defects = made.flatMap((step) => [...step.defects]);
  return [
    ...new Set([...warnings, ...scorers.select.warnings, ...scorers.report.warnings, ...samples.warnings()]),
    ...defects.map(
      ([name, what]) =>
        `a defect of mcompress: ${name} kept its channels, as without some of them the model computes something else (${what})`,
    ),
  ];
}

function worstRemoval(made: readonly PrunedModel[]): number | undefined {
  const errors = made.flatMap(({ removalError }) => removalError ?? []);
  return errors.length === 0 ? undefined : Math.max(...errors);
}

/** The first candidate that may stand, else the slimmed model. */
async function keepCandidate(run: PruneRun, { candidates, onLoss, otherwise }: Chosen): Promise<Kept> {
  let why = otherwise;
  for (const candidate of candidates) {
    const found = await examineCandidate(run, candidate, onLoss);
    if ('decoded' in found) return found;
    why = found.why;
  }
  return keepSlimmed(run, why);
}

/** Why a candidate may not stand: it is slower than the original (or than that with all its channels), or loses too much. */
type Verdict = Kept | { readonly why: KeepReason };

async function examineCandidate(run: PruneRun, candidate: Candidate, onLoss: Chosen['onLoss']): Promise<Verdict> {
  const { request, journal, scorers, timed } = run;
  const path = async (): Promise<string> => (await candidate.file()).path;
  const speed = timed ? await timeCandidate(timedRun(run), path, candidate.name) : undefined;
  if (speed && isTooSlow(speed) && !isExempt(run)) return { why: 'slower' };
  const score = await journal.recall(`score of ${candidate.name}`, async () => scorers.report.score(await path()));
  const { maxDrop } = request.settings;
  const isLossy = maxDrop !== undefined && gateVerdict(score.loss, maxDrop) === 'missed';
  if (isLossy && onLoss === 'next') {
    run.warnings.push(givenUpText(candidate.name, score.loss));
    return { why: 'loss' };
  }
  const { made } = await candidate.file();
  if (made.every(({ removed }) => removed.size === 0)) return { why: 'worth' };
  const decoded = await openModel(await path(), { keepOverridable: request.keepOverridable });
  const written = await writeResult(run, decoded);
  return { decoded, written, score, timing: speed?.original, made, otherwise: 'worth', reasons: candidate.reasons };
}

/** Time may grow for a figure that the user asked for in so many words. */
function isExempt({ request }: PruneRun): boolean {
  const budget = budgetOf(request.settings);
  return budget === 'macs' || budget === 'params' || budget === 'memory';
}

/** The slimmed model, or the original where slimming made it slower. */
async function keepSlimmed(run: PruneRun, otherwise: KeepReason): Promise<Kept> {
  return { ...(await slimmedResult(run, run.reference.decoded)), made: [], otherwise, reasons: new Map() };
}

/** What was given: not what is left of it when its head was cut. */
async function sideOfOriginal(
  { original, reference, slimmed, request, shapes }: PruneRun,
  times: LayerTimes | undefined,
): Promise<Side> {
  if (original === reference) return { ...slimmed.before, times };
  const { decoded, path } = original;
  const file = await digestFiles(path, externalBytes(decoded.document), request.compression);
  return { file, figures: figuresOf(decoded.model, assumedSizes(decoded.model, shapes, undefined)), times };
}

/** What a cut to some classes comes to, beside the original with nothing but its head cut. */
async function subsetOf(run: PruneRun, { written, score, timing }: Kept): Promise<PruneOutcome['subset']> {
  const { subset, reference, host, samples, request, journal } = run;
  if (!subset) return undefined;
  const { kept, names, of, by } = subset;
  const { threads, seed, signal } = request;
  const latencyRatio =
    timing &&
    (await journal.recall('time against the restricted original', async () => {
      request.onStage?.('measuring against the restricted original');
      const found = await compareLatency(host, reference.path, modelPath(written), samples.first, {
        threads,
        seed,
        signal,
      });
      return found[found.decidedBy].value;
    }));
  const { slimmed } = run;
  const { macs, parameters } = slimmed.before.figures.cost;
  const accuracy = score?.accuracy && { original: score.accuracy.original, result: score.accuracy.candidate };
  return { kept, names, of, by, accuracy, restricted: { macs, parameters, latencyRatio } };
}

interface Reached {
  readonly after: ModelFigures;
  readonly timing: TimedPair | undefined;
  readonly made: readonly PrunedModel[];
}

/** What a budget may be off; of a class subset, budgets are those of the original with its head cut. */
const BUDGET_SLACK = 0.005;

const BUDGETS: Readonly<Record<BudgetKey, (run: PruneRun, reached: Reached) => 'met' | 'missed' | undefined>> = {
  ratio: (_, { made }) => (made.some(({ removed }) => removed.size > 0) ? 'met' : 'missed'),
  macs: ({ request, slimmed }, { after }) =>
    within(request.settings.macs, after.cost.macs / slimmed.before.figures.cost.macs),
  params: ({ request, slimmed }, { after }) =>
    within(request.settings.params, after.cost.parameters / slimmed.before.figures.cost.parameters),
  memory: ({ request, slimmed }, { after }) =>
    within(request.settings.memory, after.peakActivationBytes / slimmed.before.figures.peakActivationBytes),
  latency: ({ request }, { timing }) => {
    const { latency } = request.settings;
    if (!timing || latency === undefined) return undefined;
    const limit = latencyLimit(latency);
    if ('times' in limit) return within(latency, ratioOf(timing));
    return timing.latency.after.wall.p50 <= limit.ms ? 'met' : 'missed';
  },
};

const ratioOf = ({ latency }: TimedPair): number => latency[latency.decidedBy].value;

function within(limit: string | undefined, part: number): 'met' | 'missed' {
  return limit === undefined || part <= Number.parseFloat(limit) + BUDGET_SLACK ? 'met' : 'missed';
}

function budgetVerdict(run: PruneRun, reached: Reached): PruneOutcome['budget'] {
  const budget = budgetOf(run.request.settings);
  return budget && BUDGETS[budget](run, reached);
}
