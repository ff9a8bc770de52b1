// Samples through one model, in batches where the model allows. Whether it does is tried: the first batch is run, and some
// of its samples again alone; a model that fails or answers otherwise in a batch gets its samples one by one.
import { AppError, InputError, InterruptError, InternalError } from '../../base/errors.js';
import type { Sample } from '../../data/data-set.js';
import { compareOutputs } from '../../runtime/compare.js';
import type { RunOptions, RuntimeHost } from '../../runtime/host.js';
import { BUSY_THREADS } from '../../runtime/machine.js';
import type { ModelSource } from '../../runtime/model-source.js';
import type { ModelSignature } from '../../runtime/protocol.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { Tensor } from '../../tensor/tensor.js';

export interface RunnerOptions {
  /** Only these outputs; all by default. */
  readonly outputs?: readonly string[];
  /** Default: as many as there are processors, up to 8. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** How the samples went through the model. */
export interface Batching {
  /** Most samples of one run. */
  readonly size: number;
  /** Why not more, where the model looked as if it could take more. */
  readonly reason: string | undefined;
}

export interface SampleRunner {
  readonly signature: ModelSignature;
  /** Samples that a run needs at least: the batch size where the model fixes it. Fewer are filled up. */
  readonly least: number;
  /** Outputs per sample, the batch axis (1) in front as when it runs alone. */
  run(samples: readonly Sample[]): Promise<TensorMap[]>;
  batching(): Batching;
}

/** Runs agree when they differ by less than this share of the largest value: kernels for batches add up in another order. */
const SAME = { mode: 'scale', limit: 1e-3 } as const;

/**
 * Samples are gathered up to this many bytes of inputs. Batches save the way to the other process, which only small inputs
 * feel; the activations of larger ones leave the caches, and each sample takes longer.
 */
const CHUNK_BYTES = 2 ** 17;
const CHUNK_SAMPLES = 64;

/**
 * Opens `model` for samples.
 * @throws InputError as `RuntimeHost.describe`
 */
export async function openRunner(
  host: RuntimeHost,
  model: ModelSource,
  { outputs, threads = BUSY_THREADS, signal }: RunnerOptions = {},
): Promise<SampleRunner> {
  const options: RunOptions = {
    threads,
    ...(outputs === undefined ? {} : { outputs }),
    ...(signal === undefined ? {} : { signal }),
  };
  const { outputs: _, ...session } = options;
  const signature = await host.describe(model, session);
  const run = (feeds: TensorMap): Promise<TensorMap> => host.run(model, feeds, options);
  const fixed = fixedBatch(signature);
  const state: { mode: 'untried' | 'batched' | 'single'; size: number; reason: string | undefined } = {
    mode: isOpen(signature) ? 'untried' : 'single',
    size: fixed,
    reason: undefined,
  };
  /** Undefined where the samples cannot run together. */
  const together = async (samples: readonly Sample[]): Promise<TensorMap[] | undefined> => {
    const feeds = joinFeeds(samples);
    return feeds && splitOutputs(await run(feeds), samples.length);
  };
  const apart = async (samples: readonly Sample[]): Promise<TensorMap[]> => {
    const results: TensorMap[] = [];
    for (const { feeds } of samples) results.push(await run(feeds));
    return results;
  };
  return {
    signature,
    least: fixed,
    batching: () => ({ size: state.size, reason: state.reason }),
    run: async (samples) => {
      if (fixed > 1) return inFixedBatches(samples, fixed, together);
      if (samples.length < 2 || state.mode === 'single') return apart(samples);
      const { results, reason } = await tryBatch(samples, together, state.mode === 'untried' ? apart : undefined);
      state.mode = results ? 'batched' : 'single';
      state.reason = reason;
      if (results) state.size = Math.max(state.size, samples.length);
      return results ?? apart(samples);
    },
  };
}

/** The samples of a stream in groups that one run may take; at least `least` together, fewer at the end only. */
export async function* inChunks(samples: AsyncIterable<Sample>, least: number): AsyncIterable<readonly Sample[]> {
  let chunk: Sample[] = [];
  let bytes = 0;
  for await (const sample of samples) {
    const size = feedBytes(sample);
    const isFull = chunk.length >= CHUNK_SAMPLES || bytes + size > CHUNK_BYTES;
    if (isFull && chunk.length >= least) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(sample);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

const feedBytes = ({ feeds }: Sample): number =>
  [...feeds.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);

/** The batch size that the model fixes: that of its first input with a size above 1, where every input starts with it; else 1. */
function fixedBatch({ inputs }: ModelSignature): number {
  const sizes = new Set(inputs.map(({ dims }) => dims[0]));
  const [size] = sizes;
  return sizes.size === 1 && typeof size === 'number' && size > 1 ? size : 1;
}

/** Whether the first axis of every input is open. What the outputs are called says nothing: a batch is tried. */
function isOpen({ inputs }: ModelSignature): boolean {
  return inputs.length > 0 && inputs.every(({ dims }) => typeof dims[0] === 'string');
}

/** Feeds of all samples joined along the first axis; undefined where they cannot be joined. */
function joinFeeds(samples: readonly Sample[]): Map<string, Tensor> | undefined {
  const joined = new Map<string, Tensor>();
  for (const name of samples[0]?.feeds.keys() ?? []) {
    const parts = samples.map(({ feeds }) => feeds.get(name));
    const [first] = parts;
    if (first === undefined || first.dtype === 'string') return undefined;
    const shape = first.dims.join('x');
    const pieces: Uint8Array[] = [];
    for (const part of parts) {
      if (part === undefined || part.dtype !== first.dtype || part.dims.join('x') !== shape || part.dims[0] !== 1)
        return undefined;
      pieces.push(part.bytes());
    }
    joined.set(name, new Tensor(first.dtype, [parts.length, ...first.dims.slice(1)], Buffer.concat(pieces)));
  }
  return joined;
}

/** Outputs per sample; undefined where an output has another first axis than the batch. */
function splitOutputs(outputs: TensorMap, count: number): TensorMap[] | undefined {
  const split = Array.from({ length: count }, () => new Map<string, Tensor>());
  for (const [name, tensor] of outputs) {
    if (tensor.dims[0] !== count || tensor.dtype === 'string') return undefined;
    const bytes = tensor.bytes();
    const each = bytes.length / count;
    split.forEach((one, at) =>
      one.set(name, new Tensor(tensor.dtype, [1, ...tensor.dims.slice(1)], bytes.subarray(at * each, (at + 1) * each))),
    );
  }
  return split;
}

type Apart = (samples: readonly Sample[]) => Promise<TensorMap[]>;
type Together = (samples: readonly Sample[]) => Promise<TensorMap[] | undefined>;

interface Attempt {
  readonly results: TensorMap[] | undefined;
  /** Why there are none. */
  readonly reason: string | undefined;
}

/** Runs the samples together; with `apart`, the first, the middle and the last of them alone too, and compares. */
async function tryBatch(samples: readonly Sample[], together: Together, apart: Apart | undefined): Promise<Attempt> {
  let results: TensorMap[] | undefined;
  try {
    results = await together(samples);
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof InterruptError || error instanceof InternalError) throw error;
    return { results: undefined, reason: 'the model does not run on a batch' };
  }
  if (!results) return { results, reason: 'inputs or outputs do not begin with the batch axis' };
  const checked = apart ? [...new Set([0, samples.length >> 1, samples.length - 1])] : [];
  const alone = (await apart?.(checked.flatMap((at) => samples[at] ?? []))) ?? [];
  const isSame = checked.every((at, index) => {
    const [expected, actual] = [alone[index], results[at]];
    return expected && actual && compareOutputs(expected, actual, { tolerance: SAME }).agrees;
  });
  return isSame
    ? { results, reason: undefined }
    : { results: undefined, reason: 'the model answers otherwise in a batch' };
}

/**
 * Runs of exactly `size` samples; the last is filled up with copies of its first.
 * @throws InputError bad-feed when inputs or outputs do not have the batch axis in front
 */
async function inFixedBatches(samples: readonly Sample[], size: number, together: Together): Promise<TensorMap[]> {
  const results: TensorMap[] = [];
  for (let at = 0; at < samples.length; at += size) {
    const part = samples.slice(at, at + size);
    const full = [...part, ...part.slice(0, 1).flatMap((sample) => Array<Sample>(size - part.length).fill(sample))];
    const outputs = await together(full);
    if (!outputs)
      throw new InputError('bad-feed', `the model takes batches of ${size}, and its inputs or outputs are no batch`, {
        fix: 'export the model with an open batch axis, or for a batch of 1',
      });
    results.push(...outputs.slice(0, part.length));
  }
  return results;
}
