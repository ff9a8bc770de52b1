// What an operator says of widths besides its weights, and how it says it once units are gone: the number of groups of a
// convolution, target shapes, sizes of parts, bounds, indices, pads. One entry per operator; the others say nothing.
import { intAttr, intsAttr, tensorAttr, type Attribute } from '../../ir/attribute.js';
import { isStatic, type Dim } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import { constantTensor } from '../../ops/generate.js';
import { axisOf, intsOf, numbersOf } from '../../ops/inputs.js';
import type { OpSite } from '../../ops/record.js';
import { padsOf } from '../../ops/slice.js';
import { Tensor } from '../../tensor/tensor.js';
import { slicedAlong } from '../channel-lane.js';
import { reshapeTarget } from '../reshape-target.js';
import { readSlice, TO_THE_END, type SliceRange } from '../slice-range.js';
import type { Cut, RemovalCode } from './remove-units-cuts.js';

/** A node as it was before anything was removed, and what is cut around it. */
export interface CutSite {
  readonly node: Node;
  readonly op: OpSite;
  /** The cut of input `slot` along `axis`, if it is cut. */
  inputCut(slot: number, axis: number): Cut | undefined;
  outputCut(slot: number, axis: number): Cut | undefined;
  /** Dims before. */
  inputDims(slot: number): readonly Dim[] | undefined;
  outputDims(slot: number): readonly Dim[] | undefined;
}

/** A change of a node; an attribute or input that is undefined goes. */
export type Edit =
  | { readonly attribute: string; readonly value: Attribute | undefined }
  | { readonly input: number; readonly tensor: Tensor };

/** What has to change, or why that is not possible. Sizes that nodes compute are left to them: what comes out is checked. */
type Mend = (site: CutSite) => readonly Edit[] | RemovalCode;

/** An integer list that is an attribute in early opsets, and input `slot` since. */
function listEdit(
  site: CutSite,
  name: string,
  slot: number,
  before: readonly number[],
  after: readonly number[],
): Edit[] {
  if (after.every((number, i) => number === before[i])) return [];
  if (site.node.ints(name) !== undefined) return [{ attribute: name, value: intsAttr(after) }];
  const dtype = site.op.constant(slot)?.dtype ?? 'int64';
  return [{ input: slot, tensor: Tensor.fromNumbers(dtype, [after.length], after) }];
}

const sizeAfter = (cut: Cut | undefined, dim: Dim | undefined): Dim | undefined => (cut ? cut.kept.length : dim);

const inputAfter = (site: CutSite, slot: number): readonly Dim[] | undefined =>
  site.inputDims(slot)?.map((dim, axis) => sizeAfter(site.inputCut(slot, axis), dim) ?? dim);

const outputAfter = (site: CutSite, slot: number): readonly Dim[] | undefined =>
  site.outputDims(slot)?.map((dim, axis) => sizeAfter(site.outputCut(slot, axis), dim) ?? dim);

/**
 * Convolutions: a unit lies at the same place of every group, or is a whole group (depthwise). `blocks`: the side whose
 * width per group the weights have along axis 1.
 */
function grouped(blocks: 'inputs' | 'outputs'): Mend {
  return (site) => {
    const before = site.node.int('group', 1);
    // Counted by the weights: what the data bring may be known to nobody.
    const [rows, width] = site.inputDims(1) ?? [];
    if (!isStatic(rows) || !isStatic(width)) return 'unknown-shape';
    const inputs = placesPerGroup(site.inputCut(0, 1), blocks === 'inputs' ? width * before : rows, before);
    const outputs = placesPerGroup(site.outputCut(0, 1), blocks === 'inputs' ? rows : width * before, before);
    if (inputs === undefined || outputs === undefined) return 'uneven-groups';
    const left = inputs.flatMap((places, g) => (places.length > 0 ? [g] : []));
    const [listed, counted] = blocks === 'inputs' ? [inputs, outputs] : [outputs, inputs];
    const columns = (site.inputCut(1, 1)?.kept ?? Array.from({ length: width }, (_, i) => i)).join();
    const height = counted[left[0] ?? 0]?.length ?? 0;
    const isEven = listed.every((places, g) => (left.includes(g) ? places.join() === columns : places.length === 0));
    const isFull = counted.every((places, g) => places.length === (left.includes(g) ? height : 0));
    if (!isEven || !isFull || height === 0) return 'uneven-groups';
    return left.length === before ? [] : [{ attribute: 'group', value: intAttr(left.length) }];
  };
}

/** The places within each of `groups` equal blocks of an axis that stay. */
function placesPerGroup(cut: Cut | undefined, size: number, groups: number): number[][] | undefined {
  if (size % groups !== 0) return undefined;
  const block = size / groups;
  const places = Array.from({ length: groups }, (): number[] => []);
  const kept = cut?.kept ?? Array.from({ length: size }, (_, i) => i);
  for (const index of kept) places[Math.floor(index / block)]?.push(index % block);
  return places;
}

