// The samples of a quantization run: some calibrate, the others score. Without data, random inputs do both.
import { InputError } from '../../base/errors.js';
import type { DataSet, InputPort, Sample, StreamOptions } from '../../data/data-set.js';
import type { OpenedData } from '../../data/open-data.js';
import { splitData } from '../../data/sample-order.js';
import type { Model } from '../../ir/model.js';
import { findFeeds } from '../../runtime/find-feeds.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { isFloat } from '../../tensor/dtype.js';
import { Tensor } from '../../tensor/tensor.js';
import { DATA_FREE_SAMPLES, dataFreeWarning, randomSamples } from '../calibration/data-free.js';
import { namedShapes } from '../freeze.js';
import { sizedInputs } from '../model-facts.js';
import type { QuantizeRequest } from './outcome.js';

export interface SampleSplit {
  /** The calibration samples, from the first. */
  readonly feeds: () => AsyncIterable<TensorMap>;
  /** How many feeds that are. */
  readonly samples: number;
  /** Samples in them. */
  readonly calibrated: number;
  /** The first feed. */
  readonly first: TensorMap;
  /** What scores, and which part of it. */
  readonly scoring: DataSet;
  readonly part: StreamOptions;
  readonly dataFree: boolean;
  /** What was found wrong with the samples read so far. */
  warnings(): readonly string[];
  /** What the samples are: content, preprocessing, order and parts. */
  digest(): Promise<string>;
}

/** What is asked of the samples. */
export type SplitRequest = Pick<
  QuantizeRequest,
  'openData' | 'calibrationSamples' | 'scoringSamples' | 'shapes' | 'recipe' | 'seed' | 'signal'
>;

/** The model that samples are made for. */
export interface FedModel {
  readonly host: RuntimeHost;
  readonly model: Model;
  readonly path: string;
}

/** Scoring samples below which the loss says little. */
const FEW_TO_SCORE = 30;
/** Bytes of calibration samples that are kept in memory: decoding pictures for every look takes longer than the look. */
const KEPT_BYTES = 96 * 2 ** 20;
/** Added to the seed for random inputs that score. */
const SCORING_SEED = 1_000_003;

/**
 * Opens the data of `request` for `model`.
 * @throws InputError bad-data without samples, and what opening throws
 */
export async function splitSamples(request: SplitRequest, fed: FedModel): Promise<SampleSplit> {
  if (!request.openData) return randomSplit(request, fed);
  const inputs = sizedInputs(fed.model, fedShapes(request, fed.model));
  const batch = fixedBatch(inputs);
  return dataSplit(request, await request.openData(inputs, request.signal), batch);
}

/** Sizes that inputs are fed with, by name. */
export function fedShapes({ shapes, recipe }: Pick<SplitRequest, 'shapes' | 'recipe'>, model: Model): ShapeMap {
  return namedShapes(model, new Map([...(shapes ?? []), ...Object.entries(recipe.freeze)]));
}

async function dataSplit(request: SplitRequest, data: OpenedData, batch: number): Promise<SampleSplit> {
  const { calibrationSamples, scoringSamples = Infinity, seed, signal } = request;
  const count = data.size ?? (await countSamples(data, calibrationSamples + scoringSamples, signal));
  const held = count - calibrationSamples;
  const { calibrate, score } = splitData(count, calibrationSamples, seed);
  const part = held > 0 ? score : calibrate;
  const scored = { ...part, to: Math.min(part.to, part.from + scoringSamples) };
  const samplesOf = (options: StreamOptions): AsyncIterable<Sample> => data.samples({ ...options, signal });
  const kept = keepFeeds(() => inBatches(samplesOf(calibrate), batch));
  const first = await firstOf(kept());
  if (!first)
    throw new InputError('bad-data', 'there is no sample to calibrate with', {
      at: { file: data.path },
      fix: 'check the data, and what was skipped',
    });
  return {
    feeds: kept,
    samples: Math.ceil((calibrate.to - calibrate.from) / batch),
    calibrated: calibrate.to - calibrate.from,
    first,
    scoring: data,
    part: scored,
    dataFree: false,
    warnings: () => [...heldBackWarning(count, held), ...data.warnings()],
    digest: async () => JSON.stringify([await data.digest(), calibrate, scored]),
  };
}

function heldBackWarning(count: number, held: number): string[] {
  if (held <= 0)
    return [
      `all ${count} samples calibrate, and the same ones score: the loss on others may be larger; give more samples, or calibrate with fewer`,
    ];
  return held < FEW_TO_SCORE ? [`only ${held} samples are left to score with: the loss is a rough guess`] : [];
}

