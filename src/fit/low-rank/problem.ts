// A layer that is to be factorized, under a metric: what the chain's last outputs should be, and the way back from the space that
// the schemes work in to the layer's weights.
import { InternalError, invariant } from '../../base/errors.js';
import type { Gemm } from '../../linalg/gemm.js';
import { matrix, unpackSymmetric, type Matrix } from '../../linalg/matrix.js';
import { layerSizes, storedWeights, weightRows, type LinearLayer } from '../patch-geometry.js';
import type { PatchMoments } from '../patch-moments.js';
import type { Moments } from '../rank-update.js';
import { fitError, refitRows } from '../refit.js';
import { targetVariance } from './compose.js';
import type { Factor, Factorization, FactorScheme } from './factors.js';
import { channelPowers, damp, patchCovariance, type Metric } from './metric.js';
import { chainLayers } from './scheme-rules.js';
import { TensorProblem } from './tensor-problem.js';

export interface LowRankRequest {
  /** Without groups; not transposed (`schemesFor`). */
  readonly layer: LinearLayer;
  /** As ONNX stores them. */
  readonly weights: ArrayLike<number>;
  /** One per output, if the layer has a bias. */
  readonly bias?: ArrayLike<number> | undefined;
  readonly metric: Metric;
  /** For heavy products. */
  readonly gemm?: Gemm | undefined;
}

export interface LowRankProblem {
  readonly layer: LinearLayer;
  readonly metric: Metric['kind'];
  readonly tensor: TensorProblem;
  /** What the channels were multiplied by (`diagonal`). */
  readonly scales?: Float64Array | undefined;
  /** Of the patches (`outputs`). */
  readonly mean?: Float64Array | undefined;
  /** What the last layer's bias is before it takes up the mean. */
  readonly bias?: Float64Array | undefined;
  /** What errors are relative to, and what no chain can be rid of (moments with targets). */
  readonly energy: number;
  readonly floor: number;
}

/** The default damping lies between these; a patch with n numbers of which m rows were summed gets n / m. */
const DAMPING = { least: 1e-3, most: 0.3 } as const;
/** Channels that are hardly used count this part of the mean power: their weights are not given up for nothing. */
const LEAST_POWER = 1e-3;

/** @throws InternalError where the layer has groups, is transposed, or has weights or moments that are not finite */
export async function lowRankProblem(request: LowRankRequest): Promise<LowRankProblem> {
  const { layer, weights, metric } = request;
  const { groups, inputs: channels, outputs, taps, patch } = layerSizes(layer);
  invariant(
    groups === 1 && layer.kind !== 'conv-transpose',
    'layers with groups and transposed ones are not factorized',
  );
  const sizes = { channels, outputs, taps, kernel: layer.kind === 'rows' ? [] : layer.kernel };
  const rows = matrix(outputs, patch, weightRows(layer, weights));
  const bias = request.bias && Float64Array.from(request.bias);
  const common = { layer, metric: metric.kind };
  if (metric.kind === 'outputs') return { ...common, ...(await outputProblem(request, metric, rows)) };
  const scales = metric.kind === 'diagonal' ? channelScales(channelPowers(layer, metric.moments)) : undefined;
  if (scales) scaleColumns(rows, taps, (channel) => scales[channel] ?? 1);
  const tensor = new TensorProblem(sizes, rows, undefined, request.gemm);
  return { ...common, tensor, scales, bias, energy: await finiteEnergy(tensor), floor: 0 };
}

function dampingFor({ parts }: PatchMoments): number {
  const [columns, rows] = [Math.max(...parts.map((part) => part.columns)), Math.max(1, parts[0]?.rows ?? 1)];
  return Math.min(DAMPING.most, Math.max(DAMPING.least, columns / rows));
}

