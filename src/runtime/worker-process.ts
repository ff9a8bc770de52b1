// One child process that runs ONNX Runtime: starting it, asking it, ending it.
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InternalError } from '../base/errors.js';
import type { Ask, FailureStage, Reply, ReplyTo, RequestKind } from './protocol.js';

/** A failure that the child reported: the text is the runtime's own. */
export class WorkerFailure extends Error {
  constructor(
    readonly stage: FailureStage,
    message: string,
  ) {
    super(message);
  }
}

interface Pending {
  readonly kind: RequestKind;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * glibc raises the size from which it returns freed memory to the system at once, after the first large block that is
 * freed, to 32 MB: weights of closed sessions would stay resident, more than doubling the peak. Named, it stays.
 */
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: String(2 ** 20) };
/** ONNX Runtime reports its use to its maker, and leaves a log in the folder for temporary files per process. */
const SILENCE = { ORT_DISABLE_TELEMETRY: '1' };
const STDERR_KEPT = 2000;
const ABSOLUTE_FOLDER = /(?:[A-Za-z]:)?(?:[\\/][^\s\\/'"]+)+(?=[\\/])[\\/]/g;

/**
 * The compiled worker: beside this module (dist/runtime, and dist/bin where both are bundled), else in the package's dist
 * when the sources run as TypeScript (tests).
 * @throws InternalError unexpected when there is none
 */
export function findWorker(base: string): URL {
  const places = ['./worker.js', '../../dist/runtime/worker.js'].map((place) => new URL(place, base));
  const found = places.find((place) => existsSync(place));
  if (!found)
    throw new InternalError('unexpected', 'the compiled runtime worker is missing', {
      fix: 'build the package: npm run build',
    });
  return found;
}

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #stderr = '';
  #alive = true;

  constructor(worker: URL) {
    this.#child = fork(fileURLToPath(worker), [], {
      serialization: 'advanced',
      // Not the parent's: debugger ports and loaders must not be inherited.
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...ALLOCATOR, ...SILENCE, ...process.env },
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#child.on('message', (reply: Reply) => this.#settle(reply));
    this.#exited = new Promise((resolve) => {
      const gone = (how: string): void => {
        this.#end(how);
        resolve();
      };
      this.#child.once('exit', (code, signal) => gone(signal ? `by ${signal}` : `with status ${code}`));
      this.#child.once('error', (error) => gone(`: ${error.message}`));
    });
    this.#hold('idle');
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws WorkerFailure; InternalError runtime-crashed when the process ends first */
  ask<K extends RequestKind>(kind: K, body: Ask<K>): Promise<ReplyTo<K>> {
    return new Promise((resolve, reject) => {
      if (!this.#alive) {
        reject(this.#crash('before it was asked'));
        return;
      }
      const id = ++this.#lastId;
      this.#pending.set(id, { kind, resolve: resolve as (value: unknown) => void, reject });
      this.#hold('busy');
      this.#child.send({ id, kind, body }, (error) => {
        // A closed channel: the exit event says more, when it comes first.
        if (error) setImmediate(() => this.#fail(id, this.#crash(`: ${error.message}`)));
      });
    });
  }

  /** Ends the process at once, whatever it is doing; resolves when it is gone. */
  kill(): Promise<void> {
    if (this.#alive) {
      this.#alive = false;
      this.#hold('busy');
      this.#child.kill('SIGKILL');
    }
    return this.#exited;
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    // Whoever ends the child waits for it to be gone.
    if (this.#pending.size === 0 && this.#alive) this.#hold('idle');
    if (reply.ok) pending?.resolve(reply.value);
    else pending?.reject(new WorkerFailure(reply.stage, reply.message));
  }

  #fail(id: number, error: Error): void {
    this.#pending.get(id)?.reject(error);
    this.#pending.delete(id);
  }

  #end(how: string): void {
    this.#alive = false;
    for (const id of [...this.#pending.keys()]) this.#fail(id, this.#crash(how));
  }

  #crash(how: string): InternalError {
    const lines = this.#stderr.split('\n').filter((line) => line.trim() !== '');
    // Node prints where it was before it says what happened.
    const telling = lines.find((line) => /error|fatal|terminate/i.test(line)) ?? lines[0];
    const said = telling?.replace(ABSOLUTE_FOLDER, '').trim().slice(0, 200);
    const fix =
      'the model may need more memory than there is, or make ONNX Runtime crash; run without checking, or feed smaller shapes';
    return new InternalError(
      'runtime-crashed',
      `ONNX Runtime's process ended ${how}${said === undefined ? '' : ` (${said})`}`,
      { fix },
    );
  }

  /** An idle child must not keep the program alive; one at work must. */
  #hold(state: 'busy' | 'idle'): void {
    const stderr = this.#child.stderr as (NodeJS.ReadableStream & { ref(): void; unref(): void }) | null;
    for (const part of [this.#child, this.#child.channel, stderr]) {
      if (state === 'busy') part?.ref();
      else part?.unref();
    }
  }
}
