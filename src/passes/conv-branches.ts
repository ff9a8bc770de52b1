// Branches from one value that are added up: each is a convolution of it, and on a common grid of taps they are one
// (ACNet, RepVGG, DBB). Per axis a branch with padding p stands at offset P - p, P = max p, on a kernel of
// K = max(P - p + ke); the end padding keeps P + Q - K = p + q - ke, and with it the output size.
import type { Facts } from '../analysis/facts.js';
import { sameDim } from '../ir/dim.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { DType } from '../tensor/dtype.js';
import { elementCount } from '../tensor/tensor.js';
import { affineOf } from './channel-affine.js';
import { extents, type WindowGeometry } from './conv-geometry.js';
import { averagePoolMap, convMapOf, gcd, unravel, type ConvMap } from './conv-map.js';
import { refuse, type Planned } from './plan.js';
import type { LayerRefusal } from './tensor-layer.js';

/** What is known of all branches before any is read. */
export interface BranchFrame {
  readonly source: Value;
  readonly channels: number;
  readonly dtype: DType;
  /** Number of spatial axes. */
  readonly axes: number;
}

/** The branch that computes `value` from the source as a convolution; undefined when it is none. */
export function branchMap(
  value: Value,
  frame: BranchFrame,
  facts: Facts,
): Planned<ConvMap, LayerRefusal | 'uneven-average'> {
  if (value === frame.source) return diagonal(frame, new Float64Array(frame.channels).fill(1), undefined);
  const { producer } = value;
  if (producer === undefined || !producer.inputs.includes(frame.source)) return undefined;
  if (producer.is('Conv')) return producer.inputs[0] === frame.source ? convMapOf(producer, facts) : undefined;
  if (producer.is('AveragePool'))
    return averagePoolMap(producer, frame.channels, frame.dtype, facts) ?? refuse('uneven-average');
  const affine = affineOf(producer);
  const map =
    affine?.data === frame.source
      ? affine.along({ channels: frame.channels, rank: frame.axes + 2, fromEnd: frame.axes })
      : undefined;
  return map && diagonal(frame, map.scale, map.shift);
}

/** y = a_c x + c_c as a depthwise point convolution. */
function diagonal(
  { channels, dtype, axes }: BranchFrame,
  scale: Float64Array,
  shift: Float64Array | undefined,
): ConvMap {
  const [ones, zeros] = [Array<number>(axes).fill(1), Array<number>(axes).fill(0)];
  return {
    kernel: ones,
    strides: ones,
    dilations: ones,
    begins: zeros,
    ends: zeros,
    groups: channels,
    outputs: channels,
    inputs: channels,
    dtype,
    sources: [],
    weights: () => Float64Array.from(scale),
    bias: shift,
  };
}

/** The sum of branches as one convolution, or why it is none: strides or sizes differ. */
export function summed(
  branches: readonly ConvMap[],
  frame: BranchFrame,
  facts: Facts,
): ConvMap | ReturnType<typeof refuse<'sizes'>> {
  const [first] = branches;
  if (
    first === undefined ||
    branches.some((branch) => branch.outputs !== first.outputs || branch.strides.some((s, i) => s !== first.strides[i]))
  )
    return refuse('sizes');
  const sizes = sharedSizes(branches, frame, facts);
  if (!sizes) return refuse('sizes');
  const { kernel, dilations, begins, reach, offset } = jointWindow(branches);
  const ends = reach.map((k, i) => k - (begins[i] ?? 0) + (sizes[i] ?? 0));
  const geometry = { kernel, strides: first.strides, dilations, begins, ends };
  const groups = branches.reduce((all, branch) => gcd(all, branch.groups), 0);
  return {
    ...geometry,
    dtype: frame.dtype,
    groups,
    outputs: first.outputs,
    inputs: frame.channels,
    sources: branches.flatMap(({ sources }) => sources),
    weights: () =>
      summedWeights(branches, { kernel, dilations, groups, outputs: first.outputs, inputs: frame.channels }, offset),
    bias: summedBias(branches, first.outputs),
  };
}

interface JointWindow extends Pick<WindowGeometry, 'kernel' | 'dilations' | 'begins'> {
  /** (K - 1) d + 1 per axis. */
  readonly reach: readonly number[];
  /** Where the first tap of one of the windows lies in the joint one, in elements. */
  offset(window: WindowGeometry, axis: number): number;
}

/** The smallest window that holds all of `windows`, each at its place, with the largest dilation that meets all taps. */
export function jointWindow(windows: readonly WindowGeometry[]): JointWindow {
  const axes = windows[0]?.begins ?? [];
  const begins = axes.map((_, i) => Math.max(...windows.map((window) => window.begins[i] ?? 0)));
  const offset = (window: WindowGeometry, i: number): number => (begins[i] ?? 0) - (window.begins[i] ?? 0);
  const reach = axes.map((_, i) => Math.max(...windows.map((window) => offset(window, i) + (extents(window)[i] ?? 1))));
  const dilations = axes.map((_, i) => {
    const steps = windows.flatMap((window) => [
      offset(window, i),
      (window.kernel[i] ?? 1) > 1 ? (window.dilations[i] ?? 1) : 0,
    ]);
    return steps.reduce((step, n) => gcd(step, n), 0) || 1;
  });
  return { begins, reach, dilations, kernel: reach.map((k, i) => (k - 1) / (dilations[i] ?? 1) + 1), offset };
}

