// Error against rank, for planning: what a scheme would lose at many ranks, without making the chains. Errors are relative to the
// layer's energy under the metric, so that they can be compared between schemes and layers.
import { fullRanks } from './scheme-rules.js';
import type { FactorScheme } from './factors.js';
import { cpCurve } from './cp-curve.js';
import { outputBasis, tailOf } from './output-pca.js';
import type { LowRankProblem } from './problem.js';
import { spatialProblem } from './tucker.js';
import { tuckerErrors } from './tucker-curve.js';
import type { LinearLayer } from '../patch-geometry.js';

export interface CurvePoint {
  readonly ranks: readonly number[];
  /** Mean squared error of the output over its variance, or of the weights over their sum of squares. */
  readonly error: number;
}

type RankGrid = readonly (readonly number[])[];
type Curve = (problem: LowRankProblem, grid: RankGrid) => Promise<number[]>;

const CURVES: Readonly<Record<FactorScheme, Curve>> = {
  svd: svdErrors,
  'channel-svd': svdErrors,
  'spatial-svd': spatialErrors,
  'tucker-2': ({ tensor }, grid) => tuckerErrors(tensor, grid),
  cp: cpErrors,
  'tucker-cp': tuckerCpErrors,
};

/** A point for each of the ranks of `grid` (`rankGrid`); squared errors, without the metric's energy where there is none. */
export async function errorCurve(
  problem: LowRankProblem,
  scheme: FactorScheme,
  grid: RankGrid = rankGrid(problem.layer, scheme),
): Promise<CurvePoint[]> {
  const errors = await CURVES[scheme](problem, grid);
  const scale = problem.energy > 0 ? 1 / problem.energy : 1;
  return grid.map((ranks, i) => ({ ranks, error: (problem.floor + Math.max(0, errors[i] ?? 0)) * scale }));
}

/** Ranks to look at: some 24 per rank of schemes with one, 8 x 8 of those with two; multiples of 4 or 8 where there are enough. */
export function rankGrid(layer: LinearLayer, scheme: FactorScheme): number[][] {
  const full = fullRanks(layer, scheme);
  const [first = 1, second = 1, third = 1] = full;
  const most = Math.max(layer.inputs, layer.outputs);
  if (scheme === 'cp') return steps(Math.min(first, 2 * most), 8).map((rank) => [rank]);
  if (full.length === 1) return steps(first, 24).map((rank) => [rank]);
  if (full.length === 2) return steps(first, 8).flatMap((inner) => steps(second, 8).map((outer) => [inner, outer]));
  return steps(first, 3).flatMap((inner) =>
    steps(third, 3).flatMap((outer) => steps(Math.min(second, 2 * most), 4).map((rank) => [inner, rank, outer])),
  );
}

/** Up to `count` ranks below `most`, evenly, in multiples of 8 or 4 where the steps are that long; then `most`. */
function steps(most: number, count: number): number[] {
  const ideal = most / count;
  const unit = ideal >= 8 ? 8 : ideal >= 4 ? 4 : 1;
  const ranks = Array.from({ length: count }, (_, i) => Math.max(1, Math.round(((i + 1) * ideal) / unit) * unit));
  return [...new Set([...ranks.filter((rank) => rank < most), most])];
}

async function svdErrors({ tensor }: LowRankProblem, grid: RankGrid): Promise<number[]> {
  const basis = await outputBasis(tensor);
  return grid.map(([rank = 0]) => (basis ? tailOf(basis.gains, rank) : Infinity));
}

async function spatialErrors({ tensor }: LowRankProblem, grid: RankGrid): Promise<number[]> {
  const apart = spatialProblem(tensor);
  return tuckerErrors(
    apart,
    grid.map(([rank = 1]) => [rank, apart.sizes.outputs]),
  );
}

async function cpErrors({ tensor }: LowRankProblem, grid: RankGrid): Promise<number[]> {
  return cpCurve(
    tensor,
    grid.map(([rank = 1]) => rank),
  );
}

/** Between the larger of the two losses, which no chain of both can beat, and their sum: the core has lost part of what CP would lose. */
async function tuckerCpErrors({ tensor }: LowRankProblem, grid: RankGrid): Promise<number[]> {
  const energy = await tensor.energy();
  const outside = await tuckerErrors(
    tensor,
    grid.map(([inner = 1, , outer = 1]) => [inner, outer]),
  );
  const inside = await cpCurve(
    tensor,
    grid.map(([, rank = 1]) => rank),
  );
  return grid.map((_, i) => Math.min(energy, Math.hypot(Math.max(0, outside[i] ?? Infinity), inside[i] ?? Infinity)));
}
