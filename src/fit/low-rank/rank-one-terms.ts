// CP, K = sum over r of u_r o a_r o b_r (outputs, channels, taps), and its start: one term after the other by the tensor power method,
// each taken off before the next is looked for.
import { createRng, type Rng } from '../../base/rng.js';
import { matrix, type Matrix } from '../../linalg/matrix.js';
import type { TensorSizes } from './tensor-problem.js';

/** Row r of each matrix is a vector of term r. */
export interface Terms {
  /** R x outputs. */
  readonly out: Matrix;
  /** R x channels. */
  readonly input: Matrix;
  /** R x taps. */
  readonly tap: Matrix;
}

interface Term {
  readonly out: Float64Array;
  readonly input: Float64Array;
  readonly tap: Float64Array;
  /** T(u, a, b) for vectors of length 1. */
  readonly weight: number;
}

const RESTARTS = 2;
const CYCLES = 10;
/** Turns of outputs and channels with the taps held still, in each cycle: they cost little. */
const TURNS = 3;
/** A cycle that raises the weight by less than this part is the last. */
const LEAST_RISE = 1e-3;
/** Multiplications for all terms: a few seconds. */
const MOST_MULTIPLICATIONS = 1.5e9;

/** The first `rank` terms of the rows (outputs x (channels x taps)), from the largest as they are found. */
export function powerTerms(rows: Matrix, sizes: TensorSizes, rank: number): Terms {
  const { outputs, channels, taps } = sizes;
  const rest = Float64Array.from(rows.data);
  const rng = createRng('power-method');
  const cycles = Math.floor(MOST_MULTIPLICATIONS / (rank * 2 * rest.length));
  const options = { cycles: Math.max(2, Math.min(CYCLES, cycles)), rng };
  const terms = { out: matrix(rank, outputs), input: matrix(rank, channels), tap: matrix(rank, taps) };
  for (let r = 0; r < rank; r++) {
    let best = largestTerm(rest, sizes, options);
    for (let restart = 1; restart < Math.min(RESTARTS, cycles / CYCLES); restart++) {
      const other = largestTerm(rest, sizes, options);
      if (other.weight > best.weight) best = other;
    }
    takeOff(rest, sizes, best);
    const scale = Math.cbrt(best.weight);
    best.out.forEach((value, i) => (terms.out.data[r * outputs + i] = value * scale));
    best.input.forEach((value, i) => (terms.input.data[r * channels + i] = value * scale));
    best.tap.forEach((value, i) => (terms.tap.data[r * taps + i] = value * scale));
  }
  return terms;
}

function largestTerm(
  rest: Float64Array,
  { outputs, channels, taps }: TensorSizes,
  { cycles, rng }: { readonly cycles: number; readonly rng: Rng },
): Term {
  const random = (length: number): Float64Array => Float64Array.from({ length }, () => rng.normal());
  const [out, input, tap] = [new Float64Array(outputs), random(channels), random(taps)];
  normalize(input);
  normalize(tap);
  const slice = new Float64Array(outputs * channels);
  let weight = 0;
  for (let cycle = 0; cycle < cycles; cycle++) {
    for (let i = 0, at = 0; i < slice.length; i++) {
      let sum = 0;
      for (let t = 0; t < taps; t++) sum += (rest[at++] as number) * (tap[t] as number);
      slice[i] = sum;
    }
    for (let turn = 0; turn < TURNS; turn++) turnMatrix(slice, out, input);
    tap.fill(0);
    for (let o = 0, at = 0; o < outputs; o++)
      for (let c = 0; c < channels; c++) {
        const share = (out[o] as number) * (input[c] as number);
        for (let t = 0; t < taps; t++) tap[t] = (tap[t] as number) + share * (rest[at++] as number);
      }
    const next = normalize(tap);
    const isSettled = next - weight < LEAST_RISE * next;
    weight = next;
    if (isSettled) break;
  }
  return { out, input, tap, weight };
}

/** out <- M input, input <- M^T out, each of length 1. */
function turnMatrix(slice: Float64Array, out: Float64Array, input: Float64Array): void {
  const channels = input.length;
  for (let o = 0, at = 0; o < out.length; o++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += (slice[at++] as number) * (input[c] as number);
    out[o] = sum;
  }
  normalize(out);
  input.fill(0);
  for (let o = 0, at = 0; o < out.length; o++) {
    const share = out[o] as number;
    for (let c = 0; c < channels; c++) input[c] = (input[c] as number) + share * (slice[at++] as number);
  }
  normalize(input);
}

