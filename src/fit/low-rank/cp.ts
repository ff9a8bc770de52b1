// CP of a kernel: from the start of the tensor power method (or from leading directions, where that goes better), alternating least squares,
// and a correction that trades a little of the fit for terms that do not cancel each other (Phan et al. 2020: the least sensitivity within
// a bounded error).
import { createRng } from '../../base/rng.js';
import { dampedCholesky, solve } from '../../linalg/cholesky.js';
import { multiplyTransposed } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { denseArray, unfold } from '../../linalg/unfolding.js';
import { descend, type CpFactors } from './descent.js';
import { balance, penaltyOf, powerTerms, rowProducts, sensitivity, type Terms } from './rank-one-terms.js';
import type { TensorProblem } from './tensor-problem.js';

export interface CpOptions {
  /** Sweeps at most. */
  readonly sweeps?: number;
  /** Where to start; by the power method without it. */
  readonly start?: Terms;
}

const SWEEPS = 250;
/** Part of the sweeps after which the better start is known. */
const TRIAL = 0.15;
const CORRECTION_SWEEPS = 20;
/** Sweeps that take off less than this part of the error are the last. */
const LEAST_GAIN = 2e-5;
/** What the correction may add to the error: parts of it and of the energy, the latter where terms cancel each other `severely`. */
const CORRECTION = { error: 0.003, energy: 1e-10, severely: 10, severeEnergy: 1e-3 } as const;
/** From sweep to sweep of the correction the weight of the sensitivity grows by this. */
const WEIGHT_GROWTH = 1.5;
/** Multiplications of all sweeps: some 10 s. */
const MOST_MULTIPLICATIONS = 2e10;

/** CP under the plain metric, corrected. Undefined where numbers are not finite. */
export async function cpFactors(
  problem: TensorProblem,
  rank: number,
  options: CpOptions = {},
): Promise<CpFactors | undefined> {
  const found = await fitTerms(problem, rank, options);
  return found && correctTerms(problem, found);
}

/** Terms by least squares alone: from `start`, or from the better of two starts. Undefined where numbers are not finite. */
export async function fitTerms(
  problem: TensorProblem,
  rank: number,
  { sweeps = SWEEPS, start }: CpOptions = {},
): Promise<CpFactors | undefined> {
  const afford = Math.floor(MOST_MULTIPLICATIONS / (2 * rank * problem.rows.data.length));
  const most = Math.max(2, Math.min(sweeps, afford));
  const first = start ? [start] : [powerTerms(problem.rows, problem.sizes, rank), await spectralTerms(problem, rank)];
  const trial = Math.ceil(most * TRIAL);
  let best: CpFactors | undefined;
  for (const terms of first) {
    const begun = terms && (await alternate(problem, terms, 0));
    if (!begun || !Number.isFinite(begun.error)) continue;
    const tried = await descend(begun, (next) => alternate(problem, next, 0), { sweeps: trial, leastGain: LEAST_GAIN });
    if (!best || tried.error < best.error) best = tried;
  }
  return best && descend(best, (next) => alternate(problem, next, 0), { sweeps: most - trial, leastGain: LEAST_GAIN });
}

/** The leading directions of outputs and of channels side by side, with taps at random. */
async function spectralTerms(problem: TensorProblem, rank: number): Promise<Terms | undefined> {
  const { outputs, channels, taps } = problem.sizes;
  const unfolded = unfold(denseArray([outputs, channels, taps], problem.rows.data), 1);
  const outer = await problem.outputEigen();
  const inner = await problem.eigen(await problem.product(unfolded, transpose(unfolded)), Math.min(rank, channels));
  if (!outer || !inner) return undefined;
  const rng = createRng('spectral-terms');
  const tap = matrix(rank, taps);
  tap.data.forEach((_, i) => (tap.data[i] = rng.normal()));
  return { out: cycled(outer.vectors, rank), input: cycled(inner.vectors, rank), tap };
}

/** `count` rows, from the first again after the last. */
function cycled({ rows, columns, data }: Matrix, count: number): Matrix {
  const result = matrix(count, columns);
  for (let r = 0; r < count; r++) {
    const from = (r % rows) * columns;
    result.data.set(data.subarray(from, from + columns), r * columns);
  }
  return result;
}

