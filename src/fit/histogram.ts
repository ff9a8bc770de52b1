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
/**
 * Elements counted of one array, roughly: of a larger one every k-th. The first layers of a network have a million elements
 * per sample, which say no more than this many do of its distribution, and would take most of the time.
 */
const MOST_COUNTED = 2 ** 15;
/** Counters in front of the bins. Zeros are many in a row: four in turn, since adding to one must wait for the last one. */
const ZERO_SLOTS = 4;
/** Place of `positive[0]`; `negative[k]` stands k + 1 places before it. */
const ORIGIN = ZERO_SLOTS + BINS;
const SLOTS = ZERO_SLOTS + 2 * BINS;

const INFINITY_BITS = 0x7f800000;

export class Histogram {
  #exponent = FIRST_EXPONENT;
  readonly #recent = new Uint32Array(SLOTS);
  /** Elements counted in `#recent`: its counters must not run over. */
  #recentTotal = 0;
  /** What `#recent` held when it was full. */
  #earlier: Float64Array | undefined;

  /** Counts the elements (of large arrays every k-th), and finds the range of all. */
  add(data: Float32Array): Extrema {
    const range = rangeOf(data);
    const { min, max, nonFinite } = range;
    if (min > max) return range;
    const finite = nonFinite === 0 ? data : data.filter(Number.isFinite);
    this.#count(finite, range, sampleStride(finite.length));
    // Adding 0 makes 0 of -0.
    return { min: min + 0, max: max + 0, nonFinite };
  }

  /** Counts all elements of `sample`: every `sampleStride`-th one of an array whose elements are finite, with this range. */
  addSample(sample: Float32Array, range: Pick<Extrema, 'min' | 'max'>): void {
    this.#count(sample, range, 1);
  }

  #count(data: Float32Array, { min, max }: Pick<Extrema, 'min' | 'max'>, stride: number): void {
    this.#makeRoom(Math.max(Math.abs(min), Math.abs(max)));
    this.#reserve(Math.ceil(data.length / stride));
    count(data, { bins: this.#recent, scale: 2 ** -this.#exponent, stride });
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
  const sum = (bins: Float64Array): number => bins.reduce((total, counted) => total + counted, 0);
  return zeros + sum(positive) + sum(negative);
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

const fromOrder = (order: number): number => new Float32Array(Int32Array.of(inOrder(order)).buffer)[0] ?? 0;

/** The range of the finite elements. */
function rangeOf(data: Float32Array): Extrema {
  const { low, high } = orderedRange(new Int32Array(data.buffer, data.byteOffset, data.length));
  if (low > high) return { min: Infinity, max: -Infinity, nonFinite: 0 };
  if (high < INFINITY_BITS && low > NEGATIVE_INFINITY)
    return { min: fromOrder(low), max: fromOrder(high), nonFinite: 0 };
  const finite = data.filter(Number.isFinite);
  return { ...rangeOf(finite), nonFinite: data.length - finite.length };
}

/**
 * Of an array of `size` elements, so many steps lie between those that are counted: the least number without a common
 * divisor with the size, so that no axis is seen at the same few places only.
 */
export function sampleStride(size: number): number {
  let stride = Math.ceil(size / MOST_COUNTED);
  while (commonDivisor(stride, size) > 1) stride++;
  return Math.max(1, stride);
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** This loop and the next see every element: no branch in them depends on a value, which would cost more than all else. */
function orderedRange(bits: Int32Array): { low: number; high: number } {
  let [low, high] = [LAST, FIRST];
  for (let i = 0, end = bits.length; i < end; i++) {
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
  readonly stride: number;
}

/** Every `stride`-th element. `some` is -1 where the number is not 0, else 0; a zero goes to slot 0, 1, 2 or 3. */
function count(data: Float32Array, { bins, scale, stride }: Counting): void {
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
  const last = data.length - 3 * stride;
  let i = 0;
  for (; i < last; i += stride) {
    let x = bits[i] as number;
    let some = ((x << 1) | -(x << 1)) >> 31;
    let at = some & (ORIGIN + (((data[i] as number) * scale) | 0) + (x >> 31));
    bins[at] = (bins[at] as number) + 1;
    i += stride;
    x = bits[i] as number;
    some = ((x << 1) | -(x << 1)) >> 31;
    at = (some & (ORIGIN + (((data[i] as number) * scale) | 0) + (x >> 31))) | (~some & 1);
    bins[at] = (bins[at] as number) + 1;
    i += stride;
    x = bits[i] as number;
    some = ((x << 1) | -(x << 1)) >> 31;
    at = (some & (ORIGIN + (((data[i] as number) * scale) | 0) + (x >> 31))) | (~some & 2);
    bins[at] = (bins[at] as number) + 1;
    i += stride;
    x = bits[i] as number;
    some = ((x << 1) | -(x << 1)) >> 31;
    at = (some & (ORIGIN + (((data[i] as number) * scale) | 0) + (x >> 31))) | (~some & 3);
    bins[at] = (bins[at] as number) + 1;
  }
  for (; i < data.length; i += stride) {
    const x = bits[i] as number;
    const some = ((x << 1) | -(x << 1)) >> 31;
    const at = some & (ORIGIN + (((data[i] as number) * scale) | 0) + (x >> 31));
    bins[at] = (bins[at] as number) + 1;
  }
}
