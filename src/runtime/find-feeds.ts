// Feeds on which a model really runs: sizes and values are tried on the runtime until the original accepts them, and its
// outputs are kept as the reference. When none runs, nothing can be said about the model: the verdict is `unverified`.
import { AppError, InputError, InternalError, InterruptError } from '../base/errors.js';
import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { bindSizes, randomFeeds, type FeedKind, type FixedFeed, type InputSpec, type Sizes } from './feeds.js';
import type { CallOptions, RuntimeHost } from './host.js';
import type { ModelSource } from './model-source.js';
import type { ModelSignature, SessionOptions } from './protocol.js';
import { stuckOutputs } from './stuck-outputs.js';
import { otherSizes, sizeCandidates } from './size-candidates.js';
import { isCarried, type TensorMap } from './wire-tensor.js';

export interface FeedSample {
  /** What was fed: `normal`, `given 1`, `normal, batch=2`. */
  readonly label: string;
  readonly sizes: Sizes;
  readonly feeds: TensorMap;
  /** What the model answered, as it is written (unless `session` says otherwise). */
  readonly outputs: TensorMap;
}

export type FeedSearch =
  | {
      readonly verdict: 'found';
      /** Sizes of the symbolic dimensions on which all but the size samples run; also the ones to time with. */
      readonly sizes: Sizes;
      readonly samples: readonly FeedSample[];
      /** Feeds that the model refused or failed on, with the reason; they are not samples. */
      readonly refused: readonly { readonly label: string; readonly reason: string }[];
      /** Outputs of which these samples say little: constant or saturated on all of them. */
      readonly stuck: readonly string[];
    }
  | { readonly verdict: 'unverified'; readonly error: AppError };

export interface FeedSearchOptions extends CallOptions {
  readonly seed: number | string;
  /** Random samples at the found sizes; default one of each kind. */
  readonly kinds?: readonly FeedKind[];
  /** Shapes given for inputs. */
  readonly shapes?: ReadonlyMap<string, readonly number[]>;
  /** Values given for inputs, in every sample. */
  readonly fixed?: ReadonlyMap<string, FixedFeed>;
  /** Whole or partial samples given. */
  readonly given?: readonly ReadonlyMap<string, Tensor>[];
  /** Default: no graph optimization, arena off. */
  readonly session?: SessionOptions;
  /** Most assignments of sizes and value ranges tried before giving up; default 96. */
  readonly attempts?: number;
}

interface Search {
  readonly host: RuntimeHost;
  readonly model: ModelSource;
  readonly specs: readonly InputSpec[];
  readonly options: FeedSearchOptions;
}
/** What the model ran on first. */
interface Base {
  readonly sizes: Sizes;
  readonly largestInt: number;
}
interface Attempt extends Base {
  readonly label: string;
  readonly kind: FeedKind;
  readonly given?: ReadonlyMap<string, Tensor>;
}

const ALL_KINDS: readonly FeedKind[] = ['normal', 'uniform', 'zeros', 'border'];
/** Tried where an output stays constant or saturated on the others. */
const OTHER_KINDS: readonly FeedKind[] = ['faint', 'pixels'];
const ATTEMPTS = 96;
/** Integers are often indices or flags: when small ones fail, only 0 and 1, then only 0. */
const INT_RANGES = [7, 1, 0];

/**
 * Feeds for checking and timing `model`: first sizes that run, then one sample per kind and per given archive at these
 * sizes, then samples at a second assignment of the dynamic dimensions.
 * @throws InterruptError; InputError bad-feed when what the user gave contradicts the model's inputs. What the runtime
 *   refuses is no exception but the verdict `unverified`.
 */
export async function findFeeds(
  host: RuntimeHost,
  model: ModelSource,
  options: FeedSearchOptions,
): Promise<FeedSearch> {
  let signature: ModelSignature;
  try {
    signature = await host.describe(model, { ...REFERENCE, ...options.session, ...callPart(options) });
  } catch (error) {
    return unverified(error);
  }
  const odd = signature.inputs.find((port) => port.dtype === undefined || !isCarried(port.dtype));
  if (odd) {
    const why = `input "${odd.name}" is ${odd.dtype ?? 'not a tensor'}, which cannot be fed from Node`;
    return unverified(new InputError('unsupported', why, { at: { tensor: odd.name } }));
  }
  const specs = signature.inputs.flatMap((port) => (port.dtype === undefined ? [] : [{ ...port, dtype: port.dtype }]));
  const search = { host, model, specs, options };
  const known = knownSizes(specs, options, options.given?.[0]);
  const base = await findBase(search, known);
  if (base instanceof AppError) return unverified(base);
  const samples: FeedSample[] = [];
  const refused: { label: string; reason: string }[] = [];
  const collect = async (attempts: readonly Attempt[]): Promise<void> => {
    for (const attempt of attempts) {
      const sample = await tryRun(search, attempt);
      if (sample instanceof AppError) refused.push({ label: attempt.label, reason: sample.message });
      else samples.push(sample);
    }
  };
  const stuck = (): readonly string[] => stuckOutputs(samples.map(({ outputs }) => outputs));
  await collect(plannedSamples(search, base));
  if (samples.length > 0) samples.push(...(await sizeSamples(search, base)));
  const isOpen = specs.some(({ name, dtype }) => isFloat(dtype) && !options.fixed?.has(name));
  if (isOpen && options.kinds === undefined && stuck().length > 0)
    await collect(OTHER_KINDS.map((kind) => ({ ...base, kind, label: kind })));
  const [first] = refused;
  if (samples.length === 0) return unverified(new InputError('bad-feed', first?.reason ?? 'no feed was given'));
  return { verdict: 'found', sizes: base.sizes, samples, refused, stuck: stuck() };
}

