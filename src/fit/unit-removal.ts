// The order in which units leave the inputs of linear layers, and what is lost after each of them when the rest takes over:
// greedy block form of the optimal brain surgeon. With H = G + lam D, G the mean of x x^T, columns S of a unit go at the cost
// tr(W_S Hi_SS^-1 W_S^T), Hi = H^-1; then W -= W_S Hi_SS^-1 Hi_S: and Hi -= Hi_:S Hi_SS^-1 Hi_S:. The costs of one unit after the
// other add up to the least of the damped error for the whole set, so that the curve is exact for the sets on it.
import { invariant } from '../base/errors.js';
import { dampedCholesky, invert, solve } from '../linalg/cholesky.js';
import { addProduct, blockOf, flipped } from '../linalg/gemm.js';
import { matrix, transpose, unpackSymmetric, type Matrix } from '../linalg/matrix.js';
import type { Moments } from './rank-update.js';

/** One set of equations: a layer, a group of it, or a run of its channels. */
export interface RemovalPart {
  readonly moments: Moments;
  /** Outputs x columns, the bias last. */
  readonly rows: Matrix;
  /** By unit, the columns that go with it: none where it is not read here. */
  readonly columns: readonly (readonly number[])[];
  /** What the part's error is multiplied with before it is added to those of the others. */
  readonly weight: number;
}

export interface RemovalOptions {
  /** Part of the mean of G's diagonal (without the bias) that is added to it; raised until it can be inverted. Default 1e-4. */
  readonly lambda?: number;
  /**
   * `sample` (default): errors as they are at the positions that were summed. `unseen`: as they are to be expected elsewhere,
   * by generalized cross-validation, error / (1 - p / rows)^2 with p = tr(G H^-1) parameters; lambda is raised until p is at
   * most half the rows. Fewer rows than columns would make every unit look dispensable.
   */
  readonly estimate?: 'sample' | 'unseen';
}

export interface RemovalCurve {
  /** Every unit once: the first leaves first. */
  readonly order: readonly number[];
  /** At k: the error without the first k units, after the refit; one more than there are units, 0 at first. */
  readonly errors: Float64Array;
}

const DEFAULT_LAMBDA = 1e-4;
/** With fewer rows than columns there is no use in trying less than this. */
const STARVED_LAMBDA = 1e-2;
/** The damping at which more is no help. */
const MOST_DAMPING = 1e3;
/** Of 1 - p / rows: where there are next to no rows, the estimate is as rough as this. */
const LEAST_FREEDOM = 0.1;
/** Rows of the inverse that are updated at a time. */
const PANEL = 192;

/**
 * Removes all `units` one after the other, always the one that costs least (the first of equals). Errors are means over
 * the positions of the moments of the squared change of the outputs, summed over outputs, weighted over parts; without
 * what the damping adds. Undefined when the moments are not finite or empty.
 */
export function removalCurve(
  parts: readonly RemovalPart[],
  units: number,
  options: RemovalOptions = {},
): RemovalCurve | undefined {
  const states: PartState[] = [];
  for (const part of parts) {
    invariant(part.columns.length === units, `columns of ${part.columns.length} units for ${units}`);
    const state = PartState.of(part, options);
    if (!state) return undefined;
    states.push(state);
  }
  const left = new Set(Array.from({ length: units }, (_, unit) => unit));
  const order: number[] = [];
  const errors = new Float64Array(units + 1);
  while (left.size > 0) {
    const unit = cheapest(left, states);
    if (unit === undefined) return undefined;
    left.delete(unit);
    for (const state of states) state.remove(unit, left);
    order.push(unit);
    errors[order.length] = states.reduce((sum, state) => sum + state.weight * state.error(), 0);
  }
  return { order, errors };
}