/** p + q - ke per axis, when all branches agree: then they agree on every input size. */
function sharedSizes(branches: readonly ConvMap[], { source }: BranchFrame, facts: Facts): number[] | undefined {
  const slack = (branch: ConvMap): number[] =>
    extents(branch).map((reach, i) => (branch.begins[i] ?? 0) + (branch.ends[i] ?? 0) - reach);
  const spatial = facts.staticShape(source)?.slice(2);
  const all = branches.map(slack);
  const [first = []] = all;
  const smallest = first.map((_, i) => Math.min(...all.map((numbers) => numbers[i] ?? 0)));
  const agrees = first.map((_, i) => {
    const positions = (numbers: readonly number[]): number =>
      Math.floor(((spatial?.[i] ?? 0) + (numbers[i] ?? 0)) / (branches[0]?.strides[i] ?? 1));
    const same = all.every((numbers) => numbers[i] === first[i]);
    return same || (spatial !== undefined && all.every((numbers) => positions(numbers) === positions(first)));
  });
  return agrees.includes(false) ? undefined : smallest;
}

type Grid = Pick<ConvMap, 'kernel' | 'dilations' | 'groups' | 'outputs' | 'inputs'>;

function summedWeights(
  branches: readonly ConvMap[],
  grid: Grid,
  offset: (branch: ConvMap, axis: number) => number,
): Float64Array {
  const { kernel, dilations, groups, outputs, inputs } = grid;
  const taps = elementCount(kernel);
  const perGroup = inputs / groups;
  const result = new Float64Array(outputs * perGroup * taps);
  for (const branch of branches) {
    const weights = branch.weights();
    const own = elementCount(branch.kernel);
    const per = inputs / branch.groups;
    const places = Array.from({ length: own }, (_, tap) =>
      unravel(tap, branch.kernel)
        .map((index, i) => (offset(branch, i) + index * (branch.dilations[i] ?? 1)) / (dilations[i] ?? 1))
        .reduce((place, index, i) => place * (kernel[i] ?? 1) + index, 0),
    );
    for (let o = 0; o < outputs; o++) {
      const first = Math.floor((o * branch.groups) / outputs) * per - Math.floor((o * groups) / outputs) * perGroup;
      for (let i = 0; i < per; i++) {
        for (let tap = 0; tap < own; tap++) {
          const at = (o * perGroup + first + i) * taps + (places[tap] ?? 0);
          result[at] = (result[at] ?? 0) + (weights[(o * per + i) * own + tap] ?? 0);
        }
      }
    }
  }
  return result;
}

function summedBias(branches: readonly ConvMap[], outputs: number): Float64Array | undefined {
  const biases = branches.flatMap(({ bias }) => (bias ? [bias] : []));
  if (biases.length === 0) return undefined;
  return new Float64Array(outputs).map((_, o) => biases.reduce((sum, bias) => sum + (bias[o] ?? 0), 0));
}

/** Values that all of `terms` may be computed from: a term itself, or what its producer reads first. */
export function commonSources(terms: readonly Value[]): Value[] {
  const sourcesOf = (value: Value): Value[] => [
    value,
    ...(value.producer?.inputs ?? []).filter(
      (input): input is Value => input !== undefined && input.constant === undefined,
    ),
  ];
  const [first, ...rest] = terms.map(sourcesOf);
  return (first ?? []).filter((source) => rest.every((sources) => sources.includes(source)));
}

/** What `source` is known to be as the input of convolutions; undefined when its channels are not known. */
export function branchFrame(source: Value, facts: Facts): BranchFrame | undefined {
  const { shape, dtype } = facts.of(source);
  const channels = shape?.[1];
  return shape && dtype && shape.length > 2 && typeof channels === 'number'
    ? { source, channels, dtype, axes: shape.length - 2 }
    : undefined;
}

/** Branches of an addition may not broadcast: all have the shape of the sum. */
export function sameShapes(values: readonly Value[], facts: Facts): boolean {
  const [first, ...rest] = values.map((value) => facts.of(value).shape);
  return (
    first !== undefined &&
    rest.every((shape) => shape?.length === first.length && shape.every((dim, i) => sameDim(dim, first[i])))
  );
}

/** Whether nobody but `reader` reads the branch, so that it goes when it is merged. */
export function isOwnBranch(value: Value, reader: Node): boolean {
  return value.soleConsumer === reader && value.producer?.graph === reader.graph;
}

/** What a sum adds up. */
export interface Addend {
  readonly value: Value;
  /** The addition that reads it. */
  readonly reader: Node;
}

/** Longest sum that is looked through. */
const MAX_ADDENDS = 16;

/**
 * What `node`, an Add or Sum, adds up, in order, with what additions that only it reads add up in their place; and those
 * additions, the last first.
 */
export function addends(node: Node): { readonly terms: readonly Addend[]; readonly inner: readonly Node[] } {
  const inner: Node[] = [];
  const termsOf = (reader: Node): Addend[] =>
    reader.inputs.flatMap((value) => {
      const sum = value?.soleConsumer === reader && value.producer?.graph === reader.graph ? value.producer : undefined;
      if (!sum || !(sum.is('Add') || sum.is('Sum')) || inner.length >= MAX_ADDENDS)
        return value ? [{ value, reader }] : [];
      inner.push(sum);
      return termsOf(sum);
    });
  return { terms: termsOf(node), inner };
}
