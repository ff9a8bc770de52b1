// The report value of `eval`, from what was scored.
import { basename } from 'node:path';
import type { Answers, SampleAnswer } from '../pipeline/evaluation/answers.js';
import { classFigures, confusionOf, type ConfusionCell } from '../pipeline/evaluation/class-figures.js';
import { BROKEN_LOSS } from '../pipeline/evaluation/broken-loss.js';
import type { Accuracy, Comparison, Loss, OutputDifference } from '../pipeline/evaluation/compare-answers.js';
import type { EvaluateOutcome, EvaluateRequest } from '../pipeline/evaluation/evaluate-model.js';
import { outputsOf, type OutputTask } from '../pipeline/evaluation/output-task.js';
import type { EvalReport, LossFacts } from './eval-report.js';
import { fileFacts } from './build-slim-report.js';
import { plural } from './format.js';
import { surroundings } from './surroundings.js';

/** Names of the model files, "-" for standard input; and what was done to the data, in words. */
export interface EvalNames {
  readonly model: string;
  readonly reference: string | undefined;
  readonly preparation: readonly string[];
}

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

/** The report of one evaluation. */
export function buildEvalReport(request: EvaluateRequest, outcome: EvaluateOutcome, names: EvalNames): EvalReport {
  const { model, reference, comparison, loss, gate } = outcome;
  const { answers } = model;
  const cells = confusionOf(answers);
  return {
    version: 1,
    kind: 'eval',
    model: { ...fileFacts(model), name: names.model },
    reference: reference && { ...fileFacts(reference), name: names.reference ?? reference.file.name },
    data: dataFacts(request, outcome, names.preparation),
    task: taskFacts(answers.task),
    accuracy: model.accuracy,
    referenceAccuracy: reference?.accuracy,
    paired: comparison?.paired,
    agreement: comparison?.agreement,
    loss: loss && lossFacts(loss),
    gate,
    differences: comparison?.outputs.map(differenceFacts) ?? [],
    outputs: answers.outputs.map(({ dims, ...range }) => ({ ...range, shape: dims })),
    classes: classReports(cells, request, outcome),
    confusion: cells,
    mistakes: mistakes(answers, reference?.answers),
    batch: answers.batching.size,
    batchReason: answers.batching.reason,
    runMs: answers.runMs,
    referenceRunMs: reference?.answers.runMs,
    elapsedMs: outcome.elapsedMs,
    ...surroundings(),
    seed: request.seed,
    threads: request.threads,
    warnings: [
      ...outcome.data.warnings,
      ...warnings(answers, model.accuracy, { comparison, reference: reference?.answers }),
    ],
  };
}

/** Samples that could not be read and are named. */
const NAMED = 20;

function dataFacts(
  { data, limit }: EvaluateRequest,
  { model: { answers }, data: { digest, skipped } }: EvaluateOutcome,
  preparation: readonly string[],
): EvalReport['data'] {
  const reasons = new Map(skipped.map(({ name, reason }) => [name, reason]));
  return {
    name: basename(data.path),
    digest,
    samples: answers.samples.length,
    labelled: answers.samples.filter(({ label }) => label !== undefined).length,
    classes: data.classes?.length,
    preparation,
    limit,
    skippedCount: reasons.size,
    skipped: [...reasons].slice(0, NAMED).map(([sample, reason]) => ({ sample, reason })),
  };
}

function taskFacts(task: OutputTask): EvalReport['task'] {
  const outputs = outputsOf(task);
  if (task.kind === 'regress') return { kind: task.kind, outputs, why: task.why };
  const { kind, why, classes, scores, labelOffset } = task;
  return { kind, outputs, why, classes, scores, labelOffset };
}

/** The loss as a report holds it. */
export function lossFacts({ value, ...loss }: Loss): LossFacts {
  return { ...loss, value: finite(value) };
}

/** The limit on a loss: the user's, or what a model is taken for broken beyond. */
export function lossLimit({ maxDrop }: { readonly maxDrop: number | undefined }, loss?: Loss): number | undefined {
  return maxDrop ?? (loss && BROKEN_LOSS[loss.unit]);
}

const PERCENT = 100;