/** Undefined where a cost is no number. */
function cheapest(left: ReadonlySet<number>, states: readonly PartState[]): number | undefined {
  let best: number | undefined;
  let least = Infinity;
  for (const unit of left) {
    const cost = states.reduce((sum, state) => sum + state.weight * state.cost(unit), 0);
    if (!Number.isFinite(cost)) return undefined;
    if (cost < least) [best, least] = [unit, cost];
  }
  return best;
}

/** Columns that are left stand in front: where one leaves, the last takes its place. */
class PartState {
  readonly weight: number;
  readonly #columns: RemovalPart['columns'];
  /** Lower triangle of the inverse, by position. */
  readonly #inverse: Matrix;
  /** Weights now and at first, one row per position. */
  readonly #now: Matrix;
  readonly #first: Matrix;
  /** Position of each column, and the column at each position. */
  readonly #positions: Int32Array;
  readonly #at: Int32Array;
  /** What was added to the diagonal. */
  readonly #damping: number;
  /** Rows that the error is estimated from; infinite where it is taken as it is. */
  readonly #samples: number;
  readonly #costs: Float64Array;
  /** By unit, the squared length of its weights at first. */
  readonly #lengths: Float64Array;
  #left: number;
  #dampedError = 0;
  /** Squared change of the weights, of removed columns and of those left. */
  #removed = 0;
  #moved = 0;

  static of(
    { moments, rows, columns, weight }: RemovalPart,
    { lambda = DEFAULT_LAMBDA, estimate = 'sample' }: RemovalOptions,
  ): PartState | undefined {
    const size = moments.columns;
    invariant(rows.columns === size, `rows of ${rows.columns} for moments of ${size} columns`);
    if (moments.rows === 0) return undefined;
    const gram = unpackSymmetric(moments.gram, size);
    gram.data.forEach((value, i) => (gram.data[i] = value / moments.rows));
    const mean = meanDiagonal(gram, size - 1);
    const samples = estimate === 'unseen' ? moments.rows : Infinity;
    let asked = samples < size ? Math.max(lambda, STARVED_LAMBDA) : lambda;
    for (;;) {
      const factor = dampedCholesky(gram, { damping: asked, undamped: [size - 1] });
      if (!factor) return undefined;
      const damping = factor.damping * (mean > 0 ? mean : 1);
      const inverse = invert(factor.lower);
      if (parameters(inverse, size, size - 1, damping) <= samples / 2 || factor.damping >= MOST_DAMPING)
        return new PartState(inverse, transpose(rows), columns, { weight, damping, samples });
      asked = Math.max(factor.damping, DEFAULT_LAMBDA) * 10;
    }
  }

