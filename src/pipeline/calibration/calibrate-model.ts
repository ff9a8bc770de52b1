// `calibrate`: the ranges that the values of a model have over samples, as a cache.
import { createHash } from 'node:crypto';
import { createFacts } from '../../analysis/inference.js';
import { InputError, UsageError } from '../../base/errors.js';
import type { DataSet, Sample } from '../../data/data-set.js';
import type { RangeState } from '../../fit/range.js';
import type { Value } from '../../ir/value.js';
import type { DecodedModel } from '../../onnx/decode.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { externalBytes, type ComparedFile } from '../compare-models.js';
import { namedShapes } from '../freeze.js';
import { assumedSizes, digestFiles, type FileDigest } from '../model-facts.js';
import { withRuntimeAndWorkspace } from '../with-runtime.js';
import type { Workspace } from '../workspace.js';
import type { CalibrationCache, SamplePart } from './cache.js';
import { calibratedValues } from './calibrated-values.js';
import { DATA_FREE_SAMPLES, dataFreeShapes, dataFreeWarning, normalizeBySample, randomSamples } from './data-free.js';
import { checkNormalization, type NormalizationCheck } from './normalization-check.js';
import { observeRanges } from './observe-ranges.js';

export interface CalibrateRequest extends ComparedFile {
  /** Opened for the inputs of the model; undefined: random inputs (data-free.ts). */
  readonly data: DataSet | undefined;
  /** So many samples, drawn by `seed`; all, as they are stored, when undefined. */
  readonly limit: number | undefined;
  /** One part of the samples out of `count`, from 1. */
  readonly shard: { readonly index: number; readonly count: number } | undefined;
  readonly seed: number;
  readonly threads: number;
  /** Sizes of inputs of a data-free run. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly signal: AbortSignal;
  readonly onStage?: (text: string, progress?: string) => void;
}

export interface CalibrateOutcome {
  readonly file: FileDigest;
  readonly cache: CalibrationCache;
  readonly normalization: NormalizationCheck | undefined;
  readonly warnings: readonly string[];
  readonly elapsedMs: number;
}

/** Samples that are enough to tell whether they are what the model was trained on. */
export const CHECKED_SAMPLES = 8;

/**
 * Runs the model on the samples and gathers the range of every value of `calibratedValues`.
 * @throws UsageError bad-value (more shards than samples), not-available (shards of data of unknown size); InputError
 *   bad-data (no sample), and as `observeRanges`; InterruptError
 */
export async function calibrateModel(request: CalibrateRequest): Promise<CalibrateOutcome> {
  return withRuntimeAndWorkspace(request.signal, (host, workspace) => calibrate(host, workspace, request));
}

async function calibrate(
  host: RuntimeHost,
  workspace: Workspace,
  request: CalibrateRequest,
): Promise<CalibrateOutcome> {
  const start = performance.now();
  const { decoded, path, signal, threads, onStage } = request;
  const source = request.data ? samplesOf(request.data, request) : randomSource(request);
  onStage?.('looking at the samples');
  const checked = { feeds: source.feeds(CHECKED_SAMPLES), signal, threads };
  const normalization = request.data && (await checkNormalization(host, workspace, { ...decoded, path }, checked));
  // Its session is not needed any more, and takes memory.
  await host.release();
  const ranges = await source.within(() =>
    observeRanges(
      host,
      workspace,
      { ...decoded, path },
      {
        values: source.values,
        feeds: () => source.feeds(Infinity),
        threads,
        signal,
        onProgress: ({ samples, group, groups }) => {
          const which = groups === 1 ? '' : `, values ${group} of ${groups}`;
          onStage?.(
            'calibrating',
            `${samples}${source.total === undefined ? '' : ` of ${source.total}`} samples${which}`,
          );
        },
      },
    ),
  );
  onStage?.('summing up');
  const values = new Map([...ranges].map(([value, state]) => [value.name, state] as const));
  if (values.size === 0) throw nothingRan(request.data);
  const cache = { model: await modelDigest(decoded, path), ...(await source.facts()), values };
  return {
    file: await digestFiles(path, externalBytes(decoded), 'skip'),
    cache,
    normalization,
    warnings: [
      ...source.warnings(),
      ...(normalization?.warning === undefined ? [] : [normalization.warning]),
      ...notFinite(values),
    ],
    elapsedMs: performance.now() - start,
  };
}

/** SHA-256 over the model file and the weights that stand in files of their own, hexadecimal. */
export async function modelDigest({ document }: DecodedModel, path: string): Promise<string> {
  const { sha256 } = await digestFiles(path, 0, 'skip');
  const external = [...document.records.tensors].filter(([, { isExternal }]) => isExternal);
  if (external.length === 0) return sha256;
  const hash = createHash('sha256').update(sha256);
  for (const [tensor] of external) hash.update(tensor.fingerprint());
  return hash.digest('hex');
}

/** What is fed, and what the cache says of it. */
interface FeedSource {
  readonly values: readonly Value[];
  readonly total: number | undefined;
  /** The first `most` of the samples. */
  feeds(most: number): AsyncIterable<TensorMap>;
  /** Runs `work` on the model in the form that these feeds need. */
  within<T>(work: () => Promise<T>): Promise<T>;
  facts(): Promise<Omit<CalibrationCache, 'model' | 'values'>>;
  warnings(): readonly string[];
}

function samplesOf(data: DataSet, request: CalibrateRequest): FeedSource {
  const { decoded, limit, shard, seed, signal } = request;
  const order = limit === undefined ? 'stored' : 'shuffled';
  const total = limit === undefined ? data.size : Math.min(limit, data.size ?? limit);
  const part =
    shard === undefined
      ? { from: 0, to: total ?? Infinity }
      : shardOf(shard, data.size === undefined ? undefined : total);
  let samples = 0;
  // Hashed while the other process works; where it fails, whoever asks later is told. A stream is not read twice at a time.
  if (data.size !== undefined) data.digest().catch(() => undefined);
  return {
    values: calibratedValues(decoded.model, createFacts(decoded.model)),
    total: total === undefined ? undefined : part.to - part.from,
    async *feeds(most) {
      let count = 0;
      const stream = data.samples({ ...part, order, seed, signal }) as AsyncIterable<Sample>;
      for await (const sample of stream) {
        if (count >= most) break;
        samples = Math.max(samples, ++count);
        yield sample.feeds;
      }
    },
    within: (work) => work(),
    facts: async () => ({
      data: {
        kind: 'samples',
        digest: await data.digest(),
        order,
        // What is read as stored does not depend on it.
        seed: order === 'stored' ? 0 : seed,
        total: data.size === undefined ? undefined : total,
      },
      parts: [{ from: part.from, to: Number.isFinite(part.to) ? part.to : samples }],
      samples,
      skipped: data.skipped,
    }),
    warnings: () => data.warnings(),
  };
}

/** @throws UsageError bad-value, not-available */
function shardOf(
  { index, count }: { readonly index: number; readonly count: number },
  total: number | undefined,
): SamplePart {
  if (total === undefined)
    throw new UsageError('not-available', 'data whose size is not known cannot be cut into shards', {
      fix: 'store the samples in files, or calibrate in one run',
    });
  if (count > total)
    throw new UsageError('bad-value', `${total} samples cannot be cut into ${count} shards`, { fix: 'ask for fewer' });
  return { from: Math.floor(((index - 1) * total) / count), to: Math.floor((index * total) / count) };
}

function randomSource({ decoded: { model }, seed, shapes }: CalibrateRequest): FeedSource {
  const dims = dataFreeShapes(model, namedShapes(model, shapes));
  const facts = createFacts(model, { assumedSizes: assumedSizes(model, dims, undefined) });
  const values = calibratedValues(model, facts);
  let normalizations = 0;
  return {
    values,
    total: DATA_FREE_SAMPLES,
    feeds: () => randomSamples(model, { seed, dims }),
    within: async (work) => {
      const mark = model.journal.mark();
      normalizations = normalizeBySample(model, facts);
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof InputError) || error.code !== 'runtime-failed') throw error;
        const fix = 'random inputs may be too small for it, or too large: give their sizes with --input NAME:SHAPE';
        throw new InputError(error.code, error.message, { at: error.at, fix, cause: error });
      } finally {
        model.journal.seek(mark);
      }
    },
    facts: () =>
      Promise.resolve({
        data: { kind: 'none', digest: '', order: 'stored', seed, total: DATA_FREE_SAMPLES },
        parts: [{ from: 0, to: DATA_FREE_SAMPLES }],
        samples: DATA_FREE_SAMPLES,
        skipped: [],
      }),
    warnings: () => [dataFreeWarning(normalizations)],
  };
}

function nothingRan(data: DataSet | undefined): InputError {
  return new InputError('bad-data', data ? 'not one sample could be run' : 'the model has no values to calibrate', {
    ...(data ? { at: { file: data.path } } : {}),
    fix: data ? 'look at the samples, or check --limit and --shard' : 'it needs floating-point inputs',
  });
}

function notFinite(values: ReadonlyMap<string, RangeState>): string[] {
  const broken = [...values].filter(([, { nonFinite }]) => nonFinite > 0).map(([name]) => name);
  const [first] = broken;
  if (first === undefined) return [];
  const others = broken.length === 1 ? '' : ` and ${broken.length - 1} more`;
  return [`infinite values, or values that are not a number, were left out: in "${first}"${others}`];
}
