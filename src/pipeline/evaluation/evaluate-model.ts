// `eval`: a model on data, alone or against a reference on the same samples.
import { UsageError } from '../../base/errors.js';
import type { DataSet, Skipped, StreamOptions } from '../../data/data-set.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { withRuntime } from '../with-runtime.js';
import { externalBytes, type ComparedFile } from '../compare-models.js';
import { digestFiles, type FileDigest } from '../model-facts.js';
import type { Answers } from './answers.js';
import { accuracyOf, compareAnswers, lossOf, type Accuracy, type Comparison, type Loss } from './compare-answers.js';
import { mapInputs, mappedData } from './input-mapping.js';
import { createStore, type OutputStore } from './output-store.js';
import { decideTask, outputsOf, type OutputTask, type TaskRequest } from './output-task.js';
import { scoreModel, type Against } from './score-model.js';

export interface EvaluateRequest {
  readonly model: ComparedFile;
  readonly reference: ComparedFile | undefined;
  /** Opened for the inputs of the model. */
  readonly data: DataSet;
  /** So many samples, drawn by `seed`; all, as they are stored, when undefined. */
  readonly limit: number | undefined;
  readonly seed: number;
  readonly task: 'auto' | 'classify' | 'regress';
  readonly output: string | undefined;
  readonly labelOffset: number | undefined;
  /** Points or percent, as `lossOf` says; needs the reference. */
  readonly maxDrop: number | undefined;
  readonly threads: number;
  readonly signal: AbortSignal;
  /** Told what the outputs are taken for, before anything is scored. */
  readonly onTask?: (task: OutputTask) => void;
  readonly onStage?: (text: string, progress?: string) => void;
}

/** One model and what it answered. */
export interface EvaluatedSide {
  readonly file: FileDigest;
  readonly answers: Answers;
  /** Undefined without labels. */
  readonly accuracy: Accuracy | undefined;
}

export interface EvaluateOutcome {
  readonly model: EvaluatedSide;
  readonly reference: EvaluatedSide | undefined;
  readonly comparison: Comparison | undefined;
  readonly loss: Loss | undefined;
  readonly gate: { readonly maxDrop: number; readonly verdict: 'met' | 'missed' } | undefined;
  readonly data: {
    /** Undefined with a limit: it would read what is not used. */
    readonly digest: string | undefined;
    readonly skipped: readonly Skipped[];
    readonly warnings: readonly string[];
  };
  readonly elapsedMs: number;
}

/**
 * Scores the model, and the reference before it.
 * @throws UsageError conflict (`maxDrop` without a reference), bad-value (as `decideTask`); InputError as `scoreModel`;
 *   InterruptError
 */
export async function evaluateModel(request: EvaluateRequest): Promise<EvaluateOutcome> {
  if (request.maxDrop !== undefined && !request.reference)
    throw new UsageError('conflict', '--max-drop compares with a reference, and there is none', {
      fix: 'name the original with --reference',
    });
  return withRuntime(request.signal, (host) => evaluate(host, request));
}

async function evaluate(host: RuntimeHost, request: EvaluateRequest): Promise<EvaluateOutcome> {
  const { model, reference, data, maxDrop, threads, signal } = request;
  const start = performance.now();
  const part: StreamOptions =
    request.limit === undefined ? {} : { order: 'shuffled', seed: request.seed, to: request.limit };
  const settings = { part, threads, signal };
  request.onStage?.('looking at the outputs');
  const task = await decideTask(host, model.path, data, { ...settings, ...taskRequest(request) });
  request.onTask?.(task);
  const store = reference && createStore();
  try {
    const against =
      reference && store ? await openAgainst(host, reference, { request, task, store, settings }) : undefined;
    const progress = (name: string) => ({ ...settings, onProgress: progressOf(request, name) });
    const before =
      against &&
      (await scoreModel(host, against.model, mappedData(data, against.map), {
        ...progress('the reference'),
        task: against.task,
        keep: against.store,
      }));
    const after = await scoreModel(host, model.path, data, {
      ...progress('the model'),
      task,
      ...(against ? { against } : {}),
    });
    request.onStage?.('summing up');
    const comparison = before && compareAnswers(before, after);
    const loss = comparison && lossOf(comparison);
    return {
      model: await sideOf(model, after),
      reference: reference && before && (await sideOf(reference, before)),
      comparison,
      loss,
      gate: maxDrop === undefined || !loss ? undefined : { maxDrop, verdict: gateVerdict(loss, maxDrop) },
      data: {
        digest: request.limit === undefined ? await data.digest() : undefined,
        skipped: data.skipped,
        warnings: data.warnings(),
      },
      elapsedMs: performance.now() - start,
    };
  } finally {
    store?.dispose();
  }
}

const taskRequest = ({ task, output, labelOffset }: EvaluateRequest): TaskRequest => ({
  task,
  ...(output === undefined ? {} : { output }),
  ...(labelOffset === undefined ? {} : { labelOffset }),
});

/** Hundredths of a point are rounding of the division. */
const GATE_SLACK = 1e-9;

/** Whether the loss, as measured, is within `maxDrop`: its interval does not count. */
export function gateVerdict({ value }: Loss, maxDrop: number): 'met' | 'missed' {
  return value <= maxDrop + GATE_SLACK ? 'met' : 'missed';
}

function progressOf({ data, limit, onStage }: EvaluateRequest, name: string): (done: number) => void {
  const total = Math.min(data.size ?? Infinity, limit ?? Infinity);
  const of = Number.isFinite(total) ? ` of ${total}` : '';
  return (done) => onStage?.(`running ${name}`, `${done}${of} samples`);
}

interface ReferenceRequest {
  readonly request: EvaluateRequest;
  readonly task: OutputTask;
  readonly store: OutputStore;
  readonly settings: Pick<TaskRequest, 'part' | 'threads' | 'signal'>;
}

/**
 * What of the reference is compared with what of the model. Outputs and inputs of other names are matched.
 * @throws UsageError conflict when they have no counterpart
 */
async function openAgainst(
  host: RuntimeHost,
  { path }: ComparedFile,
  { request, task, store, settings }: ReferenceRequest,
): Promise<Required<Against>> {
  const [own, other] = [await host.describe(request.model.path), await host.describe(path)];
  const map = mapInputs(own.inputs, other.inputs);
  const names = other.outputs.map(({ name }) => name);
  const outputs = outputsOf(task);
  const isSame = outputs.every((name) => names.includes(name));
  if (!isSame && names.length !== outputs.length)
    throw unmatched(`the model has the outputs ${outputs.join(', ')}, the reference has ${names.join(', ')}`);
  const matched = isSame ? outputs : names;
  const found = await decideTask(host, path, mappedData(request.data, map), {
    ...settings,
    task: task.kind,
    ...(task.kind === 'classify' ? { output: matched[0] ?? task.output, labelOffset: task.labelOffset } : {}),
  });
  if (task.kind === 'classify' && (found.kind !== 'classify' || found.classes !== task.classes))
    throw unmatched(`the model has ${task.classes} classes, the reference does not`);
  return { model: path, task: found.kind === 'regress' ? { ...found, outputs: matched } : found, store, map };
}

const unmatched = (message: string): UsageError =>
  new UsageError('conflict', message, { fix: 'compare models with the same outputs, or choose one with --output' });

async function sideOf({ decoded, path }: ComparedFile, answers: Answers): Promise<EvaluatedSide> {
  const file = await digestFiles(path, externalBytes(decoded), 'skip');
  return { file, answers, accuracy: accuracyOf(answers) };
}