/** The same with terms that cancel each other less: the least sensitivity that sweeps came by within the error that is allowed. */
export async function correctTerms(problem: TensorProblem, found: CpFactors): Promise<CpFactors> {
  const energy = await problem.energy();
  const allowed = found.error + allowance(found, energy);
  let [best, now, weight, felt] = [found, found, sensitivityWeight(found, energy), sensitivity(found.terms)];
  for (let sweep = 0; sweep < CORRECTION_SWEEPS; sweep++, weight *= WEIGHT_GROWTH) {
    const next = await alternate(problem, now.terms, weight);
    if (!next || !(next.error <= allowed)) break;
    now = next;
    const nextFelt = sensitivity(next.terms);
    if (nextFelt < felt) [best, felt] = [next, nextFelt];
  }
  return best;
}

function allowance({ terms, error }: CpFactors, energy: number): number {
  const part = cancellation(terms) > CORRECTION.severely ? CORRECTION.severeEnergy : CORRECTION.energy;
  return CORRECTION.error * error + part * energy;
}

/** The weight of the sensitivity in the sum of it and the error with which no lower sum has an error above what the correction may add. */
export function sensitivityWeight(found: CpFactors, energy: number): number {
  const felt = sensitivity(found.terms);
  return felt > 0 ? allowance(found, energy) / felt : 0;
}

/** Squares of the terms over the square of their sum: 1 where they are orthogonal, large where they cancel each other. */
export function cancellation({ out, input, tap }: Terms): number {
  const shared = normal(out, input);
  const own = multiplyTransposed(tap, tap);
  let [apart, together] = [0, 0];
  for (let i = 0; i < own.data.length; i++) {
    const product = (shared.data[i] as number) * (own.data[i] as number);
    together += product;
    if (i % (own.rows + 1) === 0) apart += product;
  }
  return together > 0 ? apart / together : 1;
}

/** One sweep: outputs, channels, taps. */
async function alternate(problem: TensorProblem, terms: Terms, weight: number): Promise<CpFactors | undefined> {
  const { rows } = problem;
  const seen = await problem.product(rowProducts(terms.input, terms.tap), transpose(rows));
  const out = solved(normal(terms.input, terms.tap), seen, penaltyOf(weight, terms.input, terms.tap));
  if (!out) return undefined;
  const passed = await problem.product(out, rows);
  const onTaps = contracted(passed, terms.tap, 'taps');
  const input = solved(normal(out, terms.tap), onTaps, penaltyOf(weight, out, terms.tap));
  if (!input) return undefined;
  const onChannels = contracted(passed, input, 'channels');
  const inner = normal(out, input);
  const tap = solved(inner, onChannels, penaltyOf(weight, out, input));
  if (!tap) return undefined;
  const own = multiplyTransposed(tap, tap);
  let error = await problem.energy();
  for (let i = 0; i < own.data.length; i++) error += (own.data[i] as number) * (inner.data[i] as number);
  for (let i = 0; i < tap.data.length; i++) error -= 2 * (tap.data[i] as number) * (onChannels.data[i] as number);
  return { terms: balance({ out, input, tap }), error: Math.max(0, error) };
}

/** (a a^T) * (b b^T), element by element. */
function normal(a: Matrix, b: Matrix): Matrix {
  const [left, right] = [multiplyTransposed(a, a), multiplyTransposed(b, b)];
  left.data.forEach((value, i) => (left.data[i] = value * (right.data[i] as number)));
  return left;
}

/** (N + diag(penalty))^-1 B */
export function solved(normalMatrix: Matrix, rhs: Matrix, penalty: Float64Array): Matrix | undefined {
  const { rows: n, data } = normalMatrix;
  const sum = matrix(n, n, Float64Array.from(data));
  for (let i = 0; i < n; i++) sum.data[i * n + i] = (sum.data[i * n + i] as number) + (penalty[i] ?? 0);
  const factor = dampedCholesky(sum, { damping: 1e-12 });
  return factor && solve(factor.lower, rhs);
}

/** Of R x (channels x taps): the sum over the axis with the vectors of each row; what is left is R x the other axis. */
export function contracted(rows: Matrix, vectors: Matrix, axis: 'channels' | 'taps'): Matrix {
  const own = vectors.columns;
  const left = rows.columns / own;
  const result = matrix(rows.rows, left);
  for (let r = 0; r < rows.rows; r++)
    for (let i = 0; i < left; i++) {
      let sum = 0;
      for (let j = 0; j < own; j++) {
        const at = r * rows.columns + (axis === 'taps' ? i * own + j : j * left + i);
        sum += (rows.data[at] as number) * (vectors.data[r * own + j] as number);
      }
      result.data[r * left + i] = sum;
    }
  return result;
}

/** The rows that terms amount to. */
export function termRows({ out, input, tap }: Terms): Matrix {
  return multiplyTransposed(transpose(out), transpose(rowProducts(input, tap)));
}
