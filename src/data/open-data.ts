// Opening data: the kind is recognised by looking, samples are decoded ahead, preprocessed and checked.
import { createHash } from 'node:crypto';
import { InputError, InterruptError, UsageError } from '../base/errors.js';
import type { DataSet, InputPort, Sample, Skipped, StreamOptions } from './data-set.js';
import { createFeedMaker, type FeedMaker, type MadeFeeds } from './feeds.js';
import { lookAt, splitPart } from './place.js';
import { formatPreprocess, type Preprocess } from './preprocess.js';
import { readAhead } from './read-ahead.js';
import { SOURCE_KINDS } from './registry.js';
import { createSampleChecks, type SampleChecks } from './sample-checks.js';
import { shuffledOrder } from './sample-order.js';
import { badData, type IndexedSource, type Source, type StoredSample, type StreamedSource } from './source.js';

/** Samples decoded ahead of the reader: hides the time of decoding; a decoded photograph may take 40 MB. */
const READ_AHEAD = 2;
const DEFAULT_SKIP_LIMIT: SkipLimit = { share: 0.05, count: 10 };

/** How many samples may be unreadable: the larger of the two. */
export interface SkipLimit {
  /** Part of all samples (of those read so far, where their number is not known). */
  readonly share: number;
  readonly count: number;
}

export interface DataOptions {
  /** Inputs of the model. */
  readonly inputs: readonly InputPort[];
  /** Without it, what is assumed is warned about (`createFeedMaker`). */
  readonly preprocess?: Preprocess | undefined;
  /** File of labels. */
  readonly labels?: string | undefined;
  /** Default: 5 %, and 10. */
  readonly maxSkipped?: SkipLimit;
  readonly signal?: AbortSignal;
}

/** A data set, and what reports say about it. */
export interface OpenedData extends DataSet {
  /** Words for the kind of data: `image folder`. */
  readonly kind: string;
  /** Where labels come from, in words; undefined without labels. */
  readonly labelsFrom: string | undefined;
  /** As `--preprocess` takes it; where that was not given, what was assumed for the samples read so far. */
  readonly preprocess: string;
  /** Tells the checks how many classes the model has. */
  expectClasses(count: number): void;
}

/**
 * Opens a file or folder of samples (docs/data.md lists the kinds). `path` may name a part behind `#`.
 * Labelled and shuffled, every stretch of the order holds the classes in their proportions; what comes as a stream (a module)
 * keeps its own order.
 * @throws InputError not-found, bad-data, bad-feed; UsageError bad-value (part, preprocessing), not-available (no sharp)
 */
export async function openData(given: string, options: DataOptions): Promise<OpenedData> {
  const { path, part } = splitPart(given);
  const place = await lookAt(path);
  const kind = SOURCE_KINDS.find((candidate) => candidate.recognises(place));
  if (!kind)
    throw badData(path, 'the file is no kind of data that is known', {
      fix: `give ${SOURCE_KINDS.map(({ looksLike }) => looksLike).join('; ')}`,
    });
  if (part !== undefined && kind.parts !== place.form)
    throw new UsageError('bad-value', `${path} has no parts`, { fix: `leave out #${part}` });
  if (options.inputs.length === 0) throw badData(path, 'the model has no inputs that samples could feed');
  const maker = createFeedMaker(options.inputs, options.preprocess);
  const source = await kind.open({ place, part, inputs: options.inputs, labels: options.labels });
  if (source.access === 'indexed' && source.size === 0) throw badData(path, 'there are no samples');
  return createDataSet(source, given, { ...options, maker });
}

interface Making extends DataOptions {
  readonly maker: FeedMaker;
}

/** What samples pass through on their way out. */
interface Outlet extends Making {
  readonly made: MadeSamples;
  readonly checks: SampleChecks;
  skip(name: string, error: unknown): void;
}

function createDataSet(source: Source, path: string, options: Making): OpenedData {
  const skipped = new Map<string, Skipped>();
  const checks = createSampleChecks({ preprocess: options.preprocess, named: source.classes?.length });
  const limit = options.maxSkipped ?? DEFAULT_SKIP_LIMIT;
  const size = source.access === 'indexed' ? source.size : undefined;
  // The data may be read several times (reference, model, candidates): what is said of it counts every sample once.
  const seen = new Set<string>();
  const skip = (name: string, error: unknown): void => {
    // Only what is wrong with a sample is skipped: that sharp is missing, or that all ends, concerns every one.
    if (!(error instanceof InputError)) throw error;
    skipped.set(name, { name, reason: error.message });
    const total = size ?? seen.size + skipped.size;
    if (skipped.size > Math.max(limit.count, limit.share * total) || skipped.size === size)
      throw tooMany(path, skipped, error);
  };
  const add: SampleChecks['add'] = (sample, facts) => {
    if (seen.has(sample.name)) return;
    seen.add(sample.name);
    checks.add(sample, facts);
  };
  const outlet: Outlet = { ...options, made: keepFirst(KEPT_BYTES), checks: { ...checks, add }, skip };
  let digest: Promise<string> | undefined;
  return {
    path,
    size,
    kind: source.kind,
    labelled: source.labelsFrom !== undefined,
    labelsFrom: source.labelsFrom,
    classes: source.classes,
    get preprocess() {
      return options.preprocess ? formatPreprocess(options.preprocess) : (checks.assumed() ?? 'raw');
    },
    expectClasses: checks.expectClasses,
    digest: () => (digest ??= hashContent(source, options)),
    samples: (stream = {}) =>
      source.access === 'indexed' ? indexedSamples(source, stream, outlet) : streamedSamples(source, stream, outlet),
    get skipped() {
      return [...skipped.values()];
    },
    warnings: () => [...source.notes, ...checks.warnings()],
  };
}

