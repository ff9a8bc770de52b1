// The end of a choice among all passes: the result is measured in full, and what every model on the way came to is told.
import { rm } from 'node:fs/promises';
import type { DecodedModel } from '../../onnx/decode.js';
import { openModel } from '../../onnx/open.js';
import { dropBest } from '../best-so-far.js';
import { brokenWarnings, lossGate, type Lossy } from '../broken-budget.js';
import { kindTimes } from '../deepening/kind-times.js';
import { layerTimes } from '../layer-times.js';
import { measureTimed, timePair, type TimedPair } from '../measure.js';
import { assumedSizes, digestFiles, figuresOf } from '../model-facts.js';
import type { Side } from '../slim.js';
import { writeResult } from '../slimmed-result.js';
import { externalBytes, modelPath, publishModel } from '../written-model.js';
import type { ChosenResult, Rival } from './choose-result.js';
import { fewSamplesWarnings } from './few-samples.js';
import type { CombineRun } from './combine-run.js';
import type { CombineOutcome, Int8Alone, StepFate } from './outcome.js';
import type { CombineFound } from './search.js';
import { hasTarget } from './settings.js';
import { stageJournal } from './stage-request.js';
import { isWithin, targetShare } from './targets.js';
import type { Variant } from './variant.js';

/** What a budget may be off. */
const SLACK = 0.005;

/** Writes what was chosen, measures it, and sums the run up. */
export async function concludeCombining(
  run: CombineRun,
  found: CombineFound,
  chosen: ChosenResult,
): Promise<CombineOutcome> {
  const { request, samples, original, workspace } = run;
  const { result } = chosen;
  const decoded = result ? await openModel(result.variant.path, request) : run.reference.decoded;
  const written = await writeResult(run, decoded);
  const path = modelPath(written);
  const timing = result ? result.speed.original : await timedAgain(run, path);
  const measurement = await measureTimed(run.host, { before: original.path, after: path }, samples.first, {
    timing,
    request,
  });
  request.onStage?.('summing up');
  const { profiles } = measurement;
  const times = profiles && {
    before: layerTimes(original.decoded.model, profiles.before),
    after: layerTimes(decoded.model, profiles.after),
  };
  const isChanged = result !== undefined && result.variant.step.kind !== 'slim';
  const lossy: Lossy = { loss: result?.score.loss, change: isChanged ? 'changed' : 'slimmed' };
  const { warnings, ...rest } = told(run, found, chosen);
  const given = { path: original.path, externalBytes: externalBytes(original.decoded.document) };
  const came = { path, externalBytes: written.externalBytes };
  return {
    ...rest,
    before: { ...(await sideOf(run, original, given)), times: times?.before },
    after: { ...(await sideOf(run, { decoded }, came)), times: times?.after },
    kept: isChanged ? 'changed' : 'original',
    kinds: times && {
      before: kindTimes(original.decoded.model, times.before),
      after: kindTimes(decoded.model, times.after),
    },
    comparison: result?.score.comparison,
    loss: result?.score.loss,
    gate: lossGate(run, lossy),
    warnings: [...brokenWarnings(run, lossy), ...warnings],
    measurement,
    speedMeasured: true,
    path,
    publish: async (to) => {
      await publishModel(written, to, { workspace, externalData: request.externalData });
      await dropBest(request, to);
      await dropJournals(run, found);
    },
    dispose: () => workspace.dispose(),
  };
}

/** What is known without a look at the result. */
function told(
  run: CombineRun,
  { variants, idle, explored }: CombineFound,
  { result, rival, fates }: ChosenResult,
): Pick<
  CombineOutcome,
  | ('steps' | 'idle' | 'explored' | 'stages' | 'result' | 'int8Alone' | 'budget')
  | ('subset' | 'samples' | 'effort' | 'warnings')
> {
  const { samples, scorers, subset, time, request } = run;
  const fateOf = ({ step }: Variant): StepFate =>
    fates.get(step.name) ?? (isWithin(run, step.loss) ? 'beaten' : 'over');
  return {
    steps: variants.map((one) => ({ ...one.step, fate: fateOf(one) })),
    idle,
    explored,
    stages: result?.variant.stages ?? [],
    result: result?.variant.step.name,
    int8Alone: rival && rivalFacts(rival),
    budget: hasTarget(request.settings) ? budgetVerdict(run, result) : undefined,
    subset: subset && { kept: subset.kept, names: subset.names, of: subset.of, by: subset.by },
    samples: samples.counts,
    effort: { allowed: (time.to - time.from) / 1000, taken: (performance.now() - time.from) / 1000 },
    warnings: [
      ...new Set([...run.warnings, ...scorers.select.warnings, ...scorers.report.warnings]),
      ...samples.warnings(),
      ...(variants[0]?.step.loss.unit === 'points'
        ? fewSamplesWarnings(request.settings.maxDrop ?? Infinity, samples.counts.reported)
        : []),
    ],
  };
}

const rivalFacts = ({ variant, score, ratio, resultRatio }: Rival): Int8Alone => ({
  name: variant.step.name,
  loss: score.loss,
  latencyRatio: ratio,
  resultRatio: resultRatio && { value: resultRatio.value, low: resultRatio.low, high: resultRatio.high },
});

/** The original against itself, where nothing was faster. */
function timedAgain({ host, original, samples, request }: CombineRun, path: string): Promise<TimedPair> {
  const { threads, seed, signal, timingMs } = request;
  return timePair(host, { before: original.path, after: path }, samples.first, { threads, seed, signal, timingMs });
}

async function sideOf(
  { request, shapes }: CombineRun,
  { decoded: { model } }: { readonly decoded: Pick<DecodedModel, 'model'> },
  file: { readonly path: string; readonly externalBytes: number },
): Promise<Pick<Side, 'file' | 'figures'>> {
  return {
    file: await digestFiles(file.path, file.externalBytes, request.compression),
    figures: figuresOf(model, assumedSizes(model, shapes, undefined)),
  };
}

/** Targets by the figures of the variant, the time by that of the last timing. */
function budgetVerdict(run: CombineRun, result: ChosenResult['result']): 'met' | 'missed' {
  if (!result) return 'missed';
  const { latency } = result.speed.original;
  const { variant } = result;
  const timed = {
    ...variant,
    ms: latency.after.wall.p50,
    step: { ...variant.step, latencyRatio: latency[latency.decidedBy].value },
  };
  return targetShare(run, timed) <= 1 + SLACK ? 'met' : 'missed';
}

/** The journals of the runs within the run go with its own. */
async function dropJournals({ request: { journal } }: CombineRun, { runs }: CombineFound): Promise<void> {
  if (journal === undefined) return;
  for (const name of runs) await rm(stageJournal(journal, name), { force: true });
}
