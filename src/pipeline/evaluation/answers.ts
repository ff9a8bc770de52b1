// What is kept of a model's outputs per sample: a few numbers, so that many candidates can be compared with a reference
// that ran once.
import type { Batching } from './sample-runner.js';
import type { OutputTask } from './output-task.js';

/** What a classifier said. */
export interface ClassAnswer {
  readonly predicted: number;
  /** The five classes with the highest scores, best first; fewer where there are fewer. */
  readonly best: readonly number[];
  /** Cross entropy, nats; undefined without a label or for quantized scores. */
  readonly loss: number | undefined;
  /** Probability of the best class minus that of the second; in steps of the scores where they are quantized. */
  readonly margin: number;
}

export interface SampleAnswer {
  readonly name: string;
  /** Class of the model (the offset of the task added). */
  readonly label: number | undefined;
  /** Undefined where the outputs are not class scores. */
  readonly choice: ClassAnswer | undefined;
}

/** Values of one output over all samples. */
export interface OutputRange {
  readonly name: string;
  /** Of the first sample. */
  readonly dims: readonly number[];
  readonly low: number;
  readonly high: number;
  readonly mean: number;
  /** Samples in which it holds NaN or infinity. */
  readonly nonFinite: number;
}

/** Differences of one output from that of the reference, over all samples. */
export interface OutputError {
  readonly name: string;
  /** Sum of squares of the reference. */
  readonly signal: number;
  /** Sum of squares of the difference. */
  readonly noise: number;
  /** Mean square error per sample, in the order of the samples. */
  readonly squares: readonly number[];
  /** Least and largest value of the reference. */
  readonly low: number;
  readonly high: number;
  readonly look: 'image' | 'values';
  /** Samples whose shape differs, or with NaN or infinity in one of the two: they count as lost, all of their energy is noise. */
  readonly broken: number;
  /** The sample with the largest error relative to its energy. */
  readonly worst: { readonly name: string; readonly relative: number } | undefined;
}

export interface Answers {
  readonly task: OutputTask;
  /** In the order of the data. */
  readonly samples: readonly SampleAnswer[];
  readonly outputs: readonly OutputRange[];
  /** Per output; empty where nothing was given to compare with. */
  readonly errors: readonly OutputError[];
  readonly batching: Batching;
  /** Time in the model, with the transport to it and back; reading the data is not in it. */
  readonly runMs: number;
}