  private constructor(
    inverse: Matrix,
    weights: Matrix,
    columns: RemovalPart['columns'],
    { weight, damping, samples }: { readonly weight: number; readonly damping: number; readonly samples: number },
  ) {
    this.weight = weight;
    this.#damping = damping;
    this.#samples = samples;
    this.#columns = columns;
    this.#inverse = inverse;
    this.#now = weights;
    this.#first = matrix(weights.rows, weights.columns, Float64Array.from(weights.data));
    this.#left = inverse.rows;
    this.#positions = Int32Array.from({ length: inverse.rows }, (_, i) => i);
    this.#at = Int32Array.from(this.#positions);
    const { columns: outputs, data } = weights;
    this.#lengths = Float64Array.from(columns, (own) =>
      own.reduce((sum, column) => sum + squares(data, column, outputs), 0),
    );
    this.#costs = Float64Array.from(columns, (_, unit) => this.#costOf(unit));
  }

  /**
   * By how much the error grows when the unit leaves, the damping of what is left included and that of the weights that
   * leave not: they would make a dead unit of large weights dear.
   */
  cost(unit: number): number {
    return (this.#costs[unit] ?? 0) - this.#damping * (this.#lengths[unit] ?? 0);
  }

  /** The squared change of the outputs: what the damped error holds besides the damping. */
  error(): number {
    const error = Math.max(0, this.#dampedError - this.#damping * (this.#removed + this.#moved));
    if (this.#samples === Infinity) return error;
    const used = parameters(this.#inverse, this.#left, this.#positions.at(-1), this.#damping);
    return error / Math.max(LEAST_FREEDOM, 1 - used / this.#samples) ** 2;
  }

  remove(unit: number, left: ReadonlySet<number>): void {
    const positions = this.#positionsOf(unit);
    if (positions.length === 0) return;
    this.#dampedError += this.#costs[unit] ?? 0;
    this.#removed += this.#lengths[unit] ?? 0;
    const across = this.#inverseRows(positions);
    const factor = dampedCholesky(this.#inverseBlock(positions));
    if (!factor) return void this.#costs.fill(Number.NaN);
    const shares = solve(factor.lower, across);
    this.#lowerInverse(across, shares);
    this.#moved = this.#moveWeights(positions, shares);
    for (const position of positions.toSorted((a, b) => b - a)) this.#drop(position);
    for (const other of left) this.#costs[other] = this.#costOf(other);
  }

  #positionsOf(unit: number): number[] {
    return (this.#columns[unit] ?? []).map((column) => this.#positions[column] as number);
  }

  #costOf(unit: number): number {
    const positions = this.#positionsOf(unit);
    const { columns: outputs, data } = this.#now;
    const dot = (i: number, j: number): number => {
      let sum = 0;
      for (let a = i * outputs, b = j * outputs, end = a + outputs; a < end; a++, b++)
        sum += (data[a] as number) * (data[b] as number);
      return sum;
    };
    const [only] = positions;
    if (only === undefined) return 0;
    if (positions.length === 1) return dot(only, only) / this.#inverseAt(only, only);
    const size = positions.length;
    const products = new Float64Array(size * size);
    for (const [i, p] of positions.entries())
      for (let j = 0; j <= i; j++) {
        const product = dot(p, positions[j] as number);
        products[i * size + j] = product;
        products[j * size + i] = product;
      }
    const block = this.#inverseBlock(positions);
    const cost = traceOfQuotient(Float64Array.from(block.data), Float64Array.from(products), size);
    if (cost !== undefined) return cost;
    const factor = dampedCholesky(block);
    if (!factor) return Number.NaN;
    const solved = solve(factor.lower, matrix(size, size, products));
    return positions.reduce((sum, _, i) => sum + (solved.data[i * size + i] as number), 0);
  }

  #inverseAt(i: number, j: number): number {
    const { columns, data } = this.#inverse;
    return data[i >= j ? i * columns + j : j * columns + i] as number;
  }

  #inverseBlock(positions: readonly number[]): Matrix {
    const size = positions.length;
    const block = matrix(size, size);
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++)
        block.data[i * size + j] = this.#inverseAt(positions[i] as number, positions[j] as number);
    return block;
  }

  #inverseRows(positions: readonly number[]): Matrix {
    const rows = matrix(positions.length, this.#left);
    for (const [r, i] of positions.entries())
      for (let j = 0; j < this.#left; j++) rows.data[r * this.#left + j] = this.#inverseAt(i, j);
    return rows;
  }

  /** The inverse less across^T shares, in the lower triangle. */
  #lowerInverse(across: Matrix, shares: Matrix): void {
    const { columns: pitch, data } = this.#inverse;
    const size = across.rows;
    if (size === 1) {
      for (let i = 0; i < this.#left; i++) {
        const factor = across.data[i] as number;
        for (let j = 0, at = i * pitch; j <= i; j++, at++)
          data[at] = (data[at] as number) - factor * (shares.data[j] as number);
      }
      return;
    }
    for (let from = 0; from < this.#left; from += PANEL) {
      const to = Math.min(this.#left, from + PANEL);
      const left = flipped(blockOf(across, 0, size, from, to));
      addProduct(blockOf(this.#inverse, from, to, 0, to), left, blockOf(shares, 0, size, 0, to), -1);
    }
  }

  /** Gives the weights that stay their shares of those that leave. Returns the squared change of all that stay but the bias. */
  #moveWeights(positions: readonly number[], shares: Matrix): number {
    const { columns: outputs, data } = this.#now;
    const first = this.#first.data;
    const leaving = positions.map((p) => data.slice(p * outputs, (p + 1) * outputs));
    const uncounted = new Set([...positions, this.#positions.at(-1)]);
    let moved = 0;
    for (let j = 0; j < this.#left; j++) {
      const start = j * outputs;
      for (const [s, row] of leaving.entries()) {
        const share = shares.data[s * shares.columns + j] as number;
        for (let o = 0, at = start; o < outputs; o++, at++)
          data[at] = (data[at] as number) - share * (row[o] as number);
      }
      if (uncounted.has(j)) continue;
      for (let at = start; at < start + outputs; at++) moved += ((data[at] as number) - (first[at] as number)) ** 2;
    }
    return moved;
  }

  #drop(position: number): void {
    const { columns: outputs } = this.#now;
    const { columns: pitch, data } = this.#inverse;
    const last = --this.#left;
    if (last === position) return;
    for (let j = 0; j < position; j++) data[position * pitch + j] = data[last * pitch + j] as number;
    for (let i = position + 1; i < last; i++) data[i * pitch + position] = data[last * pitch + i] as number;
    data[position * pitch + position] = data[last * pitch + last] as number;
    for (const weights of [this.#now, this.#first])
      weights.data.copyWithin(position * outputs, last * outputs, (last + 1) * outputs);
    const column = this.#at[last] as number;
    this.#at[position] = column;
    this.#positions[column] = position;
  }
}

/** tr(G H^-1) of the first `count` columns: all of them less what the damping takes away; the bias is not damped. */
function parameters({ columns, data }: Matrix, count: number, bias: number | undefined, damping: number): number {
  let trace = 0;
  for (let i = 0; i < count; i++) if (i !== bias) trace += data[i * columns + i] as number;
  return count - damping * trace;
}

function meanDiagonal({ columns, data }: Matrix, count: number): number {
  let trace = 0;
  for (let i = 0; i < count; i++) trace += data[i * columns + i] ?? 0;
  return trace / Math.max(1, count);
}

/**
 * tr(A^-1 M) of symmetric matrices of this size, row by row; both are overwritten. Undefined where A is not positive definite.
 */
function traceOfQuotient(a: Float64Array, m: Float64Array, size: number): number | undefined {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * size + j] as number;
      for (let k = 0; k < j; k++) sum -= (a[i * size + k] as number) * (a[j * size + k] as number);
      if (i === j && !(sum > 0)) return undefined;
      a[i * size + j] = i === j ? Math.sqrt(sum) : sum / (a[j * size + j] as number);
    }
  }
  solveLower(a, m, size, size, 1);
  // (L^-1 M) L^-T: its trace is that of A^-1 M.
  solveLower(a, m, size, 1, size);
  let trace = 0;
  for (let i = 0; i < size; i++) trace += m[i * size + i] as number;
  return trace;
}

/** L^-1 from the left: of element (i, j) at i `down` + j `right`. */
function solveLower(lower: Float64Array, m: Float64Array, size: number, down: number, right: number): void {
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < size; i++) {
      let sum = m[i * down + j * right] as number;
      for (let k = 0; k < i; k++) sum -= (lower[i * size + k] as number) * (m[k * down + j * right] as number);
      m[i * down + j * right] = sum / (lower[i * size + i] as number);
    }
  }
}

/** Squared length of a row. */
function squares(data: Float64Array, row: number, columns: number): number {
  let sum = 0;
  for (let at = row * columns; at < (row + 1) * columns; at++) sum += (data[at] as number) ** 2;
  return sum;
}
