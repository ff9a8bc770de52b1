// The loss of candidates on the scoring samples. The original runs once, when the first candidate is scored.
import { UsageError } from '../../base/errors.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { Answers } from '../evaluation/answers.js';
import { compareAnswers, lossOf, type Comparison, type Loss } from '../evaluation/compare-answers.js';
import { createStore, type OutputStore } from '../evaluation/output-store.js';
import { decideTask, type OutputTask, type TaskRequest } from '../evaluation/output-task.js';
import { scoreModel } from '../evaluation/score-model.js';
import type { QuantizeRequest } from './outcome.js';
import type { SampleSplit } from './split-samples.js';

/** What a candidate lost; plain data. */
export interface Score {
  readonly comparison: Comparison;
  readonly loss: Loss;
}

interface Reference {
  readonly task: OutputTask;
  readonly answers: Answers;
  readonly store: OutputStore;
}

export class Scorer {
  readonly #host: RuntimeHost;
  readonly #request: QuantizeRequest;
  readonly #split: SampleSplit;
  readonly #original: string;
  #reference: Reference | undefined;

  constructor(host: RuntimeHost, request: QuantizeRequest, split: SampleSplit, original: string) {
    this.#host = host;
    this.#request = request;
    this.#split = split;
    this.#original = original;
  }

  /** @throws InputError as `scoreModel` */
  async score(path: string): Promise<Score> {
    const { task, answers, store } = await this.#gather();
    this.#request.onStage?.('scoring int8');
    const against = { model: this.#original, task, store };
    const candidate = await scoreModel(this.#host, path, this.#split.scoring, { ...this.#settings(), task, against });
    const comparison = compareAnswers(answers, candidate);
    return { comparison, loss: lossOf(comparison) };
  }

  dispose(): void {
    this.#reference?.store.dispose();
  }

  #settings(): Required<Pick<TaskRequest, 'part' | 'threads' | 'signal'>> {
    const { threads, signal } = this.#request;
    return { part: this.#split.part, threads, signal };
  }

  async #gather(): Promise<Reference> {
    if (this.#reference) return this.#reference;
    this.#request.onStage?.('scoring the original');
    const task = await this.#decide();
    const store = createStore();
    const keep = { ...this.#settings(), task, keep: store };
    const answers = await scoreModel(this.#host, this.#original, this.#split.scoring, keep);
    this.#reference = { task, answers, store };
    return this.#reference;
  }

  /** Where several outputs could be the classes, none is: all are compared as they are. */
  async #decide(): Promise<OutputTask> {
    const decide = (more: TaskRequest): Promise<OutputTask> =>
      decideTask(this.#host, this.#original, this.#split.scoring, { ...this.#settings(), ...more });
    try {
      return await decide({});
    } catch (error) {
      if (!(error instanceof UsageError) || error.code !== 'bad-value') throw error;
      return decide({ task: 'regress' });
    }
  }
}