function tooMany(path: string, skipped: ReadonlyMap<string, Skipped>, cause: InputError): InputError {
  const first = [...skipped.values()].slice(0, 3).map(({ name, reason }) => `${name}: ${reason}`);
  return badData(
    path,
    `${skipped.size} samples cannot be used (${first.join('; ')}${skipped.size > 3 ? '; ...' : ''})`,
    { cause, fix: cause.fix ?? 'remove the damaged samples, or check that the data is for this model' },
  );
}

/** Samples that were made before, by their position in the source. */
interface MadeSamples {
  get(index: number): MadeFeeds | undefined;
  add(index: number, made: MadeFeeds): void;
}

/** Bytes of samples that are kept: data is read again and again, and photographs take longer to unpack than small models to run. */
const KEPT_BYTES = 2 ** 28;

/** What comes first stays: whoever reads on and on would drive out everything before it came round again. */
function keepFirst(limit: number): MadeSamples {
  const kept = new Map<number, MadeFeeds>();
  let bytes = 0;
  return {
    get: (index) => kept.get(index),
    add: (index, made) => {
      const size = [...made.feeds.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
      if (kept.has(index) || bytes + size > limit) return;
      kept.set(index, made);
      bytes += size;
    },
  };
}

async function* indexedSamples(
  source: IndexedSource,
  { from = 0, to = source.size, order = 'stored', seed = 0, signal }: StreamOptions,
  { maker, made: kept, checks, skip, signal: ownSignal }: Outlet,
): AsyncGenerator<Sample> {
  const positions = order === 'shuffled' ? shuffledOrder(source.size, seed, source.labels) : undefined;
  const first = Math.max(0, from);
  const results = readAhead(
    Math.max(0, Math.min(to, source.size) - first),
    async (i): Promise<{ index: number; made: MadeFeeds } | { index: number; error: unknown }> => {
      const index = positions?.[first + i] ?? first + i;
      try {
        // Made here, so that what waits is of the size of the model and not of a photograph.
        const known = kept.get(index);
        if (known) return { index, made: known };
        const made = maker.make(await source.read(index), source.name(index));
        kept.add(index, made);
        return { index, made };
      } catch (error) {
        return { index, error };
      }
    },
    { depth: READ_AHEAD, signal: signal ?? ownSignal },
  );
  for await (const result of results) {
    const name = source.name(result.index);
    const label = source.labels?.[result.index];
    if ('error' in result) {
      skip(name, result.error);
      continue;
    }
    const sample = { name, label: label === -1 ? undefined : label, feeds: result.made.feeds };
    checks.add(sample, result.made.facts);
    yield sample;
  }
}

async function* streamedSamples(
  source: StreamedSource,
  { from = 0, to = Infinity, signal }: StreamOptions,
  { maker, checks, skip, signal: ownSignal }: Outlet,
): AsyncGenerator<Sample> {
  let position = 0;
  if (to <= from) return;
  for await (const { name, label, sample: stored } of source.stream()) {
    if ((signal ?? ownSignal)?.aborted) throw new InterruptError('stopped');
    if (position++ < from) continue;
    const made = tryMake(maker, stored, name, skip);
    if (made) {
      const sample = { name, label, feeds: made.feeds };
      checks.add(sample, made.facts);
      yield sample;
    }
    if (position >= to) return;
  }
}

function tryMake(maker: FeedMaker, stored: StoredSample, name: string, skip: Outlet['skip']): MadeFeeds | undefined {
  try {
    return maker.make(stored, name);
  } catch (error) {
    skip(name, error);
    return undefined;
  }
}

/** SHA-256 over the preprocessing, then the content in stored order (of a module: what it yields). */
async function hashContent(source: Source, { maker, preprocess, signal }: Making): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([maker.preprocess.settings, preprocess ? 'all' : 'pictures']));
  const content = source.access === 'indexed' ? source.content() : streamedContent(source);
  for await (const piece of content) {
    if (signal?.aborted) throw new InterruptError('stopped');
    hash.update(piece);
  }
  return hash.digest('hex');
}

async function* streamedContent(source: StreamedSource): AsyncGenerator<string> {
  for await (const { label, sample } of source.stream()) {
    const parts =
      sample.kind === 'arrays'
        ? [...sample.arrays].map(([key, array]) => `${key}=${array.fingerprint()}`)
        : [createHash('sha256').update(sample.picture.data).digest('base64')];
    yield `${label ?? ''};${parts.join(';')};`;
  }
}
