// What calls of the library that write a model have in common: options, as parts of a request and as flags, and the end of a call.
import { basename } from 'node:path';
import { UsageError } from '../base/errors.js';
import { bestPath } from '../pipeline/best-path.js';
import type { RunRequest, SampledRunRequest } from '../pipeline/run-request.js';
import type { SettingTable } from '../pipeline/setting-table.js';
import type { SlimRequest } from '../pipeline/slim.js';
import { valuedWords } from './command-line.js';
import type { FileFacts } from './facts.js';
import type { SampleOptions } from './sample-options.js';

export interface ModelCallOptions {
  /** Timing and profiling; default `on`. */
  readonly measure?: 'on' | 'off';
  /** Sizes of inputs, by name: for checking, costs and timing. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Threads of ONNX Runtime; default 1. */
  readonly threads?: number;
  /** Seed of everything random; default 0. */
  readonly seed?: number;
  readonly externalData?: RunRequest['externalData'];
  readonly signal?: AbortSignal;
}

export interface SampledCallOptions extends ModelCallOptions {
  /** Where the steps are kept, so that a run that was cut off goes on. */
  readonly journal?: string;
  readonly latencyTable?: string;
}

type CallRequest = Pick<SlimRequest, 'shapes' | Exclude<keyof RunRequest, 'input' | 'output' | 'recipe'>>;

/** The part of a request that these options make. */
export function callRequest(options: ModelCallOptions): CallRequest {
  const { measure, shapes, threads, seed, externalData, signal } = options;
  return {
    measure: measure ?? 'on',
    shapes: new Map(Object.entries(shapes ?? {})),
    seed: seed ?? 0,
    threads: threads ?? 1,
    keepOverridable: false,
    externalData: externalData ?? 'auto',
    signal: signal ?? new AbortController().signal,
  };
}

/** As `callRequest`, with where a run on samples keeps what it found. */
export function sampledCallRequest(
  options: SampledCallOptions,
): CallRequest & Pick<SampledRunRequest, 'journal' | 'latencyTable'> {
  const { journal, latencyTable } = options;
  return { ...callRequest(options), journal, ...(latencyTable === undefined ? {} : { latencyTable }) };
}

/** What was asked for beside the recipe, as flags; `own` are those of the verb alone. */
export function optionWords(
  options: SampledCallOptions,
  samples: SampleOptions | undefined,
  own: readonly string[],
): string[] {
  const { journal, latencyTable, measure, shapes = {}, externalData, threads = 1, seed = 0 } = options;
  const { path, preprocess, labels } = samples ?? {};
  return [
    ...valuedWords({ data: path, labels, preprocess, journal, 'latency-table': latencyTable }),
    ...(samples ? [] : ['--data-free']),
    ...own,
    ...(measure === 'off' ? ['--no-profile'] : []),
    ...Object.entries(shapes).flatMap(([name, dims]) => ['--input', `${name}:${dims.join('x')}`]),
    ...(externalData === 'always' ? ['--external-data'] : []),
    ...valuedWords({ threads: threads === 1 ? undefined : threads, seed: seed === 0 ? undefined : seed }),
  ];
}

/** What a call gives back. */
export interface CallResult<R> {
  /** Path of the model that was written: `<output>.best.onnx` where a gate was missed. */
  readonly output: string;
  readonly report: R;
}

/** Publishes the model under its name, or beside it where a gate was missed, and names it in its report. @throws InputError */
export async function publishResult<R extends { readonly output?: FileFacts | undefined }>(
  outcome: { publish(path: string): Promise<void> },
  output: string,
  { report, missed }: { readonly report: R; readonly missed: string | undefined },
): Promise<CallResult<R>> {
  const written = missed === undefined ? output : bestPath(output);
  await outcome.publish(written);
  const named = report.output && { ...report.output, name: basename(written) };
  return { output: written, report: { ...report, output: named } };
}

/** Settings of a call, checked as those of a recipe are; lists that are empty are not given. @throws UsageError bad-value */
export function checkedSettings<T extends object>(table: SettingTable<T>, settings: T, lists: readonly (keyof T)[]): T {
  const isEmpty = (key: string): boolean => {
    const list = lists.find((one) => one === key);
    const value = list === undefined ? undefined : settings[list];
    return Array.isArray(value) && value.length === 0;
  };
  const given = Object.entries(settings).filter(([key, value]) => value !== undefined && !isEmpty(key));
  return table.read(Object.fromEntries(given), (what, fix) => {
    throw new UsageError('bad-value', what, { fix });
  });
}
