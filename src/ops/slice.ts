// Parts of tensors and tensors of parts: Slice, Split, Concat, Pad.
import {
  addDims,
  boundsOf,
  ceilDivDims,
  isAtLeast,
  isStatic,
  maxDims,
  minDims,
  mulDims,
  staticDims,
  subDims,
  type Dim,
} from '../ir/dim.js';
import type { AxisFacts, AxisFreeze, AxisTie } from './axes.js';
import { axisNumbers, carried, inputAxis, outputAxis, sameAxes, tie } from './axis-ties.js';
import { buildData, offsetOf, type Data } from './data.js';
import { axisOf, dtypeOf, intsOf, lengthOf, numbersOf, shapeOf, unknownDims, type Dims } from './inputs.js';
import { defineOp, type CostSite, type OpRecord, type OpSite, type OpTraits, type ValueInfo } from './record.js';

const MOVES: OpTraits = { layer: 'plumbing', positivelyHomogeneous: () => true };

/** Bounds from here on mean "to the end" (INT32_MAX, INT64_MAX), and below minus this "from the start". */
const OPEN = 2 ** 31 - 1;

/** One sliced axis: the first index taken, how many, and the distance between two. */
interface Cut {
  readonly axis: number;
  readonly start: Dim;
  readonly length: Dim;
  readonly step: number;
}

/** A start or end, counted from the front and clamped to [low, high]; undefined when its sign is not known. */
function clampBound(bound: Dim, size: Dim, low: number, high: Dim): Dim | undefined {
  if (typeof bound === 'number' && Math.abs(bound) >= OPEN) return bound > 0 ? high : low;
  const positive = isAtLeast(bound, 0) ? bound : boundsOf(bound).high < 0 ? addDims(bound, size) : undefined;
  return positive === undefined ? undefined : minDims(maxDims(positive, low), high);
}

function cutAxis(axis: number, size: Dim, start: Dim, end: Dim, step: number): Cut | undefined {
  const last = step > 0 ? size : subDims(size, 1);
  const from = clampBound(start, size, 0, last);
  const to = clampBound(end, size, step > 0 ? 0 : -1, last);
  if (from === undefined || to === undefined || step === 0) return undefined;
  const span = step > 0 ? subDims(to, from) : subDims(from, to);
  return { axis, start: from, length: maxDims(ceilDivDims(span, Math.abs(step)), 0), step };
}

/** Axes of a Slice, or undefined when they are unknown. Absent: the first axes, one per start. */
function slicedAxes(site: OpSite, count: number, rank: number): readonly (number | undefined)[] | undefined {
  const axes = intsOf(site, 'axes', 3);
  if (axes === undefined) return undefined;
  return (axes === 'absent' ? Array.from({ length: count }, (_, axis) => axis) : axes).map((axis) =>
    axisOf(axis, rank),
  );
}

/** The cuts of a Slice node, in the order given; `unknown` for axes whose bounds are not known. Undefined: axes unknown. */
function cutsOf(site: OpSite): readonly (Cut | { readonly axis: number; readonly unknown: true })[] | undefined {
  const size = shapeOf(site, 0);
  const starts = site.node.ints('starts') ?? site.input(1)?.data;
  const ends = site.node.ints('ends') ?? site.input(2)?.data;
  const count = starts?.length ?? ends?.length ?? lengthOf(site, 1) ?? lengthOf(site, 2);
  const axes = size && count !== undefined ? slicedAxes(site, count, size.length) : undefined;
  const steps = site.input(4) === undefined ? axes?.map(() => 1) : numbersOf(site, 4);
  if (size === undefined || axes === undefined || axes.includes(undefined)) return undefined;
  return axes.map((axis, i) => {
    const [at, start, end, step] = [axis ?? 0, starts?.[i], ends?.[i], steps?.[i]];
    const cut =
      start === undefined || end === undefined || step === undefined
        ? undefined
        : cutAxis(at, size[at] ?? 0, start, end, step);
    return cut ?? { axis: at, unknown: true };
  });
}

/** Whether input `slot` may be written anew: it is a constant, or stands in an attribute instead. */
function isWritable(site: OpSite, slot: number): boolean {
  return site.input(slot) === undefined || site.constant(slot) !== undefined;
}

/** What a Slice takes along one axis; undefined where the bounds could not follow when indices leave. */
function cutTies(site: CostSite, cut: Cut | { readonly axis: number; readonly unknown: true }): AxisTie[] | undefined {
  const size = shapeOf(site, 0)?.[cut.axis];
  if ('unknown' in cut || !isStatic(size) || !isStatic(cut.start) || !isStatic(cut.length)) return undefined;
  if (![1, 2, 4].every((slot) => isWritable(site, slot))) return undefined;
  const { axis, start, length, step } = cut;
  const taken = tie('carry', inputAxis(0, axis), outputAxis(0, axis), (index) => start + index * step);
  if (Math.abs(step) === 1 || length <= 1) return [taken];
  // What a stride passes over leaves with the index before it, so that the stride stays regular.
  const block = (index: number): number => {
    const place = Math.floor((index - start) / step);
    const passed = (index - start) * Math.sign(step);
    return passed < 0 || place >= length ? index : start + place * step;
  };
  return [taken, tie('carry', inputAxis(0, axis), inputAxis(0, axis), block)];
}

