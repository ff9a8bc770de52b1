// ONNX Runtime in a child process: started at the first call, kept with its open sessions, ended at once when a call is
// aborted, runs out of time, or the host is disposed of. Calls are worked off one after the other.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from '../base/at-exit.js';
import { InputError, InterruptError } from '../base/errors.js';
import { modelFolders, modelKey, modelName, withWireModel, type DigestMemo, type ModelSource } from './model-source.js';
import type { Ask, ModelSignature, ReplyTo, RequestKind, SessionOptions, WireModel } from './protocol.js';
import { runtimeError } from './runtime-errors.js';
import { fromWire, toWire, type TensorMap } from './wire-tensor.js';
import { findWorker, WorkerFailure, WorkerProcess } from './worker-process.js';
import type { Tensor } from '../tensor/tensor.js';

export interface HostOptions {
  /** Where the compiled worker lies; found by itself in the package. */
  readonly workerUrl?: URL;
  /** Sessions kept open between calls, the least recently used go first; default 2. */
  readonly keptSessions?: number;
}

export interface CallOptions {
  /** Aborting ends the child at once: the call rejects with `InterruptError`. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the child is ended and the call rejects with `InputError` runtime-failed. */
  readonly timeout?: number;
}

export interface RunOptions extends SessionOptions, CallOptions {
  /** Only these outputs; all by default. */
  readonly outputs?: readonly string[];
}

export interface OpenedModel {
  readonly session: string;
  readonly name: string;
  readonly signature: ModelSignature;
}

/** The child during one call: what the measuring functions of this folder are built on. */
export interface RuntimeLink {
  /** A session for this model and these options, created unless it is open; `instance` tells twins apart. */
  open(model: ModelSource, options: SessionOptions, instance?: string): Promise<OpenedModel>;
  close(opened: OpenedModel): Promise<void>;
  closeAll(): Promise<void>;
  /** Asks the child; `model` names the model in errors. */
  ask<K extends RequestKind>(kind: K, body: Ask<K>, model: ModelSource): Promise<ReplyTo<K>>;
  /** The model in message form for the time of `use`. */
  withWire<T>(model: ModelSource, options: SessionOptions, use: (wire: WireModel) => Promise<T>): Promise<T>;
  /** A private folder, removed with the host. */
  folder(): string;
}

const KEPT_SESSIONS = 2;

export class RuntimeHost {
  readonly #workerUrl: URL | undefined;
  readonly #keptSessions: number;
  #child: WorkerProcess | undefined;
  /** Open sessions of the present child, least recently used first. */
  #sessions = new Map<string, OpenedModel>();
  readonly #digests: DigestMemo = new WeakMap();
  #last: Promise<unknown> = Promise.resolve();
  #folder: string | undefined;
  #disposed = false;
  #stay: (() => void) | undefined;

  constructor(options: HostOptions = {}) {
    this.#workerUrl = options.workerUrl;
    this.#keptSessions = options.keptSessions ?? KEPT_SESSIONS;
  }

  /** Process id of the child while there is one. */
  get pid(): number | undefined {
    return this.#child?.alive ? this.#child.pid : undefined;
  }

  /**
   * Runs the model once on `feeds`. The arena is off unless asked for, since results do not depend on it and memory does.
   * @throws InputError not-found, runtime-rejects, unsupported, external-data (model); bad-feed, missing-value (call);
   *   runtime-failed. InternalError runtime-crashed. InterruptError
   */
  async run(model: ModelSource, feeds: TensorMap, options: RunOptions = {}): Promise<Map<string, Tensor>> {
    const { outputs, ...session } = sessionPart(options);
    return this.exclusive(async (link) => {
      const opened = await link.open(model, session);
      checkFeedNames(feeds, opened);
      const body = { session: opened.session, feeds: toWire(feeds), ...(outputs === undefined ? {} : { outputs }) };
      return fromWire(await link.ask('run', body, model));
    }, options);
  }

  /** The outputs of a model without inputs, as it is written (no graph optimization); its session is not kept. */
  async evaluate(
    model: ModelSource,
    outputs: readonly string[],
    options: SessionOptions & CallOptions = {},
  ): Promise<Map<string, Tensor>> {
    const session = { ...sessionPart(options), optimization: 'disabled' } as const;
    return this.exclusive(async (link) => {
      const opened = await link.open(model, session);
      try {
        return fromWire(await link.ask('run', { session: opened.session, feeds: {}, outputs }, model));
      } finally {
        await link.close(opened);
      }
    }, options);
  }

  /** Inputs and outputs as ONNX Runtime sees them. */
  async describe(model: ModelSource, options: SessionOptions & CallOptions = {}): Promise<ModelSignature> {
    return this.exclusive(async (link) => (await link.open(model, sessionPart(options))).signature, options);
  }

