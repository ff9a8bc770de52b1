// What the outputs of a model are: scores of classes, or values to be compared as they are. Decided from the shape of the
// outputs and from the data (docs/eval.md has the rule), unless the user says it.
import { InputError, UsageError } from '../../base/errors.js';
import { suggestion } from '../../base/suggest.js';
import type { DataSet, Sample, StreamOptions } from '../../data/data-set.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { ModelSource } from '../../runtime/model-source.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { isFloat } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import { openRunner, type SampleRunner } from './sample-runner.js';

/** What the numbers of a classifier are. `integers`: quantized scores, whose order counts and whose size says nothing. */
export type ScoreKind = 'logits' | 'probabilities' | 'integers';

export interface ClassifyTask {
  readonly kind: 'classify';
  /** The output with the scores. */
  readonly output: string;
  readonly classes: number;
  readonly scores: ScoreKind;
  /** Added to a label of the data set to get the class of the model: 1 where the model has a background class in front. */
  readonly labelOffset: number;
  /** How it was decided, in words. */
  readonly why: string;
}

export interface RegressTask {
  readonly kind: 'regress';
  readonly outputs: readonly string[];
  readonly why: string;
}

export type OutputTask = ClassifyTask | RegressTask;

export interface TaskRequest {
  /** `auto` by default. */
  readonly task?: 'auto' | 'classify' | 'regress';
  /** The only output that counts. */
  readonly output?: string;
  readonly labelOffset?: number;
  readonly part?: StreamOptions;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** Outputs of a task by name. */
export const outputsOf = (task: OutputTask): readonly string[] =>
  task.kind === 'classify' ? [task.output] : task.outputs;

/** Samples on which the outputs are looked at, and those that decide where labels begin. */
const PROBE = 4;
const OFFSET_PROBE = 32;

/**
 * Decides the task on the first samples of the data.
 * @throws UsageError bad-value: no such output, several that look like class scores, or none; InputError as `host.run`,
 *   bad-data without samples
 */
export async function decideTask(
  host: RuntimeHost,
  model: ModelSource,
  data: DataSet,
  request: TaskRequest = {},
): Promise<OutputTask> {
  const { signal, threads } = request;
  const runner = await openRunner(host, model, {
    ...(threads === undefined ? {} : { threads }),
    ...(signal === undefined ? {} : { signal }),
  });
  const samples = await firstSamples(data, PROBE, request);
  const outputs = await runner.run(samples);
  const [first] = outputs;
  if (!first)
    throw new InputError('bad-data', 'the data has no sample', {
      at: { file: data.path },
      fix: 'check the folder, and what was skipped',
    });
  const names = namedOutput([...first.keys()], request.output);
  const chosen = chooseOutput(first, names, data, request);
  if (chosen.output === undefined) return { kind: 'regress', outputs: names, why: chosen.why };
  const { output, why } = chosen;
  const rows = outputs.flatMap((one) => scoresOf(one, output) ?? []);
  if (request.task !== 'classify' && !data.labelled && rows.every(isUnitVector))
    return { kind: 'regress', outputs: names, why: `"${output}" gives vectors of length 1: an embedding` };
  const classes = rows[0]?.length ?? 0;
  const scores = scoreKind(rows, first.get(output));
  const labelOffset = request.labelOffset ?? (await findOffset(runner, data, { request, output, classes }));
  return { kind: 'classify', output, classes, scores, labelOffset, why };
}

async function firstSamples(data: DataSet, count: number, { part = {}, signal }: TaskRequest): Promise<Sample[]> {
  const from = part.from ?? 0;
  const to = Math.min(part.to ?? Infinity, from + count);
  const samples: Sample[] = [];
  for await (const sample of data.samples({ ...part, from, to, ...(signal === undefined ? {} : { signal }) }))
    samples.push(sample);
  return samples;
}

function namedOutput(names: readonly string[], wanted: string | undefined): readonly string[] {
  if (wanted === undefined) return names;
  if (names.includes(wanted)) return [wanted];
  throw new UsageError('bad-value', `the model has no output "${wanted}"`, {
    fix: suggestion(wanted, names) ?? `its outputs: ${names.join(', ')}`,
  });
}

/** Dims with one axis besides the batch that is not 1, such as [1,C], [1,C,1,1]: the size of that axis, else undefined. */
function classCount({ dtype, dims }: Tensor): number | undefined {
  if (!isFloat(dtype) && dtype !== 'int8' && dtype !== 'uint8') return undefined;
  const sizes = dims.slice(1).filter((size) => size !== 1);
  return dims.length <= 4 && dims[0] === 1 && sizes.length === 1 ? sizes[0] : undefined;
}

interface Choice {
  /** The output with class scores; undefined: none. */
  readonly output: string | undefined;
  readonly why: string;
}

function chooseOutput(
  outputs: TensorMap,
  names: readonly string[],
  data: DataSet,
  { task = 'auto', output }: TaskRequest,
): Choice {
  if (task === 'regress') return { output: undefined, why: 'asked for' };
  const counts = new Map(names.flatMap((name) => countEntry(name, outputs.get(name))));
  const fitting = [...counts].filter(([, count]) => count === data.classes?.length);
  const candidates = counts.size > 1 && fitting.length === 1 ? fitting : [...counts];
  const [first] = candidates;
  if (task === 'auto' && !data.labelled && output === undefined && outputs.size > 1)
    return { output: undefined, why: 'no labels, and several outputs' };
  if (candidates.length === 1 && first)
    return {
      output: first[0],
      why: `"${first[0]}" has ${first[1]} scores per sample${data.labelled ? ', and the data has labels' : ''}`,
    };
  if (candidates.length === 0 && task === 'auto')
    return { output: undefined, why: 'no output is a row of class scores' };
  throw candidates.length === 0
    ? new UsageError(
        'bad-value',
        `${names.length === 1 ? `output "${names[0]}" is` : 'no output is'} a row of class scores`,
        { fix: 'a classifier gives [N, classes]; leave out --task, or give --task regress' },
      )
    : new UsageError(
        'bad-value',
        `several outputs look like class scores: ${candidates.map(([name]) => name).join(', ')}`,
        { fix: 'choose one with --output, or give --task regress' },
      );
}

function countEntry(name: string, tensor: Tensor | undefined): (readonly [string, number])[] {
  const count = tensor && classCount(tensor);
  return count === undefined ? [] : [[name, count]];
}

/** The scores of one sample, one per class; undefined where the output is missing. */
export const scoresOf = (outputs: TensorMap, output: string): Float64Array | undefined =>
  outputs.get(output)?.toFloat64();

const UNIT = 1e-3;

/** Length 1, and no probabilities, whose sum is 1. */
function isUnitVector(row: Float64Array): boolean {
  return Math.abs(Math.hypot(...row) - 1) < UNIT && !isDistribution(row);
}

/** Half precision and quantized nets give probabilities that sum to 1 only so far. */
const SUM_SLACK = 0.02;

function isDistribution(row: Float64Array): boolean {
  const sum = row.reduce((total, value) => total + value, 0);
  return Math.abs(sum - 1) < SUM_SLACK && row.every((value) => value > -SUM_SLACK);
}

function scoreKind(rows: readonly Float64Array[], tensor: Tensor | undefined): ScoreKind {
  if (tensor && !isFloat(tensor.dtype)) return 'integers';
  return rows.every(isDistribution) ? 'probabilities' : 'logits';
}

interface OffsetSearch {
  readonly request: TaskRequest;
  readonly output: string;
  readonly classes: number;
}

/** Networks with a class for "background" in front: one class more than ImageNet, or than the data has. */
const WITH_BACKGROUND = 1001;

/** 1 where the model has a class more than the data, and its answers fit the labels better when those are moved by one. */
async function findOffset(
  runner: SampleRunner,
  data: DataSet,
  { request, output, classes }: OffsetSearch,
): Promise<number> {
  const isSuspect = classes === WITH_BACKGROUND || classes === (data.classes?.length ?? Number.NaN) + 1;
  if (!data.labelled || !isSuspect) return 0;
  const samples = await firstSamples(data, OFFSET_PROBE, request);
  let [plain, moved] = [0, 0];
  for (const [at, outputs] of (await runner.run(samples)).entries()) {
    const label = samples[at]?.label;
    const scores = scoresOf(outputs, output);
    if (label === undefined || !scores) continue;
    const predicted = largest(scores);
    if (predicted === label) plain += 1;
    if (predicted === label + 1) moved += 1;
  }
  return moved > plain ? 1 : 0;
}

/** Position of the largest value, the first of several; NaN is never the largest. */
export function largest(scores: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) {
    const [value, leader] = [scores[i] ?? Number.NaN, scores[best] ?? Number.NaN];
    if (value > leader || (Number.isNaN(leader) && !Number.isNaN(value))) best = i;
  }
  return best;
}
