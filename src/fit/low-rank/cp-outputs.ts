// CP under the covariance of the patches: from the terms of the space in which patches are white as far as channels and taps go (or the
// plain ones of small layers, where they are better), by turns outputs, taps and channels, each by least squares, with the correction's penalty.
import { multiply, multiplyTransposed } from '../../linalg/gemm.js';
import { matrix, type Matrix } from '../../linalg/matrix.js';
import { conjugateGradients } from './conjugate-gradients.js';
import { contracted, sensitivityWeight, cpFactors, solved } from './cp.js';
import { descend, type CpFactors } from './descent.js';
import { project, separableInverse, type Projected } from './input-side.js';
import { balance, penaltyOf, rowProducts, type Terms } from './rank-one-terms.js';
import type { TensorProblem } from './tensor-problem.js';
import { separableGram, whiten, type SeparableGram } from './whitening.js';

const SWEEPS = 60;
/** Turns of outputs and taps for each of the channels, which cost far more. */
const TURNS = 2;
const STEPS_PER_SWEEP = 3;
/** What a turn costs, in steps. */
const TURN_STEPS = 2;
const TOLERANCE = 0.02;
/** Rank times weights up to which the plain terms are tried as a start too. */
const BOTH_STARTS = 5e6;
/** Sweeps of the starts. */
const START_SWEEPS = 100;
const LEAST_GAIN = 5e-4;
const MOST_MULTIPLICATIONS = 8e9;
/** Unknowns up to which the equations of the taps are solved at once. */
const DIRECT = 128;

/** Terms under the problem's metric. Undefined where numbers are not finite. */
export async function cpUnderMetric(problem: TensorProblem, rank: number): Promise<CpFactors | undefined> {
  const { gram, sizes } = problem;
  if (!gram) return cpFactors(problem, rank);
  const white = await whiten(problem);
  const found = await cpFactors(white.problem, rank, { sweeps: START_SWEEPS });
  const isLight = rank * problem.rows.data.length <= BOTH_STARTS;
  const plain =
    isLight || !found
      ? await cpFactors(problem.derived(sizes, problem.rows), rank, { sweeps: START_SWEEPS })
      : undefined;
  const starts: Terms[] = [];
  if (found) {
    const { out, input, tap } = found.terms;
    starts.push({ out, input: white.channels(input), tap: white.taps(tap) });
  }
  if (plain) starts.push(plain.terms);
  return refineTerms(problem, gram, starts, SWEEPS);
}

/** The best of some terms made better under the metric with the covariance `gram`. Undefined where numbers are not finite. */
export async function refineTerms(
  problem: TensorProblem,
  gram: Matrix,
  starts: readonly Terms[],
  sweeps: number,
): Promise<CpFactors | undefined> {
  const separable = separableGram(gram, problem.sizes);
  const context = { problem, gram, separable, energy: await problem.energy() };
  let best: CpFactors | undefined;
  for (const terms of starts) {
    const next = await turn(context, balance(terms), 0);
    if (next && !(best && best.error <= next.error)) best = next;
  }
  return best && refine(context, best, sweeps);
}

interface Context {
  readonly problem: TensorProblem;
  readonly gram: Matrix;
  readonly separable: SeparableGram;
  readonly energy: number;
}

async function refine(context: Context, start: CpFactors, most: number): Promise<CpFactors> {
  const { problem, energy } = context;
  const rank = start.terms.out.rows;
  const perStep = rank * problem.rows.columns * (problem.rows.columns + rank);
  const steps = Math.floor(MOST_MULTIPLICATIONS / perStep);
  const iterations = Math.max(1, Math.min(STEPS_PER_SWEEP, Math.floor(steps / 2)));
  const sweeps = Math.max(1, Math.min(most, Math.floor(steps / (iterations + TURN_STEPS))));
  const weight = sensitivityWeight(start, energy) / sweeps;
  const sweep = async (terms: Terms): Promise<CpFactors | undefined> => {
    const { out, tap } = terms;
    const input = await betterChannels(context, terms, { iterations, penalty: penaltyOf(weight, out, tap) });
    return turn(context, balance({ out, input, tap }), weight);
  };
  return descend(start, sweep, { sweeps, leastGain: LEAST_GAIN });
}

/** Channels nearer to what is best for these outputs and taps. */
async function betterChannels(
  { problem, gram, separable }: Context,
  { out, input, tap }: Terms,
  { iterations, penalty }: { readonly iterations: number; readonly penalty: Float64Array },
): Promise<Matrix> {
  const { channels } = problem.sizes;
  const outer = multiplyTransposed(out, out);
  const rhs = contracted(await problem.product(out, await problem.weighted()), tap, 'taps');
  const apply = async (x: Float64Array): Promise<Float64Array> => {
    const image = await problem.product(rowProducts(matrix(out.rows, channels, x), tap), gram);
    const result = contracted(await problem.product(outer, image), tap, 'taps').data;
    return result.map((value, i) => value + (penalty[Math.floor(i / channels)] ?? 0) * (x[i] as number));
  };
  const near = multiply(tap, multiplyTransposed(separable.tap, tap));
  near.data.forEach((value, i) => (near.data[i] = value * (outer.data[i] as number)));
  const precondition = separableInverse(near, separable.channel);
  const options = { precondition, iterations, tolerance: TOLERANCE };
  return matrix(out.rows, channels, await conjugateGradients(apply, rhs.data, input.data, options));
}

