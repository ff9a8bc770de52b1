// The log of changes to a model. Every mutator records how to undo and redo itself; `seek` moves the model to any
// recorded state, which is how a pass is rolled back and how a wrong rewrite is found by bisection.
import { invariant } from '../base/errors.js';

interface Change {
  undo(): void;
  redo(): void;
}

/** A state of the model: the number of changes made up to it. */
export type Mark = number;

export class Journal {
  #changes: Change[] = [];
  #position = 0;
  #revision = 0;
  #isRecording = true;

  /** Grows with every change, undo and redo: equal revisions mean an equal model. */
  get revision(): number {
    return this.#revision;
  }

  /** The present state. */
  mark(): Mark {
    return this.#position;
  }

  /** Applies `redo` and records the change. Changes that were undone before are forgotten. */
  apply(redo: () => void, undo: () => void): void {
    if (this.#position < this.#changes.length) this.#changes.length = this.#position;
    redo();
    this.#revision++;
    if (!this.#isRecording) return;
    this.#changes.push({ undo, redo });
    this.#position++;
  }

  /** Undoes or redoes changes until the model is in the state of `mark`. */
  seek(mark: Mark): void {
    invariant(mark >= 0 && mark <= this.#changes.length, `no state ${mark} in the journal`);
    while (this.#position > mark) this.#changes[--this.#position]?.undo();
    while (this.#position < mark) this.#changes[this.#position++]?.redo();
    this.#revision++;
  }

  /** Runs `build` without recording what it changes: for making a model, of which no earlier state is wanted. */
  unrecorded<T>(build: () => T): T {
    invariant(this.#position === 0, 'the journal holds changes already');
    this.#isRecording = false;
    try {
      return build();
    } finally {
      this.#isRecording = true;
    }
  }

  /** Forgets how to go back: marks taken before are void. */
  commit(): void {
    this.#changes = [];
    this.#position = 0;
  }
}
