// Which branches of a block one of them could take over, form by form.
import { isPointKernel, isPointwise, type WindowGeometry } from '../conv-geometry.js';
import { isRefusal, refuse, type Planned, type Refusal } from '../plan.js';
import type { Branch, BranchBlock, BranchLayer } from './branch-block.js';
import type { HostPlan, HostUnits } from './branch-host.js';

/**
 * `unpooled`: the pool goes, and the convolution behind it reads what the pool read. `pool`: a neighbour of the pooling branch takes it
 * over. `large`: one branch takes over all that look at more than one position. `wide`: what is in front of it gets some units more.
 */
export type BranchForm = 'unpooled' | 'pool' | 'pool-wide' | 'large' | 'large-wide' | 'whole';

/**
 * `other-branch`: a branch does not come from what the others read, or others read within it. `long-branch`: it is more than a pointwise
 * convolution and one more. `grouped`: a convolution has groups. `strided`: it or the pool skips positions. `size`: the padding changes the
 * size of the map. `no-host`: no branch that could take over has a kernel that is large enough. `mixed`: some of the larger kernels read
 * units of a pointwise convolution, others what the block reads. `activations-differ`: of what would be one layer.
 */
export type BranchRefusal =
  'other-branch' | 'long-branch' | 'grouped' | 'strided' | 'size' | 'no-host' | 'mixed' | 'activations-differ';

/** What would stand there; undefined where the form has nothing to begin with. */
export function planBranches(block: BranchBlock, form: BranchForm): Planned<HostPlan, BranchRefusal> {
  const run = runOf(block, form);
  if (!run || isRefusal(run)) return run;
  const plan = united(block, run);
  if (!plan || isRefusal(plan)) return plan;
  return form === 'pool-wide' || form === 'large-wide' ? widened(plan) : plan;
}

/** Neighbours in a block: from one place to before another. */
interface Run {
  readonly from: number;
  readonly to: number;
}

function runOf({ branches }: BranchBlock, form: BranchForm): Planned<Run, BranchRefusal> {
  const pooling = branches.findIndex((branch) => branch?.pool);
  if (form === 'whole') return { from: 0, to: branches.length };
  if (form === 'unpooled') return pooling < 0 ? undefined : { from: pooling, to: pooling + 1 };
  if (form === 'pool' || form === 'pool-wide') return pooling < 0 ? undefined : aroundPool(branches, pooling);
  const from = branches.findIndex(isLarge);
  const after = branches.findIndex((branch, at) => at > from && !isLarge(branch));
  const to = after < 0 ? branches.length : after;
  const hosts = branches.slice(Math.max(0, from), to).filter((branch) => !branch?.pool);
  return from < 0 || hosts.length < 2 ? undefined : { from, to };
}

const isLarge = (branch: Branch | undefined): boolean =>
  branch !== undefined && (branch.pool !== undefined || !isPointKernel(branch.last.layer));

/** With the neighbour whose kernel covers the pool; of two, the one that knows more. */
function aroundPool(branches: BranchBlock['branches'], pooling: number): Run | Refusal<BranchRefusal> {
  const pool = branches[pooling]?.pool?.window;
  const covers = (branch: Branch | undefined): boolean =>
    branch?.pool === undefined && !!pool?.kernel.every((k, axis) => k <= (branch?.last.layer.kernel[axis] ?? 0));
  const hosts = [pooling - 1, pooling + 1].filter((at) => covers(branches[at]));
  const inputs = (at: number): number => branches[at]?.last.layer.inputs ?? 0;
  const [host] = hosts.toSorted((a, b) => inputs(b) - inputs(a));
  return host === undefined ? refuse('no-host') : { from: Math.min(host, pooling), to: Math.max(host, pooling) + 1 };
}

/** One branch in the place of some. */
function united(block: BranchBlock, { from, to }: Run): Planned<HostPlan, BranchRefusal> {
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
  return { block, from, members, host, units: host.layers.length > 1 ? unitsOf(members) : [] };
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

/** Channels that the runtime computes together: a reducer that fills its last block costs little more. */
const BLOCK = 16;

/** With units of the convolution behind the pool, as they would be without it: those with the largest weights. */
function widened(plan: HostPlan): Planned<HostPlan, BranchRefusal> {
  const layer = plan.members.find(({ pool }) => pool)?.last;
  if (!layer || plan.units.length === 0) return undefined;
  const own = plan.units.reduce((sum, { kept }) => sum + kept.length, 0);
  const more = Math.min(layer.layer.outputs, BLOCK - (own % BLOCK));
  return { ...plan, units: [...plan.units, { layer, kept: strongest(layer, more) }] };
}

function strongest({ layer, stored }: BranchLayer, count: number): number[] {
  const row = stored.weights.length / layer.outputs;
  const energies = indices(layer.outputs).map((unit) =>
    Array.from(stored.weights)
      .slice(unit * row, (unit + 1) * row)
      .reduce((sum, weight) => sum + weight * weight, 0),
  );
  const order = indices(layer.outputs).sort((a, b) => (energies[b] ?? 0) - (energies[a] ?? 0));
  return order.slice(0, count).sort((a, b) => a - b);
}
