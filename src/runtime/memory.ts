// Peak memory of a model: resident memory of a child process that loads it and runs it, over that of the bare child.
import { RuntimeHost, type CallOptions, type HostOptions } from './host.js';
import type { ModelSource } from './model-source.js';
import type { SessionOptions } from './protocol.js';
import { toWire, type TensorMap } from './wire-tensor.js';

/** Bytes. */
export interface PeakMemory {
  /** Resident in the child before the model. */
  readonly base: number;
  /** Peak after loading. */
  readonly loaded: number;
  /** Peak after loading and running. */
  readonly peak: number;
  /** What the model added: `peak - base`. */
  readonly added: number;
}

export interface MemoryOptions extends HostOptions, CallOptions {
  readonly session?: SessionOptions;
}

const RUNS = 3;

/**
 * Loads and runs `model` in a child process of its own. Sessions are created as for timing unless `session` says otherwise.
 * @throws what `RuntimeHost.run` throws
 */
export async function peakMemory(
  model: ModelSource,
  feeds: TensorMap,
  options: MemoryOptions = {},
): Promise<PeakMemory> {
  const host = new RuntimeHost(options);
  try {
    return await host.exclusive(async (link) => {
      const wire = toWire(feeds);
      const { resident: base } = await link.ask('memory', {}, model);
      const { session } = await link.open(model, { threads: 1, ...options.session });
      const { peak: loaded } = await link.ask('memory', {}, model);
      await link.ask('bind', { session, feeds: wire }, model);
      await link.ask('time', { sessions: [session], rounds: RUNS, batch: 1, first: 0 }, model);
      const { peak } = await link.ask('memory', {}, model);
      return { base, loaded, peak, added: peak - base };
    }, options);
  } finally {
    await host.dispose();
  }
}