/** Numbers as they are stay where nothing is cut; -1 stays; 0 stays where the input still has that size there. */
const reshape: Mend = (site) => {
  const [from, to] = [inputAfter(site, 0), outputAfter(site, 0)];
  if (to === undefined) return 'unknown-shape';
  const given = intsOf(site.op, 'shape', 1);
  if (Array.isArray(given)) {
    const target = given.map((dim: number, axis) => {
      const cut = site.outputCut(0, axis);
      return cut && dim !== -1 && (dim !== 0 || from?.[axis] !== cut.kept.length) ? cut.kept.length : dim;
    });
    return listEdit(site, 'shape', 1, given, target);
  }
  const target = reshapeTarget(from, to);
  if (target === undefined || to.every((_, axis) => !site.outputCut(0, axis))) return [];
  return [
    { input: 1, tensor: Tensor.int64s(target) },
    { attribute: 'allowzero', value: undefined },
  ];
};

/** A shape as input `slot`, aligned with the output from the right; 1 stands for what the data have. */
function shapeOperand(slot: number): Mend {
  return (site) => {
    const given = numbersOf(site.op, slot);
    const rank = site.outputDims(0)?.length;
    if (given === undefined || rank === undefined) return [];
    const target = given.map((dim, i) => {
      const cut = site.outputCut(0, rank - given.length + i);
      return cut && dim !== 1 ? cut.kept.length : dim;
    });
    return listEdit(site, '', slot, given, target);
  };
}

const resize: Mend = (site) => {
  const given = numbersOf(site.op, 3);
  const rank = site.outputDims(0)?.length;
  if (given === undefined || rank === undefined) return [];
  const axes = site.node.ints('axes')?.map((axis) => axisOf(axis, rank));
  const sizes = given.map((size, i) => site.outputCut(0, axes ? (axes[i] ?? -1) : i)?.kept.length ?? size);
  return listEdit(site, '', 3, given, sizes);
};

const split: Mend = (site) => {
  const rank = site.inputDims(0)?.length ?? 0;
  const axis = axisOf(site.node.int('axis', 0), rank);
  if (axis === undefined || site.inputCut(0, axis) === undefined) return [];
  const sizes = site.node.outputs.map((_, i) => outputAfter(site, i)?.[axis]);
  if (!sizes.every(isStatic)) return 'unknown-shape';
  const given = intsOf(site.op, 'split', 1);
  if (Array.isArray(given)) return listEdit(site, 'split', 1, given, sizes);
  if (given === undefined) return 'computed-size';
  // Equal parts stay equal without a word; `num_outputs` (opset 18) gives the last one less.
  if (sizes.every((size) => size === sizes[0])) return [];
  if (site.op.opset < 13) return [{ attribute: 'split', value: intsAttr(sizes) }];
  return [
    { input: 1, tensor: Tensor.int64s(sizes) },
    { attribute: 'num_outputs', value: undefined },
  ];
};

/** Field of a range, attribute, and input slot since opset 10. */
const SLICE_LISTS = [
  ['start', 'starts', 1],
  ['end', 'ends', 2],
  ['step', 'steps', 4],
] as const;

const slice: Mend = (site) => {
  const rank = site.inputDims(0)?.length ?? 0;
  const ranges = readSlice(site.op);
  const cutAxes = site.inputDims(0)?.some((_, axis) => site.inputCut(0, axis) !== undefined);
  if (ranges === undefined) return cutAxes ? 'computed-size' : [];
  const after: SliceRange[] = [];
  for (const range of ranges) {
    const axis = axisOf(range.axis, rank) ?? -1;
    const cut = site.inputCut(0, axis);
    const narrowed = cut ? narrowedRange(range, cut, site.outputCut(0, axis)) : range;
    if (typeof narrowed === 'string') return narrowed;
    after.push(narrowed);
  }
  return SLICE_LISTS.flatMap(([key, name, slot]) =>
    listEdit(
      site,
      name,
      slot,
      ranges.map((range) => range[key]),
      after.map((range) => range[key]),
    ),
  );
};

/** The range that takes what is left of the elements that `range` took. */
function narrowedRange(range: SliceRange, cut: Cut, output: Cut | undefined): SliceRange | RemovalCode {
  const { step } = range;
  const taken = takenBy(range, cut.size);
  const left = taken.filter((_, i) => output === undefined || output.after[i] !== -1);
  const places = left.map((index) => cut.after[index] ?? -1);
  const [first, second] = places;
  const last = places.at(-1);
  if (first === undefined || last === undefined) return { ...range, start: 0, end: 0 };
  if (places.includes(-1)) return 'read-by-index';
  const stride = second === undefined ? step : second - first;
  if (places.some((place, i) => place !== first + i * stride)) return 'no-range';
  const size = cut.kept.length;
  // Backwards, one before the first element cannot be written as -1, which is the last one.
  const beyond = last + Math.sign(stride) < 0 ? -size - 1 : last + Math.sign(stride);
  const isOpen = range.end >= TO_THE_END && last === size - 1;
  return { axis: range.axis, start: first, end: isOpen ? range.end : beyond, step: stride };
}

