// Everything that `profile` measures of one model on ONNX Runtime: latency, load time, memory, time per node with and
// without the runtime's fusions, and, when asked, every distinct layer alone.
import { createFacts } from '../analysis/inference.js';
import { invariant } from '../base/errors.js';
import type { Model } from '../ir/model.js';
import type { DecodedModel } from '../onnx/decode.js';
import { findFeeds, type FeedSample, type FeedSearch } from '../runtime/find-feeds.js';
import type { RuntimeHost } from '../runtime/host.js';
import { withRuntime } from './with-runtime.js';
import { openLatencyTable, type LatencyTable } from '../runtime/latency-table.js';
import { timeModel, type ModelTiming } from '../runtime/latency.js';
import { layerTimer } from '../runtime/layer-timer.js';
import { compareLoadTime } from '../runtime/load-time.js';
import { describeMachine } from '../runtime/machine.js';
import { peakMemory, type PeakMemory } from '../runtime/memory.js';
import { profileModel, type Profile } from '../runtime/profile.js';
import type { OptimizationLevel } from '../runtime/protocol.js';
import type { Percentiles } from '../runtime/statistics.js';
import { readFeedFlags } from '../runtime/user-feeds.js';
import { namedShapes } from './freeze.js';
import { layerLatencies, type LayerLatencies } from './layer-latency.js';
import { layerTimes, type LayerTimes } from './layer-times.js';
import { assumedSizes, digestFiles, figuresOf, inputSpecs, type FileDigest, type ModelFigures } from './model-facts.js';

export interface ProfileRequest {
  readonly decoded: DecodedModel;
  /** The model file. */
  readonly path: string;
  readonly threads: number;
  readonly seed: number;
  readonly optimization: OptimizationLevel;
  /** Sizes of inputs, by name; '' is the only input. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Values of `--feed`. */
  readonly feeds: readonly string[];
  /** Whether layers are timed alone; `file`: the table to use instead of that of this machine. */
  readonly alone: { readonly file: string | undefined } | undefined;
  readonly signal: AbortSignal;
  /** Told what is being done, and how far it is. */
  readonly onStage?: (text: string, progress?: string) => void;
}

export interface ProfiledRun {
  readonly profile: Profile;
  readonly times: LayerTimes;
}

export interface ProfileOutcome {
  readonly file: FileDigest;
  readonly figures: ModelFigures;
  /** What was fed. */
  readonly sample: FeedSample;
  readonly latency: ModelTiming;
  readonly load: Percentiles;
  readonly memory: PeakMemory;
  /** At the level of optimization asked for, and with all of it off. */
  readonly asked: ProfiledRun;
  readonly plain: ProfiledRun | undefined;
  readonly alone: { readonly table: LatencyTable; readonly latencies: LayerLatencies } | undefined;
}

/** Milliseconds. Profiles say where time goes, not which of two is faster: less precision will do. */
const LATENCY_BUDGET = 4000;
const LOAD_BUDGET = 1500;

/**
 * Measures one model.
 * @throws InputError bad-feed, runtime-rejects, runtime-failed, unsupported; InternalError runtime-crashed; InterruptError
 */
export async function profileOneModel(request: ProfileRequest): Promise<ProfileOutcome> {
  return withRuntime(request.signal, (host) => measure(host, request));
}

async function measure(host: RuntimeHost, request: ProfileRequest): Promise<ProfileOutcome> {
  const { decoded, path, threads, seed, optimization, signal, onStage } = request;
  const { model, document } = decoded;
  onStage?.('looking for feeds');
  const { sample, search } = await feedOf(host, request);
  const sizes = assumedSizes(model, namedShapes(model, request.shapes), { search });
  const calls = { threads, signal };
  await host.release();
  onStage?.('measuring latency');
  const latency = await timeModel(host, path, sample.feeds, { ...calls, optimization, seed, budget: LATENCY_BUDGET });
  onStage?.('measuring load time');
  const load = await compareLoadTime(host, path, path, { ...calls, optimization, seed, budget: LOAD_BUDGET });
  await host.release();
  onStage?.('measuring memory');
  const memory = await peakMemory(path, sample.feeds, { session: { threads, optimization }, signal });
  onStage?.('profiling');
  const run = async (level: OptimizationLevel): Promise<ProfiledRun> => {
    const profile = await profileModel(host, path, sample.feeds, { ...calls, optimization: level });
    return { profile, times: layerTimes(model, profile) };
  };
  const asked = await run(optimization);
  const plain = optimization === 'disabled' ? undefined : await run('disabled');
  const alone = request.alone && (await timeAlone(host, model, sizes, request));
  const external = [...document.records.tensors].filter(([, { isExternal }]) => isExternal);
  onStage?.('summing up');
  return {
    file: await digestFiles(
      path,
      external.reduce((sum, [tensor]) => sum + tensor.byteLength, 0),
    ),
    figures: figuresOf(model, sizes),
    sample,
    latency,
    load: load.before.wall,
    memory,
    asked,
    plain,
    alone,
  };
}

/** The feed to measure with: the user's where one was given, else a random one. */
async function feedOf(
  host: RuntimeHost,
  { decoded: { model }, path, seed, shapes, feeds, signal }: ProfileRequest,
): Promise<{ sample: FeedSample; search: FeedSearch }> {
  const { fixed, samples: given } = readFeedFlags(feeds, inputSpecs(model));
  const named = namedShapes(model, shapes);
  const search = await findFeeds(host, path, { seed, signal, shapes: named, fixed, given, kinds: ['normal'] });
  if (search.verdict === 'unverified') throw search.error;
  const [sample] = search.samples;
  invariant(sample, 'a search that found feeds has none');
  return { sample, search };
}

async function timeAlone(
  host: RuntimeHost,
  model: Model,
  sizes: ReadonlyMap<string, number>,
  { threads, signal, alone, onStage }: ProfileRequest,
): Promise<NonNullable<ProfileOutcome['alone']>> {
  const table = openLatencyTable({
    machine: describeMachine(),
    threads,
    measure: layerTimer(host, { threads, signal }),
    ...(alone?.file === undefined ? {} : { file: alone.file }),
  });
  const latencies = await layerLatencies(model, createFacts(model, { assumedSizes: sizes }), table, {
    onProgress: (done, all) => onStage?.('timing layers alone', `${done} of ${all}`),
  });
  return { table, latencies };
}
