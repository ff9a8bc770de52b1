// Resize and Upsample. Output size per axis: floor(in x scale), computed in float32 as the runtime does, or as given.
// keep_aspect_ratio_policy (opset 18): one scale for all axes, the least (not_larger) or greatest (not_smaller) of
// size/in, and round(in x scale).
import { isStatic, mulDims, sameDim, staticDims, type Dim } from '../ir/dim.js';
import type { AxisFacts } from './axes.js';
import { carried } from './axis-ties.js';
import { floorOf, roundTo } from './data.js';
import { axisOf, dtypeOf, shapeOf, unknownDims, type Dims } from './inputs.js';
import { defineOp, type CostSite, type OpRecord, type OpSite } from './record.js';

/** Scales and sizes of a site, one per entry of `axes`; empty tensors stand for "not given". */
interface Request {
  readonly axes: readonly number[];
  readonly scales: Dims | undefined;
  readonly sizes: Dims | undefined;
}

function requestOf(site: OpSite, rank: number): Request | undefined {
  const { node, opset } = site;
  const all = Array.from({ length: rank }, (_, axis) => axis);
  if (node.is('Upsample') || opset < 11) {
    const legacy = node.attribute('height_scale')
      ? [1, 1, node.float('height_scale', 1), node.float('width_scale', 1)]
      : undefined;
    return { axes: all, scales: node.floats('scales') ?? legacy ?? given(site, 1), sizes: undefined };
  }
  const axes = (node.ints('axes') ?? all).map((axis) => axisOf(axis, rank));
  return axes.every((axis) => axis !== undefined) ? { axes, scales: given(site, 2), sizes: given(site, 3) } : undefined;
}

function given(site: OpSite, index: number): Dims | undefined {
  const data = site.input(index)?.data;
  return data?.length === 0 ? undefined : data;
}

/** floor(in x scale); for a symbolic size only where the scale is a dyadic fraction. */
function scaled(dim: Dim, scale: Dim): Dim | undefined {
  if (!isStatic(scale)) return undefined;
  if (isStatic(dim)) return Math.floor(Math.fround(dim * Math.fround(scale)));
  const product = roundTo(mulDims(dim, scale), 'float32');
  return product === undefined ? undefined : floorOf(product);
}

/** Sizes under a policy that keeps the aspect ratio; halves are rounded up. */
function proportional(
  current: Dims,
  wanted: Dims,
  choose: (...ratios: number[]) => number,
): readonly (Dim | undefined)[] {
  const from = staticDims(current);
  const to = staticDims(wanted);
  if (from === undefined || to === undefined) return wanted.map(() => undefined);
  const scale = choose(...from.map((size, i) => Math.fround((to[i] ?? 0) / size)));
  return from.map((size) => Math.floor(Math.fround(scale * size) + 0.5));
}

const POLICIES: Readonly<Record<string, (...ratios: number[]) => number>> = {
  not_larger: Math.min,
  not_smaller: Math.max,
};

function resizedShape(site: OpSite): Dims | undefined {
  const source = shapeOf(site, 0);
  const request = source && requestOf(site, source.length);
  if (source === undefined || request === undefined) return undefined;
  const { axes, scales, sizes } = request;
  const current = axes.map((axis) => source[axis] ?? 1);
  const policy = POLICIES[site.node.string('keep_aspect_ratio_policy', 'stretch')];
  let wanted: readonly (Dim | undefined)[];
  if (scales?.length === axes.length) wanted = current.map((dim, i) => scaled(dim, scales[i] ?? 1));
  else if (sizes?.length === axes.length) wanted = policy ? proportional(current, sizes, policy) : sizes;
  else
    return axes.length === source.length
      ? unknownDims(site, source.length)
      : source.map((dim, axis) => (axes.includes(axis) ? site.unknownDim() : dim));
  const shape = [...source];
  axes.forEach((axis, i) => {
    shape[axis] = wanted[i] ?? site.unknownDim();
  });
  return shape;
}

/** Axes that keep their size keep their indices: those that no scale or size is given for, or a scale of 1 or the size it has. */
function resizeAxes(site: CostSite): AxisFacts | undefined {
  const source = shapeOf(site, 0);
  const request = source && requestOf(site, source.length);
  if (source === undefined || request === undefined) return undefined;
  const cropped = site.node.string('coordinate_transformation_mode', '') === 'tf_crop_and_resize';
  const { axes, scales, sizes } = request;
  const isWritable = sizes === undefined || site.constant(3) !== undefined;
  const kept = source.flatMap((dim, axis) => {
    const place = axes.indexOf(axis);
    const stays = scales ? scales[place] === 1 : sizes !== undefined && isWritable && sameDim(sizes[place], dim);
    return place < 0 || (stays && !cropped) ? [axis] : [];
  });
  return { ties: kept.map((axis) => carried(0, axis, axis)) };
}

function resize(opType: string): OpRecord {
  return defineOp({
    opType,
    traits: {
      layer: 'non-tensor',
      positivelyHomogeneous: (site) => site.node.string('coordinate_transformation_mode', '') !== 'tf_crop_and_resize',
    },
    axes: resizeAxes,
    infer: (site) => [{ dtype: dtypeOf(site, 0), shape: resizedShape(site) }],
  });
}

export const RESIZES: readonly OpRecord[] = [resize('Resize'), resize('Upsample')];
