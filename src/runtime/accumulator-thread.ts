// Entry of a thread of the child process: accumulators take batches in while the runtime computes the next one.
import { MessageChannel, parentPort } from 'node:worker_threads';
import type { Accumulator, AccumulatorSpec, StreamedBatch } from '../fit/accumulator.js';
import { ACCUMULATORS } from '../fit/accumulators.js';

/** Worked off in order; one reply each. `observer` tells the accumulators of one observer from those of another. */
export type ThreadRequest =
  | { readonly kind: 'start'; readonly observer: string; readonly specs: readonly AccumulatorSpec[] }
  | { readonly kind: 'add'; readonly observer: string; readonly batch: StreamedBatch }
  | { readonly kind: 'end'; readonly observer: string };

export type ThreadReply = { readonly states?: readonly unknown[] } | { readonly error: string };

const observers = new Map<string, readonly Accumulator[]>();

function create(spec: AccumulatorSpec): Accumulator {
  const kind = ACCUMULATORS[spec.kind];
  if (!kind) throw new Error(`no accumulator is called "${spec.kind}"`);
  return kind.create(spec);
}

const { port1: nowhere, port2: unread } = new MessageChannel();
unread.close();

/** Frees the arrays at once: until a garbage collection comes by, tens of batches would wait for it. */
function release(batch: StreamedBatch): void {
  nowhere.postMessage(undefined, [...new Set([...batch.values()].map(({ data }) => data.buffer as ArrayBuffer))]);
}

function answer(request: ThreadRequest): ThreadReply {
  const { observer } = request;
  if (request.kind === 'start') {
    observers.set(observer, request.specs.map(create));
    return {};
  }
  const accumulators = observers.get(observer);
  if (!accumulators) throw new Error(`no observer "${observer}"`);
  if (request.kind === 'add') {
    for (const accumulator of accumulators) accumulator.add(request.batch);
    release(request.batch);
    return {};
  }
  observers.delete(observer);
  return { states: accumulators.map((accumulator) => accumulator.state()) };
}

function attempt(request: ThreadRequest): ThreadReply {
  try {
    return answer(request);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', (request: ThreadRequest) => parentPort?.postMessage(attempt(request), []));
