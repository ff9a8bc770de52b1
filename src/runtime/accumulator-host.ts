// The child's side of the thread of accumulators: starting it, and asking it.
import { Worker } from 'node:worker_threads';
import type { AccumulatorSpec, StreamedBatch } from '../fit/accumulator.js';

/** Worked off in order; one reply each. `observer` tells the accumulators of one observer from those of another. */
export type ThreadRequest =
  | { readonly kind: 'start'; readonly observer: string; readonly specs: readonly AccumulatorSpec[] }
  | { readonly kind: 'add'; readonly observer: string; readonly batch: StreamedBatch }
  | { readonly kind: 'end'; readonly observer: string };

export type ThreadReply = { readonly states?: readonly unknown[] } | { readonly error: string };

/** An accumulator failed, not the runtime. */
export class AccumulatorDefect extends Error {}

interface Pending {
  readonly resolve: (states: readonly unknown[]) => void;
  readonly reject: (error: AccumulatorDefect) => void;
}

/** Started with the first request, and kept. */
export class AccumulatorHost {
  #thread: Worker | undefined;
  /** Replies come in the order of the requests. */
  readonly #pending: Pending[] = [];

  /**
   * Resolves with the states at `end`, with none at other requests. The arrays of a batch are given away.
   * @throws AccumulatorDefect
   */
  ask(request: ThreadRequest): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      this.#running().postMessage(request, request.kind === 'add' ? buffersOf(request.batch) : []);
      this.#pending.push({ resolve, reject });
    });
  }

  #running(): Worker {
    if (this.#thread) return this.#thread;
    const thread = new Worker(new URL('./accumulator-thread.js', import.meta.url));
    thread.on('message', (reply: ThreadReply) => {
      const pending = this.#pending.shift();
      if ('error' in reply) pending?.reject(new AccumulatorDefect(reply.error));
      else pending?.resolve(reply.states ?? []);
    });
    // Such as a lack of memory. What it held is lost, so all that wait have failed.
    thread.on('error', ({ message }) => {
      this.#thread = undefined;
      for (const { reject } of this.#pending.splice(0)) reject(new AccumulatorDefect(message));
    });
    this.#thread = thread;
    return thread;
  }
}

/** Every array once: several values may stand in one. */
export function buffersOf(batch: StreamedBatch): ArrayBuffer[] {
  return [...new Set([...batch.values()].map(({ data }) => data.buffer as ArrayBuffer))];
}
