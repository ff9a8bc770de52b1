// The child's side of onnxruntime-node: options, tensors and metadata in the runtime's own forms. No other file
// imports onnxruntime-node.
import * as ort from 'onnxruntime-node';
import type { StreamedValue } from '../fit/accumulator.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { readNumbers } from '../tensor/elements.js';
import type { ModelSignature, PortInfo, SessionOptions, WireModel, WireTensor, WireTensors } from './protocol.js';
import { isCarried } from './wire-tensor.js';

export interface WorkerSession {
  readonly session: ort.InferenceSession;
  readonly signature: ModelSignature;
  /** Feeds kept for timing. */
  bound: Record<string, ort.Tensor>;
}

/** By name, in the runtime's own form. */
export type NativeFeeds = Record<string, ort.Tensor>;

/** A failure whose message is already a sentence for the user. */
export class UnsupportedError extends Error {}

const FATAL_ONLY = 4;
ort.env.logLevel = 'fatal';

/** Creates a session. Rejects with the runtime's own error. */
export async function openSession(model: WireModel, options: SessionOptions): Promise<WorkerSession> {
  const native = nativeOptions(options);
  const session =
    'path' in model
      ? await ort.InferenceSession.create(model.path, native)
      : await ort.InferenceSession.create(model.bytes, native);
  const signature = { inputs: session.inputMetadata.map(portInfo), outputs: session.outputMetadata.map(portInfo) };
  return { session, signature, bound: {} };
}

function nativeOptions(options: SessionOptions): ort.InferenceSession.SessionOptions {
  const arena = options.arena !== 'off';
  const entries: Record<string, string> = {};
  // Spinning threads of one session steal time from the other one; the key is without effect at one thread.
  entries['session.intra_op.allow_spinning'] = '0';
  if (options.disabledOptimizers?.length)
    entries['optimization.disable_specified_optimizers'] = options.disabledOptimizers.join(';');
  if (options.externalFolder !== undefined)
    entries['session.model_external_initializers_file_folder_path'] = options.externalFolder;
  if (options.int8Activations === 'kept') entries['session.qdqisint8allowed'] = '1';
  return {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: options.optimization ?? 'all',
    intraOpNumThreads: options.threads ?? 1,
    interOpNumThreads: 1,
    enableCpuMemArena: arena,
    enableMemPattern: arena,
    logSeverityLevel: FATAL_ONLY,
    extra: entries,
    ...(options.profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
    ...(options.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: options.optimizedModelPath }),
  };
}

function portInfo(meta: ort.InferenceSession.ValueMetadata): PortInfo {
  if (!meta.isTensor) return { name: meta.name, dtype: undefined, dims: [] };
  return { name: meta.name, dtype: meta.type, dims: [...meta.shape] };
}

/**
 * Runs once. `outputs`: only these, else all.
 * @throws UnsupportedError when an asked output has a type that would end the process
 */
export async function runSession(
  target: WorkerSession,
  feeds: Record<string, ort.Tensor>,
  outputs?: readonly string[],
): Promise<WireTensors> {
  const { session } = target;
  checkCarried(target, outputs);
  const results = outputs ? await session.run(feeds, outputs) : await session.run(feeds);
  const wire: Record<string, WireTensor> = {};
  for (const [name, value] of Object.entries(results)) wire[name] = fromNative(value);
  return wire;
}

/** @throws UnsupportedError when an asked output has a type that would end the process */
function checkCarried({ signature }: WorkerSession, outputs: readonly string[] | undefined): void {
  for (const port of signature.outputs) {
    if (outputs && !outputs.includes(port.name)) continue;
    if (port.dtype === undefined || !isCarried(port.dtype)) {
      throw new UnsupportedError(
        `output "${port.name}" is ${port.dtype ?? 'not a tensor'}, which ONNX Runtime's Node API cannot return`,
      );
    }
  }
}

/**
 * Runs of one session whose outputs are looked at and forgotten. Outputs are written into the same arrays again and again
 * where the feeds keep their sizes: fresh memory for every run takes longer to get than most values to compute.
 */
export class OutputStream {
  readonly #target: WorkerSession;
  readonly #outputs: readonly string[];
  #arrays: Record<string, ort.Tensor | null> = {};
  /** Sizes of the feeds that `#arrays` were made for; undefined where sizes of outputs depend on more than these. */
  #sizes: string | undefined = '';

  /** @throws UnsupportedError when an output has a type that would end the process */
  constructor(target: WorkerSession, outputs: readonly string[]) {
    checkCarried(target, outputs);
    this.#target = target;
    this.#outputs = outputs;
  }

