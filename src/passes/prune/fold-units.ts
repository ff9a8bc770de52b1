// Folding instead of dropping, without data (Wang et al. 2025): units with like filters become one, whose filter is the mean of
// theirs and of which readers take the sum of what they took of each. The mean of filters that are not the same is shorter than
// they are, so that what it gives varies less: its length (or the variance that a normalization behind it expects) is set right.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { isRefusal, refuse, type Refusal } from '../plan.js';
import { foldUnits } from './scores/folding.js';
import { readerLayer } from '../linear-layer.js';
import type { ScoreRefusal } from './scores/score.js';

/** `shared-weights`: weights that are summed in one place are averaged in another. */
export type FoldRefusal = ScoreRefusal | 'frozen' | 'shared-weights';

export interface FoldOutcome {
  /** Units that others now stand for: what `removeUnits` is to take away. */
  readonly removals: ReadonlyMap<ChannelGroup, readonly number[]>;
  /** Groups that are as they were. */
  readonly refused: ReadonlyMap<ChannelGroup, FoldRefusal>;
}

export interface FoldOptions {
  /** `repaired` (default): lengths of mean filters, or variances behind them, are set right. */
  readonly variance?: 'repaired' | 'as-is';
}

/**
 * Folds each group of `widths` to that many units, one after the other. Groups and facts stay valid; until the units are
 * removed, the model is of no use (their columns are zero), and where `removeUnits` refuses a group the caller must go
 * back to where the journal stood before.
 */
export function foldGroups(
  facts: Facts,
  widths: ReadonlyMap<ChannelGroup, number>,
  options: FoldOptions = {},
): FoldOutcome {
  const removals = new Map<ChannelGroup, readonly number[]>();
  const refused = new Map<ChannelGroup, FoldRefusal>();
  for (const [group, width] of widths) {
    if (width >= group.width) continue;
    const removed = foldGroup(group, facts, width, options);
    if (isRefusal(removed)) refused.set(group, removed.refused);
    else removals.set(group, removed);
  }
  return { removals, refused };
}

/** What becomes of numbers that belong to a cluster. */
type Role = 'sum' | 'mean';

/** Numbers along one axis of a constant, by unit. */
interface FoldedAxis {
  readonly value: Value;
  readonly axis: number;
  readonly indices: readonly (readonly number[])[];
  readonly role: Role;
}

function foldGroup(
  group: ChannelGroup,
  facts: Facts,
  width: number,
  { variance = 'repaired' }: FoldOptions,
): number[] | Refusal<FoldRefusal> {
  if (group.frozen) return refuse('frozen');
  const clusters = foldUnits(group, facts, width);
  if (isRefusal(clusters)) return clusters;
  const axes = foldedAxes(group, facts);
  if (isRefusal(axes)) return axes;
  const shared = clusters.members.filter(({ length }) => length > 1);
  const shrinkage = group.makers.map((node) => ({ node, shares: shrinkageOf(node, group, shared) }));
  for (const axis of axes) foldAxis(axis, shared);
  if (variance === 'repaired') for (const { node, shares } of shrinkage) repairVariance(node, group, shares);
  return shared.flatMap(([, ...others]) => others).sort((a, b) => a - b);
}

function foldedAxes(group: ChannelGroup, facts: Facts): readonly FoldedAxis[] | Refusal<FoldRefusal> {
  for (const reader of group.readers) if (!readerLayer(reader, facts)) return refuse('unsupported-reader');
  const readers = new Set(group.readers.map(({ node }) => node));
  const axes: FoldedAxis[] = [];
  for (const { value, axis, indices } of group.members) {
    if (!value.initializer) continue;
    if (!value.constant) return refuse('weights-not-constant');
    if (indices.some(({ length }) => length !== indices[0]?.length)) return refuse('unsupported-layout');
    const roles = new Set(
      value.consumers().map((node): Role => (readers.has(node) && isSummed(node, value, axis, group) ? 'sum' : 'mean')),
    );
    const [role, other] = roles;
    if (other) return refuse('shared-weights');
    if (role) axes.push({ value, axis, indices, role });
  }
  return axes;
}

/** Along which axis of its weights a layer sums, or indexes what it sums. */
const INPUT_AXES: Readonly<Record<string, (node: Node) => number>> = {
  Conv: () => 1,
  ConvTranspose: () => 0,
  MatMul: () => 0,
  Gemm: (node) => (node.int('transB', 0) === 0 ? 0 : 1),
};