function sliceAxes(site: CostSite): AxisFacts | undefined {
  const cuts = cutsOf(site);
  const touched = cuts?.map(({ axis }) => axis);
  if (cuts === undefined || new Set(touched).size !== cuts.length) return undefined;
  const ties = [...(sameAxes(site, touched) ?? [])];
  const frozen: AxisFreeze[] = [];
  for (const cut of cuts) {
    const followed = cutTies(site, cut);
    if (followed === undefined) frozen.push({ at: inputAxis(0, cut.axis), code: 'fixed-index' });
    else ties.push(...followed);
  }
  return { ties, frozen };
}

const slice = defineOp({
  opType: 'Slice',
  traits: MOVES,
  axes: sliceAxes,
  infer: (site) => {
    const input = site.input(0);
    const source = input?.shape;
    const cuts = cutsOf(site);
    if (source === undefined || cuts === undefined)
      return [{ dtype: input?.dtype, shape: source && unknownDims(site, source.length) }];
    const shape = [...source];
    for (const cut of cuts) shape[cut.axis] = 'unknown' in cut ? site.unknownDim() : cut.length;
    const dims = staticDims(source);
    const data = input?.data;
    return [
      {
        dtype: input?.dtype,
        shape,
        data:
          data &&
          dims &&
          buildData(shape, (index) => {
            const from = [...index];
            for (const cut of cuts)
              if (!('unknown' in cut)) from[cut.axis] = Number(cut.start) + (index[cut.axis] ?? 0) * cut.step;
            return data[offsetOf(from, dims)];
          }),
      },
    ];
  },
});

/** Sizes of the parts of a Split along an axis of size `total`. */
function splitSizes(site: OpSite, total: Dim): readonly (Dim | undefined)[] {
  const count = site.node.outputs.length;
  const given = intsOf(site, 'split', 1);
  if (given === undefined) return Array<undefined>(count).fill(undefined);
  if (given !== 'absent') return given;
  const parts = site.node.int('num_outputs', count);
  const part = ceilDivDims(total, parts);
  return Array.from({ length: count }, (_, i) => (i < parts - 1 ? part : subDims(total, mulDims(part, parts - 1))));
}

function splitAxes(site: CostSite): AxisFacts | undefined {
  const rank = shapeOf(site, 0)?.length ?? 0;
  const axis = axisOf(site.node.int('axis', 0), rank);
  if (axis === undefined) return undefined;
  const outputs = site.node.outputs.flatMap((value, slot) => (value === undefined ? [] : [slot]));
  const others = axisNumbers(rank).filter((other) => other !== axis);
  const ties = outputs.flatMap((slot) =>
    others.map((other) => tie('carry', inputAxis(0, other), outputAxis(slot, other))),
  );
  const sizes = site.node.outputs.map((_, slot) => site.output(slot)?.shape?.[axis]);
  if (!isWritable(site, 1) || !sizes.every(isStatic) || outputs.length < sizes.length)
    return { ties, frozen: [{ at: inputAxis(0, axis), code: 'fixed-index' }] };
  let start = 0;
  for (const [slot, size] of sizes.entries()) {
    const from = start;
    ties.push(tie('carry', inputAxis(0, axis), outputAxis(slot, axis), (index) => from + index));
    start += size;
  }
  return { ties };
}

const split = defineOp({
  opType: 'Split',
  traits: MOVES,
  axes: splitAxes,
  infer: (site) => {
    const input = site.input(0);
    const source = input?.shape;
    const axis = source && axisOf(site.node.int('axis', 0), source.length);
    const total = axis === undefined ? undefined : source?.[axis];
    if (source === undefined || axis === undefined || total === undefined)
      return site.node.outputs.map(() => ({ dtype: input?.dtype }));
    let start: Dim = 0;
    const sizes = splitSizes(site, total);
    return site.node.outputs.map((_, i): ValueInfo => {
      const size = sizes[i] ?? site.unknownDim();
      const from = start;
      start = addDims(start, size);
      const data =
        source.length === 1 && isStatic(from) && isStatic(size) ? input?.data?.slice(from, from + size) : undefined;
      return { dtype: input?.dtype, shape: source.with(axis, size), data };
    });
  },
});

