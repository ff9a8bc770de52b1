// Histograms of float32 values whose range is not known beforehand. The width of a bin is a power of two and bins start at
// zero, on both sides alike; when a value lies beyond the last bin, the width doubles and pairs of bins become one. As a bin
// is the sum of the two that it is made of, and counts are whole numbers, the outcome depends neither on the order of the
// values nor on how they were spread over several histograms: merging is exact.

/** Bins per side. At least half of them lie within the range, so that a histogram has 2048 to 4096 on its longer side. */
export const BINS = 4096;
const BIN_BITS = 12;

/** `positive[k]` counts values in [k w, (k+1) w), w = 2^exponent; `negative[k]` those in (-(k+1) w, -k w]; zeros apart. */
export interface HistogramState {
  readonly exponent: number;
  /** Values that are exactly 0 (or -0). */
  readonly zeros: number;
  /** Without empty bins at the end. */
  readonly positive: Float64Array;
  readonly negative: Float64Array;
}

/** Of one array of values, those that are no numbers left out; without any, `min` is Infinity and `max` -Infinity. */
export interface Extrema {
  readonly min: number;
  readonly max: number;
  /** How many were infinite or not a number. */
  readonly nonFinite: number;
}

/** Exponent of the width that fits subnormal numbers: none is smaller. */
const FIRST_EXPONENT = -126 - BIN_BITS + 1;
/** Elements looked at twice, first for the range, then for the bins: they stay in the cache in between. */
const BLOCK = 8192;
/** Counters in front of the bins. Zeros are many in a row: four in turn, since adding to one must wait for the last one. */
const ZERO_SLOTS = 4;
/** Place of `positive[0]`; `negative[k]` stands k + 1 places before it. */
const ORIGIN = ZERO_SLOTS + BINS;
const SLOTS = ZERO_SLOTS + 2 * BINS;

const INFINITY_BITS = 0x7f800000;

