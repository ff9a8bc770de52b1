// What a chain amounts to: the one kernel that does the same, and how far its output is from that of the layer.
import { invariant } from '../../base/errors.js';
import { multiply } from '../../linalg/gemm.js';
import { matrix, unpackSymmetric, type Matrix } from '../../linalg/matrix.js';
import type { StoredLayer } from '../held-out-refit.js';
import { layerSizes, weightRows, type LinearLayer } from '../patch-geometry.js';
import type { PatchMoments } from '../patch-moments.js';
import type { Moments } from '../rank-update.js';
import { energyOf, fitError } from '../refit.js';
import type { Factor, Factorization } from './factors.js';
import { patchCovariance } from './metric.js';

/** Rows over channels and kernel positions, channel by channel. */
interface Kernel {
  readonly inputs: number;
  readonly sizes: readonly number[];
  readonly rows: Matrix;
}

/**
 * The kernel of the layer that a chain stands for: one row per output, as `weightRows` has it. Exact where along each axis at most
 * one layer of the chain has a kernel longer than 1, as in every scheme here.
 */
export function composeWeights({ factors }: Factorization): Matrix {
  return composeKernel(factors).rows;
}

/** Of some layers of a chain, in the order of the data. */
export function composeKernel(factors: readonly Factor[]): Kernel {
  const kernels = factors.map(kernelOf);
  const first = kernels[0];
  invariant(first !== undefined, 'a chain without layers');
  return kernels.slice(1).reduce((before, next) => composed(next, before), first);
}

/** Without groups: zeros where a group does not look. */
function kernelOf({ layer, weights }: Factor): Kernel {
  const { groups, inputs, outputs, taps, patch } = layerSizes(layer);
  const sizes = layer.kind === 'rows' ? [] : layer.kernel;
  const own = weightRows(layer, weights);
  if (groups === 1) return { inputs, sizes, rows: matrix(outputs, patch, own) };
  const rows = matrix(groups * outputs, groups * inputs * taps);
  for (let row = 0; row < rows.rows; row++) {
    const from = Math.floor(row / outputs) * patch;
    rows.data.set(own.subarray(row * patch, (row + 1) * patch), row * rows.columns + from);
  }
  return { inputs: groups * inputs, sizes, rows };
}

/** `next` after `before`: each position of the one with each of the other. */
function composed(next: Kernel, before: Kernel): Kernel {
  const sizes = next.sizes.map((size, axis) => {
    const other = before.sizes[axis] ?? 1;
    invariant(size === 1 || other === 1, 'two kernels along one axis');
    return size * other;
  });
  const [taps, own, inner] = [productOf(sizes), productOf(next.sizes), productOf(before.sizes)];
  const rows = matrix(next.rows.rows, before.inputs * taps);
  for (let tap = 0; tap < own; tap++) {
    const slice = matrix(next.rows.rows, next.inputs);
    for (let i = 0; i < slice.data.length; i++) slice.data[i] = next.rows.data[i * own + tap] ?? 0;
    const part = multiply(slice, before.rows);
    const places = Array.from({ length: inner }, (_, other) => joined(tap, next.sizes, other, before.sizes));
    for (let i = 0; i < slice.rows * before.inputs; i++)
      for (const [other, place] of places.entries()) rows.data[i * taps + place] = part.data[i * inner + other] ?? 0;
  }
  return { inputs: before.inputs, sizes, rows };
}

const productOf = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/** The flat position of two positions together, of which along each axis one is 0. */
function joined(a: number, sizesA: readonly number[], b: number, sizesB: readonly number[]): number {
  let [flat, pitch, restA, restB] = [0, 1, a, b];
  for (let axis = sizesA.length - 1; axis >= 0; axis--) {
    const [sizeA, sizeB] = [sizesA[axis] ?? 1, sizesB[axis] ?? 1];
    flat += ((restA % sizeA) + (restB % sizeB)) * pitch;
    pitch *= sizeA * sizeB;
    restA = Math.floor(restA / sizeA);
    restB = Math.floor(restB / sizeB);
  }
  return flat;
}

/**
 * Mean squared error of the output of a chain over the variance of the output, both summed over outputs. With moments: over the
 * patches that were summed (their targets, where they have some), biases included. Without: of the weights, over their sum of
 * squares. Where there is no variance: the error itself.
 */
export function relativeError(
  layer: LinearLayer,
  stored: StoredLayer,
  factorization: Factorization,
  moments?: PatchMoments,
): number {
  const own = matrix(layer.outputs, layerSizes(layer).patch, weightRows(layer, stored.weights));
  const found = composeWeights(factorization);
  const part = moments?.parts[0];
  const bias = factorization.factors.at(-1)?.bias;
  if (part && part.outputs > 0) return over(targetError(part, found, bias), targetVariance(part));
  const change = matrix(
    own.rows,
    own.columns,
    own.data.map((value, i) => value - (found.data[i] ?? 0)),
  );
  if (!moments) return over(sumOfSquares(change.data), sumOfSquares(own.data));
  const { mean, covariance } = patchCovariance(layer, moments);
  let shift = 0;
  for (let o = 0; o < own.rows; o++) {
    let sum = (stored.bias[o] ?? 0) - (bias?.[o] ?? 0);
    for (let j = 0; j < own.columns; j++) sum += (change.data[o * own.columns + j] as number) * (mean[j] as number);
    shift += sum * sum;
  }
  return over(Math.max(0, energyOf(covariance, change)) + shift, energyOf(covariance, own));
}

function targetError(part: Moments, rows: Matrix, bias: Float64Array | undefined): number {
  const { columns } = part;
  const whole = matrix(rows.rows, columns);
  for (let o = 0; o < rows.rows; o++) {
    whole.data.set(rows.data.subarray(o * rows.columns, (o + 1) * rows.columns), o * columns);
    whole.data[o * columns + columns - 1] = bias?.[o] ?? 0;
  }
  return fitError(part, unpackSymmetric(part.gram, columns), whole);
}

/** Mean square of the targets about their mean, summed over outputs. */
export function targetVariance({ columns, outputs, rows, cross, energy }: Moments): number {
  let variance = 0;
  for (let o = 0; o < outputs; o++)
    variance += (energy[o] ?? 0) / rows - ((cross[(columns - 1) * outputs + o] ?? 0) / rows) ** 2;
  return Math.max(0, variance);
}

const sumOfSquares = (numbers: Float64Array): number => numbers.reduce((sum, x) => sum + x * x, 0);
const over = (error: number, energy: number): number => (energy > 0 ? error / energy : error);