  /** The outputs as float32, valid until the next run. @throws UnsupportedError for an output that has no numbers */
  async run(feeds: Record<string, ort.Tensor>): Promise<Map<string, StreamedValue>> {
    if (this.#outputs.length === 0) return new Map();
    const results = await this.#native(feeds);
    return new Map(Object.entries(results).map(([name, value]) => [name, streamed(name, value)]));
  }

  async #native(feeds: Record<string, ort.Tensor>): Promise<ort.InferenceSession.OnnxValueMapType> {
    const { session } = this.#target;
    const sizes = JSON.stringify(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
    if (sizes === this.#sizes) {
      try {
        return await session.run(feeds, this.#arrays);
      } catch {
        // The other way tells whether it is about the arrays.
        this.#sizes = undefined;
      }
    }
    const results = await session.run(feeds, this.#outputs);
    if (this.#sizes !== undefined) {
      this.#sizes = sizes;
      const reusable = (value: ort.OnnxValue | undefined): ort.Tensor | null =>
        value instanceof ort.Tensor && value.type === 'float32' ? value : null;
      this.#arrays = Object.fromEntries(this.#outputs.map((name) => [name, reusable(results[name])]));
    }
    return results;
  }
}

/** float32 as it is, every other type of number copied. @throws UnsupportedError when there are no numbers */
export function streamed(name: string, value: ort.OnnxValue): StreamedValue {
  if (!(value instanceof ort.Tensor) || value.type === 'string')
    throw new UnsupportedError(`"${name}" is not a tensor of numbers`);
  const { data, dims, type } = value;
  if (data instanceof Float32Array) return { data, dims };
  const { buffer, byteOffset, byteLength, length } = data as Uint8Array;
  return { data: Float32Array.from(readNumbers(type, new Uint8Array(buffer, byteOffset, byteLength), length)), dims };
}

/** Feeds in the runtime's own form. @throws UnsupportedError for a type that cannot be fed */
export function nativeFeeds(feeds: WireTensors): NativeFeeds {
  const native: NativeFeeds = {};
  for (const [name, tensor] of Object.entries(feeds)) native[name] = toNative(tensor);
  return native;
}

const utf8 = { decode: new TextDecoder(), encode: new TextEncoder() };

function toNative({ dtype, dims, data }: WireTensor): ort.Tensor {
  if (!(data instanceof Uint8Array))
    return new ort.Tensor(
      'string',
      data.map((bytes) => utf8.decode.decode(bytes)),
      dims,
    );
  const make = NATIVE[dtype];
  if (!make) throw new UnsupportedError(`a ${dtype} tensor cannot be fed to ONNX Runtime from Node`);
  // The message's buffer gives no alignment. Not `slice`: that of a Buffer copies nothing.
  const aligned = data.byteOffset % 8 === 0 ? data : new Uint8Array(data);
  return make(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / (DTYPES[dtype].bits / 8), dims);
}

type MakeTensor = (buffer: ArrayBuffer, offset: number, length: number, dims: readonly number[]) => ort.Tensor;

const NATIVE: Partial<Record<DType, MakeTensor>> = {
  float32: (b, o, n, dims) => new ort.Tensor('float32', new Float32Array(b, o, n), dims),
  float64: (b, o, n, dims) => new ort.Tensor('float64', new Float64Array(b, o, n), dims),
  float16: (b, o, n, dims) => new ort.Tensor('float16', new Uint16Array(b, o, n), dims),
  int8: (b, o, n, dims) => new ort.Tensor('int8', new Int8Array(b, o, n), dims),
  int16: (b, o, n, dims) => new ort.Tensor('int16', new Int16Array(b, o, n), dims),
  int32: (b, o, n, dims) => new ort.Tensor('int32', new Int32Array(b, o, n), dims),
  int64: (b, o, n, dims) => new ort.Tensor('int64', new BigInt64Array(b, o, n), dims),
  uint8: (b, o, n, dims) => new ort.Tensor('uint8', new Uint8Array(b, o, n), dims),
  uint16: (b, o, n, dims) => new ort.Tensor('uint16', new Uint16Array(b, o, n), dims),
  uint32: (b, o, n, dims) => new ort.Tensor('uint32', new Uint32Array(b, o, n), dims),
  uint64: (b, o, n, dims) => new ort.Tensor('uint64', new BigUint64Array(b, o, n), dims),
  bool: (b, o, n, dims) => new ort.Tensor('bool', new Uint8Array(b, o, n), dims),
};

function fromNative(value: ort.OnnxValue): WireTensor {
  if (!(value instanceof ort.Tensor)) throw new UnsupportedError('an output is not a tensor');
  const { type, dims, data } = value;
  if (Array.isArray(data)) return { dtype: 'string', dims, data: data.map((text) => utf8.encode.encode(text)) };
  const view = data as ArrayBufferView;
  return { dtype: type as DType, dims, data: new Uint8Array(view.buffer, view.byteOffset, view.byteLength) };
}
