// Evaluation as a call of the library: a model on samples, alone or against a reference, with the report as a value.
import { basename } from 'node:path';
import { openModel } from '../onnx/open.js';
import { evaluateModel, type EvaluateRequest } from '../pipeline/evaluation/evaluate-model.js';
import { namedShapes } from '../pipeline/freeze.js';
import { sizedInputs } from '../pipeline/model-facts.js';
import { buildEvalReport } from './build-eval-report.js';
import type { EvalReport } from './eval-report.js';
import { openSamples, preparationText, type SampleOptions } from './sample-options.js';

export interface EvaluateFileOptions {
  readonly samples: SampleOptions;
  /** Model to compare with, on the same samples. */
  readonly reference?: string;
  /** So many samples, drawn by `seed`; default: all. */
  readonly limit?: number;
  /** What the outputs are taken for; default `auto`. */
  readonly task?: EvaluateRequest['task'];
  /** Name of the output that holds the scores of classes, where several could. */
  readonly scores?: string;
  /** Label minus class, where labels do not begin with 0; default: found out. */
  readonly labelOffset?: number;
  /** Largest loss against the reference; the verdict stands in the report. */
  readonly maxDrop?: number;
  /** Sizes of inputs, by name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Threads of ONNX Runtime; default 1. */
  readonly threads?: number;
  /** Seed of the draw; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/**
 * Scores the model at `input` on samples.
 * @throws UsageError (options that do not fit), InputError (model, samples), InterruptError
 */
export async function evaluateFile(input: string, options: EvaluateFileOptions): Promise<EvalReport> {
  const { reference, samples, signal = new AbortController().signal } = options;
  const decoded = await openModel(input);
  const shapes = namedShapes(decoded.model, new Map(Object.entries(options.shapes ?? {})));
  const data = await openSamples(samples, sizedInputs(decoded.model, shapes), { signal });
  const request: EvaluateRequest = {
    model: { decoded, path: input },
    reference: reference === undefined ? undefined : { decoded: await openModel(reference), path: reference },
    data,
    limit: options.limit,
    seed: options.seed ?? 0,
    task: options.task ?? 'auto',
    output: options.scores,
    labelOffset: options.labelOffset,
    maxDrop: options.maxDrop,
    threads: options.threads ?? 1,
    signal,
    onTask: (task) => void (task.kind === 'classify' && data.expectClasses(task.classes)),
  };
  const outcome = await evaluateModel(request);
  return buildEvalReport(request, outcome, {
    model: basename(input),
    reference: reference === undefined ? undefined : basename(reference),
    preparation: preparationText(data),
  });
}
