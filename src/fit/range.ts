// The range that a value takes over a stream of batches: extrema, extrema batch by batch, and a histogram. All calibrators
// of src/fit/calibrators work from this one state.
import { invariant } from '../base/errors.js';
import type { Accumulator, AccumulatorKind, AccumulatorSpec, StreamedBatch } from './accumulator.js';
import { Histogram, mergeHistograms, type HistogramState } from './histogram.js';

export interface RangeSpec extends AccumulatorSpec {
  readonly kind: 'range';
  /**
   * One name; where the model computes them, those of the least element, the largest, and the sum as well, which save a look
   * at every element. The sum tells whether all are finite.
   */
  readonly values: readonly [value: string] | readonly [value: string, min: string, max: string, sum: string];
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

class RangeAccumulator implements Accumulator<RangeState> {
  readonly #names: RangeSpec['values'];
  readonly #histogram = new Histogram();
  readonly #minima: number[] = [];
  readonly #maxima: number[] = [];
  #batches = 0;
  #elements = 0;
  #nonFinite = 0;
  #min = Infinity;
  #max = -Infinity;

  constructor(names: RangeSpec['values']) {
    this.#names = names;
  }

  add(batch: StreamedBatch): void {
    const [name, ...reduced] = this.#names;
    const value = batch.get(name);
    invariant(value, `no value "${name}" in the batch`);
    const { min, max, nonFinite } = this.#histogram.add(value.data, knownRange(batch, reduced));
    this.#batches++;
    this.#elements += value.data.length - nonFinite;
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
}

function knownRange(batch: StreamedBatch, names: readonly string[]): { min: number; max: number } | undefined {
  const [min, max, sum] = names.map((name) => batch.get(name)?.data[0]);
  return min === undefined || max === undefined || !Number.isFinite(sum) ? undefined : { min, max };
}

const latest = (extrema: ArrayLike<number>): Float32Array => Float32Array.from(extrema).slice(-RECENT);

/** `merge(a, b)`: the batches of `b` come after those of `a`. */
export const RANGE: AccumulatorKind<RangeSpec, RangeState> = {
  kind: 'range',
  create: ({ values }) => new RangeAccumulator(values),
  merge: (a, b) => ({
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
  }),
};
