// One model over the samples of a data set: answers per sample, and the error against a reference that ran before.
import { InputError, InterruptError } from '../../base/errors.js';
import type { DataSet, Sample, StreamOptions } from '../../data/data-set.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { ModelSource } from '../../runtime/model-source.js';
import { oneAhead } from '../../runtime/one-ahead.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import type { Answers, ClassAnswer, SampleAnswer } from './answers.js';
import { trackErrors, trackRanges } from './output-errors.js';
import type { SampleMapping } from './input-mapping.js';
import type { OutputStore } from './output-store.js';
import { largest, outputsOf, scoresOf, type ClassifyTask, type OutputTask } from './output-task.js';
import { inChunks, openRunner, type SampleRunner } from './sample-runner.js';

/** A model that ran before, whose outputs those of another are compared with. */
export interface Against {
  readonly model: ModelSource;
  readonly task: OutputTask;
  /** Filled by the run of the reference over the same part of the data. Without it the reference runs side by side. */
  readonly store?: OutputStore;
  /** From samples of the candidate to those of the reference, where their inputs have other names. */
  readonly map?: SampleMapping;
}

export interface ScoreOptions {
  /** From `decideTask`. */
  readonly task: OutputTask;
  /** Which samples, in which order; all as listed by default. The same for models that will be compared. */
  readonly part?: StreamOptions;
  /** Keeps the outputs: for the reference. */
  readonly keep?: OutputStore;
  readonly against?: Against;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

/**
 * Runs the model over the data. Memory does not grow with the data but for the answers themselves.
 * @throws InputError as `host.run`, bad-data when a label is no class of the model; InterruptError
 */
export async function scoreModel(
  host: RuntimeHost,
  model: ModelSource,
  data: DataSet,
  options: ScoreOptions,
): Promise<Answers> {
  const { task, part, keep, against, signal, onProgress } = options;
  const names = outputsOf(task);
  const runner = await openRunner(host, model, runnerOptions(options, names));
  const reference = against && (await openReference(host, against, options));
  const [ranges, errors] = [trackRanges(names), trackErrors(reference ? names : [])];
  const samples: SampleAnswer[] = [];
  const clock = createClock();
  const stream = data.samples({ ...part, ...(signal === undefined ? {} : { signal }) });
  for await (const { chunk, outputs } of runAhead(inChunks(stream, runner.least), runner, clock)) {
    if (signal?.aborted) throw new InterruptError('interrupted');
    const expected = await reference?.(chunk, samples.length);
    for (const [at, sample] of chunk.entries()) {
      const own = outputs[at] ?? new Map();
      keep?.put(samples.length, own);
      ranges.add(own);
      errors.add(sample.name, paired(expected?.[at], own, { task, against }));
      samples.push(answerOf(sample, own, task));
    }
    onProgress?.(samples.length);
  }
  const batching = runner.batching();
  return { task, samples, outputs: ranges.ranges(), errors: errors.errors(), batching, runMs: clock.total() };
}

interface RunChunk {
  readonly chunk: readonly Sample[];
  readonly outputs: readonly TensorMap[];
}

/** The outputs of each chunk. */
function runAhead(
  chunks: AsyncIterable<readonly Sample[]>,
  runner: SampleRunner,
  clock: RunClock,
): AsyncGenerator<RunChunk> {
  let first: Promise<RunChunk> | undefined;
  const run = (chunk: readonly Sample[]): Promise<RunChunk> =>
    clock.during(async () => ({ chunk, outputs: await runner.run(chunk) }));
  return oneAhead(chunks, async (chunk) => {
    // The first run tells whether samples can go together.
    if (!first) return (first = run(chunk));
    await first;
    return run(chunk);
  });
}

interface RunClock {
  during<T>(run: () => Promise<T>): Promise<T>;
  /** Milliseconds in which something ran: of what runs side by side only once. */
  total(): number;
}

function createClock(): RunClock {
  let [total, end] = [0, 0];
  return {
    during: async (run) => {
      const start = performance.now();
      const result = await run();
      const now = performance.now();
      total += now - Math.max(start, end);
      end = now;
      return result;
    },
    total: () => total,
  };
}

function runnerOptions(
  { threads, signal }: ScoreOptions,
  outputs: readonly string[],
): Parameters<typeof openRunner>[2] {
  return { outputs, ...(threads === undefined ? {} : { threads }), ...(signal === undefined ? {} : { signal }) };
}

/** The outputs of the reference for a chunk whose first sample has number `first`: kept, or run again. */
async function openReference(
  host: RuntimeHost,
  { model, task, store, map }: Against,
  options: ScoreOptions,
): Promise<(chunk: readonly Sample[], first: number) => Promise<readonly TensorMap[]>> {
  let runner: SampleRunner | undefined;
  return async (chunk, first) => {
    const kept = chunk.flatMap((_, at) => store?.get(first + at) ?? []);
    if (kept.length === chunk.length) return kept;
    runner ??= await openRunner(host, model, runnerOptions(options, outputsOf(task)));
    return runner.run(map ? chunk.map(map) : chunk);
  };
}

function paired(
  expected: TensorMap | undefined,
  actual: TensorMap,
  { task, against }: { readonly task: OutputTask; readonly against: Against | undefined },
): Parameters<ReturnType<typeof trackErrors>['add']>[1] {
  const reference = against ? outputsOf(against.task) : [];
  return outputsOf(task).map((name, at) => [expected?.get(reference[at] ?? ''), actual.get(name)]);
}

function answerOf(sample: Sample, outputs: TensorMap, task: OutputTask): SampleAnswer {
  const { name, label } = sample;
  if (task.kind === 'regress') return { name, label, choice: undefined };
  const scores = scoresOf(outputs, task.output) ?? new Float64Array();
  if (scores.length !== task.classes)
    throw new InputError(
      'bad-feed',
      `output "${task.output}" has ${scores.length} scores for ${name}, not ${task.classes}`,
      { fix: 'score samples of one size, or give --task regress' },
    );
  const moved = label === undefined ? undefined : label + task.labelOffset;
  if (moved !== undefined && (moved < 0 || moved >= task.classes)) throw wrongLabel(sample, moved, task);
  return { name, label: moved, choice: chooseClass(scores, moved, task) };
}

function wrongLabel(
  { name, label }: Sample,
  moved: number,
  { output, classes, labelOffset }: ClassifyTask,
): InputError {
  const offset = labelOffset === 0 ? '' : ` (${moved} with the offset ${labelOffset})`;
  return new InputError(
    'bad-data',
    `the label of ${name} is ${label}${offset}, and output "${output}" has the classes 0 to ${classes - 1}`,
    {
      fix:
        moved === classes
          ? 'labels that begin with 1 need --label-offset -1'
          : 'check the labels, or choose another output with --output',
    },
  );
}

const BEST = 5;

/** What stands for the class of a row of scores that holds NaN: it agrees with no label. */
export const NO_CLASS = -1;

/** Prediction, runners-up, cross entropy and margin of one row of scores. */
export function chooseClass(
  scores: Float64Array,
  label: number | undefined,
  { scores: kind }: Pick<ClassifyTask, 'scores'>,
): ClassAnswer {
  if (scores.some(Number.isNaN)) return { predicted: NO_CLASS, best: [], loss: undefined, margin: 0 };
  const predicted = largest(scores);
  const best = bestClasses(scores, predicted);
  const [top = 0, second = top] = best.map((at) => scores[at] ?? 0);
  if (kind === 'integers') return { predicted, best, loss: undefined, margin: top - second };
  const own = label === undefined ? undefined : (scores[label] ?? 0);
  if (kind === 'probabilities')
    return { predicted, best, loss: own === undefined ? undefined : capped(-Math.log(own)), margin: top - second };
  const sum = scores.reduce((total, score) => total + Math.exp(score - top), 0);
  const loss = own === undefined ? undefined : capped(Math.log(sum) + top - own);
  const margin = (1 - Math.exp(second - top)) / sum;
  return { predicted, best, loss, margin: Number.isFinite(margin) ? margin : 0 };
}

/** -ln 1e-12: what a probability that was rounded to 0 costs, as infinity would say nothing about all other samples. */
const MOST_LOSS = 27.631;
const capped = (loss: number): number => (loss < MOST_LOSS ? loss : MOST_LOSS);

/** Classes by falling score, the lower class first where scores are equal. */
function bestClasses(scores: Float64Array, predicted: number): number[] {
  const best = [predicted];
  while (best.length < Math.min(BEST, scores.length)) {
    let next = -1;
    for (let i = 0; i < scores.length; i++) {
      if (!best.includes(i) && (next < 0 || (scores[i] ?? 0) > (scores[next] ?? 0))) next = i;
    }
    best.push(next);
  }
  return best;
}
