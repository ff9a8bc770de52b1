// What a model costs by the widths of its groups. A layer's multiplications, its weights, and (as fitted) its time are products
// of the widths of what it reads and what it makes, and each of these is a sum over the groups on that axis: so the cost of
// a model is a quadratic form in the numbers of units kept, with a product for every two groups that meet in a layer. With the
// last unit of a group in the branch of a residual sum the whole branch goes, and with it what did not depend on the width.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { nodeCosts } from '../../analysis/cost.js';
import { moments } from '../../analysis/liveness.js';
import type { Facts } from '../../analysis/facts.js';
import type { ModelFacts } from '../../analysis/inference.js';
import { residualBranch } from '../../analysis/residual-branch.js';
import { weightsOf } from '../../analysis/weights.js';
import { invariant } from '../../base/errors.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { constantTensor } from '../../ops/generate.js';
import type { Tensor } from '../../tensor/tensor.js';

/** `macs`: of one run. `params`, `size`: elements and bytes of all weights. `latency`: microseconds of one run. */
export type CostKind = 'macs' | 'params' | 'size' | 'latency';

/** constant + sum of linear[g] k[g] + sum of whole[g] where k[g] > 0 + sum of factor k[a] k[b], k: units kept by group. */
export interface WidthForm {
  readonly groups: readonly ChannelGroup[];
  readonly constant: number;
  /** By group, per unit kept. */
  readonly linear: Float64Array;
  /** By group, as long as a unit is kept. */
  readonly whole: Float64Array;
  /** a <= b, each pair once. */
  readonly products: readonly CostProduct[];
}

export interface WidthCost extends WidthForm {
  readonly kind: CostKind;
}

/** What is alive while a node runs, in bytes. */
export interface MemoryForm extends WidthForm {
  readonly node: Node;
}

export interface CostProduct {
  readonly a: number;
  readonly b: number;
  readonly factor: number;
}

/** The cost at these widths; groups that are not named keep all units. */
export function costAt(cost: WidthForm, kept: ReadonlyMap<ChannelGroup, number>): number {
  const widths = cost.groups.map((group) => kept.get(group) ?? group.width);
  const own = (width: number, at: number): number =>
    width > 0 ? width * (cost.linear[at] ?? 0) + (cost.whole[at] ?? 0) : 0;
  const linear = widths.reduce((sum, width, at) => sum + own(width, at), cost.constant);
  return cost.products.reduce((sum, { a, b, factor }) => sum + factor * (widths[a] ?? 0) * (widths[b] ?? 0), linear);
}

/** The size of an axis: `rest` and so much per unit kept of each group. */
export interface AxisWidth {
  readonly size: number;
  readonly rest: number;
  /** By number of the group. */
  readonly perUnit: ReadonlyMap<number, number>;
}

/** The size at these widths, by number of the group. */
export function axisAt({ rest, perUnit }: AxisWidth, kept: readonly number[]): number {
  let size = rest;
  for (const [group, units] of perUnit) size += units * (kept[group] ?? 0);
  return size;
}

/** The branch that goes with the last unit of a group, and the groups that are made within it: by number. */
export interface BranchWidth {
  readonly group: number;
  readonly inner: ReadonlySet<number>;
}

/** By node, the branch that it goes with; the first of several. */
export function branchWidths(groups: readonly ChannelGroup[], facts: Facts): ReadonlyMap<Node, BranchWidth> {
  const found = new Map<Node, BranchWidth>();
  for (const [number, group] of groups.entries()) {
    const nodes = residualBranch(group, facts)?.nodes;
    if (!nodes) continue;
    const inner = groups.flatMap(({ makers }, at) =>
      makers.length > 0 && makers.every((node) => nodes.has(node)) ? [at] : [],
    );
    const branch: BranchWidth = { group: number, inner: new Set(inner) };
    for (const node of nodes) if (!found.has(node)) found.set(node, branch);
  }
  return found;
}

export type AxisWidths = ReadonlyMap<Value, ReadonlyMap<number, AxisWidth>>;

/** How the sizes of all axes along which units of `groups` lie follow the numbers of units kept. */
export function axisWidths(groups: readonly ChannelGroup[], facts: ModelFacts): AxisWidths {
  const widths = new Map<Value, Map<number, { size: number; rest: number; perUnit: Map<number, number> }>>();
  for (const [number, { members, width }] of groups.entries()) {
    for (const { value, axis, indices } of members) {
      const size = value.constant?.dims[axis] ?? facts.assumed(value)?.[axis];
      if (size === undefined) continue;
      const axes = widths.get(value) ?? new Map<number, { size: number; rest: number; perUnit: Map<number, number> }>();
      widths.set(value, axes);
      const found = axes.get(axis) ?? { size, rest: size, perUnit: new Map<number, number>() };
      axes.set(axis, found);
      const lies = indices.reduce((sum, own) => sum + own.length, 0);
      found.rest -= lies;
      found.perUnit.set(number, (found.perUnit.get(number) ?? 0) + lies / Math.max(1, width));
    }
  }
  return widths;
}

