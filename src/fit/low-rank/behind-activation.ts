// A chain in front of a Relu or Clip, by the asymmetric reconstruction of Zhang et al. 2015 (Accelerating Very Deep Convolutional Networks):
// the patches are those of the model with chains, the targets those of the original, and what the activation cuts off need not be met.
// The chain is fitted to them (reduced-rank regression), then by turns to targets freed where activation and chain agree; at last the
// last layer alone. Everything is judged behind the activation on rows that were not fitted.
import type { Gemm } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { holdHere, type Hold, type TallMatrix } from '../../linalg/tall.js';
import { clippedError, freedTargets, refitBehind, type Bounds, type ClippedRefit } from '../clipped-refit.js';
import { momentsOfRows, momentsWith, packedTriangle, targetMatrix, type LayerRows } from '../gathered-rows.js';
import { refitHeldOut, type StoredLayer } from '../held-out-refit.js';
import { layerSizes, storedWeights, type LinearLayer } from '../patch-geometry.js';
import type { PatchMoments } from '../patch-moments.js';
import { composeKernel, composeWeights } from './compose.js';
import { factorize } from './factorize.js';
import type { Factor, Factorization, FactorScheme } from './factors.js';
import { lowRankProblem } from './problem.js';

export interface BehindRequest {
  /** The layer that the chain stands for, as it was; without groups. */
  readonly layer: LinearLayer;
  readonly stored: StoredLayer;
  readonly chain: Factorization;
  /** What the activation leaves: 0 and infinity for a Relu. */
  readonly bounds: Bounds;
  /** Patches of the layer and what it should give there: rows that are fitted, and rows that judge. */
  readonly fit: LayerRows;
  readonly held: LayerRows;
  readonly gemm?: Gemm | undefined;
  /** Where rows that come up on the way are held; default in this process. */
  readonly hold?: Hold | undefined;
}

export interface BehindResult {
  readonly chain: Factorization;
  /** Behind the activation, on the rows held out, over the variance of the targets there: of the chain given, and of this one. */
  readonly errorBefore: number;
  readonly errorAfter: number;
}

/** Schemes whose chains are made again for freed targets; of the others, and of very wide layers, the last layer is fitted. */
const AGAIN: ReadonlySet<FactorScheme> = new Set(['svd', 'channel-svd', 'tucker-2', 'spatial-svd']);
const SWEEPS = 3;
/** Numbers of a patch up to which a chain is made again: that takes products and a factorization of matrices of this size. */
const WIDEST = 2400;

/** The chain, or one of the same ranks that is better behind the activation. */
export async function refineBehind(request: BehindRequest): Promise<BehindResult> {
  const { chain } = request;
  const errorBefore = await errorBehind(request, chain);
  const given = { chain, error: errorBefore };
  const isNarrow = layerSizes(request.layer).patch <= WIDEST;
  const best = AGAIN.has(chain.scheme) && isNarrow ? await madeAgain(request, given) : given;
  const last = await refitLast(request, best.chain);
  const { chain: found, error: errorAfter } = last && last.error < best.error ? last : best;
  return { chain: found, errorBefore, errorAfter };
}

interface Judged {
  readonly chain: Factorization;
  readonly error: number;
}

/** Fitted to the targets as they are first, and then to freed ones for as long as that helps. */
async function madeAgain(request: BehindRequest, start: Judged): Promise<Judged> {
  const { layer, fit, bounds } = request;
  const [patches] = fit.patches;
  if (!patches) return start;
  const gram = packedTriangle(await patches.gram());
  const fitted = async (targets: Matrix): Promise<Judged> => {
    const moments = momentsWith(gram, await patches.across(targets), targets);
    const chain = await fittedTo(request, { parts: [moments] });
    return { chain, error: await errorBehind(request, chain) };
  };
  const plain = await fitted(targetMatrix(layer, fit, 0));
  let best = plain.error < start.error ? plain : start;
  for (let sweep = 0; sweep < SWEEPS && isBounded(bounds); sweep++) {
    const given = await patches.times(transpose(wholeRows(best.chain)));
    const next = await fitted(freedTargets(given, fit, 0, bounds));
    if (!(next.error < best.error)) break;
    best = next;
  }
  return best;
}