  /** Closes all sessions; the child stays. */
  async release(): Promise<void> {
    await this.exclusive(async () => this.#closeSessions(0));
  }

  /**
   * Runs `work` when all earlier calls are done, alone with the child.
   * @throws InterruptError when aborted or disposed of, and what `work` throws
   */
  exclusive<T>(work: (link: RuntimeLink) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const result = this.#last.then(() => this.#perform(work, options));
    this.#last = result.catch(() => undefined);
    return untilAborted(result, options.signal);
  }

  /** Ends the child at once, in the middle of a run too; calls that wait reject with `InterruptError`. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.#clear();
  }

  async #perform<T>(work: (link: RuntimeLink) => Promise<T>, { signal, timeout }: CallOptions): Promise<T> {
    const stopped = (): boolean => this.#disposed || signal?.aborted === true;
    if (stopped()) throw new InterruptError('stopped');
    let late = false;
    const end = (): void => void this.#child?.kill();
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => {
            late = true;
            end();
          }, timeout);
    signal?.addEventListener('abort', end, { once: true });
    try {
      const result = await work(this.#link(stopped));
      if (this.#sessions.size > this.#keptSessions) await this.#closeSessions(this.#keptSessions);
      return result;
    } catch (error) {
      if (stopped()) throw new InterruptError('stopped', { cause: error });
      if (late)
        throw new InputError(
          'runtime-failed',
          `ONNX Runtime did not finish within ${Math.round((timeout ?? 0) / 1000)} s`,
          { cause: error },
        );
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }

  #link(stopped: () => boolean): RuntimeLink {
    const ask = async <K extends RequestKind>(kind: K, body: Ask<K>, model: ModelSource): Promise<ReplyTo<K>> => {
      if (stopped()) throw new InterruptError('stopped');
      try {
        return await this.#worker().ask(kind, body);
      } catch (error) {
        if (!(error instanceof WorkerFailure)) throw error;
        const folders = [...modelFolders(model), ...(this.#folder === undefined ? [] : [this.#folder]), process.cwd()];
        throw runtimeError(error.stage, error.message, { model: modelName(model), folders });
      }
    };
    const withWire: RuntimeLink['withWire'] = (model, options, use) =>
      withWireModel(model, options, () => this.#privateFolder(), use);
    return {
      ask,
      withWire,
      folder: () => this.#privateFolder(),
      open: async (model, options, instance = '') => {
        const identity = [modelKey(model, this.#digests), Object.entries(options).sort(), instance];
        const session = createHash('sha1').update(JSON.stringify(identity)).digest('hex');
        this.#worker();
        const open = this.#sessions.get(session);
        this.#sessions.delete(session);
        const signature =
          open?.signature ??
          (await withWire(model, options, (wire) => ask('open', { session, model: wire, options }, model)));
        const opened = { session, name: modelName(model), signature };
        this.#sessions.set(session, opened);
        return opened;
      },
      close: async (opened) => {
        this.#sessions.delete(opened.session);
        if (this.#child?.alive && !stopped()) await this.#child.ask('close', { session: opened.session });
      },
      closeAll: () => this.#closeSessions(0),
    };
  }

  /** The child, started unless it runs; a new one has no sessions. */
  #worker(): WorkerProcess {
    if (this.#child?.alive) return this.#child;
    this.#sessions = new Map();
    this.#stay ??= atExit(() => void this.#clear());
    this.#child = new WorkerProcess(this.#workerUrl ?? findWorker(import.meta.url));
    return this.#child;
  }

  async #closeSessions(kept: number): Promise<void> {
    for (const session of [...this.#sessions.keys()].slice(0, this.#sessions.size - kept)) {
      this.#sessions.delete(session);
      if (this.#child?.alive) await this.#child.ask('close', { session });
    }
  }

  #privateFolder(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'mcompress-'));
    return this.#folder;
  }

  #clear(): Promise<void> {
    this.#stay?.();
    this.#stay = undefined;
    const gone = this.#child?.kill() ?? Promise.resolve();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
    return gone;
  }
}

/** The options of a session, without those of the call; `outputs` stays. */
function sessionPart<T extends CallOptions>({
  signal: _signal,
  timeout: _timeout,
  ...session
}: T): Omit<T, keyof CallOptions> {
  return { arena: 'off', ...session } as Omit<T, keyof CallOptions>;
}

/** The runtime takes no notice of feeds it does not know. */
function checkFeedNames(feeds: TensorMap, { name, signature }: OpenedModel): void {
  const known = new Set(signature.inputs.map((port) => port.name));
  for (const feed of feeds.keys()) {
    if (known.has(feed)) continue;
    throw new InputError('bad-feed', `the model has no input "${feed}"`, {
      at: { file: name },
      fix: `its inputs: ${[...known].join(', ')}`,
    });
  }
}

function untilAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return result;
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new InterruptError('stopped'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
