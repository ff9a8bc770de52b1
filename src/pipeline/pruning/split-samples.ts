// The samples of a pruning run: some for statistics and refits, some for choices on the way, and the rest for what is reported
// in the end. Without data, random inputs are all of these.
import { InputError } from '../../base/errors.js';
import type { DataSet, InputPort, Sample, StreamOptions } from '../../data/data-set.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import {
  countSamples,
  firstOf,
  fixedBatch,
  inBatches,
  keepFeeds,
  randomSplit,
  type FedModel,
} from '../quantization/split-samples.js';
import type { SampledRunRequest } from '../run-request.js';

/** What splitting needs of a request. */
export type SplitRequest = Pick<SampledRunRequest, 'seed' | 'signal' | 'selected'> & {
  /** Samples for statistics and refits. */
  readonly settings: { readonly samples: number | undefined };
  /** Most samples to use. */
  readonly limit?: number;
};

export interface PruneSamples {
  /** The samples for statistics and refits, from the first. */
  readonly feeds: () => AsyncIterable<TensorMap>;
  /** How many feeds that are. */
  readonly samples: number;
  /** The first feed. */
  readonly first: TensorMap;
  /** What the parts below are parts of. */
  readonly data: DataSet;
  readonly select: StreamOptions;
  readonly report: StreamOptions;
  /** Samples in each part. */
  readonly counts: { readonly fitted: number; readonly selected: number; readonly reported: number };
  readonly dataFree: boolean;
  /** What was found wrong with the samples read so far. */
  warnings(): readonly string[];
  /** What the samples are: content, preprocessing, order and parts. */
  digest(): Promise<string>;
}

/** Samples for statistics and refits where nothing is asked for. */
const MOST_FITTED = 1000;
/** Samples for choices on the way: a quarter of those that do not fit, and no more. */
const MOST_SELECTED = 1000;
/** With fewer, every sample does everything. */
const LEAST_TO_SPLIT = 12;
/** Samples below which the loss says little. */
const FEW_TO_REPORT = 30;

/** The parts of `count` samples, by position: statistics and refits up to `fit`, choices up to `select`, then the report. */
export function partsOf(
  count: number,
  asked: number | undefined,
  selected?: number,
): { readonly fit: number; readonly select: number } {
  const fit = fittedOf(count, asked);
  const left = count - fit;
  return { fit, select: fit + Math.min(left, selected ?? Math.min(MOST_SELECTED, Math.ceil(left / 4))) };
}

/** Samples for statistics and refits, of `count`. */
export const fittedOf = (count: number, asked: number | undefined): number =>
  Math.min(count, asked ?? Math.min(MOST_FITTED, Math.floor(count / 2)));

/** The parts of `data`. `inputs`: of the model. @throws InputError bad-data without samples, and what reading throws */
export async function splitForPruning(
  { settings, limit = Infinity, seed, signal, selected }: SplitRequest,
  data: DataSet,
  inputs: readonly InputPort[],
): Promise<PruneSamples> {
  const count = Math.min(limit, data.size ?? (await countSamples(data, limit, signal)));
  const batch = fixedBatch(inputs);
  const { fit, select } = partsOf(count, settings.samples, selected);
  const isSplit = count >= LEAST_TO_SPLIT && fit < count;
  const part = (from: number, to: number) => ({ order: 'shuffled', seed, from, to }) as const;
  const whole = part(0, count);
  const parts = isSplit
    ? { fit: part(0, fit), select: part(fit, select), report: part(select, count) }
    : { fit: whole, select: whole, report: whole };
  const samplesOf = (options: StreamOptions): AsyncIterable<Sample> => data.samples({ ...options, signal });
  const kept = keepFeeds(() => inBatches(samplesOf(parts.fit), batch));
  const first = await firstOf(kept());
  if (!first)
    throw new InputError('bad-data', 'there is no sample to look at the model with', {
      at: { file: data.path },
      fix: 'check the data, the classes that were asked for, and what was skipped',
    });
  const sizeOf = ({ from, to }: { readonly from: number; readonly to: number }): number => to - from;
  const counts = { fitted: sizeOf(parts.fit), selected: sizeOf(parts.select), reported: sizeOf(parts.report) };
  return {
    feeds: kept,
    samples: Math.ceil(counts.fitted / batch),
    first,
    data,
    select: parts.select,
    report: parts.report,
    counts,
    dataFree: false,
    warnings: () => [...(isSplit ? fewWarning(counts) : [sharedWarning(counts)]), ...data.warnings()],
    digest: async () => JSON.stringify([await data.digest(), parts]),
  };
}

const sharedWarning = ({ fitted }: PruneSamples['counts']): string =>
  `all ${fitted} samples fit the model, and the same ones judge it: the loss on others is larger; give more samples, or fit with fewer`;

const fewWarning = ({ reported }: PruneSamples['counts']): string[] =>
  reported < FEW_TO_REPORT ? [`only ${reported} samples are left to judge with: the loss is a rough guess`] : [];

/** Random inputs in the place of samples. */
export async function randomSamples(request: SampledRunRequest, fed: FedModel): Promise<PruneSamples> {
  const { feeds, samples, first, scoring, digest } = await randomSplit(
    { ...request, calibrationSamples: 0, openData: undefined },
    fed,
  );
  const size = scoring.size ?? 0;
  return {
    feeds,
    samples,
    first,
    data: scoring,
    select: {},
    report: {},
    counts: { fitted: samples, selected: size, reported: size },
    dataFree: true,
    warnings: () => [],
    digest,
  };
}
