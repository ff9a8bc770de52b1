// Which of the models that were made is the result: the fastest within the loss, or, of those that meet the targets, the one that loses
// least. Samples that decided nothing so far, and a timing of its own, say whether it may stand; if not, the next one is looked at.
import { gateVerdict } from '../evaluation/evaluate-model.js';
import { timedRun } from '../pruning/prune-run.js';
import type { Score } from '../quantization/score-candidate.js';
import { isTooSlow, timeCandidate, type SpeedFinding } from '../quantization/speed.js';
import { compareLatency } from '../../runtime/latency.js';
import type { Interval } from '../../runtime/statistics.js';
import type { CombineRun } from './combine-run.js';
import type { StepFate } from './outcome.js';
import type { CombineFound } from './search.js';
import { hasTarget } from './settings.js';
import { isWithin, limitOf, targetShare } from './targets.js';
import type { Variant } from './variant.js';

/** A model that may stand. */
export interface Standing {
  readonly variant: Variant;
  readonly score: Score;
  readonly speed: SpeedFinding;
}

/** 8-bit integers alone, beside the result. */
export interface Rival {
  readonly variant: Variant;
  readonly score: Score;
  readonly ratio: number;
  /** Time of the result against it. */
  readonly resultRatio: Interval | undefined;
}

export interface ChosenResult {
  /** Undefined: the original. */
  readonly result: Standing | undefined;
  readonly rival: Rival | undefined;
  /** Of variants by name; the others are beaten. */
  readonly fates: ReadonlyMap<string, StepFate>;
}

/** The best that may stand, and 8-bit integers alone against it. @throws what scoring and timing throw */
export async function chooseResult(run: CombineRun, found: CombineFound): Promise<ChosenResult> {
  const fates = new Map<string, StepFate>();
  const open = candidatesOf(run, found.variants);
  const first = await firstStanding(run, open, fates);
  const { int8Alone } = found;
  const rival = int8Alone && (await rivalOf(run, int8Alone, first?.variant));
  // Measured once more, in turn: where integers alone are faster after all, they are the result.
  const isBeaten = rival?.resultRatio !== undefined && rival.resultRatio.low > 1 && !hasTarget(run.request.settings);
  const second = isBeaten && open.includes(rival.variant) ? await standingOf(run, rival.variant) : undefined;
  const result = second && typeof second !== 'string' ? second : first;
  for (let one = result?.variant; one; one = found.variants.find(({ step }) => step.name === one?.step.on))
    fates.set(one.step.name, 'taken');
  return { result, rival: rival && beside(rival, result), fates };
}

/** Where integers alone are the result, there is one time of them. */
function beside(rival: Rival, result: Standing | undefined): Rival {
  if (result?.variant !== rival.variant) return rival;
  const { latency } = result.speed.original;
  return { ...rival, ratio: latency[latency.decidedBy].value, resultRatio: undefined };
}

/** Those that may be the result, the best first. */
function candidatesOf(run: CombineRun, variants: readonly Variant[]): readonly Variant[] {
  const within = variants.filter(({ step }) => step.kind === 'slim' || isWithin(run, step.loss));
  const byTime = within.toSorted((a, b) => a.step.latencyRatio - b.step.latencyRatio);
  if (!hasTarget(run.request.settings)) return byTime;
  const met = byTime.filter((one) => targetShare(run, one) <= 1);
  const missed = byTime.filter((one) => targetShare(run, one) > 1);
  return [
    ...met.toSorted((a, b) => a.step.loss.value - b.step.loss.value),
    ...missed.toSorted((a, b) => targetShare(run, a) - targetShare(run, b)),
  ];
}

async function firstStanding(
  run: CombineRun,
  candidates: readonly Variant[],
  fates: Map<string, StepFate>,
): Promise<Standing | undefined> {
  for (const variant of candidates) {
    const found = await standingOf(run, variant);
    if (typeof found !== 'string') return found;
    fates.set(variant.step.name, found);
    run.warnings.push(...givenUp(variant, found));
  }
  return undefined;
}

const givenUp = ({ step: { name } }: Variant, fate: StepFate): string[] =>
  fate === 'over' ? [`${name} was given up: it loses too much on the samples that are reported`] : [];

async function standingOf(run: CombineRun, variant: Variant): Promise<Standing | StepFate> {
  const { journal, scorers, request } = run;
  const { step, digest } = variant;
  const path = (): Promise<string> => Promise.resolve(variant.path);
  const speed = await timeCandidate(timedRun(run), path, `result ${digest}`);
  if (isTooSlow(speed) && !(hasTarget(request.settings) && request.settings.latency === undefined)) return 'slower';
  const score = await journal.recall(`score of result ${digest}`, () => scorers.report.score(variant.path));
  const isOver = gateVerdict(score.loss, limitOf(run, score.loss)) === 'missed' && step.kind !== 'slim';
  return isOver ? 'over' : { variant, score, speed };
}

async function rivalOf(run: CombineRun, variant: Variant, result: Variant | undefined): Promise<Rival> {
  const { journal, scorers, host, original, samples, request } = run;
  const { threads, seed, signal, timingMs } = request;
  const options = { threads, seed, signal, ...(timingMs === undefined ? {} : { budget: timingMs }) };
  request.onStage?.('measuring against integers alone');
  const score = await journal.recall(`score of result ${variant.digest}`, () => scorers.report.score(variant.path));
  const between = async (before: string, after: string): Promise<Interval> => {
    const found = await compareLatency(host, before, after, samples.first, options);
    await host.release();
    return found[found.decidedBy];
  };
  const { value } = await journal.recall(`time of integers alone ${variant.digest}`, () =>
    between(original.path, variant.path),
  );
  const resultRatio =
    result === undefined || result === variant
      ? undefined
      : await journal.recall(`time of ${result.digest} against integers alone ${variant.digest}`, () =>
          between(variant.path, result.path),
        );
  return { variant, score, ratio: value, resultRatio };
}
