// Errors of CP for many ranks: a few fits of a compressed kernel in the space in which patches are white, each from the terms of the power
// method that it has room for, and a line through their logarithms; two of them, where that is cheap, are fitted on under the metric itself.
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { multiply } from '../../linalg/gemm.js';
import { denseArray, unfold } from '../../linalg/unfolding.js';
import { fitTerms } from './cp.js';
import { refineTerms } from './cp-outputs.js';
import { firstRows } from './output-pca.js';
import { powerTerms, type Terms } from './rank-one-terms.js';
import type { TensorProblem } from './tensor-problem.js';
import { whiten, type WhitenedProblem } from './whitening.js';

const FITS = 6;
const SWEEPS = { least: 12, most: 40 } as const;
/** Of all fits. */
const MOST_MULTIPLICATIONS = 1e9;
/** Sweeps of the fits under the metric, and the multiplications that a step of one of them may take. */
const METRIC_SWEEPS = 15;
const LARGEST_STEP = 3e7;
/** The largest rank that is fitted: beyond it the line through the last two goes on. */
const MOST_FITTED = 320;
/** Directions of channels and of outputs that are looked at; the others count as lost. */
const MOST_DIRECTIONS = 96;

/** Squared errors at these ranks. */
export async function cpCurve(problem: TensorProblem, ranks: readonly number[]): Promise<number[]> {
  const energy = await problem.energy();
  const compressed = await compress(problem);
  if (!compressed || !(energy > 0)) return ranks.map(() => (energy > 0 ? Infinity : 0));
  const wanted = [...new Set(ranks)].toSorted((a, b) => a - b);
  const last = Math.max(
    0,
    wanted.findLastIndex((rank) => rank <= MOST_FITTED),
  );
  const fitted = [...new Set(Array.from({ length: FITS }, (_, i) => wanted[Math.round((i * last) / (FITS - 1))] ?? 1))];
  const terms = powerTerms(compressed.problem.rows, compressed.problem.sizes, fitted.at(-1) ?? 1);
  const points: CurvePoint[] = [];
  for (const rank of fitted) {
    const start = {
      out: firstRows(terms.out, rank),
      input: firstRows(terms.input, rank),
      tap: firstRows(terms.tap, rank),
    };
    const afford = MOST_MULTIPLICATIONS / (2 * FITS * rank * compressed.problem.rows.data.length);
    const sweeps = Math.floor(Math.min(SWEEPS.most, Math.max(SWEEPS.least, afford)));
    const found = await fitTerms(compressed.problem, rank, { start, sweeps });
    const part = ((found?.error ?? Infinity) + compressed.lost) / compressed.energy;
    points.push({ rank, error: Math.min(part, points.at(-1)?.error ?? 1), terms: found?.terms });
  }
  const corrected = await underMetric(problem, compressed, points);
  return ranks.map((rank) => between(corrected, rank) * energy);
}

/** The points with what some of them lose under the metric itself; the logarithm of that over their own error goes along a line. */
async function underMetric(
  problem: TensorProblem,
  { white, lost }: Compressed,
  points: readonly CurvePoint[],
): Promise<CurvePoint[]> {
  const { gram, rows } = problem;
  if (!gram || lost > 0) return [...points];
  const affordable = points.filter(({ rank }) => rank * rows.columns * (rows.columns + rank) <= LARGEST_STEP);
  const chosen = new Set([affordable[Math.floor(affordable.length / 2)], affordable.at(-1)]);
  const known = [{ height: 0, shift: 0 }];
  for (const { error, terms } of affordable.filter((point) => chosen.has(point))) {
    const start = terms && { out: terms.out, input: white.channels(terms.input), tap: white.taps(terms.tap) };
    const found = start && (await refineTerms(problem, gram, [start], METRIC_SWEEPS));
    const height = heightOf(error);
    if (found && height < (known.at(-1)?.height ?? 0))
      known.push({ height, shift: Math.min(0, heightOf(found.error / (await problem.energy())) - height) });
  }
  let least = 1;
  return points.map(({ rank, error }) => {
    const height = heightOf(error);
    const after = known.find((one) => one.height <= height);
    const before = known.findLast((one) => one.height > height);
    const span = before && after ? (height - before.height) / (after.height - before.height) : 1;
    const shift = after ? (before?.shift ?? 0) * (1 - span) + after.shift * span : (known.at(-1)?.shift ?? 0);
    least = Math.min(least, Math.exp(height + shift));
    return { rank, error: least };
  });
}

const heightOf = (error: number): number => Math.log(Math.max(error, 1e-12));

interface CurvePoint {
  readonly rank: number;
  /** Over the energy. */
  readonly error: number;
  /** In the space in which patches are white. */
  readonly terms?: Terms | undefined;
}

interface Compressed {
  readonly white: WhitenedProblem;
  readonly problem: TensorProblem;
  /** Of the kernel where patches are white, and what its left-out directions have of it. */
  readonly energy: number;
  readonly lost: number;
}

async function compress(problem: TensorProblem): Promise<Compressed | undefined> {
  const whitened = await whiten(problem);
  const white = whitened.problem;
  const { sizes } = white;
  const energy = await white.energy();
  let rows: Matrix = white.rows;
  const outputs = Math.min(sizes.outputs, MOST_DIRECTIONS);
  const channels = Math.min(sizes.channels, MOST_DIRECTIONS);
  if (outputs < sizes.outputs) {
    const eigen = await white.eigen(await white.outputGram(), outputs);
    if (!eigen) return undefined;
    rows = multiply(eigen.vectors, rows);
  }
  if (channels < sizes.channels) {
    const unfolded = unfold(denseArray([rows.rows, sizes.channels, sizes.taps], rows.data), 1);
    const eigen = await white.eigen(multiply(unfolded, transpose(unfolded)), channels);
    if (!eigen) return undefined;
    rows = await white.mapChannels(rows, eigen.vectors);
  }
  const small = white.derived({ ...sizes, outputs, channels }, matrix(rows.rows, rows.columns, rows.data));
  const isWhole = small.rows.data.length === white.rows.data.length;
  return { white: whitened, problem: small, energy, lost: isWhole ? 0 : Math.max(0, energy - (await small.energy())) };
}

/** On the line through the logarithms of the errors of the two neighbours; below the first rank, towards 1 at rank 0. */
function between(points: readonly CurvePoint[], rank: number): number {
  const all = [{ rank: 0, error: 1 }, ...points];
  const found = all.findIndex((point) => point.rank >= rank);
  const next = Math.max(1, found < 0 ? all.length - 1 : found);
  const [before, after] = [all[next - 1], all[next]];
  if (!before || !after) return 1;
  const share = (rank - before.rank) / (after.rank - before.rank);
  return Math.exp((1 - share) * heightOf(before.error) + share * heightOf(after.error));
}