/** How many samples there are, read one by one; no more than `most` are counted. */
export async function countSamples(data: DataSet, most: number, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const _ of data.samples({ ...(Number.isFinite(most) ? { to: most } : {}), signal })) count++;
  return count;
}

/** The size of the batches that the model fixes, where that is not 1. */
export function fixedBatch(inputs: readonly InputPort[]): number {
  const [size = 1, ...others] = new Set(inputs.map(({ dims }) => dims[0]));
  return typeof size === 'number' && others.length === 0 ? Math.max(1, size) : 1;
}

/** Feeds of `size` samples each; the last is filled up from its first. */
export async function* inBatches(samples: AsyncIterable<Sample>, size: number): AsyncGenerator<TensorMap> {
  let batch: TensorMap[] = [];
  const joined = (): TensorMap => {
    const full = Array.from({ length: size }, (_, at) => batch[at % batch.length] ?? new Map<string, Tensor>());
    return new Map(
      [...(full[0] ?? [])].map(([name, first]) => [
        name,
        joinTensors(
          first,
          full.map((feeds) => feeds.get(name) ?? first),
        ),
      ]),
    );
  };
  for await (const { feeds } of samples) {
    if (size === 1) yield feeds;
    else if (batch.push(feeds) === size) {
      yield joined();
      batch = [];
    }
  }
  if (batch.length > 0) yield joined();
}

function joinTensors({ dtype, dims }: Tensor, parts: readonly Tensor[]): Tensor {
  return new Tensor(dtype, [parts.length, ...dims.slice(1)], Buffer.concat(parts.map((part) => part.bytes())));
}

/** The feeds of `feeds`, read once as far as they fit into memory. */
export function keepFeeds(source: () => AsyncIterable<TensorMap>): () => AsyncIterable<TensorMap> {
  let kept: TensorMap[] = [];
  let state: 'unread' | 'kept' | 'large' = 'unread';
  return async function* () {
    if (state === 'kept') return yield* kept;
    const found: TensorMap[] = [];
    let bytes = 0;
    for await (const feeds of source()) {
      for (const tensor of feeds.values()) bytes += tensor.byteLength;
      if (bytes <= KEPT_BYTES) found.push(feeds);
      else {
        state = 'large';
        found.length = 0;
      }
      yield feeds;
    }
    if (state === 'unread') [kept, state] = [found, 'kept'];
  };
}

/** The first item; undefined where there is none. */
export async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** Feeds on which the model runs: sizes, and the values of inputs that are no floats (rates, lengths), are not guessed. */
async function runningFeeds(request: SplitRequest, { host, model, path }: FedModel): Promise<TensorMap> {
  const { seed, signal } = request;
  const shapes = fedShapes(request, model);
  const search = await findFeeds(host, path, { seed, signal, shapes, kinds: ['normal'] });
  if (search.verdict === 'unverified') throw search.error;
  return search.samples[0]?.feeds ?? new Map();
}

/** Random inputs for the model: some to look at it, others to score. */
export async function randomSplit(request: SplitRequest, fed: FedModel): Promise<SampleSplit> {
  const { seed } = request;
  const { model } = fed;
  const running = await runningFeeds(request, fed);
  const dims = new Map([...running].map(([name, tensor]) => [name, tensor.dims]));
  const given = [...running].filter(([, { dtype }]) => !isFloat(dtype));
  const drawn = async (from: number): Promise<TensorMap[]> => {
    const feeds: TensorMap[] = [];
    for await (const feed of randomSamples(model, { seed: from, dims })) feeds.push(new Map([...feed, ...given]));
    return feeds;
  };
  const calibrating = await drawn(seed);
  const scoring = await drawn(seed + SCORING_SEED);
  const [first = running] = calibrating;
  return {
    feeds: () => stream(calibrating),
    samples: calibrating.length,
    calibrated: calibrating.length,
    first,
    scoring: randomData(scoring),
    part: {},
    dataFree: true,
    warnings: () => [dataFreeWarning(0)],
    digest: () => Promise.resolve(JSON.stringify(['random', DATA_FREE_SAMPLES, seed, [...dims]])),
  };
}

type ShapeMap = ReadonlyMap<string, readonly number[]>;

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function randomData(feeds: readonly TensorMap[]): DataSet {
  return {
    path: 'random inputs',
    size: feeds.length,
    labelled: false,
    classes: undefined,
    digest: () => Promise.resolve('random'),
    samples: ({ from = 0, to = feeds.length } = {}) =>
      stream(
        feeds.slice(from, to).map((one, at): Sample => ({ name: `random#${from + at}`, label: undefined, feeds: one })),
      ),
    skipped: [],
    warnings: () => [],
  };
}