/** Indices of an axis of this size that a range takes, in its order. */
function takenBy({ start, end, step }: SliceRange, size: number): number[] {
  const clamp = (position: number, low: number, high: number): number =>
    Math.min(high, Math.max(low, position < 0 ? position + size : position));
  const [first, stop] =
    step > 0 ? [clamp(start, 0, size), clamp(end, 0, size)] : [clamp(start, 0, size - 1), clamp(end, -1, size - 1)];
  const count = Math.max(0, Math.ceil((stop - first) / step));
  return Array.from({ length: count }, (_, i) => first + i * step);
}

const gather: Mend = (site) => {
  const rank = site.inputDims(0)?.length ?? 0;
  const axis = axisOf(site.node.int('axis', 0), rank) ?? -1;
  const cut = site.inputCut(0, axis);
  const indices = site.op.constant(1);
  const across = indices?.dims.map((_, i) => site.outputCut(0, axis + i)) ?? [];
  if (cut === undefined && across.every((found) => found === undefined)) return [];
  if (indices === undefined) return 'read-by-index';
  const left = across.reduce((tensor, found, i) => (found ? slicedAlong(tensor, i, found.kept) : tensor), indices);
  const places = left.toNumbers().map((index) => {
    const positive = index < 0 && cut ? index + cut.size : index;
    return cut ? (cut.after[positive] ?? -1) : index;
  });
  if (cut && places.includes(-1)) return 'read-by-index';
  return [{ input: 1, tensor: Tensor.fromNumbers(left.dtype, left.dims, places) }];
};

/** Padding that goes with its units; a negative amount crops. */
const pad: Mend = (site) => {
  const dims = site.inputDims(0) ?? [];
  const cutAxes = dims.flatMap((_, axis) => ((site.outputCut(0, axis) ?? site.inputCut(0, axis)) ? [axis] : []));
  const before = padsOf(site.op, dims.length);
  if (before === undefined) return cutAxes.length > 0 ? 'computed-size' : [];
  const begins = [...before.begins];
  const ends = [...before.ends];
  for (const axis of cutAxes) {
    const [begin, end, size] = [begins[axis] ?? 0, ends[axis] ?? 0, dims[axis]];
    if (!isStatic(begin) || !isStatic(end) || !isStatic(size)) return 'computed-size';
    const [input, output] = [site.inputCut(0, axis), site.outputCut(0, axis)];
    const total = size + begin + end;
    begins[axis] = begin > 0 ? keptWithin(output, 0, begin) : 0 - keptWithin(input, 0, -begin);
    ends[axis] = end > 0 ? keptWithin(output, total - end, total) : 0 - keptWithin(input, size + end, size);
  }
  if (cutAxes.every((axis) => begins[axis] === before.begins[axis] && ends[axis] === before.ends[axis])) return [];
  return padEdit(site, [...begins, ...ends]);
};

/** How many of the indices [from, to) stay. */
const keptWithin = (cut: Cut | undefined, from: number, to: number): number =>
  cut ? cut.kept.filter((index) => index >= from && index < to).length : to - from;

/** Pads of all axes, in the order in which the node gives them. */
function padEdit(site: CutSite, pads: readonly Dim[]): readonly Edit[] | RemovalCode {
  const rank = pads.length / 2;
  const axes = (site.op.input(3) && numbersOf(site.op, 3))?.map((axis) => axisOf(axis, rank) ?? 0);
  const given = axes ? [...axes, ...axes.map((axis) => axis + rank)].map((i) => pads[i]) : pads;
  if (!given.every(isStatic)) return 'computed-size';
  if (site.node.ints('pads')) return [{ attribute: 'pads', value: intsAttr(given) }];
  if (site.node.ints('paddings')) return [{ attribute: 'paddings', value: intsAttr(given) }];
  return [{ input: 1, tensor: Tensor.int64s(given) }];
}

const constant: Mend = (site) => {
  const tensor = constantTensor(site.node);
  if (tensor === undefined) return 'not-constant';
  const left = tensor.dims.reduce((rest, _, axis) => {
    const cut = site.outputCut(0, axis);
    return cut ? slicedAlong(rest, axis, cut.kept) : rest;
  }, tensor);
  const others = [...site.node.attributes.keys()].map((attribute) => ({ attribute, value: undefined }));
  return [...others, { attribute: 'value', value: tensorAttr(left) }];
};

/** By operator; see `opKey`. */
export const MENDS: Readonly<Record<string, Mend>> = {
  Conv: grouped('inputs'),
  ConvTranspose: grouped('outputs'),
  'com.microsoft.FusedConv': grouped('inputs'),
  Reshape: reshape,
  Expand: shapeOperand(1),
  ConstantOfShape: shapeOperand(0),
  Resize: resize,
  Split: split,
  Slice: slice,
  Gather: gather,
  Pad: pad,
  Constant: constant,
};
