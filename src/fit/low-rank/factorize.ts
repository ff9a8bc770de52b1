// A layer as a chain of smaller ones: the scheme's own solution under the metric, put into layers.
import { InternalError, invariant } from '../../base/errors.js';
import { multiply } from '../../linalg/gemm.js';
import type { Matrix } from '../../linalg/matrix.js';
import type { Factorization, FactorScheme } from './factors.js';
import { outputBasis } from './output-pca.js';
import { chainOf, type LowRankProblem } from './problem.js';
import { fullRanks, schemesFor } from './scheme-rules.js';
import type { TensorProblem } from './tensor-problem.js';

/** One matrix per layer of the chain, and what they amount to together. */
export interface ChainMatrices {
  readonly links: readonly Matrix[];
  readonly composed: Matrix;
}

type Solver = (problem: TensorProblem, ranks: readonly number[]) => Promise<ChainMatrices>;

const SOLVERS: Readonly<Partial<Record<FactorScheme, Solver>>> = { svd: solveSvd, 'channel-svd': solveSvd };

/**
 * The chain of a scheme with these ranks (`FactorScheme` says how many), as near to the layer as the metric has it. Ranks above
 * `fullRanks` are lowered to them; `ranks` of the result says what was used.
 * @throws InternalError where the scheme is not offered for the layer (`schemesFor`) or the number of ranks is wrong
 */
export async function factorize(
  problem: LowRankProblem,
  scheme: FactorScheme,
  ranks: readonly number[],
): Promise<Factorization> {
  invariant(schemesFor(problem.layer).offered.includes(scheme), `${scheme} is not offered for this layer`);
  const full = fullRanks(problem.layer, scheme);
  invariant(full.length === ranks.length, `${scheme} takes ${full.length} ranks, not ${ranks.length}`);
  const own = full.map((most, i) => Math.max(1, Math.min(most, Math.floor(ranks[i] ?? most))));
  const solver = SOLVERS[scheme];
  invariant(solver, `${scheme} is not there`);
  const { links, composed } = await solver(problem.tensor, own);
  return chainOf(problem, scheme, own, links, composed);
}

async function solveSvd(problem: TensorProblem, [rank = 1]: readonly number[]): Promise<ChainMatrices> {
  const basis = await outputBasis(problem);
  if (!basis) throw new InternalError('unexpected', 'a decomposition met numbers that are not finite');
  const { inner, out } = basis.factors(rank);
  return { links: [inner, out], composed: multiply(out, inner) };
}
