// The range of a value of which the model itself takes a sample, and the extrema and the sum of all elements: the same
// state, bit for bit, as from the whole value, which need not leave the runtime.
import { invariant } from '../base/errors.js';
import type { Accumulator, AccumulatorKind, AccumulatorSpec, StreamedBatch } from './accumulator.js';
import { sampleStride } from './histogram.js';
import { mergeRanges, RangeTally, type RangeState } from './range.js';

export interface SampledRangeSpec extends AccumulatorSpec {
  readonly kind: 'sampled-range';
  /** `sample`: every `sampleStride`-th element. `reductions`: of several values the least element, the largest, and the sum of all. */
  readonly values: readonly [sample: string, reductions: string];
  /** Elements of the value. */
  readonly elements: number;
  /** Which of the values of `reductions` it is. */
  readonly index: number;
}

class SampledRangeAccumulator implements Accumulator<RangeState | undefined> {
  readonly #spec: SampledRangeSpec;
  #tally: RangeTally | undefined = new RangeTally();

  constructor(spec: SampledRangeSpec) {
    this.#spec = spec;
  }

  add(batch: StreamedBatch): void {
    const { values, elements, index } = this.#spec;
    const [sample, reductions] = values.map((name) => batch.get(name)?.data);
    invariant(sample && reductions, 'no sample in the batch');
    const [min = 0, max = 0, sum = 0] = reductions.subarray(3 * index);
    // The sum tells whether all elements are finite.
    const tells = sample.length === Math.ceil(elements / sampleStride(elements)) && Number.isFinite(sum);
    if (!tells) this.#tally = undefined;
    this.#tally?.addSample(sample, { min, max, elements });
  }

  state(): RangeState | undefined {
    return this.#tally?.state();
  }
}

/** The state is undefined where a sample is not enough: an element is not finite, or the value has another size. */
export const SAMPLED_RANGE: AccumulatorKind<SampledRangeSpec, RangeState | undefined> = {
  kind: 'sampled-range',
  create: (spec) => new SampledRangeAccumulator(spec),
  merge: (a, b) => a && b && mergeRanges(a, b),
};