function differenceFacts({
  name,
  relative,
  sqnr,
  psnr,
  broken,
  worst,
}: OutputDifference): EvalReport['differences'][number] {
  return {
    name,
    relativePercent: finite(relative * PERCENT),
    sqnrDb: finite(sqnr),
    psnrDb: psnr && finite(psnr.value),
    leastPsnrDb: psnr && finite(psnr.least),
    psnrPeak: psnr?.peak,
    broken,
    worstSample: worst?.name,
    worstPercent: worst && finite(worst.relative * PERCENT),
  };
}

function classReports(
  cells: readonly ConfusionCell[],
  { data }: EvaluateRequest,
  { model: { answers }, reference }: EvaluateOutcome,
): EvalReport['classes'] {
  const offset = answers.task.kind === 'classify' ? answers.task.labelOffset : 0;
  return classFigures(cells, reference?.answers).map(({ label, right, before, takenFor }) => ({
    label,
    name: data.classes?.[label - offset],
    samples: right.total,
    right,
    referenceRight: before,
    takenFor: takenFor && takenFor.predicted >= 0 ? takenFor.predicted : undefined,
    takenForCount: takenFor && takenFor.predicted >= 0 ? takenFor.count : undefined,
  }));
}

/** Wrong answers that a report lists. */
const MISTAKES = 50;

function mistakes({ samples }: Answers, reference: Answers | undefined): EvalReport['mistakes'] {
  const wrong = samples.flatMap((sample, at) => {
    const { name, label, choice } = sample;
    const before = reference?.samples[at]?.choice?.predicted;
    if (label === undefined || !choice || choice.predicted === label) return [];
    if (reference && before !== label) return [];
    return [{ name, label, choice, before }];
  });
  // The surest first: those a reader should look at.
  const cost = ({ choice }: { readonly choice: NonNullable<SampleAnswer['choice']> }): number =>
    choice.loss ?? choice.margin;
  return wrong
    .toSorted((a, b) => cost(b) - cost(a))
    .slice(0, MISTAKES)
    .map(({ name, label, choice: { predicted, margin }, before }) => ({
      sample: name,
      label,
      predicted,
      referencePredicted: before,
      margin,
    }));
}

interface Compared {
  readonly comparison: Comparison | undefined;
  readonly reference: Answers | undefined;
}

function warnings(answers: Answers, accuracy: Accuracy | undefined, { comparison, reference }: Compared): string[] {
  const { task, samples, outputs } = answers;
  const unlabelled = samples.filter(({ label }) => label === undefined).length;
  const broken = comparison?.outputs.filter((output) => output.broken > 0) ?? [];
  return [
    ...(task.kind === 'regress' && unlabelled < samples.length
      ? ['labels are not used: the outputs were not taken for scores of classes']
      : []),
    ...(task.kind === 'classify' && unlabelled > 0 && unlabelled < samples.length
      ? [`${plural(unlabelled, 'sample')} without a label: accuracy leaves them out`]
      : []),
    ...(task.kind === 'classify' && task.labelOffset !== 0
      ? [`labels were moved by ${task.labelOffset}: the model has ${task.classes} classes`]
      : []),
    ...chanceWarning(task, accuracy),
    ...outputs
      .filter(({ nonFinite }) => nonFinite > 0)
      .map(({ name, nonFinite }) => `output "${name}" holds NaN or infinity for ${plural(nonFinite, 'sample')}`),
    ...broken.map(
      ({ name, broken: count }) =>
        `output "${name}" cannot be compared on ${plural(count, 'sample')} (other shape, NaN or infinity): counted as lost`,
    ),
    ...(answers.batching.reason === undefined ? [] : [`samples ran one by one: ${answers.batching.reason}`]),
    ...(reference || accuracy
      ? []
      : [
          `${task.kind === 'classify' ? 'no labels and ' : ''}no --reference: there is nothing to compare the outputs with`,
        ]),
  ];
}

/** With fewer samples a good model may look like chance. */
const LEAST_FOR_CHANCE = 20;

function chanceWarning(task: OutputTask, accuracy: Accuracy | undefined): string[] {
  if (task.kind !== 'classify' || !accuracy || accuracy.top1.total < LEAST_FOR_CHANCE) return [];
  if (accuracy.top1.low > 1 / task.classes) return [];
  return [
    'top-1 is no better than chance: preprocessing, the order of the classes or the labels may not fit the model',
  ];
}
