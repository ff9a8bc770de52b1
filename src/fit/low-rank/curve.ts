// Error against rank, for planning: what a scheme would lose at many ranks, without making the chains. Errors are relative to the
// layer's energy under the metric, so that they can be compared between schemes and layers.
import { fullRanks } from './scheme-rules.js';
import type { FactorScheme } from './factors.js';
import { outputBasis } from './output-pca.js';
import type { LowRankProblem } from './problem.js';
import type { LinearLayer } from '../patch-geometry.js';

export interface CurvePoint {
  readonly ranks: readonly number[];
  /** Mean squared error of the output over its variance, or of the weights over their sum of squares. */
  readonly error: number;
}

type Curve = (problem: LowRankProblem, grid: readonly (readonly number[])[]) => Promise<number[]>;

const CURVES: Readonly<Partial<Record<FactorScheme, Curve>>> = { svd: svdErrors, 'channel-svd': svdErrors };

/** A point for each of the ranks of `grid` (`rankGrid`); squared errors, without the metric's energy where there is none. */
export async function errorCurve(
  problem: LowRankProblem,
  scheme: FactorScheme,
  grid: readonly (readonly number[])[] = rankGrid(problem.layer, scheme),
): Promise<CurvePoint[]> {
  const curve = CURVES[scheme];
  const errors = curve ? await curve(problem, grid) : [];
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

async function svdErrors({ tensor }: LowRankProblem, grid: readonly (readonly number[])[]): Promise<number[]> {
  const basis = await outputBasis(tensor);
  return grid.map(([rank = 0]) => (basis ? tailOf(basis.gains, rank) : Infinity));
}

/** What is left from `from` on, summed from the smallest. */
export function tailOf(gains: Float64Array, from: number): number {
  let sum = 0;
  for (let i = gains.length - 1; i >= from; i--) sum += gains[i] ?? 0;
  return sum;
}
