// What the parent and the child that runs ONNX Runtime say to each other (advanced serialization: typed arrays travel
// as bytes). One request is answered by one reply with the same id; requests are worked off in order.
import type { AccumulatorSpec } from '../fit/accumulator.js';
import type { DType } from '../tensor/dtype.js';

/** A tensor on the way: `data` in raw_data layout, or one UTF-8 array per element for strings. */
export interface WireTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: Uint8Array | readonly Uint8Array[];
}
export type WireTensors = Readonly<Record<string, WireTensor>>;

/** ONNX Runtime's graph optimizations; `disabled` runs the graph as it is written. */
export type OptimizationLevel = 'disabled' | 'basic' | 'extended' | 'layout' | 'all';

/**
 * How a session is created. There is no field for fixed dimensions: onnxruntime-node 1.30 takes `freeDimensionOverrides`
 * and does nothing with it, so dimensions are fixed in the model.
 */
export interface SessionOptions {
  /** Default `all`, as applications run. */
  readonly optimization?: OptimizationLevel;
  /** Threads inside one operator; default 1. */
  readonly threads?: number;
  /** Names of ONNX Runtime optimizers to leave out, such as `NchwcTransformer`. */
  readonly disabledOptimizers?: readonly string[];
  /** Memory arena: `on` (default) is what applications use, `off` returns memory to the system after each run. */
  readonly arena?: 'on' | 'off';
  /** Folder in which external data of a model given as bytes is found. */
  readonly externalFolder?: string;
  /** Path prefix of the profile file; turns profiling on. */
  readonly profilePrefix?: string;
  /** `kept`: int8 activations stay so on x86, as on Arm; by default the runtime rewrites some to uint8 and some not. */
  readonly int8Activations?: 'kept';
  /** Where to write the optimized graph. */
  readonly optimizedModelPath?: string;
}

export type WireModel = { readonly path: string } | { readonly bytes: Uint8Array };

/** An input or output as ONNX Runtime sees it. */
export interface PortInfo {
  readonly name: string;
  /** Undefined for sequences, maps and optionals. */
  readonly dtype: DType | undefined;
  /** Sizes, or the name of a symbolic dimension (empty when it has none). No dims: a scalar, or a rank not known. */
  readonly dims: readonly (number | string)[];
}
export interface ModelSignature {
  readonly inputs: readonly PortInfo[];
  readonly outputs: readonly PortInfo[];
}

/** Times of one session, one element per sample: milliseconds per run. */
export interface SampleTimes {
  readonly wall: readonly number[];
  readonly cpu: readonly number[];
}

/** Bytes; `peak` is the high-water mark of resident memory since the process began. */
export interface ProcessMemory {
  readonly resident: number;
  readonly peak: number;
}

export interface RequestTable {
  open: { ask: { session: string; model: WireModel; options: SessionOptions }; reply: ModelSignature };
  close: { ask: { session: string }; reply: undefined };
  /** `held`: inputs that are fed with tensors of `hold`, by the names of these. */
  run: {
    ask: { session: string; feeds: WireTensors; outputs?: readonly string[]; held?: Readonly<Record<string, string>> };
    reply: WireTensors;
  };
  /** Keeps tensors in the child until they are dropped. */
  hold: { ask: { tensors: WireTensors }; reply: undefined };
  drop: { ask: { names: readonly string[] }; reply: undefined };
  /** Keeps `feeds` in the child for `time`. */
  bind: { ask: { session: string; feeds: WireTensors }; reply: undefined };
  /** `rounds` samples of `batch` runs per session, in turn; `first` is the number of the first round. */
  time: {
    ask: { sessions: readonly string[]; rounds: number; batch: number; first: number };
    reply: readonly SampleTimes[];
  };
  /** `rounds` creations (and releases, not timed) per model, in turn. */
  load: {
    ask: { models: readonly WireModel[]; options: readonly SessionOptions[]; rounds: number; first: number };
    reply: readonly SampleTimes[];
  };
  /** Prepares accumulators over the values of these sessions; `prefix` stands in front of the names of their values. */
  startObserver: {
    ask: {
      observer: string;
      sessions: readonly { readonly session: string; readonly prefix: string }[];
      specs: readonly AccumulatorSpec[];
    };
    reply: undefined;
  };
  /** Runs the sessions of an observer on one batch. */
  observe: { ask: { observer: string; feeds: WireTensors }; reply: undefined };
  /** Forgets the observer; replies with the states of its accumulators. */
  endObserver: { ask: { observer: string }; reply: readonly unknown[] };
  endProfile: { ask: { session: string }; reply: undefined };
  memory: { ask: Record<never, never>; reply: ProcessMemory };
}
export type RequestKind = keyof RequestTable;
export type Ask<K extends RequestKind> = RequestTable[K]['ask'];
export type ReplyTo<K extends RequestKind> = RequestTable[K]['reply'];

export interface Request<K extends RequestKind = RequestKind> {
  readonly id: number;
  readonly kind: K;
  readonly body: Ask<K>;
}
export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly stage: FailureStage; readonly message: string };

/** Where in the child something failed; `unsupported` comes with a finished sentence. */
export type FailureStage = 'load' | 'run' | 'unsupported' | 'defect';
