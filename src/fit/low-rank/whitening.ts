// The covariance of patches taken as that of channels times that of taps. In the space in which such patches are white the metric
// is the plain one: decompositions start there, and the equations of the exact metric are preconditioned with the same product.
import { dampedCholesky, solve } from '../../linalg/cholesky.js';
import { multiply, multiplyTransposed } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import type { TensorProblem, TensorSizes } from './tensor-problem.js';

/** G as the Kronecker product of `channel` (channels x channels) and `tap` (taps x taps, its mean diagonal 1). */
export interface SeparableGram {
  readonly channel: Matrix;
  readonly tap: Matrix;
}

/** The product of this form that has the same covariances of channels (mean over taps) and taps (mean over channels). */
export function separableGram(gram: Matrix, { channels, taps }: TensorSizes): SeparableGram {
  const [channel, tap] = [matrix(channels, channels), matrix(taps, taps)];
  const width = channels * taps;
  for (let c = 0; c < channels; c++) {
    for (let d = 0; d < channels; d++) {
      let sum = 0;
      for (let t = 0; t < taps; t++) sum += gram.data[(c * taps + t) * width + d * taps + t] as number;
      channel.data[c * channels + d] = sum / taps;
    }
    for (let t = 0; t < taps; t++)
      for (let s = 0; s < taps; s++)
        tap.data[t * taps + s] =
          (tap.data[t * taps + s] as number) + (gram.data[(c * taps + t) * width + c * taps + s] as number);
  }
  let trace = 0;
  for (let t = 0; t < taps; t++) trace += (tap.data[t * taps + t] as number) / taps;
  if (trace > 0) tap.data.forEach((value, i) => (tap.data[i] = value / trace));
  return { channel, tap };
}

export interface WhitenedProblem {
  /** With the plain metric. */
  readonly problem: TensorProblem;
  /** Rows over whitened channels as rows over channels. */
  channels(rows: Matrix): Matrix;
  /** Rows over whitened taps as rows over taps. */
  taps(rows: Matrix): Matrix;
}

/** The problem itself where its metric is plain. */
export async function whiten(problem: TensorProblem): Promise<WhitenedProblem> {
  const { gram, sizes, rows } = problem;
  const separable = gram && separableGram(gram, sizes);
  const channel = separable && dampedCholesky(separable.channel)?.lower;
  const tap = separable && dampedCholesky(separable.tap)?.lower;
  if (!channel || !tap) return { problem, channels: (found) => found, taps: (found) => found };
  const { channels, outputs, taps } = sizes;
  const byTaps = multiply(matrix(outputs * channels, taps, rows.data), tap);
  const whitened = await problem.mapChannels(matrix(outputs, channels * taps, byTaps.data), transpose(channel));
  // K L = K' means K = K' L^-1, and L^-T = G^-1 L.
  const back =
    (lower: Matrix) =>
    (found: Matrix): Matrix =>
      transpose(solve(lower, multiplyTransposed(lower, found)));
  return { problem: problem.derived(sizes, whitened), channels: back(channel), taps: back(tap) };
}
