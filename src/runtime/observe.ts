// Streams data through one model, or two side by side, and reduces their values to small states in the child process
// (docs/adr/0006): the values themselves never come over.
import { randomUUID } from 'node:crypto';
import type { AccumulatorSpec } from '../fit/accumulator.js';
import type { CallOptions, RuntimeHost, RuntimeLink } from './host.js';
import type { ModelSource } from './model-source.js';
import type { SessionOptions } from './protocol.js';
import { toWire, type TensorMap } from './wire-tensor.js';

export interface ObservedModels {
  readonly teacher: ModelSource;
  /** With it, values are called `teacher/NAME` and `student/NAME`, else `NAME`. Both get the same feeds. */
  readonly student?: ModelSource;
}

export interface ObserveOptions extends CallOptions {
  /** How the sessions are created; the arena is off unless asked for. */
  readonly session?: SessionOptions;
  /** Called with the number of batches done. */
  readonly onProgress?: (batches: number) => void;
}

/** Batches asked for ahead of the one that the child works on: a garbage collection of ours takes as long as two. */
const AHEAD = 2;
/** Above this size none: they would take memory. */
const AHEAD_BYTES = 4 * 2 ** 20;

/**
 * Runs the models on all of `feeds` and returns the state of each accumulator, in the order of `specs`. The values that
 * specs read must be inputs or outputs of the models (pipeline/instrument.ts makes them so). Memory does not depend on
 * how many feeds there are: few batches are made ahead of the one that the child works on. `feeds` must
 * not use `host` itself, which is taken until the end.
 * @throws what `RuntimeHost.run` throws and what `feeds` throws; InputError unsupported when a value is not there
 */
export function observe(
  host: RuntimeHost,
  models: ObservedModels,
  specs: readonly AccumulatorSpec[],
  feeds: AsyncIterable<TensorMap>,
  options: ObserveOptions = {},
): Promise<readonly unknown[]> {
  const session: SessionOptions = { arena: 'off', ...options.session };
  return host.exclusive(async (link) => {
    const { teacher, student } = models;
    const opened = [await link.open(teacher, session, 'teacher')];
    if (student !== undefined) opened.push(await link.open(student, session, 'student'));
    const prefixes = student === undefined ? [''] : ['teacher/', 'student/'];
    const observer = randomUUID();
    const sessions = opened.map((model, at) => ({ session: model.session, prefix: prefixes[at] ?? '' }));
    await link.ask('startObserver', { observer, sessions, specs }, teacher);
    const iterator = feeds[Symbol.asyncIterator]();
    try {
      await pump(link, observer, iterator, { model: student ?? teacher, onProgress: options.onProgress });
    } catch (error) {
      // The first error counts. After an interrupt there is no child to ask.
      await Promise.allSettled([iterator.return?.(), link.ask('endObserver', { observer }, teacher)]);
      throw error;
    }
    return link.ask('endObserver', { observer }, teacher);
  }, options);
}

interface Pumping {
  readonly model: ModelSource;
  readonly onProgress: ((batches: number) => void) | undefined;
}

/** While the child works on a batch, others are under way to it, and the one after those is made. */
async function pump(
  link: RuntimeLink,
  observer: string,
  iterator: AsyncIterator<TensorMap>,
  { model, onProgress }: Pumping,
): Promise<void> {
  const asked: Promise<void>[] = [];
  let last: Promise<void> = Promise.resolve();
  let batches = 0;
  const settle = async (left: number): Promise<void> => {
    while (asked.length > left) {
      await asked.shift();
      onProgress?.(++batches);
    }
  };
  let next = await iterator.next();
  while (!next.done) {
    const feeds = next.value;
    last = inOrder(last, link.ask('observe', { observer, feeds: toWire(feeds) }, model));
    asked.push(last);
    const following = handled(iterator.next());
    await settle(bytesOf(feeds) > AHEAD_BYTES ? 0 : AHEAD);
    try {
      next = await following;
    } catch (error) {
      // The error of an earlier batch goes first.
      await last;
      throw error;
    }
  }
  await settle(0);
}

const bytesOf = (feeds: TensorMap): number => [...feeds.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

/** Settles when both are done; the error of the first goes first. */
function inOrder(first: Promise<void>, second: Promise<void>): Promise<void> {
  handled(second);
  return handled(first.then(() => second));
}

/** Whoever waits for it is told of its failure; before that nobody need wait. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