/** Elements from (included) to (excluded), none of them beyond `magnitude`. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly magnitude: number;
}

export class Histogram {
  #exponent = FIRST_EXPONENT;
  readonly #recent = new Uint32Array(SLOTS);
  /** Elements counted in `#recent`: its counters must not run over. */
  #recentTotal = 0;
  /** What `#recent` held when it was full. */
  #earlier: Float64Array | undefined;

  /**
   * Counts all elements, and finds their range. `known`: the range, where someone has found it already and all elements are
   * finite: then each is looked at once instead of twice.
   */
  add(data: Float32Array, known?: Pick<Extrema, 'min' | 'max'>): Extrema {
    if (known) {
      this.#count(data, { from: 0, to: data.length, magnitude: Math.max(Math.abs(known.min), Math.abs(known.max)) });
      return { min: known.min + 0, max: known.max + 0, nonFinite: 0 };
    }
    const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
    let [low, high, nonFinite] = [LAST, FIRST, 0];
    for (let from = 0; from < data.length; from += BLOCK) {
      const to = Math.min(data.length, from + BLOCK);
      const range = orderedRange(bits, from, to);
      if (range.high >= INFINITY_BITS || range.low <= NEGATIVE_INFINITY) {
        const finite = data.subarray(from, to).filter(Number.isFinite);
        const inner = this.add(finite);
        nonFinite += to - from - finite.length;
        if (finite.length === 0) continue;
        low = Math.min(low, orderOf(inner.min));
        high = Math.max(high, orderOf(inner.max));
      } else {
        const magnitude = Math.max(Math.abs(fromOrder(range.low)), Math.abs(fromOrder(range.high)));
        this.#count(data, { from, to, magnitude });
        low = Math.min(low, range.low);
        high = Math.max(high, range.high);
      }
    }
    if (low > high) return { min: Infinity, max: -Infinity, nonFinite };
    // Adding 0 makes 0 of -0.
    return { min: fromOrder(low) + 0, max: fromOrder(high) + 0, nonFinite };
  }

  state(): HistogramState {
    const bins = this.#total();
    return {
      exponent: this.#exponent,
      zeros: bins.subarray(0, ZERO_SLOTS).reduce((sum, counted) => sum + counted, 0),
      positive: withoutTail(bins.subarray(ORIGIN, ORIGIN + BINS)),
      negative: withoutTail(bins.subarray(ZERO_SLOTS, ORIGIN).toReversed()),
    };
  }

  #count(data: Float32Array, { from, to, magnitude }: Part): void {
    this.#makeRoom(magnitude);
    this.#reserve(to - from);
    const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
    count(data, bits, { bins: this.#recent, scale: 2 ** -this.#exponent, from, to });
  }

  #makeRoom(magnitude: number): void {
    if (magnitude < 2 ** (this.#exponent + BIN_BITS)) return;
    const exponent = exponentFor(magnitude);
    for (const bins of [this.#recent, this.#earlier]) if (bins) coarsen(bins, exponent - this.#exponent);
    this.#exponent = exponent;
  }

  #reserve(elements: number): void {
    if (this.#recentTotal + elements > 0xffffffff) {
      this.#earlier = this.#total();
      this.#recent.fill(0);
      this.#recentTotal = 0;
    }
    this.#recentTotal += elements;
  }

  #total(): Float64Array {
    const total = Float64Array.from(this.#recent);
    const earlier = this.#earlier;
    if (earlier) for (let i = 0; i < SLOTS; i++) total[i] = (total[i] ?? 0) + (earlier[i] ?? 0);
    return total;
  }
}

/** Counts of both, exact: the same as of one histogram that saw all values. */
export function mergeHistograms(a: HistogramState, b: HistogramState): HistogramState {
  const exponent = Math.max(a.exponent, b.exponent);
  const sum = (side: 'positive' | 'negative'): Float64Array => {
    const bins = new Float64Array(BINS);
    for (const state of [a, b]) {
      const shift = exponent - state.exponent;
      state[side].forEach((counted, k) => {
        const at = shiftRight(k, shift);
        bins[at] = (bins[at] ?? 0) + counted;
      });
    }
    return withoutTail(bins);
  };
  return { exponent, zeros: a.zeros + b.zeros, positive: sum('positive'), negative: sum('negative') };
}

/** Number of values counted. */
export function histogramTotal({ zeros, positive, negative }: HistogramState): number {
  return [...positive, ...negative].reduce((sum, counted) => sum + counted, zeros);
}

/** The smallest exponent with magnitude < BINS 2^exponent, from that of the float32 number itself. */
function exponentFor(magnitude: number): number {
  return Math.max(1, bitsOf(magnitude) >>> 23) - 127 - BIN_BITS + 1;
}

const shiftRight = (k: number, shift: number): number => (shift > 31 ? 0 : k >>> shift);

/** Makes one bin of 2^shift, in place. */
function coarsen(bins: Uint32Array | Float64Array, shift: number): void {
  for (const [origin, step] of [
    [ORIGIN, 1],
    [ORIGIN - 1, -1],
  ] as const) {
    for (let k = 1; k < BINS; k++) {
      const [from, to] = [origin + step * k, origin + step * shiftRight(k, shift)];
      const counted = bins[from] ?? 0;
      if (counted === 0) continue;
      bins[from] = 0;
      bins[to] = (bins[to] ?? 0) + counted;
    }
  }
}

function withoutTail(bins: Float64Array): Float64Array {
  return bins.slice(0, bins.findLastIndex((counted) => counted !== 0) + 1);
}

// The bits of a float, as an integer, order like the numbers when those of negative ones but the sign are inverted. Integers
// compare faster than floats here, and what is not a number comes out beyond the infinities instead of being overlooked.
const bitsOf = (x: number): number => new Int32Array(Float32Array.of(x).buffer)[0] ?? 0;
const inOrder = (bits: number): number => bits ^ ((bits >> 31) & 0x7fffffff);
const NEGATIVE_INFINITY = inOrder(INFINITY_BITS | 0x80000000);
const FIRST = -0x80000000;
const LAST = 0x7fffffff;

const orderOf = (x: number): number => inOrder(bitsOf(x));
const fromOrder = (order: number): number => new Float32Array(Int32Array.of(inOrder(order)).buffer)[0] ?? 0;

/** This loop and the next see every element: no branch in them depends on a value, which would cost more than all else. */
function orderedRange(bits: Int32Array, from: number, to: number): { low: number; high: number } {
  let [low, high] = [LAST, FIRST];
  for (let i = from; i < to; i++) {
    const x = bits[i] as number;
    const order = x ^ ((x >> 31) & 0x7fffffff);
    if (order < low) low = order;
    if (order > high) high = order;
  }
  return { low, high };
}

interface Counting {
  readonly bins: Uint32Array;
  /** 1 / width. */
  readonly scale: number;
  readonly from: number;
  readonly to: number;
}

/** `some` is -1 where the number is not 0, else 0; a zero goes to slot 0, 1, 2 or 3. */
function count(data: Float32Array, bits: Int32Array, { bins, scale, from, to }: Counting): void {
  const whole = to - ((to - from) % ZERO_SLOTS);
  let i = from;
  for (; i < whole; i += ZERO_SLOTS) {
    let x = bits[i] as number;
    let some = ((x << 1) | -(x << 1)) >> 31;
    let at = some & (ORIGIN + (((data[i] as number) * scale) | 0) + (x >> 31));
    bins[at] = (bins[at] as number) + 1;
    x = bits[i + 1] as number;
    some = ((x << 1) | -(x << 1)) >> 31;
    at = (some & (ORIGIN + (((data[i + 1] as number) * scale) | 0) + (x >> 31))) | (~some & 1);
    bins[at] = (bins[at] as number) + 1;
    x = bits[i + 2] as number;
    some = ((x << 1) | -(x << 1)) >> 31;
    at = (some & (ORIGIN + (((data[i + 2] as number) * scale) | 0) + (x >> 31))) | (~some & 2);
    bins[at] = (bins[at] as number) + 1;
    x = bits[i + 3] as number;
    some = ((x << 1) | -(x << 1)) >> 31;
    at = (some & (ORIGIN + (((data[i + 3] as number) * scale) | 0) + (x >> 31))) | (~some & 3);
    bins[at] = (bins[at] as number) + 1;
  }
  for (; i < to; i++) {
    const x = bits[i] as number;
    const some = ((x << 1) | -(x << 1)) >> 31;
    const at = some & (ORIGIN + (((data[i] as number) * scale) | 0) + (x >> 31));
    bins[at] = (bins[at] as number) + 1;
  }
}
