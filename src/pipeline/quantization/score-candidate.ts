// The loss of candidates on the scoring samples. The original runs once, when the first candidate is scored.
import { InputError, UsageError } from '../../base/errors.js';
import type { DataSet, StreamOptions } from '../../data/data-set.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { Answers } from '../evaluation/answers.js';
import {
  accuracyOf,
  compareAnswers,
  lossOf,
  type Accuracy,
  type Comparison,
  type Loss,
} from '../evaluation/compare-answers.js';
import { createStore, type OutputStore } from '../evaluation/output-store.js';
import { decideTask, type OutputTask, type TaskRequest } from '../evaluation/output-task.js';
import { scoreModel } from '../evaluation/score-model.js';
import type { QuantizeRequest } from './outcome.js';
import type { SampleSplit } from './split-samples.js';

/** What a candidate lost; plain data. */
export interface Score {
  readonly comparison: Comparison;
  readonly loss: Loss;
  /** Of both on the labelled samples; undefined without labels. */
  readonly accuracy: { readonly original: Accuracy; readonly candidate: Accuracy } | undefined;
}

/** What scoring needs of a request. */
export type ScoringRequest = Pick<QuantizeRequest, 'signal' | 'onStage'>;

interface Reference {
  readonly task: OutputTask;
  readonly answers: Answers;
  readonly store: OutputStore;
}

export class Scorer {
  readonly #host: RuntimeHost;
  readonly #request: ScoringRequest;
  readonly #part: StreamOptions;
  readonly #original: string;
  /** What was found out about the data. */
  readonly warnings: string[] = [];
  #data: DataSet;
  #reference: Reference | undefined;

  constructor(
    host: RuntimeHost,
    request: ScoringRequest,
    split: Pick<SampleSplit, 'part' | 'scoring'>,
    original: string,
  ) {
    this.#host = host;
    this.#request = request;
    this.#part = split.part;
    this.#data = split.scoring;
    this.#original = original;
  }

  /** @throws InputError as `scoreModel` */
  async score(path: string): Promise<Score> {
    const { task, answers, store } = await this.#gather();
    this.#request.onStage?.('scoring the result');
    const against = { model: this.#original, task, store };
    const candidate = await scoreModel(this.#host, path, this.#data, { ...this.#settings(), task, against });
    const comparison = compareAnswers(answers, candidate);
    const [original, after] = [accuracyOf(answers), accuracyOf(candidate)];
    const accuracy = original && after && { original, candidate: after };
    return { comparison, loss: lossOf(comparison), accuracy };
  }

  dispose(): void {
    this.#reference?.store.dispose();
  }

  #settings(): Required<Pick<TaskRequest, 'part' | 'signal'>> {
    return { part: this.#part, signal: this.#request.signal };
  }

  async #gather(): Promise<Reference> {
    if (this.#reference) return this.#reference;
    this.#request.onStage?.('scoring the original');
    try {
      this.#reference = await this.#run();
    } catch (error) {
      // Samples of other classes than those of the model still tell whether both models agree.
      if (!(error instanceof InputError) || error.code !== 'bad-data' || !this.#data.labelled) throw error;
      this.warnings.push(`the labels are left out: ${error.message}`);
      this.#data = unlabelled(this.#data);
      this.#reference = await this.#run();
    }
    return this.#reference;
  }

  async #run(): Promise<Reference> {
    const task = await this.#decide();
    const store = createStore();
    try {
      const keep = { ...this.#settings(), task, keep: store };
      return { task, answers: await scoreModel(this.#host, this.#original, this.#data, keep), store };
    } catch (error) {
      store.dispose();
      throw error;
    }
  }

  /** Where several outputs could be the classes, none is: all are compared as they are. */
  async #decide(): Promise<OutputTask> {
    const decide = (more: TaskRequest): Promise<OutputTask> =>
      decideTask(this.#host, this.#original, this.#data, { ...this.#settings(), ...more });
    try {
      return await decide({});
    } catch (error) {
      if (!(error instanceof UsageError) || error.code !== 'bad-value') throw error;
      return decide({ task: 'regress' });
    }
  }
}

function unlabelled(data: DataSet): DataSet {
  return {
    path: data.path,
    size: data.size,
    labelled: false,
    classes: undefined,
    digest: () => data.digest(),
    async *samples(options) {
      for await (const sample of data.samples(options)) yield { ...sample, label: undefined };
    },
    get skipped() {
      return data.skipped;
    },
    warnings: () => data.warnings(),
  };
}