/** Outputs and taps for the channels that there are. */
async function turn(
  { problem, gram, separable, energy }: Context,
  terms: Terms,
  weight: number,
): Promise<CpFactors | undefined> {
  const projected = await project(problem, gram, terms.input);
  const channelPower = multiply(terms.input, multiplyTransposed(separable.channel, terms.input));
  let [out, tap, error]: [Matrix, Matrix, number] = [terms.out, terms.tap, Infinity];
  for (let i = 0; i < TURNS; i++) {
    const [power, seen] = outputEquations(projected, tap);
    const nextOut = solved(power, seen, penaltyOf(weight, terms.input, tap));
    if (!nextOut) return undefined;
    out = nextOut;
    error = energy + quadratic(power, out);
    for (let j = 0; j < out.data.length; j++) error -= 2 * (out.data[j] as number) * (seen.data[j] as number);
    if (i === TURNS - 1) break;
    const penalty = penaltyOf(weight, out, terms.input);
    const nextTap = await bestTaps(projected, { out, tap, penalty, channelPower, separable });
    if (!nextTap) return undefined;
    tap = nextTap;
  }
  return { terms: balance({ out, input: terms.input, tap }), error: Math.max(0, error) };
}

/** Z Z^T of the terms before their outputs, and what the targets have in common with them: R x outputs. */
function outputEquations({ gram, cross }: Projected, tap: Matrix): [Matrix, Matrix] {
  const { rows: rank, columns: taps, data } = tap;
  const [power, seen] = [matrix(rank, rank), matrix(rank, cross.rows)];
  for (let i = 0; i < gram.rows; i++) {
    const row = Math.floor(i / taps) * rank;
    const share = data[i] as number;
    for (let j = 0; j < gram.rows; j++) {
      const at = row + Math.floor(j / taps);
      power.data[at] =
        (power.data[at] as number) + share * (gram.data[i * gram.rows + j] as number) * (data[j] as number);
    }
    for (let o = 0; o < cross.rows; o++) {
      const at = Math.floor(i / taps) * cross.rows + o;
      seen.data[at] = (seen.data[at] as number) + share * (cross.data[o * cross.columns + i] as number);
    }
  }
  return [power, seen];
}

function quadratic(power: Matrix, out: Matrix): number {
  const product = multiply(power, out);
  let sum = 0;
  for (let i = 0; i < out.data.length; i++) sum += (product.data[i] as number) * (out.data[i] as number);
  return sum;
}

interface TapRequest {
  readonly out: Matrix;
  readonly tap: Matrix;
  readonly penalty: Float64Array;
  readonly channelPower: Matrix;
  readonly separable: SeparableGram;
}

async function bestTaps(
  { gram, cross }: Projected,
  { out, tap, penalty, channelPower, separable }: TapRequest,
): Promise<Matrix | undefined> {
  const { rows: rank, columns: taps } = tap;
  const outer = multiplyTransposed(out, out);
  const rhs = new Float64Array(rank * taps);
  for (let i = 0; i < rhs.length; i++) {
    const row = Math.floor(i / taps) * out.columns;
    let sum = 0;
    for (let o = 0; o < out.columns; o++)
      sum += (out.data[row + o] as number) * (cross.data[o * cross.columns + i] as number);
    rhs[i] = sum;
  }
  const normal = matrix(gram.rows, gram.rows);
  for (let i = 0, at = 0; i < gram.rows; i++) {
    const row = Math.floor(i / taps) * rank;
    for (let j = 0; j < gram.rows; j++, at++)
      normal.data[at] = (gram.data[at] as number) * (outer.data[row + Math.floor(j / taps)] as number);
  }
  const spread = Float64Array.from(rhs, (_, i) => penalty[Math.floor(i / taps)] ?? 0);
  if (normal.rows <= DIRECT) {
    const found = solved(normal, matrix(rhs.length, 1, rhs), spread);
    return found && matrix(rank, taps, found.data);
  }
  const apply = (x: Float64Array): Float64Array => {
    const image = timesVector(normal, x);
    return image.map((value, i) => value + (spread[i] ?? 0) * (x[i] as number));
  };
  const near = matrix(
    rank,
    rank,
    channelPower.data.map((value, i) => value * (outer.data[i] as number)),
  );
  const precondition = separableInverse(near, separable.tap);
  const options = { precondition, iterations: 20, tolerance: 1e-4 };
  return matrix(rank, taps, await conjugateGradients(apply, rhs, tap.data, options));
}

function timesVector({ rows, columns, data }: Matrix, x: Float64Array): Float64Array {
  const result = new Float64Array(rows);
  for (let i = 0, at = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += (data[at++] as number) * (x[j] as number);
    result[i] = sum;
  }
  return result;
}
