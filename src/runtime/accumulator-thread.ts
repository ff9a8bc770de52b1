// Entry of a thread of the child process: accumulators take batches in while the runtime computes the next one.
import { MessageChannel, parentPort, type MessagePort } from 'node:worker_threads';
import type { Accumulator, AccumulatorSpec } from '../fit/accumulator.js';
import { ACCUMULATORS } from '../fit/accumulators.js';
import { buffersOf, type ThreadReply, type ThreadRequest } from './accumulator-host.js';

type Observers = Map<string, readonly Accumulator[]>;

function create(spec: AccumulatorSpec): Accumulator {
  const kind = ACCUMULATORS[spec.kind];
  if (!kind) throw new Error(`no accumulator is called "${spec.kind}"`);
  return kind.create(spec);
}

function answer(request: ThreadRequest, observers: Observers): ThreadReply {
  const { observer } = request;
  if (request.kind === 'start') {
    observers.set(observer, request.specs.map(create));
    return {};
  }
  const accumulators = observers.get(observer);
  if (!accumulators) throw new Error(`no observer "${observer}"`);
  if (request.kind === 'add') {
    for (const accumulator of accumulators) accumulator.add(request.batch);
    return {};
  }
  observers.delete(observer);
  return { states: accumulators.map((accumulator) => accumulator.state()) };
}

function attempt(request: ThreadRequest, observers: Observers): ThreadReply {
  try {
    return answer(request, observers);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function serve(port: MessagePort): void {
  const observers: Observers = new Map();
  const { port1: nowhere, port2: unread } = new MessageChannel();
  unread.close();
  port.on('message', (request: ThreadRequest) => {
    port.postMessage(attempt(request, observers), []);
    // Frees the arrays at once: until a garbage collection comes by, tens of batches would wait for it.
    if (request.kind === 'add') nowhere.postMessage(undefined, buffersOf(request.batch));
  });
}

if (parentPort) serve(parentPort);
