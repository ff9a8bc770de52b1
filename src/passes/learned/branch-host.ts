// One branch takes over what its neighbours gave: its last convolution gets their outputs, in the order of the Concat, and what stands in
// front of it gets what they knew.
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';
import { multiplyTransposed } from '../../linalg/gemm.js';
import { dampedCholesky, solve } from '../../linalg/cholesky.js';
import type { StoredLayer } from '../../fit/held-out-refit.js';
import type { WindowLayer } from '../../fit/patch-geometry.js';
import type { WindowGeometry } from '../conv-geometry.js';
import type { Branch, BranchLayer } from './branch-block.js';

/** Units in front of the host: those of a pointwise convolution of the block's input, or some of them. */
export interface HostUnits {
  readonly layer: BranchLayer;
  /** Ascending. */
  readonly kept: readonly number[];
}

export interface HostPlan {
  /** Place of the first branch that is united. */
  readonly from: number;
  /** In the order of the Concat. */
  readonly members: readonly Branch[];
  /** One of the members. */
  readonly host: Branch;
  /** What the host reads, next to each other; none where it reads the input of the block. */
  readonly units: readonly HostUnits[];
}

/** The last convolution of the host as it is to be, with what is the best guess without data. */
export function hostWeights(plan: HostPlan): StoredLayer {
  const own = plan.host.last.layer;
  const [outputs, inputs] = [widthOf(plan.members), plan.units.length > 0 ? unitCount(plan) : own.inputs];
  const layer: WindowLayer = { ...own, outputs, inputs };
  const weights = new Float64Array(outputs * inputs * sizeOf(own.kernel));
  const bias = new Float64Array(outputs);
  let first = 0;
  for (const member of plan.members) {
    const into = { layer, weights, bias, first };
    if (member.layers.length === 1 && plan.units.length > 0) fromPoint(plan, member, into);
    else fromWindow(plan, member, into);
    first += member.last.layer.outputs;
  }
  return { weights, bias };
}

const widthOf = (members: readonly Branch[]): number => members.reduce((sum, { last }) => sum + last.layer.outputs, 0);
const unitCount = ({ units }: HostPlan): number => units.reduce((sum, { kept }) => sum + kept.length, 0);

interface Into {
  readonly layer: WindowLayer;
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  /** The first output to be written. */
  readonly first: number;
}

/** A member whose kernel lies in that of the host, around the same middle. */
function fromWindow(plan: HostPlan, member: Branch, { layer, weights, bias, first }: Into): void {
  const { last, layers } = member;
  const placed = placedTaps(layer, member);
  const size = sizeOf(last.layer.kernel);
  const source = layers.length > 1 ? layers[0] : undefined;
  const columns = source ? columnsOf(plan, source) : new Map(Array.from({ length: layer.inputs }, (_, i) => [i, i]));
  for (let o = 0; o < last.layer.outputs; o++) {
    bias[first + o] = last.stored.bias[o] ?? 0;
    for (const [from, to] of columns) {
      const old = (o * last.layer.inputs + from) * size;
      const now = ((first + o) * layer.inputs + to) * sizeOf(layer.kernel);
      for (const { tap, place, share } of placed) weights[now + place] = share * (last.stored.weights[old + tap] ?? 0);
    }
  }
}

const sizeOf = (kernel: readonly number[]): number => kernel.reduce((all, k) => all * k, 1);

interface PlacedTap {
  readonly tap: number;
  /** In the kernel of the host. */
  readonly place: number;
  readonly share: number;
}

/** Where the weights of a branch go: behind a mean to all that it looks at, as far as the host sees it; behind a maximum to the middle. */
function placedTaps(host: WindowLayer, { pool, last }: Branch): PlacedTap[] {
  const isMean = pool?.node.opType === 'AveragePool';
  const places = placesIn(host, isMean ? pool.window : last.layer);
  const seen = places.flatMap((place, tap) => (place === undefined ? [] : [{ tap, place, share: 1 }]));
  return isMean ? seen.map(({ place }) => ({ tap: 0, place, share: 1 / seen.length })) : seen;
}

/** Which input of the host is which unit of the layer. */
function columnsOf({ units }: HostPlan, layer: BranchLayer): Map<number, number> {
  const columns = new Map<number, number>();
  let column = 0;
  for (const { layer: other, kept } of units)
    for (const unit of kept) {
      if (other === layer) columns.set(unit, column);
      column++;
    }
  return columns;
}

/** Taps of the old kernel in the new one, both around what they begin with; undefined: beyond it. */
function placesIn(now: WindowGeometry, old: WindowGeometry): (number | undefined)[] {
  return Array.from({ length: sizeOf(old.kernel) }, (_, tap) => {
    let [place, pitch, rest] = [0, 1, tap];
    for (let axis = old.kernel.length - 1; axis >= 0; axis--) {
      const [size, wide] = [old.kernel[axis] ?? 1, now.kernel[axis] ?? 1];
      const at = (now.begins[axis] ?? 0) - (old.begins[axis] ?? 0) + (rest % size);
      if (at < 0 || at >= wide) return undefined;
      place += at * pitch;
      pitch *= wide;
      rest = Math.floor(rest / size);
    }
    return place;
  });
}

/**
 * A pointwise member: outputs that are units themselves are passed on, the others are what comes nearest to their weights as a sum of
 * those of all units, were these linear.
 */
function fromPoint(plan: HostPlan, member: Branch, { layer, weights, bias, first }: Into): void {
  const { last } = member;
  const columns = columnsOf(plan, last);
  const placed = placedTaps(layer, member);
  const mixed = mixtureOf(plan, last);
  for (let o = 0; o < last.layer.outputs; o++) {
    const own = columns.get(o);
    bias[first + o] = own === undefined ? (mixed.bias[o] ?? 0) : 0;
    for (let unit = 0; unit < layer.inputs; unit++) {
      const passed = unit === own ? 1 : 0;
      const weight = own === undefined ? (mixed.weights.data[o * layer.inputs + unit] ?? 0) : passed;
      const now = ((first + o) * layer.inputs + unit) * sizeOf(layer.kernel);
      for (const { place, share } of placed) weights[now + place] = share * weight;
    }
  }
}

/** Part of the mean diagonal: weights of units may depend on each other. */
const DAMPING = 1e-6;

/** A of least |W - A U|, for the weights W of the layer and U of the units, and the bias that goes with it. */
function mixtureOf(plan: HostPlan, { layer, stored }: BranchLayer): { weights: Matrix; bias: Float64Array } {
  const rows: number[][] = [];
  const biases: number[] = [];
  for (const { layer: of, kept } of plan.units)
    for (const unit of kept) {
      rows.push(Array.from({ length: of.layer.inputs }, (_, i) => of.stored.weights[unit * of.layer.inputs + i] ?? 0));
      biases.push(of.stored.bias[unit] ?? 0);
    }
  const u = matrix(rows.length, layer.inputs, Float64Array.from(rows.flat()));
  const w = matrix(layer.outputs, layer.inputs, Float64Array.from(stored.weights));
  const factor = dampedCholesky(multiplyTransposed(u, u), { damping: DAMPING });
  const weights = factor ? transpose(solve(factor.lower, multiplyTransposed(u, w))) : matrix(layer.outputs, u.rows);
  const bias = Float64Array.from({ length: layer.outputs }, (_, o) =>
    biases.reduce((left, b, unit) => left - (weights.data[o * u.rows + unit] ?? 0) * b, stored.bias[o] ?? 0),
  );
  return { weights, bias };
}
