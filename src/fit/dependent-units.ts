// Which units are combinations of others: Cholesky factorization with pivoting of the correlations between channels (as a QR
// factorization of the channels themselves would find; LinDeps). Each step takes the unit that the ones taken before explain
// least; what they leave unexplained of it says how far it is from their span.
import { invariant } from '../base/errors.js';
import { matrix, packedRow, type Matrix } from '../linalg/matrix.js';
import type { Moments } from './rank-update.js';

/** The channels of one value. */
export interface DependencePart {
  /** Of the channels, in order; the constant last. */
  readonly moments: Moments;
  /** By unit, its channels. Others of the value stay: they are taken first. */
  readonly channels: readonly (readonly number[])[];
  /** `absorbed`: a constant may be part of the combination (whoever reads the value has a bias that takes it). */
  readonly constants: 'absorbed' | 'kept';
}

export interface UnitDependence {
  /** The most dependent unit first: the opposite of the order in which they are taken. */
  readonly order: readonly number[];
  /**
   * By unit: the part of its energy, 0 to 1, that the units taken before it do not explain; of the worst of its channels.
   * Those with at most r can all be combined from the others with at most r lost of each.
   */
  readonly residuals: Float64Array;
  /** At k: the mean of what is unexplained of all units when the first k of `order` are left out. */
  readonly errors: Float64Array;
}

/** Below this part of its energy a channel is taken for zero, or for a constant: rounding of float32 is as large. */
const NOTHING = 1e-12;

/** Undefined when the moments are not finite or empty. */
export function unitDependence(parts: readonly DependencePart[], units: number): UnitDependence | undefined {
  const states: PivotedPart[] = [];
  for (const part of parts) {
    invariant(part.channels.length === units, `channels of ${part.channels.length} units for ${units}`);
    const correlations = correlationsOf(part);
    if (!correlations) return undefined;
    states.push(new PivotedPart(correlations, part.channels));
  }
  const left = new Set(Array.from({ length: units }, (_, unit) => unit));
  const residuals = new Float64Array(units);
  const errors = new Float64Array(units + 1);
  const taken: number[] = [];
  const worst = (unit: number): number => Math.max(0, ...states.map((state) => state.residual(unit)));
  while (left.size > 0) {
    let [next, most, sum] = [-1, -1, 0];
    for (const unit of left) {
      const residual = worst(unit);
      sum += residual;
      if (residual > most) [next, most] = [unit, residual];
    }
    errors[left.size] = sum / units;
    left.delete(next);
    residuals[next] = most;
    taken.push(next);
    for (const state of states) state.take(next);
  }
  return { order: taken.toReversed(), residuals, errors };
}

/** Correlations with ones on the diagonal; zeros in rows and columns of channels that hold nothing (or one number). */
function correlationsOf({ moments, constants }: DependencePart): Matrix | undefined {
  const { columns, gram, rows } = moments;
  const size = columns - 1;
  if (rows === 0 || !gram.every((value) => Number.isFinite(value))) return undefined;
  const element = (i: number, j: number): number => gram[packedRow(columns, i) + j] ?? 0;
  const sums = Float64Array.from({ length: size }, (_, i) => (constants === 'absorbed' ? element(i, size) : 0));
  const scale = sums.map((sum, i) => {
    const energy = element(i, i);
    const varying = energy - (sum * sum) / rows;
    return varying > NOTHING * energy ? 1 / Math.sqrt(varying) : 0;
  });
  const result = matrix(size, size);
  for (let i = 0; i < size; i++) {
    // Exactly, so that rounding does not choose between equals.
    result.data[i * size + i] = scale[i] === 0 ? 0 : 1;
    for (let j = i + 1; j < size; j++) {
      const value = element(i, j) - ((sums[i] ?? 0) * (sums[j] ?? 0)) / rows;
      const correlation = value * (scale[i] ?? 0) * (scale[j] ?? 0);
      result.data[i * size + j] = correlation;
      result.data[j * size + i] = correlation;
    }
  }
  return result;
}

class PivotedPart {
  readonly #correlations: Matrix;
  readonly #channels: DependencePart['channels'];
  /** Row per channel, column per channel taken. */
  readonly #factor: Matrix;
  readonly #left: Float64Array;
  #taken = 0;

  constructor(correlations: Matrix, channels: DependencePart['channels']) {
    const size = correlations.rows;
    this.#correlations = correlations;
    this.#channels = channels;
    this.#factor = matrix(size, size);
    this.#left = Float64Array.from({ length: size }, (_, i) => correlations.data[i * size + i] ?? 0);
    const own = new Set(channels.flat());
    for (let channel = 0; channel < size; channel++) if (!own.has(channel)) this.#takeChannel(channel);
  }

  residual(unit: number): number {
    return (this.#channels[unit] ?? []).reduce((most, channel) => Math.max(most, this.#left[channel] ?? 0), 0);
  }

  take(unit: number): void {
    for (const channel of this.#channels[unit] ?? []) this.#takeChannel(channel);
  }

  #takeChannel(channel: number): void {
    const { rows: size, data } = this.#factor;
    const pivot = this.#left[channel] ?? 0;
    this.#left[channel] = 0;
    if (!(pivot > NOTHING)) return;
    const root = Math.sqrt(pivot);
    const column = this.#taken++;
    const own = channel * size;
    for (let i = 0; i < size; i++) {
      if (i !== channel && this.#left[i] === 0) continue;
      const row = i * size;
      let value = this.#correlations.data[own + i] as number;
      for (let k = 0; k < column; k++) value -= (data[row + k] as number) * (data[own + k] as number);
      const share = i === channel ? root : value / root;
      data[row + column] = share;
      if (i !== channel) this.#left[i] = Math.max(0, (this.#left[i] as number) - share * share);
    }
  }
}