const isBounded = ({ low, high }: Bounds): boolean => low > -Infinity || high < Infinity;

async function fittedTo({ layer, stored, chain, gemm }: BehindRequest, moments: PatchMoments): Promise<Factorization> {
  const metric = { kind: 'outputs', moments } as const;
  const problem = await lowRankProblem({ layer, weights: stored.weights, bias: stored.bias, metric, gemm });
  return factorize(problem, chain.scheme, chain.ranks);
}

async function errorBehind(request: BehindRequest, chain: Factorization): Promise<number> {
  const { layer, held, bounds } = request;
  const weights = storedWeights(layer, composeWeights(chain).data);
  const bias = chain.factors.at(-1)?.bias ?? new Float64Array(layer.outputs);
  return clippedError(layer, { weights, bias }, held, bounds);
}

/** The last layer fitted behind the activation to what the layers before it let through; undefined where that gains nothing. */
async function refitLast(request: BehindRequest, chain: Factorization): Promise<Judged | undefined> {
  const before = chain.factors.slice(0, -1);
  const last = chain.factors.at(-1);
  if (!last) return undefined;
  const seen = composeKernel([...before, everyInput(last.layer)]).rows;
  const [fit, held] = [await passed(request, request.fit, seen), await passed(request, request.held, seen)];
  const found = await fittedLast(last, { fit, held }, request.bounds);
  for (const { patches } of [fit, held]) for (const own of patches) await own.release();
  if (!found?.layer) return undefined;
  const { weights, bias } = found.layer;
  const factor = { layer: last.layer, weights: Float64Array.from(weights), bias: Float64Array.from(bias) };
  return { chain: { ...chain, factors: [...before, factor] }, error: found.errorAfter };
}

async function fittedLast(
  last: Factor,
  { fit, held }: Pick<BehindRequest, 'fit' | 'held'>,
  bounds: Bounds,
): Promise<ClippedRefit | undefined> {
  const { layer } = last;
  const sums = { fit: await momentsOfRows(layer, fit), held: await momentsOfRows(layer, held) };
  const old = { weights: last.weights, bias: last.bias ?? new Float64Array(layer.outputs) };
  const plain = refitHeldOut(layer, old, sums);
  return plain && refitBehind({ layer, old, plain, bounds }, { fit, held, moments: sums.fit });
}

/** A layer that gives every number of the patches of `layer` as an output. */
function everyInput(layer: LinearLayer): Factor {
  const { patch } = layerSizes(layer);
  const rows = new Float64Array(patch * patch);
  for (let i = 0; i < patch; i++) rows[i * patch + i] = 1;
  const wide = { ...layer, outputs: patch };
  return { layer: wide, weights: storedWeights(wide, rows) };
}

/** The rows as the last layer sees them. */
async function passed({ hold = holdHere }: BehindRequest, rows: LayerRows, seen: Matrix): Promise<LayerRows> {
  const width = seen.rows + 1;
  // One column more gives the constant of each row.
  const padded = matrix(width, seen.columns + 1);
  for (let i = 0; i < seen.rows; i++)
    padded.data.set(seen.data.subarray(i * seen.columns, (i + 1) * seen.columns), i * (seen.columns + 1));
  padded.data[padded.data.length - 1] = 1;
  const own: TallMatrix[] = [];
  for (const patches of rows.patches) {
    const given = await patches.times(transpose(padded));
    const held = hold(width, given.rows);
    await held.append(new Float32Array(given.data));
    own.push(held);
  }
  return { ...rows, patches: own };
}

/** Outputs x (patch, bias). */
function wholeRows(chain: Factorization): Matrix {
  const rows = composeWeights(chain);
  const bias = chain.factors.at(-1)?.bias;
  const whole = matrix(rows.rows, rows.columns + 1);
  for (let o = 0; o < rows.rows; o++) {
    whole.data.set(rows.data.subarray(o * rows.columns, (o + 1) * rows.columns), o * whole.columns);
    whole.data[o * whole.columns + rows.columns] = bias?.[o] ?? 0;
  }
  return whole;
}
