// The range that a value takes over a stream of batches: extrema, extrema batch by batch, and a histogram. All calibrators
// of src/fit/calibrators work from this one state.
import { invariant } from '../base/errors.js';
import type { Accumulator, AccumulatorKind, AccumulatorSpec, StreamedBatch } from './accumulator.js';
import { Histogram, mergeHistograms, type Extrema, type HistogramState } from './histogram.js';

export interface RangeSpec extends AccumulatorSpec {
  readonly kind: 'range';
  readonly values: readonly [value: string];
}

export interface RangeState {
  readonly batches: number;
  /** Elements, infinite ones and those that are not a number left out; the histogram counts fewer of large arrays. */
  readonly elements: number;
  /** Elements that are infinite or not a number. */
  readonly nonFinite: number;
  /** Infinity without an element. */
  readonly min: number;
  /** -Infinity without an element. */
  readonly max: number;
  /** Extrema of the last RECENT batches that had an element, in the order of the batches. */
  readonly recent: { readonly minima: Float32Array; readonly maxima: Float32Array };
  readonly histogram: HistogramState;
}

/**
 * Batches whose extrema are kept. What a moving average with a weight of 0.01 has of an earlier batch is below
 * 0.99^4096 = 1e-18, less than the precision of the sum: nothing is lost.
 */
const RECENT = 4096;

/** Makes a `RangeState` of one array per batch. */
export class RangeTally {
  readonly #histogram = new Histogram();
  readonly #minima: number[] = [];
  readonly #maxima: number[] = [];
  #batches = 0;
  #elements = 0;
  #nonFinite = 0;
  #min = Infinity;
  #max = -Infinity;

  add(data: Float32Array): void {
    this.#take(this.#histogram.add(data), data.length);
  }

  /** The same for an array of `elements` finite elements, from every `sampleStride`-th of them and their range. */
  addSample(sample: Float32Array, { min, max, elements }: SampledArray): void {
    this.#histogram.addSample(sample, { min, max });
    // Adding 0 makes 0 of -0.
    this.#take({ min: min + 0, max: max + 0, nonFinite: 0 }, elements);
  }

  state(): RangeState {
    return {
      batches: this.#batches,
      elements: this.#elements,
      nonFinite: this.#nonFinite,
      min: this.#min,
      max: this.#max,
      recent: { minima: latest(this.#minima), maxima: latest(this.#maxima) },
      histogram: this.#histogram.state(),
    };
  }

  #take({ min, max, nonFinite }: Extrema, elements: number): void {
    this.#batches++;
    this.#elements += elements - nonFinite;
    this.#nonFinite += nonFinite;
    if (min > max) return;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
    this.#minima.push(min);
    this.#maxima.push(max);
    if (this.#minima.length < 2 * RECENT) return;
    this.#minima.splice(0, RECENT);
    this.#maxima.splice(0, RECENT);
  }
}

interface SampledArray {
  readonly min: number;
  readonly max: number;
  readonly elements: number;
}

class RangeAccumulator implements Accumulator<RangeState> {
  readonly #name: string;
  readonly #tally = new RangeTally();

  constructor(name: string) {
    this.#name = name;
  }

  add(batch: StreamedBatch): void {
    const value = batch.get(this.#name);
    invariant(value, `no value "${this.#name}" in the batch`);
    this.#tally.add(value.data);
  }

  state(): RangeState {
    return this.#tally.state();
  }
}

const latest = (extrema: ArrayLike<number>): Float32Array => Float32Array.from(extrema).slice(-RECENT);

export const RANGE: AccumulatorKind<RangeSpec, RangeState> = {
  kind: 'range',
  create: ({ values: [name] }) => new RangeAccumulator(name),
  merge: mergeRanges,
};

/** The batches of `b` come after those of `a`. */
export function mergeRanges(a: RangeState, b: RangeState): RangeState {
  return {
    batches: a.batches + b.batches,
    elements: a.elements + b.elements,
    nonFinite: a.nonFinite + b.nonFinite,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    recent: {
      minima: latest([...a.recent.minima, ...b.recent.minima]),
      maxima: latest([...a.recent.maxima, ...b.recent.maxima]),
    },
    histogram: mergeHistograms(a.histogram, b.histogram),
  };
}
