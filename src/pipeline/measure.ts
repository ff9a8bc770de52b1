// Proof of the gain: both models timed in turn on ONNX Runtime as applications run it, and profiled node by node.
import { AppError, InterruptError } from '../base/errors.js';
import type { RuntimeHost } from '../runtime/host.js';
import { compareLatency, type TimingComparison } from '../runtime/latency.js';
import { compareLoadTime } from '../runtime/load-time.js';
import { peakMemory, type PeakMemory } from '../runtime/memory.js';
import { profileModel, type Profile } from '../runtime/profile.js';
import type { TensorMap } from '../runtime/wire-tensor.js';

export interface MeasureOptions {
  readonly threads: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Milliseconds that one timing may take; default: those of runs and of loads. */
  readonly timingMs?: number | undefined;
  /** Told what is being measured. */
  readonly onStage?: (name: string) => void;
}

/** How long two models run and load, the second against the first. */
export interface TimedPair {
  readonly latency: TimingComparison;
  readonly load: TimingComparison;
}

export interface Measurement extends TimedPair {
  readonly memory: { readonly before: PeakMemory; readonly after: PeakMemory };
  readonly profiles: { readonly before: Profile; readonly after: Profile } | undefined;
}

/** Paths of the two models. */
export interface Pair {
  readonly before: string;
  readonly after: string;
}

/** Times runs and loads. @throws InterruptError; InputError runtime-rejects, runtime-failed; InternalError runtime-crashed */
export async function timePair(
  host: RuntimeHost,
  { before, after }: Pair,
  feeds: TensorMap,
  { threads, seed, signal, timingMs, onStage }: MeasureOptions,
): Promise<TimedPair> {
  await host.release();
  const options = { threads, seed, signal, ...(timingMs === undefined ? {} : { budget: timingMs }) };
  onStage?.('latency');
  const latency = await compareLatency(host, before, after, feeds, options);
  onStage?.('load time');
  const load = await compareLoadTime(host, before, after, options);
  await host.release();
  return { latency, load };
}

/**
 * Measures memory and profiles both models on the same feeds. A model that ONNX Runtime runs but cannot profile gives
 * no profiles. @throws as `timePair`
 */
export async function examinePair(
  host: RuntimeHost,
  { before, after }: Pair,
  feeds: TensorMap,
  options: MeasureOptions,
): Promise<Omit<Measurement, keyof TimedPair>> {
  const { threads, signal, onStage } = options;
  onStage?.('memory');
  const memory = {
    before: await peakMemory(before, feeds, { session: { threads }, signal }),
    after: await peakMemory(after, feeds, { session: { threads }, signal }),
  };
  onStage?.('time per layer');
  return { memory, profiles: await profilePair(host, { before, after }, feeds, options) };
}

/** The whole measurement of a pair that was timed. @throws as `timePair` */
export async function measureTimed(
  host: RuntimeHost,
  pair: Pair,
  feeds: TensorMap,
  { timing, request }: { readonly timing: TimedPair; readonly request: MeasureOptions },
): Promise<Measurement> {
  const { threads, seed, signal, onStage } = request;
  const options = { threads, seed, signal, onStage: (name: string) => onStage?.(`measuring ${name}`) };
  return { ...timing, ...(await examinePair(host, pair, feeds, options)) };
}

async function profilePair(
  host: RuntimeHost,
  { before, after }: Pair,
  feeds: TensorMap,
  { threads, signal }: MeasureOptions,
): Promise<Measurement['profiles']> {
  try {
    return {
      before: await profileModel(host, before, feeds, { threads, signal }),
      after: await profileModel(host, after, feeds, { threads, signal }),
    };
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof InterruptError) throw error;
    return undefined;
  }
}