/** Adds up a quadratic form. */
export class CostSum {
  readonly #groups: readonly ChannelGroup[];
  readonly #linear: Float64Array;
  readonly #whole: Float64Array;
  readonly #products = new Map<string, CostProduct>();
  #constant = 0;

  constructor(groups: readonly ChannelGroup[]) {
    this.#groups = groups;
    this.#linear = new Float64Array(groups.length);
    this.#whole = new Float64Array(groups.length);
  }

  /**
   * `amount` times the product of what is left of each axis, as a part of its size. At most two axes: more count as whole.
   * `branch`: that goes as a whole with one group; what depends on no group within it counts in full until then.
   */
  add(amount: number, axes: readonly AxisWidth[] = [], branch?: BranchWidth): void {
    const [first, second] = axes;
    const isOwn = axes.some(({ perUnit }) => [...perUnit.keys()].some((group) => branch?.inner.has(group)));
    if (branch && !isOwn) this.#whole[branch.group] = (this.#whole[branch.group] ?? 0) + amount;
    else if (!first) this.#constant += amount;
    else if (!second) {
      const each = amount / first.size;
      this.#constant += each * first.rest;
      for (const [group, units] of first.perUnit) this.#addLinear(group, each * units);
    } else this.#addProduct(amount / (first.size * second.size), first, second);
  }

  form(): WidthForm {
    const products = [...this.#products.values()].sort((x, y) => x.a - y.a || x.b - y.b);
    const [groups, constant, linear, whole] = [this.#groups, this.#constant, this.#linear, this.#whole];
    return { groups, constant, linear, whole, products };
  }

  total(kind: CostKind): WidthCost {
    return { kind, ...this.form() };
  }

  #addProduct(each: number, first: AxisWidth, second: AxisWidth): void {
    this.#constant += each * first.rest * second.rest;
    for (const [group, units] of first.perUnit) this.#addLinear(group, each * units * second.rest);
    for (const [group, units] of second.perUnit) this.#addLinear(group, each * units * first.rest);
    for (const [one, left] of first.perUnit) {
      for (const [other, right] of second.perUnit) {
        const [a, b] = one <= other ? [one, other] : [other, one];
        const key = `${a} ${b}`;
        const factor = (this.#products.get(key)?.factor ?? 0) + each * left * right;
        this.#products.set(key, { a, b, factor });
      }
    }
  }

  #addLinear(group: number, amount: number): void {
    invariant(group < this.#linear.length, `no group ${group}`);
    this.#linear[group] = (this.#linear[group] ?? 0) + amount;
  }
}

/** Multiplications of one run, or elements or bytes of weights, by the widths of `groups`. */
export function countedCost(
  model: Model,
  facts: ModelFacts,
  groups: readonly ChannelGroup[],
  kind: Exclude<CostKind, 'latency'>,
): WidthCost {
  const widths = axisWidths(groups, facts);
  const sum = new CostSum(groups);
  const branches = branchWidths(groups, facts);
  if (kind === 'macs') {
    for (const { node, macs, runs } of nodeCosts(model, facts))
      if (macs > 0) sum.add(macs * runs, macAxes(node.inputs, node.output, widths), branches.get(node));
    return sum.total(kind);
  }
  const amount = ({ size, byteLength }: Tensor): number => (kind === 'params' ? size : byteLength);
  let fixed = weightsOf(model).reduce((all, tensor) => all + amount(tensor), 0);
  for (const value of widths.keys()) {
    const tensor = value.constant ?? (value.producer && constantTensor(value.producer));
    if (!tensor) continue;
    sum.add(amount(tensor), axesOf(widths, value), value.soleConsumer && branches.get(value.soleConsumer));
    fixed -= amount(tensor);
  }
  sum.add(fixed);
  return sum.total(kind);
}

/** Bytes that are alive at each node, by the widths of `groups`, in the order of the nodes. The largest is the peak. */
export function memoryForms(model: Model, facts: ModelFacts, groups: readonly ChannelGroup[]): readonly MemoryForm[] {
  const widths = axisWidths(groups, facts);
  return moments(model, facts).map(({ node, buffers, inner }) => {
    const sum = new CostSum(groups);
    sum.add(inner);
    for (const [value, bytes] of buffers) sum.add(bytes, axesOf(widths, value));
    return { node, ...sum.form() };
  });
}

export const axesOf = (widths: AxisWidths, value: Value | undefined): AxisWidth[] =>
  value ? [...(widths.get(value)?.values() ?? [])] : [];

/**
 * The axes that multiplications grow with: those of the weights where they are stored (each number of a filter is used once
 * per position), else those of both operands and of the result, each width once.
 */
export function macAxes(
  inputs: readonly (Value | undefined)[],
  output: Value | undefined,
  widths: AxisWidths,
): AxisWidth[] {
  const weights = inputs[1];
  if (weights?.constant) return axesOf(widths, weights);
  const all = [inputs[0], weights, output].flatMap((value) => axesOf(widths, value));
  const byGroups = new Map(all.map((axis) => [[...axis.perUnit.keys()].join(), axis]));
  return [...byGroups.values()];
}
