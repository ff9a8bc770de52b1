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
  /** Told what is being measured. */
  readonly onStage?: (name: string) => void;
}

export interface Measurement {
  readonly latency: TimingComparison;
  readonly load: TimingComparison;
  readonly memory: { readonly before: PeakMemory; readonly after: PeakMemory };
  readonly profiles: { readonly before: Profile; readonly after: Profile } | undefined;
}

/** Paths of the two models. */
export interface Pair {
  readonly before: string;
  readonly after: string;
}

/**
 * Times, loads and profiles both models on the same feeds. A model that ONNX Runtime runs but cannot profile gives
 * no profiles. @throws InterruptError; InputError runtime-rejects, runtime-failed; InternalError runtime-crashed
 */
export async function measurePair(
  host: RuntimeHost,
  { before, after }: Pair,
  feeds: TensorMap,
  options: MeasureOptions,
): Promise<Measurement> {
  const { threads, seed, signal, onStage } = options;
  await host.release();
  onStage?.('latency');
  const latency = await compareLatency(host, before, after, feeds, { threads, seed, signal });
  onStage?.('load time');
  const load = await compareLoadTime(host, before, after, { threads, seed, signal });
  await host.release();
  onStage?.('memory');
  const memory = {
    before: await peakMemory(before, feeds, { session: { threads }, signal }),
    after: await peakMemory(after, feeds, { session: { threads }, signal }),
  };
  onStage?.('time per layer');
  const profiles = await profilePair(host, { before, after }, feeds, options);
  return { latency, load, memory, profiles };
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
