// Tucker-2, K = U core (A x I): HOSVD and HOOI where the metric is plain, or in the space in which the patches are white as far as
// channels and taps go; then under the covariance itself by turns core and U for A (reduced-rank regression, in closed form) and A
// for these (conjugate gradients). With all outputs kept and the kernel's first axis taken to the channels it is the spatial SVD.
import { dampedCholesky, solve } from '../../linalg/cholesky.js';
import { multiply, multiplyTransposed } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { denseArray, unfold } from '../../linalg/unfolding.js';
import { improveInput, orthonormalRows, project } from './input-side.js';
import { firstRows } from './output-pca.js';
import type { TensorProblem } from './tensor-problem.js';
import { separableGram, whiten } from './whitening.js';

export interface TuckerFactors {
  /** R1 x channels. */
  readonly input: Matrix;
  /** R2 x (R1 taps). */
  readonly core: Matrix;
  /** Outputs x R2. */
  readonly out: Matrix;
  /** tr((W - K) G (W - K)^T). */
  readonly error: number;
}

const HOOI_SWEEPS = 3;
const METRIC_SWEEPS = 6;
const STEPS_PER_SWEEP = 6;
/** Multiplications that the steps of one decomposition may take: some 10 s where the runtime does not make them. */
const MOST_MULTIPLICATIONS = 1.5e10;
/** A sweep that takes off less than this part of the error is the last. */
const LEAST_GAIN = 2e-3;

/** Undefined where numbers are not finite. */
export async function tuckerFactors(
  problem: TensorProblem,
  inner: number,
  outer: number,
): Promise<TuckerFactors | undefined> {
  const start = await startingInput(problem, inner, outer);
  const first = start && (await bestRest(problem, start, outer));
  const { gram, sizes } = problem;
  if (!first || !gram) return first;
  const plain = await startingInput(problem.derived(sizes, problem.rows), inner, outer);
  const other = plain && (await bestRest(problem, plain, outer));
  let best = other && other.error < first.error ? other : first;
  const separable = separableGram(gram, sizes);
  const perStep = inner * problem.rows.columns ** 2;
  const steps = Math.floor(MOST_MULTIPLICATIONS / perStep);
  const iterations = Math.max(1, Math.min(STEPS_PER_SWEEP, Math.floor(steps / 2)));
  for (let sweep = 0, left = steps; sweep < METRIC_SWEEPS && left > 0; sweep++, left -= iterations + 1) {
    const decoder = multiply(best.out, best.core);
    const improved = await improveInput(problem, best.input, decoder, { gram, separable, iterations });
    const next = await bestRest(problem, orthonormalRows(improved), outer);
    if (!next || !(next.error < best.error)) break;
    const isLast = best.error - next.error < LEAST_GAIN * best.error;
    best = next;
    if (isLast) break;
  }
  return best;
}

/** A of the space that is white as far as channels and taps go. */
export async function startingInput(problem: TensorProblem, inner: number, outer: number): Promise<Matrix | undefined> {
  const white = await whiten(problem);
  const { sizes } = white.problem;
  if (inner >= sizes.channels) return identity(sizes.channels);
  let input: Matrix | undefined;
  for (let sweep = 0; sweep < HOOI_SWEEPS; sweep++) {
    const seen = await visibleOutputs(white.problem, input, outer);
    const unfolded = seen && unfold(denseArray([seen.rows, sizes.channels, sizes.taps], seen.data), 1);
    const eigen = unfolded && (await problem.eigen(await problem.product(unfolded, transpose(unfolded)), inner));
    if (!eigen) return undefined;
    input = firstRows(eigen.vectors, inner);
    if (outer >= sizes.outputs) break;
  }
  return input && orthonormalRows(white.channels(input));
}

/** The rows in the leading `count` directions of the outputs, of what `input` lets through. */
async function visibleOutputs(
  problem: TensorProblem,
  input: Matrix | undefined,
  count: number,
): Promise<Matrix | undefined> {
  if (count >= problem.sizes.outputs) return problem.rows;
  const passed = input ? await problem.mapChannels(problem.rows, input) : problem.rows;
  const eigen = input
    ? await problem.eigen(await problem.product(passed, transpose(passed)), count)
    : await problem.outputEigen();
  return eigen && problem.product(firstRows(eigen.vectors, count), problem.rows);
}

function identity(size: number): Matrix {
  const result = matrix(size, size);
  for (let i = 0; i < size; i++) result.data[i * size + i] = 1;
  return result;
}

/** The rows behind A that are best without a limit on their rank: outputs x (R1 taps), and W G (A x I)^T. */
interface FullRest {
  readonly full: Matrix;
  readonly cross: Matrix;
}

/** Where the metric is plain the rows of A are orthonormal. */
async function fullRest(problem: TensorProblem, input: Matrix): Promise<FullRest | undefined> {
  if (!problem.gram) {
    const cross = await problem.mapChannels(problem.rows, input);
    return { full: cross, cross };
  }
  const { gram, cross } = await project(problem, problem.gram, input);
  const factor = dampedCholesky(gram);
  return factor && { full: transpose(solve(factor.lower, transpose(cross))), cross };
}

async function bestRest(problem: TensorProblem, input: Matrix, outer: number): Promise<TuckerFactors | undefined> {
  const rest = await fullRest(problem, input);
  if (!rest) return undefined;
  const { full, cross } = rest;
  const energy = await problem.energy();
  if (outer >= full.rows) {
    const gain = full.data.reduce((sum, value, i) => sum + value * (cross.data[i] as number), 0);
    return { input, core: full, out: identity(full.rows), error: Math.max(0, energy - gain) };
  }
  const eigen = await problem.eigen(multiplyTransposed(full, cross), outer);
  if (!eigen) return undefined;
  const basis = firstRows(eigen.vectors, outer);
  const error = eigen.values.reduce((sum, value, i) => (i < outer ? sum - Math.max(0, value) : sum), energy);
  return { input, core: multiply(basis, full), out: transpose(basis), error: Math.max(0, error) };
}

/** The rows that the factors amount to. */
export async function tuckerRows(problem: TensorProblem, { input, core, out }: TuckerFactors): Promise<Matrix> {
  return problem.mapChannels(await problem.product(out, core), transpose(input));
}

/** The kernel's first long axis taken to the channels: a first layer along it sees (channel, position) pairs. */
export function spatialProblem(problem: TensorProblem): TensorProblem {
  const { sizes } = problem;
  const axis = sizes.kernel.findIndex((size) => size > 1);
  const along = sizes.kernel[axis] ?? 1;
  const kernel = sizes.kernel.with(axis, 1);
  return problem.regrouped({ ...sizes, channels: sizes.channels * along, taps: sizes.taps / along, kernel });
}

/** What is left to decompose behind the first layer and before the last one: the core, under the metric there. */
export async function coreProblem(problem: TensorProblem, { input, core }: TuckerFactors): Promise<TensorProblem> {
  const sizes = { ...problem.sizes, channels: input.rows, outputs: core.rows };
  const behind = problem.gram && (await project(problem, problem.gram, input));
  return problem.derived(sizes, core, behind?.gram);
}
