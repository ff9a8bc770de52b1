// What calibration and evaluation read: labelled or unlabelled samples, streamed in a seeded order.
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

/** An input of the model that data is made for. Open sizes are names (or empty). */
export interface InputPort {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly (number | string)[];
}

/** One sample, ready for the model. */
export interface Sample {
  /** File name, or `file#index`: for messages and reports. */
  readonly name: string;
  /** Index of the class; undefined without labels. */
  readonly label: number | undefined;
  /** A tensor per input of the model, the batch axis (1) in front. */
  readonly feeds: ReadonlyMap<string, Tensor>;
}

/** A sample that could not be read. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

export interface StreamOptions {
  /** Positions in the seeded order: from (included) to (excluded); all by default. */
  readonly from?: number;
  readonly to?: number;
  /** `stored`: as listed. `shuffled`: a permutation drawn from `seed`. Default `stored`. */
  readonly order?: 'stored' | 'shuffled';
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export interface DataSet {
  /** The folder or file that was given. */
  readonly path: string;
  /** Samples there are; undefined when only reading to the end would tell. */
  readonly size: number | undefined;
  readonly labelled: boolean;
  /** Names of classes by index, where known. */
  readonly classes: readonly string[] | undefined;
  /** SHA-256 over the content and the preprocessing: the same samples give the same digest on every machine. */
  digest(): Promise<string>;
  /** Samples one by one, decoded ahead of the reader. */
  samples(options?: StreamOptions): AsyncIterable<Sample>;
  /** Samples skipped so far. */
  readonly skipped: readonly Skipped[];
  /** What looks wrong with the samples read so far: all black, a range that does not fit, one class only. */
  warnings(): readonly string[];
}
