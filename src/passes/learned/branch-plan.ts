// Which branches of a block one of them could take over, form by form.
import { isPointKernel, isPointwise, type WindowGeometry } from '../conv-geometry.js';
import { isRefusal, refuse, type Planned, type Refusal } from '../plan.js';
import type { Branch, BranchBlock, BranchLayer } from './branch-block.js';
import type { HostPlan, HostUnits } from './branch-host.js';

/**
 * Which branches go. `unpooled`: only the pool, and the convolution behind it reads what the pool read. `pool`: the pooling branch, `both`:
 * the pointwise ones too, each to a neighbour with a larger kernel. `large`: all that look at more than one position become one. `whole`:
 * all become one.
 */
export type BranchCover = 'unpooled' | 'pool' | 'both' | 'large' | 'whole';

export interface BranchForm {
  readonly cover: BranchCover;
  /** The part that stays of the units in front of the kernels. */
  readonly share: number;
  /** `pooled`: as many units of the convolutions behind pools that go as fill the last block of channels. */
  readonly more: 'none' | 'pooled';
}

/**
 * `other-branch`: a branch does not come from what the others read, or others read within it. `long-branch`: it is more than a pointwise
 * convolution and one more. `grouped`: a convolution has groups. `strided`: it or the pool skips positions. `size`: the padding changes the
 * size of the map. `no-host`: no branch that could take over has a kernel that is large enough. `mixed`: some of the larger kernels read
 * units of a pointwise convolution, others what the block reads. `activations-differ`: of what would be one layer.
 */
export type BranchRefusal =
  'other-branch' | 'long-branch' | 'grouped' | 'strided' | 'size' | 'no-host' | 'mixed' | 'activations-differ';

/** What would stand there; undefined where the form has nothing to begin with. */
export function planBranches(block: BranchBlock, form: BranchForm): Planned<readonly HostPlan[], BranchRefusal> {
  const runs = runsOf(block, form.cover);
  if (isRefusal(runs)) return runs;
  const hosts: HostPlan[] = [];
  for (const run of runs) {
    const plan = united(block, run);
    if (isRefusal(plan)) return plan;
    const fitted = withUnits(plan, form);
    if (fitted) hosts.push(fitted);
  }
  return hosts.length > 0 ? hosts : undefined;
}

/** Neighbours in a block: from one place to before another. */
interface Run {
  readonly from: number;
  readonly to: number;
}

type Branches = BranchBlock['branches'];

function runsOf({ branches }: BranchBlock, cover: BranchCover): readonly Run[] | Refusal<BranchRefusal> {
  const pooling = branches.flatMap((branch, at) => (branch?.pool ? [at] : []));
  if (cover === 'whole') return [{ from: 0, to: branches.length }];
  if (cover === 'unpooled') return pooling.map((at) => ({ from: at, to: at + 1 }));
  if (cover === 'large') return largeRuns(branches);
  const points = branches.flatMap((branch, at) => (branch && !isLarge(branch) ? [at] : []));
  return pooling.length === 0 ? [] : taken(branches, cover === 'both' ? [...points, ...pooling] : pooling);
}

/** At least two kernels, and pools next to them. */
function largeRuns(branches: Branches): Run[] {
  const from = branches.findIndex(isLarge);
  if (from < 0) return [];
  const after = branches.findIndex((branch, at) => at > from && !isLarge(branch));
  const to = after < 0 ? branches.length : after;
  const kernels = branches.slice(from, to).filter((branch) => !branch?.pool);
  return kernels.length > 1 ? [{ from, to }] : [];
}

const isLarge = (branch: Branch | undefined): boolean =>
  branch !== undefined && (branch.pool !== undefined || !isPointKernel(branch.last.layer));

/** Each with the neighbour whose kernel covers it; of two, the one that knows more. */
function taken(branches: Branches, going: readonly number[]): readonly Run[] | Refusal<BranchRefusal> {
  const runs = new Map<number, Run>();
  for (const at of going) {
    const seen = branches[at]?.pool?.window ?? branches[at]?.last.layer;
    const covers = (branch: Branch | undefined): boolean =>
      isLarge(branch) &&
      !branch?.pool &&
      !!seen?.kernel.every((k, axis) => k <= (branch?.last.layer.kernel[axis] ?? 0));
    const inputs = (place: number): number => branches[place]?.last.layer.inputs ?? 0;
    const hosts = [at - 1, at + 1].filter((place) => covers(branches[place]));
    const [host] = hosts.toSorted((a, b) => inputs(b) - inputs(a));
    if (host === undefined) return refuse('no-host');
    const { from, to } = runs.get(host) ?? { from: host, to: host + 1 };
    runs.set(host, { from: Math.min(from, at), to: Math.max(to, at + 1) });
  }
  return [...runs.values()];
}

/** One branch in the place of some. */
function united(block: BranchBlock, { from, to }: Run): HostPlan | Refusal<BranchRefusal> {
  const members: Branch[] = [];
  for (const branch of block.branches.slice(from, to)) {
    const refused = branch ? refusalOf(branch) : refuse('other-branch');
    if (refused) return refused;
    if (branch) members.push(branch);
  }
  const [host] = members.filter(({ pool }) => !pool || members.length === 1).toSorted((a, b) => workOf(b) - workOf(a));
  if (!host || (members.length > 1 && isPointKernel(host.last.layer))) return refuse('no-host');
  if (members.some((one) => isLarge(one) && !one.pool && one.layers.length !== host.layers.length))
    return refuse('mixed');
  const { bounds } = host.last;
  const isAlike = members.every(({ last }) => last.bounds?.low === bounds?.low && last.bounds?.high === bounds?.high);
  if (!isAlike) return refuse('activations-differ');
  return { from, members, host, units: host.layers.length > 1 ? unitsOf(members) : [] };
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

/** Multiplications per position of the last convolution. */
const workOf = ({ last }: Branch): number => last.stored.weights.length;

/** All that pointwise convolutions give to larger kernels. */
const unitsOf = (members: readonly Branch[]): HostUnits[] =>
  members.flatMap(({ layers: [first, ...others] }) =>
    first && others.length > 0 ? [{ layer: first, kept: indices(first.layer.outputs) }] : [],
  );

const indices = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** Channels that the runtime computes together: a layer that fills its last block costs little more. */
const BLOCK = 16;

/** Undefined where the form has nothing to change. */
function withUnits(plan: HostPlan, { share, more }: BranchForm): HostPlan | undefined {
  const [pooled] = plan.members.flatMap(({ pool, last }) => (pool ? [last] : []));
  if (share === 1 && more === 'none') return plan;
  if (plan.units.length === 0 || (more === 'pooled' && !pooled)) return undefined;
  const own = plan.units.map(({ layer }) => {
    const reader = plan.members.find(({ layers: [first] }) => first === layer)?.last;
    return { layer, kept: strongest(layer, Math.max(1, Math.round(share * layer.layer.outputs)), reader) };
  });
  if (more === 'none' || !pooled) return { ...plan, units: own };
  const count = own.reduce((sum, { kept }) => sum + kept.length, 0);
  const added = Math.min(pooled.layer.outputs, BLOCK - (count % BLOCK));
  return { ...plan, units: [...own, { layer: pooled, kept: strongest(pooled, added) }] };
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
