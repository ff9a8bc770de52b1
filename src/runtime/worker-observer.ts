// The child's side of observing: runs one model, or two side by side, on a batch and hands the values to accumulators.
import type { Accumulator, AccumulatorSpec, StreamedValue } from '../fit/accumulator.js';
import { ACCUMULATORS } from '../fit/accumulators.js';
import type { WireTensors } from './protocol.js';
import { nativeFeeds, OutputStream, streamed, UnsupportedError, type WorkerSession } from './worker-session.js';

/** An accumulator failed, not the runtime. */
export class AccumulatorDefect extends Error {}

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
  readonly #accumulators: readonly Accumulator[];

  /** @throws UnsupportedError when a spec names a value that no model returns; AccumulatorDefect */
  constructor(sessions: readonly ObservedSession[], specs: readonly AccumulatorSpec[]) {
    const wanted = new Set(specs.flatMap(({ values }) => values));
    const known = new Set<string>();
    this.#sources = sessions.map(({ target, prefix }) => {
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
    this.#accumulators = specs.map((spec) => {
      const kind = ACCUMULATORS[spec.kind];
      if (!kind) throw new AccumulatorDefect(`no accumulator is called "${spec.kind}"`);
      return kind.create(spec);
    });
  }

  /** Runs on one batch. Rejects with the runtime's own error, UnsupportedError, AccumulatorDefect. */
  async add(feeds: WireTensors): Promise<void> {
    const native = nativeFeeds(feeds);
    const batch = new Map<string, StreamedValue>();
    for (const { prefix, inputs, outputs } of this.#sources) {
      for (const name of inputs) {
        const value = native[name];
        if (value) batch.set(prefix + name, streamed(name, value));
      }
      for (const [name, value] of await outputs.run(native)) batch.set(prefix + name, value);
    }
    try {
      for (const accumulator of this.#accumulators) accumulator.add(batch);
    } catch (error) {
      throw new AccumulatorDefect(error instanceof Error ? error.message : String(error));
    }
  }

  states(): unknown[] {
    return this.#accumulators.map((accumulator) => accumulator.state());
  }
}