/** To length 1, unless it is zero; the length it had. */
function normalize(vector: Float64Array): number {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  if (length > 0) vector.forEach((x, i) => (vector[i] = x / length));
  return length;
}

function takeOff(
  rest: Float64Array,
  { outputs, channels, taps }: TensorSizes,
  { out, input, tap, weight }: Term,
): void {
  for (let o = 0, at = 0; o < outputs; o++)
    for (let c = 0; c < channels; c++) {
      const share = weight * (out[o] as number) * (input[c] as number);
      for (let t = 0; t < taps; t++, at++) rest[at] = (rest[at] as number) - share * (tap[t] as number);
    }
}

/** Row r: all products of the elements of rows r, those of `b` fastest: the transposed Khatri-Rao product. */
export function rowProducts(a: Matrix, b: Matrix): Matrix {
  const result = matrix(a.rows, a.columns * b.columns);
  let at = 0;
  for (let r = 0; r < a.rows; r++)
    for (let i = 0; i < a.columns; i++) {
      const share = a.data[r * a.columns + i] as number;
      for (let j = 0; j < b.columns; j++) result.data[at++] = share * (b.data[r * b.columns + j] as number);
    }
  return result;
}

/** Squared lengths of the rows. */
export function rowPowers({ rows, columns, data }: Matrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, r) =>
    data.subarray(r * columns, (r + 1) * columns).reduce((sum, x) => sum + x * x, 0),
  );
}

/**
 * How much noise in the vectors is felt in the tensor: the sum over terms of O |a|^2 |b|^2 + C |u|^2 |b|^2 + T |u|^2 |a|^2 (Phan et al.
 * 2020). Terms that grow against each other and cancel make it grow without bound.
 */
export function sensitivity(terms: Terms): number {
  const [u, a, b] = [rowPowers(terms.out), rowPowers(terms.input), rowPowers(terms.tap)];
  return u.reduce((sum, power, r) => {
    const [pa, pb] = [a[r] ?? 0, b[r] ?? 0];
    return sum + terms.out.columns * pa * pb + terms.input.columns * power * pb + terms.tap.columns * power * pa;
  }, 0);
}

/** What `sensitivity` times `weight` adds to the equations of one of the three: per term, from the squared lengths of the two others. */
export function penaltyOf(weight: number, a: Matrix, b: Matrix): Float64Array {
  const [pa, pb] = [rowPowers(a), rowPowers(b)];
  return pa.map((power, r) => weight * (a.columns * (pb[r] ?? 0) + b.columns * power));
}

/** The same terms with the lengths of their vectors spread so that the sensitivity is least: equal mean squares of the elements. */
export function balance(terms: Terms): Terms {
  const parts = [terms.out, terms.input, terms.tap];
  const powers = parts.map(rowPowers);
  const scaled = parts.map(({ rows, columns, data }) => matrix(rows, columns, Float64Array.from(data)));
  for (let r = 0; r < terms.out.rows; r++) {
    const means = parts.map(({ columns }, i) => (powers[i]?.[r] ?? 0) / columns);
    const product = means.reduce((all, mean) => all * mean, 1);
    if (!(product > 0 && Number.isFinite(product))) continue;
    const common = Math.cbrt(product);
    for (const [i, { columns, data }] of scaled.entries()) {
      const scale = Math.sqrt(common / (means[i] ?? 1));
      for (let j = r * columns; j < (r + 1) * columns; j++) data[j] = (data[j] as number) * scale;
    }
  }
  const [out = terms.out, input = terms.input, tap = terms.tap] = scaled;
  return { out, input, tap };
}

/** From `before` to `now` and further by `share` of that way. */
export function extrapolate(now: Terms, before: Terms, share: number): Terms {
  const moved = (a: Matrix, b: Matrix): Matrix =>
    matrix(
      a.rows,
      a.columns,
      a.data.map((value, i) => value + share * (value - (b.data[i] as number))),
    );
  return { out: moved(now.out, before.out), input: moved(now.input, before.input), tap: moved(now.tap, before.tap) };
}
