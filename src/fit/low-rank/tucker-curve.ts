// Errors of Tucker-2 and of the spatial SVD for many ranks at once. The first layers are nested: the leading directions of the channels in
// the space in which patches are white. Behind the largest of them the equations are solved once; by the order of their unknowns the
// first rows of the triangular solution are those of every smaller rank.
import { dampedCholesky, solveLower } from '../../linalg/cholesky.js';
import { addProduct, blockOf, flipped } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { denseArray, unfold } from '../../linalg/unfolding.js';
import { orthonormalRows, project } from './input-side.js';
import { tailOf } from './output-pca.js';
import type { TensorProblem } from './tensor-problem.js';
import { whiten } from './whitening.js';

/**
 * Unknowns of the equations behind the first layer, and fewer of them for wide patches: beyond this, ranks are judged by the
 * covariances of channels and taps alone.
 */
const MOST_UNKNOWNS = { usual: 1152, wide: 576 } as const;
const WIDE = 2304;

/** Errors at pairs of ranks: of the first layer, and of the outputs (all of them for the spatial SVD). */
export async function tuckerErrors(problem: TensorProblem, grid: readonly (readonly number[])[]): Promise<number[]> {
  const { sizes } = problem;
  const wanted = [...new Set(grid.map(([rank = 1]) => Math.min(rank, sizes.channels)))].toSorted((a, b) => a - b);
  const unknowns = problem.rows.columns > WIDE ? MOST_UNKNOWNS.wide : MOST_UNKNOWNS.usual;
  const most = Math.max(1, Math.floor(unknowns / sizes.taps));
  const exact = wanted.filter((rank) => rank <= most);
  const sides = grid.every(([, outer = 1]) => outer >= sizes.outputs) ? 'input' : 'both';
  const inner = await channelDirections(problem, exact.at(-1) ?? 1);
  if (!inner) return grid.map(() => Infinity);
  const gains = await gainsByRank(problem, inner.directions, exact, sides);
  const energy = await problem.energy();
  const outputs = (await problem.outputEigen())?.values ?? new Float64Array(sizes.outputs);
  return grid.map(([rank = 1, outer = 1]) => {
    const found = gains.get(Math.min(rank, sizes.channels));
    if (found) return energy - found.reduce((sum, gain, i) => (i < outer ? sum + gain : sum), 0);
    // The part that each side keeps, as if they were independent.
    const kept = 1 - tailOf(inner.gains, rank) / Math.max(energy, Number.MIN_VALUE);
    return energy - Math.max(0, kept) * (energy - Math.max(0, tailOf(outputs, outer)));
  });
}

interface Directions {
  /** The leading ones: count x channels. */
  readonly directions: Matrix;
  /** What each takes from the energy where patches are white. */
  readonly gains: Float64Array;
}

async function channelDirections(problem: TensorProblem, count: number): Promise<Directions | undefined> {
  const white = await whiten(problem);
  const { outputs, channels, taps } = problem.sizes;
  const unfolded = unfold(denseArray([outputs, channels, taps], white.problem.rows.data), 1);
  const eigen = await problem.eigen(await problem.product(unfolded, transpose(unfolded)), count);
  if (!eigen) return undefined;
  const [own, total] = [await white.problem.energy(), await problem.energy()];
  const scale = own > 0 ? total / own : 0;
  return { directions: white.channels(eigen.vectors), gains: eigen.values.map((value) => Math.max(0, value) * scale) };
}

/** What each output direction takes from the energy, for each of the ranks; `input`: one number, that of all outputs together. */
async function gainsByRank(
  problem: TensorProblem,
  directions: Matrix,
  ranks: readonly number[],
  sides: 'input' | 'both',
): Promise<ReadonlyMap<number, Float64Array>> {
  const gains = new Map<number, Float64Array>();
  const largest = ranks.at(-1);
  if (largest === undefined) return gains;
  const { taps, outputs } = problem.sizes;
  const solution = await triangularSolution(problem, directions);
  if (!solution) return gains;
  const shared = matrix(outputs, outputs);
  let [from, total] = [0, 0];
  for (const rank of ranks) {
    const to = rank * taps;
    if (sides === 'input') {
      for (let i = from * outputs; i < to * outputs; i++) total += (solution.data[i] as number) ** 2;
      gains.set(rank, Float64Array.of(total));
    } else {
      const part = blockOf(solution, from, to, 0, outputs);
      addProduct(blockOf(shared, 0, outputs, 0, outputs), flipped(part), part, 1);
      const eigen = await problem.eigen(matrix(outputs, outputs, Float64Array.from(shared.data)), 1);
      if (eigen) gains.set(rank, eigen.values);
    }
    from = to;
  }
  return gains;
}

/** L^-1 (A x I) G W^T with L L^T = (A x I) G (A x I)^T: (R taps) x outputs. The squares of its first rows are what those ranks gain. */
async function triangularSolution(problem: TensorProblem, input: Matrix): Promise<Matrix | undefined> {
  if (!problem.gram) return transpose(await problem.mapChannels(problem.rows, orthonormalRows(input)));
  const { gram, cross } = await project(problem, problem.gram, input);
  const factor = dampedCholesky(gram);
  if (!factor) return undefined;
  const solution = transpose(cross);
  solveLower(factor.lower, solution);
  return solution;
}