function isSummed(node: Node, value: Value, axis: number, group: ChannelGroup): boolean {
  const reads = group.readers.some((reader) => reader.node === node && reader.slot === 0);
  return reads && node.inputs[1] === value && INPUT_AXES[node.opType]?.(node) === axis;
}

/** Each cluster becomes its first unit; the numbers of the others are zero where they were summed. */
function foldAxis({ value, axis, indices, role }: FoldedAxis, clusters: readonly (readonly number[])[]): void {
  const tensor = value.constant;
  if (!tensor || !value.graph) return;
  const { slices, numbers } = slicesAlong(tensor, axis);
  for (const [stands, ...others] of clusters) {
    for (const [at, target] of (indices[stands ?? -1] ?? []).entries()) {
      const sources = others.map((unit) => indices[unit]?.[at] ?? -1);
      for (const slice of slices) {
        const sum = sources.reduce((all, source) => all + (numbers[slice(source)] ?? 0), numbers[slice(target)] ?? 0);
        numbers[slice(target)] = role === 'sum' ? sum : sum / (others.length + 1);
        if (role === 'sum') for (const source of sources) numbers[slice(source)] = 0;
      }
    }
  }
  setNumbers(value, tensor, numbers);
}

/** Where the number of index i along the axis stands, for every place beside that axis. */
function slicesAlong(tensor: Tensor, axis: number) {
  const size = tensor.dims[axis] ?? 1;
  const inner = tensor.dims.slice(axis + 1).reduce((all, dim) => all * dim, 1);
  const count = tensor.size / Math.max(1, size);
  const slices = Array.from({ length: count }, (_, at) => {
    const base = Math.floor(at / inner) * size * inner + (at % inner);
    return (index: number): number => base + index * inner;
  });
  return { slices, numbers: tensor.toFloat64() };
}

function setNumbers(value: Value, { dtype, dims }: Tensor, numbers: Float64Array): void {
  value.graph?.setInitializer(value, { kind: 'dense', tensor: Tensor.fromNumbers(dtype, dims, numbers) });
}

/** By the unit that stands for a cluster, and output: squared length of the mean filter over the mean squared length. */
type Shares = ReadonlyMap<number, number>;

/** For input that is as strong in all directions the variance of an output is the squared length of its filter. */
function shrinkageOf(node: Node, group: ChannelGroup, clusters: readonly (readonly number[])[]): Shares {
  const shares = new Map<number, number>();
  const made = makerAxis(node, group);
  const tensor = made?.value.constant;
  if (!made || !tensor) return shares;
  const { slices, numbers } = slicesAlong(tensor, made.axis);
  for (const cluster of clusters) {
    for (const at of (made.indices[cluster[0] ?? -1] ?? []).keys()) {
      const sources = cluster.map((unit) => made.indices[unit]?.[at] ?? -1);
      let [mean, each] = [0, 0];
      for (const slice of slices) {
        const own = sources.map((source) => numbers[slice(source)] ?? 0);
        mean += (own.reduce((sum, w) => sum + w, 0) / own.length) ** 2;
        each += own.reduce((sum, w) => sum + w * w, 0) / own.length;
      }
      if (mean > 0 && each > 0) shares.set(sources[0] ?? -1, mean / each);
    }
  }
  return shares;
}

/** The member that is the weights of a layer along the axis of its outputs. */
function makerAxis(node: Node, group: ChannelGroup): ChannelGroup['members'][number] | undefined {
  const inputAxis = INPUT_AXES[node.opType]?.(node);
  return group.members.find(({ value, axis }) => value === node.inputs[1] && axis !== inputAxis);
}

/** Slot of the variance of a BatchNormalization. */
const VARIANCE = 4;

function repairVariance(node: Node, group: ChannelGroup, shares: Shares): void {
  const normalization = node.output?.soleConsumer;
  const isNormalized = normalization?.opType === 'BatchNormalization' && normalization.inputs[0] === node.output;
  const variance = isNormalized ? normalization.inputs[VARIANCE] : undefined;
  const made = makerAxis(node, group);
  const [value, axis] = variance ? [variance, 0] : [made?.value, made?.axis ?? 0];
  const tensor = value?.constant;
  if (!value || !tensor) return;
  const { slices, numbers } = slicesAlong(tensor, axis);
  for (const [index, share] of shares) {
    const factor = variance ? share : 1 / Math.sqrt(share);
    for (const slice of slices) numbers[slice(index)] = (numbers[slice(index)] ?? 0) * factor;
  }
  setNumbers(value, tensor, numbers);
}
