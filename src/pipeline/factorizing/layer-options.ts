// The chains that a layer can become: for each scheme the ranks that kernels like, what they cost, and what they lose.
import { chainMacs, chainParams, type FactorScheme } from '../../fit/low-rank/factors.js';
import { errorCurve } from '../../fit/low-rank/curve.js';
import type { LowRankProblem } from '../../fit/low-rank/problem.js';
import { chainLayers, fullRanks } from '../../fit/low-rank/scheme-rules.js';
import type { LinearLayer } from '../../fit/patch-geometry.js';
import type { CostKind } from '../trading/costs.js';

/** A chain, before it is made. Plain data. */
export interface ChainChoice {
  readonly scheme: FactorScheme;
  readonly ranks: readonly number[];
}

export interface ChainOption extends ChainChoice {
  /** Of one sample. */
  readonly macs: number;
  /** Without biases. */
  readonly params: number;
  /** Mean squared error of the layer's output over its variance (of the weights, where nothing else is known). */
  readonly error: number;
}

/** Ranks along each axis of the choice, at most. Those of CP are a descent each. */
const MOST_RANKS: Readonly<Record<FactorScheme, number>> = {
  svd: 24,
  'channel-svd': 24,
  'spatial-svd': 24,
  'tucker-2': 9,
  cp: 6,
  'tucker-cp': 3,
};
/** With fewer the unit is made smaller, down to what no kernel dislikes; below that only where there is nothing else. */
const ENOUGH: readonly number[] = [6, 4, 3];
const FINEST = 4;
/** Chains that save less than this part are not worth a look. */
const LEAST_SAVING = 0.02;

/** The unit of ranks that kernels like: a block of channels where time counts, 4 where only sizes do. */
export type RankUnit = 16 | 8 | 4;

export const rankUnit = (cost: CostKind, block: 16 | 8): RankUnit => (cost === 'params' || cost === 'size' ? 4 : block);

/** What the layer itself costs. `input`: spatial sizes of one sample's input (rows: rows per sample). */
export function costOfLayer(
  layer: LinearLayer,
  input: readonly number[],
): { readonly macs: number; readonly params: number } {
  return { macs: chainMacs([layer], input), params: chainParams([layer]) };
}

/** Ranks of a scheme with which the chain costs less than the layer in the figure that counts. */
export function ranksOf(
  layer: LinearLayer,
  scheme: FactorScheme,
  { input, unit, cost }: { readonly input: readonly number[]; readonly unit: RankUnit; readonly cost: CostKind },
): number[][] {
  const full = fullRanks(layer, scheme);
  const whole = costOfLayer(layer, input);
  const isSaving = (ranks: readonly number[]): boolean => {
    const layers = chainLayers(layer, scheme, ranks);
    const [now, before] =
      cost === 'params' || cost === 'size'
        ? [chainParams(layers), whole.params]
        : [chainMacs(layers, input), whole.macs];
    return now <= before * (1 - LEAST_SAVING);
  };
  const lowest = full.map(() => 1);
  const axes = full.map((most, axis) => {
    // Beyond the rank that costs as much with 1 everywhere else nothing is saved.
    let limit = most;
    while (limit > 1 && !isSaving(lowest.with(axis, limit))) limit = Math.floor(limit / 2);
    let top = limit;
    while (top < most && isSaving(lowest.with(axis, Math.min(most, top + Math.max(1, top >> 3)))))
      top = Math.min(most, top + Math.max(1, top >> 3));
    return axisRanks(top, unit, { enough: ENOUGH[full.length - 1] ?? 3, limit: MOST_RANKS[scheme] });
  });
  return productOf(axes).filter(isSaving);
}

/** Multiples of the unit (of less, where those are few) up to `most`: at most so many, evenly spread. */
function axisRanks(
  most: number,
  unit: RankUnit,
  { enough, limit }: { readonly enough: number; readonly limit: number },
): number[] {
  for (let step: number = unit; ; step /= 2) {
    const ranks = Array.from({ length: Math.floor(most / step) }, (_, at) => (at + 1) * step);
    if (ranks.length >= enough || step <= 1 || (step === FINEST && ranks.length > 0)) return thinned(ranks, limit);
  }
}

function thinned(ranks: readonly number[], most: number): number[] {
  if (ranks.length <= most) return [...ranks];
  const places = Array.from({ length: most }, (_, at) => Math.round((at * (ranks.length - 1)) / Math.max(1, most - 1)));
  return ranks.filter((_, at) => places.includes(at));
}

function productOf(axes: readonly (readonly number[])[]): number[][] {
  return axes.reduce<number[][]>((all, ranks) => all.flatMap((before) => ranks.map((rank) => [...before, rank])), [[]]);
}

export interface OptionRequest {
  /** What is offered and asked for. */
  readonly schemes: readonly FactorScheme[];
  readonly input: readonly number[];
  readonly unit: RankUnit;
  readonly cost: CostKind;
}

/** All chains of a layer by scheme, with what each loses under the metric of the problem. */
export async function chainOptions(problem: LowRankProblem, request: OptionRequest): Promise<ChainOption[]> {
  const { layer } = problem;
  const found: ChainOption[] = [];
  for (const scheme of request.schemes) {
    const grid = ranksOf(layer, scheme, request);
    if (grid.length === 0) continue;
    for (const { ranks, error } of await errorCurve(problem, scheme, grid)) {
      const layers = chainLayers(layer, scheme, ranks);
      found.push({ scheme, ranks, error, macs: chainMacs(layers, request.input), params: chainParams(layers) });
    }
  }
  return found.filter(({ error }) => Number.isFinite(error));
}