function concatAxes(site: CostSite): AxisFacts | undefined {
  const rank = site.output(0)?.shape?.length ?? 0;
  const axis = axisOf(site.node.int('axis', 1), rank);
  if (axis === undefined) return undefined;
  const slots = axisNumbers(site.node.inputs.length);
  const ties = slots.flatMap((slot) =>
    axisNumbers(rank).flatMap((other) => (other === axis ? [] : [carried(slot, other, other)])),
  );
  const sizes = slots.map((slot) => shapeOf(site, slot)?.[axis]);
  if (!sizes.every(isStatic)) return { ties, frozen: [{ at: outputAxis(0, axis), code: 'unknown-shape' }] };
  let start = 0;
  for (const [slot, size] of sizes.entries()) {
    const from = start;
    ties.push(tie('carry', outputAxis(0, axis), inputAxis(slot, axis), (index) => from + index));
    start += size;
  }
  return { ties };
}

const concat = defineOp({
  opType: 'Concat',
  traits: { layer: 'plumbing' },
  axes: concatAxes,
  infer: (site) => {
    const inputs = site.node.inputs.map((_, index) => site.input(index));
    const dtype = inputs.find((input) => input?.dtype !== undefined)?.dtype;
    const model = inputs.find((input) => input?.shape !== undefined)?.shape;
    const axis = model && axisOf(site.node.int('axis', 1), model.length);
    if (model === undefined || axis === undefined) return [{ dtype }];
    const shape = model.map((dim, i) => {
      if (i === axis)
        return sumOrUnknown(
          site,
          inputs.map((input) => input?.shape?.[axis]),
        );
      return inputs.map((input) => input?.shape?.[i]).find(isStatic) ?? dim;
    });
    const flat =
      axis === 0 && inputs.every((input) => input?.data !== undefined)
        ? inputs.flatMap((input): Data => input?.data ?? [])
        : undefined;
    return [{ dtype, shape, data: flat }];
  },
});

function sumOrUnknown(site: OpSite, dims: readonly (Dim | undefined)[]): Dim {
  return dims.every((dim) => dim !== undefined) ? dims.reduce<Dim>(addDims, 0) : site.unknownDim();
}

/** Begin and end padding per axis of the data; undefined when not known. */
export function padsOf(site: OpSite, rank: number): { readonly begins: Dims; readonly ends: Dims } | undefined {
  const pads: Dims | undefined = site.node.ints('pads') ?? site.node.ints('paddings') ?? site.input(1)?.data;
  const axes =
    site.input(3) === undefined
      ? Array.from({ length: rank }, (_, axis) => axis)
      : numbersOf(site, 3)?.map((axis) => axisOf(axis, rank));
  if (pads === undefined || axes === undefined || pads.length !== 2 * axes.length) return undefined;
  const begins = Array<Dim>(rank).fill(0);
  const ends = Array<Dim>(rank).fill(0);
  for (const [i, axis] of axes.entries()) {
    if (axis === undefined) return undefined;
    begins[axis] = pads[i] ?? 0;
    ends[axis] = pads[i + axes.length] ?? 0;
  }
  return { begins, ends };
}

/** Padding with a constant moves indices; other modes copy some of them. */
function padAxes(site: CostSite): AxisFacts | undefined {
  const shape = shapeOf(site, 0) ?? [];
  const pads = padsOf(site, shape.length);
  if (pads === undefined) return undefined;
  const isMovable = site.node.string('mode', 'constant') === 'constant' && isWritable(site, 1);
  const ties: AxisTie[] = [];
  const frozen: AxisFreeze[] = [];
  for (const [axis, size] of shape.entries()) {
    const [begin, end] = [pads.begins[axis] ?? 0, pads.ends[axis] ?? 0];
    if (begin === 0 && end === 0) ties.push(carried(0, axis, axis));
    else if (isMovable && isStatic(size) && isStatic(begin) && isStatic(end))
      ties.push(tie('carry', outputAxis(0, axis), inputAxis(0, axis), (index) => begin + index));
    else frozen.push({ at: inputAxis(0, axis), code: 'fixed-index' });
  }
  return { ties, frozen };
}

const pad = defineOp({
  opType: 'Pad',
  traits: { layer: 'plumbing' },
  axes: padAxes,
  infer: (site) => {
    const source = shapeOf(site, 0);
    const dtype = dtypeOf(site, 0);
    if (source === undefined) return [{ dtype }];
    const pads = padsOf(site, source.length);
    if (pads === undefined) return [{ dtype, shape: unknownDims(site, source.length) }];
    return [
      { dtype, shape: source.map((dim, axis) => addDims(dim, addDims(pads.begins[axis] ?? 0, pads.ends[axis] ?? 0))) },
    ];
  },
});

export const SLICES: readonly OpRecord[] = [slice, split, concat, pad];
