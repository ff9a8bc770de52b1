// Errors of CP for many ranks: a few fits of a compressed kernel in the space in which patches are white, each from the terms of the power
// method that it has room for, and a line through their logarithms.
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { multiply } from '../../linalg/gemm.js';
import { denseArray, unfold } from '../../linalg/unfolding.js';
import { fitTerms } from './cp.js';
import { firstRows } from './output-pca.js';
import { powerTerms } from './rank-one-terms.js';
import type { TensorProblem } from './tensor-problem.js';
import { whiten } from './whitening.js';

const FITS = 6;
const SWEEPS = 12;
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
    const found = await fitTerms(compressed.problem, rank, { start, sweeps: SWEEPS });
    const part = ((found?.error ?? Infinity) + compressed.lost) / compressed.energy;
    points.push({ rank, error: Math.min(part, points.at(-1)?.error ?? 1) * energy });
  }
  return ranks.map((rank) => between(points, rank, energy));
}

interface CurvePoint {
  readonly rank: number;
  readonly error: number;
}

interface Compressed {
  readonly problem: TensorProblem;
  /** Of the kernel where patches are white, and what its left-out directions have of it. */
  readonly energy: number;
  readonly lost: number;
}

async function compress(problem: TensorProblem): Promise<Compressed | undefined> {
  const white = (await whiten(problem)).problem;
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
  return { problem: small, energy, lost: Math.max(0, energy - (await small.energy())) };
}

/** On the line through the logarithms of the errors of the two neighbours; below the first rank, towards the whole energy at 0. */
function between(points: readonly CurvePoint[], rank: number, energy: number): number {
  const all = [{ rank: 0, error: energy }, ...points];
  const found = all.findIndex((point) => point.rank >= rank);
  const next = Math.max(1, found < 0 ? all.length - 1 : found);
  const [before, after] = [all[next - 1], all[next]];
  if (!before || !after) return energy;
  const share = (rank - before.rank) / (after.rank - before.rank);
  const height = ({ error }: CurvePoint): number => Math.log(Math.max(error, energy * 1e-12));
  return Math.exp((1 - share) * height(before) + share * height(after));
}