async function outputProblem(
  { layer, bias, gemm }: LowRankRequest,
  { moments, damping = dampingFor(moments) }: Metric & { readonly kind: 'outputs' },
  own: Matrix,
): Promise<Omit<LowRankProblem, 'layer' | 'metric'>> {
  const { inputs: channels, outputs, taps, patch } = layerSizes(layer);
  const sizes = { channels, outputs, taps, kernel: layer.kind === 'rows' ? [] : layer.kernel };
  const { mean, covariance } = patchCovariance(layer, moments);
  damp(covariance, damping);
  const part = moments.parts[0];
  const old = bias ? Float64Array.from(bias) : new Float64Array(outputs);
  if (!part || part.outputs === 0) {
    const tensor = new TensorProblem(sizes, own, covariance, gemm);
    return { tensor, mean, bias: old, energy: await finiteEnergy(tensor), floor: 0 };
  }
  invariant(part.columns === patch + 1, 'a fit to targets needs the moments of all channels together');
  const target = fitToTargets(part, own, old, damping);
  const tensor = new TensorProblem(sizes, target.rows, covariance, gemm);
  await finiteEnergy(tensor);
  return { tensor, mean, bias: target.bias, energy: targetVariance(part), floor: target.error };
}

/** The layer that meets the targets best: what chains are fitted to then, since |y - K x|^2 = |y - W x|^2 + |(W - K) x|^2 for it. */
function fitToTargets(
  part: Moments,
  own: Matrix,
  bias: Float64Array,
  lambda: number,
): { readonly rows: Matrix; readonly bias: Float64Array; readonly error: number } {
  const { columns } = part;
  const old = matrix(own.rows, columns);
  for (let o = 0; o < own.rows; o++) {
    old.data.set(own.data.subarray(o * own.columns, (o + 1) * own.columns), o * columns);
    old.data[o * columns + columns - 1] = bias[o] ?? 0;
  }
  const refit = refitRows(part, old, { lambda });
  const found = refit?.rows ?? old;
  const error = refit?.errorAfter ?? fitError(part, unpackSymmetric(part.gram, columns), old);
  const rows = matrix(own.rows, own.columns);
  for (let o = 0; o < own.rows; o++)
    rows.data.set(found.data.subarray(o * columns, (o + 1) * columns - 1), o * own.columns);
  return { rows, bias: Float64Array.from(bias, (_, o) => found.data[(o + 1) * columns - 1] ?? 0), error };
}

async function finiteEnergy(tensor: TensorProblem): Promise<number> {
  const energy = await tensor.energy();
  if (!Number.isFinite(energy))
    throw new InternalError('invariant', 'weights or moments of a layer that is factorized are not finite');
  return energy;
}

function channelScales(powers: Float64Array): Float64Array {
  const mean = powers.reduce((sum, power) => sum + power, 0) / Math.max(1, powers.length);
  return powers.map((power) => (mean > 0 ? Math.sqrt(Math.max(power, LEAST_POWER * mean)) : 1));
}

/** Multiplies the `taps` columns of each channel. */
function scaleColumns({ rows, columns, data }: Matrix, taps: number, scale: (channel: number) => number): void {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      data[i * columns + j] = (data[i * columns + j] as number) * scale(Math.floor(j / taps));
}

/**
 * The chain with these rows, one matrix per layer (as `weightRows` has them), and `rows`, what they amount to: the bias takes up
 * the mean of what is lost.
 */
export function chainOf(
  problem: LowRankProblem,
  scheme: FactorScheme,
  ranks: readonly number[],
  links: readonly Matrix[],
  composed: Matrix,
): Factorization {
  const { layer, scales, mean, bias } = problem;
  const layers = chainLayers(layer, scheme, ranks);
  invariant(layers.length === links.length, `${links.length} matrices for a chain of ${layers.length} layers`);
  const [first] = links;
  if (first && scales) {
    const taps = first.columns / problem.tensor.sizes.channels;
    scaleColumns(first, taps, (channel) => 1 / (scales[channel] ?? 1));
  }
  const ownBias = bias && (mean ? shiftedBias(bias, mean, problem.tensor.rows, composed) : bias);
  const factors = layers.map((one, i): Factor => {
    const weights = storedWeights(one, links[i]?.data ?? []);
    return i === layers.length - 1 && ownBias ? { layer: one, weights, bias: ownBias } : { layer: one, weights };
  });
  return { scheme, ranks, factors };
}

function shiftedBias(bias: Float64Array, mean: Float64Array, before: Matrix, after: Matrix): Float64Array {
  return bias.map((value, o) => {
    let sum = value;
    for (let j = 0, at = o * mean.length; j < mean.length; j++, at++)
      sum += ((before.data[at] as number) - (after.data[at] as number)) * (mean[j] as number);
    return sum;
  });
}