const REFERENCE: SessionOptions = { optimization: 'disabled', arena: 'off' };

function callPart({ signal, timeout }: CallOptions): CallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(timeout === undefined ? {} : { timeout }) };
}

function unverified(error: unknown): FeedSearch {
  if (!(error instanceof AppError) || error instanceof InterruptError) throw error;
  return { verdict: 'unverified', error };
}

/** Sizes that follow from what was given: shapes, fixed tensors, and the tensors of one archive. */
function knownSizes(
  specs: readonly InputSpec[],
  { shapes, fixed }: FeedSearchOptions,
  given: ReadonlyMap<string, Tensor> | undefined,
): Sizes {
  const dims = new Map(shapes);
  for (const [name, feed] of [...(fixed ?? []), ...(given ?? [])]) {
    const spec = specs.find((candidate) => candidate.name === name);
    if ('dims' in feed && spec?.dims.length !== 0) dims.set(name, feed.dims);
  }
  return bindSizes(specs, dims);
}

/** The first assignment on which the model runs, else the last error. */
async function findBase(search: Search, known: Sizes): Promise<Base | AppError> {
  const { specs, options } = search;
  const wideInts = specs.some((spec) => /^u?int(16|32|64)$/.test(spec.dtype) && !options.fixed?.has(spec.name));
  const ranges = wideInts ? INT_RANGES : INT_RANGES.slice(0, 1);
  const candidates = sizeCandidates(specs, known).flatMap((sizes) =>
    ranges.map((largestInt) => ({ sizes, largestInt })),
  );
  const [given] = options.given ?? [];
  let last: AppError = new InputError('bad-feed', 'no sizes to try');
  for (const { sizes, largestInt } of candidates.slice(0, options.attempts ?? ATTEMPTS)) {
    const attempt: Attempt = {
      label: 'sizes',
      kind: 'normal',
      sizes,
      largestInt,
      ...(given === undefined ? {} : { given }),
    };
    const sample = await tryRun(search, attempt);
    if (!(sample instanceof AppError)) return { sizes, largestInt };
    last = sample;
    if (sample instanceof InternalError) break;
  }
  return last;
}

function plannedSamples({ specs, options }: Search, base: Base): Attempt[] {
  const random = specs.length === 0 ? [] : (options.kinds ?? ALL_KINDS).map((kind) => ({ ...base, kind, label: kind }));
  const samples = (options.given ?? []).map((given, i): Attempt => ({
    ...base,
    kind: 'normal',
    label: `given ${i + 1}`,
    given,
    sizes: { ...base.sizes, ...knownSizes(specs, options, given) },
  }));
  const planned = [...samples, ...random];
  return planned.length > 0 ? planned : [{ ...base, kind: 'zeros', label: 'no inputs' }];
}

/** One sample with every open dimension changed, or, where the model does not take that, one per dimension that it takes. */
async function sizeSamples(search: Search, base: Base): Promise<FeedSample[]> {
  const { specs, options } = search;
  const { all, each } = otherSizes(specs, knownSizes(specs, options, undefined), base.sizes);
  const label = (sizes: Sizes): string => {
    const changed = Object.entries(sizes).filter(([symbol, size]) => base.sizes[symbol] !== size);
    return `normal, ${changed.map(([symbol, size]) => `${symbol}=${size}`).join(' ')}`;
  };
  const firstThatRuns = async (choices: readonly Sizes[]): Promise<FeedSample[]> => {
    for (const sizes of choices) {
      const sample = await tryRun(search, { ...base, kind: 'normal', label: label(sizes), sizes });
      if (!(sample instanceof AppError)) return [sample];
    }
    return [];
  };
  const together = await firstThatRuns(all);
  if (together.length > 0 || each.size < 2) return together;
  const found: FeedSample[] = [];
  for (const choices of each.values()) found.push(...(await firstThatRuns(choices)));
  return found;
}

async function tryRun({ host, model, specs, options }: Search, attempt: Attempt): Promise<FeedSample | AppError> {
  try {
    const { kind, sizes, largestInt, label } = attempt;
    const fixed = new Map<string, FixedFeed>([...(options.fixed ?? []), ...(attempt.given ?? [])]);
    const feeds = randomFeeds(specs, { seed: options.seed, kind, sizes, fixed, largestInt });
    const outputs = await host.run(model, feeds, { ...REFERENCE, ...options.session, ...callPart(options) });
    return { label, sizes, feeds, outputs };
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof InterruptError) throw error;
    return error;
  }
}
