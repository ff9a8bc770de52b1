// Which branches of a block one of them could take over, form by form.
import { isPointKernel, isPointwise, type WindowGeometry } from '../conv-geometry.js';
import { isRefusal, refuse, type Planned, type Refusal } from '../plan.js';
import type { Branch, BranchBlock, BranchLayer } from './branch-block.js';
import type { HostPlan, HostUnits } from './branch-host.js';

/**
 * Which branches become one. `unpooled`: none, but the pool of the pooling branch goes, and the convolution behind it reads what the pool
 * read. `large`: neighbours that look at more than one position. `whole`: all.
 */
export type BranchCover = 'unpooled' | 'large' | 'whole';

export interface BranchForm {
  readonly cover: BranchCover;
  /** The part that stays of the units in front of the kernels. Branches without a kernel add some, which fill the last block of channels. */
  readonly share: number;
}

/**
 * `other-branch`: a branch does not come from what the others read, or others read within it. `long-branch`: it is more than a pointwise
 * convolution and one more. `grouped`: a convolution has groups. `strided`: it or the pool skips positions. `size`: the padding changes the
 * size of the map. `no-host`: no branch has a kernel as large as what the pools see. `no-reducer`: no pointwise convolution stands in front
 * of a larger kernel, which would only get more work. `activations-differ`: of what would be one layer.
 */
export type BranchRefusal =
  'other-branch' | 'long-branch' | 'grouped' | 'strided' | 'size' | 'no-host' | 'no-reducer' | 'activations-differ';

/** What would stand there; undefined where the form has nothing to begin with. */
export function planBranches(block: BranchBlock, { cover, share }: BranchForm): Planned<HostPlan, BranchRefusal> {
  const run = runOf(block, cover);
  if (!run) return undefined;
  const members: Branch[] = [];
  for (const branch of block.branches.slice(run.from, run.to)) {
    const refused = branch ? refusalOf(branch) : refuse('other-branch');
    if (refused) return refused;
    if (branch) members.push(branch);
  }
  const [only] = members;
  if (cover === 'unpooled' && only) return { from: run.from, members, host: only, units: [] };
  const host = hostOf(members);
  return isRefusal(host) ? host : { from: run.from, members, host, units: unitsOf(members, share) };
}

/** Neighbours in a block: from one place to before another. */
interface Run {
  readonly from: number;
  readonly to: number;
}

function runOf({ branches }: BranchBlock, cover: BranchCover): Run | undefined {
  const isPooling = (branch: Branch | undefined): boolean => branch?.pool !== undefined;
  const from = cover === 'whole' ? 0 : branches.findIndex(cover === 'large' ? isLarge : isPooling);
  if (from < 0) return undefined;
  if (cover === 'unpooled') return { from, to: from + 1 };
  const after = cover === 'whole' ? -1 : branches.findIndex((branch, at) => at > from && !isLarge(branch));
  const to = after < 0 ? branches.length : after;
  return to - from > 1 ? { from, to } : undefined;
}

const isLarge = (branch: Branch | undefined): boolean =>
  branch !== undefined && (branch.pool !== undefined || !isPointKernel(branch.last.layer));

/** The member that could take over the others: that with the most work. */
function hostOf(members: readonly Branch[]): Branch | Refusal<BranchRefusal> {
  const kernels = members.filter((member) => isLarge(member) && !member.pool);
  const [host] = kernels.toSorted((a, b) => b.last.stored.weights.length - a.last.stored.weights.length);
  const pools = members.flatMap(({ pool }) => pool ?? []);
  const sees = (axis: number): number => host?.last.layer.kernel[axis] ?? 0;
  if (!host || !pools.every(({ window }) => window.kernel.every((k, axis) => k <= sees(axis))))
    return refuse('no-host');
  if (kernels.some(({ layers }) => layers.length === 1)) return refuse('no-reducer');
  const { bounds } = host.last;
  const isAlike = members.every(({ last }) => last.bounds?.low === bounds?.low && last.bounds?.high === bounds?.high);
  return isAlike ? host : refuse('activations-differ');
}

function refusalOf({ pool, layers, last }: Branch): Refusal<BranchRefusal> | undefined {
  const [first] = layers;
  const isShort = layers.length === 1 || (layers.length === 2 && !pool && first && isPointwise(first.layer));
  if (!isShort || (pool && !isPointwise(last.layer))) return refuse('long-branch');
  if (layers.some(({ layer }) => layer.groups !== 1)) return refuse('grouped');
  const windows: readonly WindowGeometry[] = pool ? [pool.window, last.layer] : [last.layer];
  if (!windows.every(isDense)) return refuse('strided');
  return windows.every(keepsSize) ? undefined : refuse('size');
}

const isDense = ({ strides, dilations }: WindowGeometry): boolean => [...strides, ...dilations].every((s) => s === 1);

const keepsSize = ({ kernel, begins, ends }: WindowGeometry): boolean =>
  kernel.every((k, axis) => (begins[axis] ?? 0) + (ends[axis] ?? 0) === k - 1);

/** Channels that the runtime computes together: a layer that fills its last block costs little more. */
const BLOCK = 16;

/** That part of what stands in front of the kernels, and units of the branches that have no kernel: as many as fill the last block. */
function unitsOf(members: readonly Branch[], share: number): HostUnits[] {
  const own = members.flatMap(({ layers: [first, ...others], last }) =>
    first && others.length > 0
      ? [{ layer: first, kept: strongest(first, Math.max(1, Math.round(share * first.layer.outputs)), last) }]
      : [],
  );
  const points = members.flatMap(({ layers, last }) => (layers.length === 1 ? [last] : []));
  const free = BLOCK - (own.reduce((sum, { kept }) => sum + kept.length, 0) % BLOCK);
  const added = points.map((layer, at) => {
    const count = Math.floor((free * (at + 1)) / points.length) - Math.floor((free * at) / points.length);
    return { layer, kept: strongest(layer, Math.min(layer.layer.outputs, count)) };
  });
  return [...own, ...added.filter(({ kept }) => kept.length > 0)];
}

/** Units with the largest weights, times those of what reads them. */
function strongest({ layer, stored }: BranchLayer, count: number, reader?: BranchLayer): number[] {
  const own = energies(stored.weights, (at) => Math.floor((at * layer.outputs) / stored.weights.length), layer.outputs);
  const taps = reader ? reader.stored.weights.length / reader.layer.outputs / layer.outputs : 1;
  const read = reader && energies(reader.stored.weights, (at) => Math.floor(at / taps) % layer.outputs, layer.outputs);
  const score = (unit: number): number => (own[unit] ?? 0) * (read?.[unit] ?? 1);
  const order = indices(layer.outputs).sort((a, b) => score(b) - score(a));
  return order.slice(0, count).sort((a, b) => a - b);
}

/** Sums of the squares of those weights that belong to a unit. */
function energies(weights: ArrayLike<number>, unitOf: (at: number) => number, units: number): Float64Array {
  const sums = new Float64Array(units);
  for (let at = 0; at < weights.length; at++) sums[unitOf(at)] = (sums[unitOf(at)] ?? 0) + (weights[at] ?? 0) ** 2;
  return sums;
}

const indices = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
