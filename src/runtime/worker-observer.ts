// The child's side of observing: runs one model, or two side by side, on a batch and hands the values to accumulators.
import { randomUUID } from 'node:crypto';
import type { AccumulatorSpec, StreamedValue } from '../fit/accumulator.js';
import type { AccumulatorHost } from './accumulator-host.js';
import type { WireTensors } from './protocol.js';
import { nativeFeeds, OutputStream, streamed, UnsupportedError, type WorkerSession } from './worker-session.js';

export interface ObservedSession {
  readonly target: WorkerSession;
  /** Stands in front of the names of its values: `teacher/`, `student/`, or nothing where there is one model. */
  readonly prefix: string;
}

interface Source {
  readonly prefix: string;
  /** Runs that return the outputs that some accumulator reads. */
  readonly outputs: OutputStream;
  /** Inputs that some accumulator reads. */
  readonly inputs: readonly string[];
}

export class Observer {
  readonly #sources: readonly Source[];
  readonly #accumulators: AccumulatorHost;
  readonly #id = randomUUID();
  /** What the accumulators do at present. */
  #work: Promise<unknown>;

  /** @throws UnsupportedError when a spec names a value that no model returns */
  constructor(sessions: readonly ObservedSession[], specs: readonly AccumulatorSpec[], accumulators: AccumulatorHost) {
    this.#sources = sourcesOf(sessions, new Set(specs.flatMap(({ values }) => values)));
    this.#accumulators = accumulators;
    this.#work = accumulators.ask({ kind: 'start', observer: this.#id, specs });
  }

  /** Resolves when the accumulators are done with all batches so far. Rejects with AccumulatorDefect. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /**
   * Runs on one batch; the accumulators take it in while the next one runs. Rejects with the runtime's own error,
   * UnsupportedError, AccumulatorDefect (of the batch before).
   */
  async add(feeds: WireTensors): Promise<void> {
    const native = nativeFeeds(feeds);
    const batch = new Map<string, StreamedValue>();
    for (const { prefix, inputs, outputs } of this.#sources) {
      for (const name of inputs) {
        const value = native[name];
        if (value) batch.set(prefix + name, copied(streamed(name, value)));
      }
      for (const [name, value] of await outputs.run(native)) batch.set(prefix + name, value);
    }
    await this.#work;
    this.#work = this.#accumulators.ask({ kind: 'add', observer: this.#id, batch });
    // Whoever comes next is told.
    this.#work.catch(() => undefined);
  }

  /** The states at the end. Rejects with AccumulatorDefect. */
  async end(): Promise<readonly unknown[]> {
    const [work, states] = await Promise.all([
      this.#work.then(
        () => undefined,
        (error: unknown) => ({ error }),
      ),
      this.#accumulators.ask({ kind: 'end', observer: this.#id }),
    ]);
    if (work) throw work.error;
    return states;
  }
}

/** The memory of a feed is that of the message, which is not ours to give away. */
const copied = ({ data, dims }: StreamedValue): StreamedValue => ({ data: data.slice(), dims });

function sourcesOf(sessions: readonly ObservedSession[], wanted: ReadonlySet<string>): Source[] {
  const known = new Set<string>();
  const sources = sessions.map(({ target, prefix }) => {
    const { inputs, outputs } = target.signature;
    const read = (ports: readonly { readonly name: string }[]): string[] => {
      const names = ports.map(({ name }) => name).filter((name) => wanted.has(prefix + name));
      for (const name of names) known.add(prefix + name);
      return names;
    };
    return { prefix, inputs: read(inputs), outputs: new OutputStream(target, read(outputs)) };
  });
  for (const name of wanted)
    if (!known.has(name)) throw new UnsupportedError(`"${name}" is no input or output of the model`);
  return sources;
}
