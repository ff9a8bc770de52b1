// A layer as a chain of smaller ones: the scheme's own solution under the metric, put into layers.
import { InternalError, invariant } from '../../base/errors.js';
import { multiply } from '../../linalg/gemm.js';
import { transpose, type Matrix } from '../../linalg/matrix.js';
import { termRows } from './cp.js';
import { cpUnderMetric } from './cp-outputs.js';
import type { Factorization, FactorScheme } from './factors.js';
import { outputBasis } from './output-pca.js';
import { chainOf, type LowRankProblem } from './problem.js';
import { fullRanks, isMerged, schemesFor } from './scheme-rules.js';
import type { TensorProblem } from './tensor-problem.js';
import { coreProblem, spatialProblem, tuckerFactors, tuckerRows } from './tucker.js';

/** One matrix per layer of the chain, and what they amount to together. */
export interface ChainMatrices {
  readonly links: readonly Matrix[];
  readonly composed: Matrix;
}

type Solver = (problem: TensorProblem, ranks: readonly number[]) => Promise<ChainMatrices>;

const SOLVERS: Readonly<Record<FactorScheme, Solver>> = {
  svd: solveSvd,
  'channel-svd': solveSvd,
  'spatial-svd': solveSpatial,
  'tucker-2': solveTucker,
  cp: solveCp,
  'tucker-cp': solveTuckerCp,
};

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
  const { links, composed } = await SOLVERS[scheme](problem.tensor, own);
  return chainOf(problem, scheme, own, links, composed);
}

async function solveSvd(problem: TensorProblem, [rank = 1]: readonly number[]): Promise<ChainMatrices> {
  const { inner, out } = finite(await outputBasis(problem)).factors(rank);
  return { links: [inner, out], composed: multiply(out, inner) };
}

async function solveSpatial(problem: TensorProblem, [rank = 1]: readonly number[]): Promise<ChainMatrices> {
  const apart = spatialProblem(problem);
  const found = finite(await tuckerFactors(apart, rank, apart.sizes.outputs));
  return { links: [found.input, found.core], composed: await tuckerRows(apart, found) };
}

async function solveTucker(problem: TensorProblem, ranks: readonly number[]): Promise<ChainMatrices> {
  const [inner = 1, outer = 1] = ranks;
  const found = finite(await tuckerFactors(problem, inner, outer));
  return { links: [found.input, found.core, found.out], composed: await tuckerRows(problem, found) };
}

async function solveCp(problem: TensorProblem, [rank = 1]: readonly number[]): Promise<ChainMatrices> {
  const { terms } = finite(await cpUnderMetric(problem, rank));
  return { links: [terms.input, terms.tap, transpose(terms.out)], composed: termRows(terms) };
}

/** Tucker-2, then its core by CP under the metric behind the first layer. */
async function solveTuckerCp(problem: TensorProblem, ranks: readonly number[]): Promise<ChainMatrices> {
  const [inner = 1, rank = 1, outer = 1] = ranks;
  const { channels, outputs } = problem.sizes;
  const tucker = finite(await tuckerFactors(problem, inner, outer));
  const { terms } = finite(await cpUnderMetric(await coreProblem(problem, tucker), rank));
  const merged = { input: multiply(terms.input, tucker.input), out: multiply(tucker.out, transpose(terms.out)) };
  const first = isMerged(channels, inner, rank) ? [merged.input] : [tucker.input, terms.input];
  const last = isMerged(outputs, outer, rank) ? [merged.out] : [transpose(terms.out), tucker.out];
  const composed = termRows({ input: merged.input, tap: terms.tap, out: transpose(merged.out) });
  return { links: [...first, terms.tap, ...last], composed };
}

function finite<T>(found: T | undefined): T {
  if (found === undefined) throw new InternalError('unexpected', 'a decomposition met numbers that are not finite');
  return found;
}
