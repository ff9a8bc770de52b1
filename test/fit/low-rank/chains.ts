// Random layers, chains evaluated position by position without any of the machinery under test, and moments of random patches.
import type { Rng } from '../../../src/base/rng.js';
import type { Factor } from '../../../src/fit/low-rank/factors.js';
import type { LinearLayer, WindowLayer } from '../../../src/fit/patch-geometry.js';
import type { PatchMoments } from '../../../src/fit/patch-moments.js';
import { RankUpdate } from '../../../src/fit/rank-update.js';

/** Channels of values, each a flat array over the spatial sizes. */
export interface Picture {
  readonly sizes: readonly number[];
  readonly channels: readonly (readonly number[])[];
}

const productOf = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/** The coordinates of a flat index. */
function placeOf(flat: number, sizes: readonly number[]): number[] {
  const place: number[] = [];
  let rest = flat;
  for (const size of [...sizes].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return place;
}

/** A convolution by its definition: y[o, p] = b[o] + sum over c, k of W[o, c, k] x[c, p s + k d - begin]. */
function convolve(layer: WindowLayer, { weights, bias }: Omit<Factor, 'layer'>, input: Picture): Picture {
  const { kernel, strides, dilations, begins, ends, groups } = layer;
  const sizes = input.sizes.map((size, i) => {
    const extent = ((kernel[i] ?? 1) - 1) * (dilations[i] ?? 1) + 1;
    return Math.floor((size + (begins[i] ?? 0) + (ends[i] ?? 0) - extent) / (strides[i] ?? 1)) + 1;
  });
  const [perGroup, outPerGroup, taps] = [layer.inputs / groups, layer.outputs / groups, productOf(kernel)];
  const channels = Array.from({ length: layer.outputs }, (_, o) =>
    Array.from({ length: productOf(sizes) }, (_unused, flat) => {
      const at = placeOf(flat, sizes);
      let sum = bias?.[o] ?? 0;
      for (let c = 0; c < perGroup; c++)
        for (let tap = 0; tap < taps; tap++) {
          const k = placeOf(tap, kernel);
          const read = at.map((p, i) => p * (strides[i] ?? 1) + (k[i] ?? 0) * (dilations[i] ?? 1) - (begins[i] ?? 0));
          if (read.some((r, i) => r < 0 || r >= (input.sizes[i] ?? 0))) continue;
          const index = read.reduce((all, r, i) => all * (input.sizes[i] ?? 1) + r, 0);
          const channel = input.channels[Math.floor(o / outPerGroup) * perGroup + c];
          sum += (weights[(o * perGroup + c) * taps + tap] ?? 0) * (channel?.[index] ?? 0);
        }
      return sum;
    }),
  );
  return { sizes, channels };
}

/** Rows: every position is a vector of channels. */
function multiplyRows(layer: LinearLayer, { weights, bias }: Omit<Factor, 'layer'>, input: Picture): Picture {
  const { inputs, outputs } = layer;
  const isInputFirst = layer.kind === 'rows' && layer.weights === 'input-output';
  const channels = Array.from({ length: outputs }, (_, o) =>
    Array.from({ length: productOf(input.sizes) }, (_unused, at) =>
      input.channels.reduce(
        (sum, channel, c) => sum + (weights[isInputFirst ? c * outputs + o : o * inputs + c] ?? 0) * (channel[at] ?? 0),
        bias?.[o] ?? 0,
      ),
    ),
  );
  return { sizes: input.sizes, channels };
}

/** What a chain (or a single layer) gives. */
export function evaluate(factors: readonly Factor[], input: Picture): Picture {
  return factors.reduce(
    (value, { layer, ...own }) =>
      layer.kind === 'rows' ? multiplyRows(layer, own, value) : convolve(layer, own, value),
    input,
  );
}

export function randomPicture(rng: Rng, channels: number, sizes: readonly number[]): Picture {
  const values = (): number[] => Array.from({ length: productOf(sizes) }, () => rng.normal());
  return { sizes, channels: Array.from({ length: channels }, values) };
}

/** The largest difference between two pictures of the same sizes. */
export function distance(a: Picture, b: Picture): number {
  if (String(a.sizes) !== String(b.sizes) || a.channels.length !== b.channels.length) return Infinity;
  return Math.max(
    ...a.channels.flatMap((channel, c) =>
      channel.map((value, i) => Math.abs(value - (b.channels[c]?.[i] ?? Number.NaN))),
    ),
  );
}

/** A convolution over `axes` axes with random sizes, strides, dilations and asymmetric pads. */
export function randomConv(rng: Rng, axes: number): WindowLayer {
  const per = (low: number, high: number): number[] => Array.from({ length: axes }, () => rng.int(low, high));
  const kernel = per(1, 3);
  if (productOf(kernel) === 1) kernel[axes - 1] = 2;
  return {
    kind: 'conv',
    groups: 1,
    inputs: rng.int(2, 5),
    outputs: rng.int(2, 6),
    kernel,
    strides: per(1, 2),
    dilations: per(1, 2),
    begins: per(0, 2),
    ends: per(0, 2),
  };
}

/** A 2-D convolution with a 3x3 kernel. */
export function square(inputs: number, outputs: number): WindowLayer {
  return {
    ...{ kind: 'conv', groups: 1, inputs, outputs, kernel: [3, 3], strides: [1, 1], dilations: [1, 1] },
    ...{ begins: [1, 1], ends: [1, 1] },
  };
}

export const normals = (rng: Rng, count: number): Float64Array =>
  Float64Array.from({ length: count }, () => rng.normal());

/** Rows of patches whose numbers depend on each other, a few directions much more than the others; about a mean that is not 0. */
export function patchRows(rng: Rng, columns: number, count: number): number[][] {
  const mix = Array.from({ length: columns }, () => Array.from({ length: columns }, () => rng.normal()));
  return Array.from({ length: count }, () => {
    const z = Array.from({ length: columns }, (_, k) => rng.normal() * 0.8 ** k);
    return mix.map((row, j) => Math.fround(0.5 + 0.05 * (j % 3) + row.reduce((sum, m, k) => sum + m * (z[k] ?? 0), 0)));
  });
}

/** The moments of rows, with targets where they are given. */
export function momentsOf(
  rows: readonly (readonly number[])[],
  targets?: readonly (readonly number[])[],
): PatchMoments {
  const columns = rows[0]?.length ?? 0;
  const update = new RankUpdate(columns + 1, targets?.[0]?.length ?? 0, 16);
  for (const [i, row] of rows.entries()) {
    update.addWindow(Float32Array.from(row), 0, columns, 1, Int32Array.of(0));
    const target = targets?.[i];
    if (target) update.addTargets(Float32Array.from(target), 0, 1);
    update.next();
  }
  return { parts: [update.moments()] };
}

/** The mean over rows of |a - b|^2 over the variance of `a`, of what two sets of weights (outputs x columns) and biases give. */
export function outputError(
  rows: readonly (readonly number[])[],
  a: { readonly rows: ArrayLike<number>; readonly bias: ArrayLike<number> },
  b: { readonly rows: ArrayLike<number>; readonly bias: ArrayLike<number> },
): number {
  const give = (of: typeof a, row: readonly number[], o: number): number =>
    row.reduce((sum, x, j) => sum + x * (of.rows[o * row.length + j] ?? 0), of.bias[o] ?? 0);
  let [error, variance] = [0, 0];
  for (let o = 0; o < a.bias.length; o++) {
    const given = rows.map((row) => give(a, row, o));
    const mean = given.reduce((sum, y) => sum + y, 0) / rows.length;
    for (const [i, row] of rows.entries()) {
      error += ((given[i] ?? 0) - give(b, row, o)) ** 2;
      variance += ((given[i] ?? 0) - mean) ** 2;
    }
  }
  return error / variance;
}
