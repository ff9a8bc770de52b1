// Reading and writing by index: Gather and Scatter families, TopK, NonZero, OneHot and others whose result depends on data.
import { isStatic } from '../ir/dim.js';
import type { AxisFacts, AxisFreeze, AxisTie } from './axes.js';
import { carried, inputAxis, leadingAxes, outputAxis, sameAxes, tie } from './axis-ties.js';
import { buildData, elementAt, type Data } from './data.js';
import { axisOf, dtypeOf, like, scalarOf, shapeOf, type Dims } from './inputs.js';
import { defineOp, type CostSite, type OpRecord, type OpSite, type ValueInfo } from './record.js';

const PLUMBING = { layer: 'plumbing' } as const;

/** data[:axis] + indices + data[axis + 1:]. */
const gather = defineOp({
  opType: 'Gather',
  traits: { layer: 'plumbing', positivelyHomogeneous: () => true },
  axes: gatherAxes,
  infer: (site) => {
    const data = shapeOf(site, 0);
    const indices = shapeOf(site, 1);
    const dtype = dtypeOf(site, 0);
    const axis = data && axisOf(site.node.int('axis', 0), data.length);
    if (data === undefined || indices === undefined || axis === undefined) return [{ dtype }];
    const shape = [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
    return [{ dtype, shape, data: gatheredData(site, shape, axis, indices.length) }];
  },
});

/** Constant indices in a row tie what they pick; an index that stands alone, or that data decide, fixes what it picks from. */
function gatherAxes(site: CostSite): AxisFacts | undefined {
  const [data, indices] = [shapeOf(site, 0) ?? [], shapeOf(site, 1) ?? []];
  const axis = axisOf(site.node.int('axis', 0), data.length);
  const size = axis === undefined ? undefined : data[axis];
  if (axis === undefined) return undefined;
  const ties: AxisTie[] = [];
  for (const other of data.keys())
    if (other !== axis) ties.push(carried(0, other, other < axis ? other : other + indices.length - 1));
  const picked = site.constant(1)?.toNumbers();
  const at = inputAxis(0, axis);
  if (picked === undefined || !isStatic(size)) {
    for (const place of indices.keys()) ties.push(carried(1, place, axis + place));
    return { ties, frozen: [{ at, code: 'fixed-index' }] };
  }
  const places = picked.map((index) => (index < 0 ? index + size : index));
  if (indices.length === 1)
    return {
      ties: [...ties, tie('carry', at, outputAxis(0, axis), (index) => places[index])],
      untouched: [inputAxis(1, 0)],
    };
  const frozen = places.map((index): AxisFreeze => ({ at, code: 'fixed-index', index }));
  return { ties, frozen, untouched: [at] };
}

function gatheredData(site: OpSite, shape: Dims, axis: number, indexRank: number): Data | undefined {
  const [data, indices] = [site.input(0), site.input(1)];
  const size = data?.shape?.[axis];
  if (data?.data === undefined || indices?.data === undefined || !isStatic(size)) return undefined;
  return buildData(shape, (index) => {
    const at = indexRank === 0 ? indices.data?.[0] : elementAt(indices, index.slice(axis, axis + indexRank));
    if (!isStatic(at) || at < -size || at >= size) return undefined;
    return elementAt(data, [...index.slice(0, axis), at < 0 ? at + size : at, ...index.slice(axis + indexRank)]);
  });
}

const gatherElements = defineOp({
  opType: 'GatherElements',
  traits: PLUMBING,
  infer: (site) => [{ dtype: dtypeOf(site, 0), shape: shapeOf(site, 1) }],
});

/** indices[:-1] + data[batch_dims + indices[-1]:]. */
const gatherNd = defineOp({
  opType: 'GatherND',
  traits: PLUMBING,
  infer: (site) => {
    const data = shapeOf(site, 0);
    const indices = shapeOf(site, 1);
    const depth = indices?.at(-1);
    if (data === undefined || indices === undefined || !isStatic(depth)) return [{ dtype: dtypeOf(site, 0) }];
    return [
      {
        dtype: dtypeOf(site, 0),
        shape: [...indices.slice(0, -1), ...data.slice(site.node.int('batch_dims', 0) + depth)],
      },
    ];
  },
});

const sameAsData = (opType: string): OpRecord => defineOp({ opType, traits: PLUMBING, infer: (site) => [like(site)] });

/** Values and indices; k is an attribute until opset 9. */
const topK = defineOp({
  opType: 'TopK',
  traits: { layer: 'non-tensor' },
  axes: (site) => {
    const axis = axisOf(site.node.int('axis', -1), shapeOf(site, 0)?.length ?? 0);
    const ties = axis === undefined ? undefined : sameAxes(site, [axis]);
    const slots = site.node.outputs.flatMap((value, slot) => (value === undefined ? [] : [slot]));
    return (
      ties && { ties: slots.flatMap((slot) => ties.map(({ from }) => tie('carry', from, outputAxis(slot, from.axis)))) }
    );
  },
  infer: (site) => {
    const data = shapeOf(site, 0);
    const axis = data && axisOf(site.node.int('axis', -1), data.length);
    const k = site.node.attribute('k') ? site.node.int('k', 0) : scalarOf(site, 1);
    const shape = axis === undefined ? undefined : data?.with(axis, k ?? site.unknownDim());
    return [
      { dtype: dtypeOf(site, 0), shape },
      { dtype: 'int64', shape },
    ];
  },
});

/** [rank, number of non-zeros]. */
const nonZero = defineOp({
  opType: 'NonZero',
  traits: PLUMBING,
  infer: (site) => [{ dtype: 'int64', shape: [shapeOf(site, 0)?.length ?? site.unknownDim(), site.unknownDim()] }],
});

const compress = defineOp({
  opType: 'Compress',
  traits: PLUMBING,
  infer: (site) => {
    const data = shapeOf(site, 0);
    if (!site.node.attribute('axis')) return [{ dtype: dtypeOf(site, 0), shape: [site.unknownDim()] }];
    const axis = data && axisOf(site.node.int('axis', 0), data.length);
    return [{ dtype: dtypeOf(site, 0), shape: axis === undefined ? undefined : data?.with(axis, site.unknownDim()) }];
  },
});

/** indices with a new axis of size `depth` at `axis`. */
const oneHot = defineOp({
  opType: 'OneHot',
  traits: PLUMBING,
  infer: (site) => {
    const indices = shapeOf(site, 0);
    const axis = indices && axisOf(site.node.int('axis', -1), indices.length + 1);
    const depth = scalarOf(site, 1) ?? site.unknownDim();
    return [{ dtype: dtypeOf(site, 2), shape: axis === undefined ? undefined : indices?.toSpliced(axis, 0, depth) }];
  },
});

/** Values, and the positions of first occurrence, inverse indices, counts. How many differ is known to the data only. */
const unique = defineOp({
  opType: 'Unique',
  traits: PLUMBING,
  infer: (site) => {
    const data = shapeOf(site, 0);
    const found = site.unknownDim();
    const axis = data && site.node.attribute('axis') ? axisOf(site.node.int('axis', 0), data.length) : undefined;
    const values = site.node.attribute('axis') ? (axis === undefined ? undefined : data?.with(axis, found)) : [found];
    return [
      { dtype: dtypeOf(site, 0), shape: values },
      ...[found, site.unknownDim(), found].map((dim): ValueInfo => ({ dtype: 'int64', shape: [dim] })),
    ];
  },
});

/** [selected, 3]: batch, class, box. */
const nonMaxSuppression = defineOp({
  opType: 'NonMaxSuppression',
  traits: { layer: 'non-tensor' },
  infer: (site) => [{ dtype: 'int64', shape: [site.unknownDim(), 3] }],
});

/** Pooling over regions: [regions, C, height, width]. */
function regionPool(opType: string, sides: (site: OpSite) => readonly number[]): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'non-tensor' },
    axes: () => ({ ties: [carried(0, 1, 1)] }),
    infer: (site) => {
      const [channels, regions] = [shapeOf(site, 0)?.[1], shapeOf(site, 1)?.[0]];
      const known = channels !== undefined && regions !== undefined;
      return [{ dtype: dtypeOf(site, 0), shape: known ? [regions, channels, ...sides(site)] : undefined }];
    },
  });
}

/** Sampling at the positions of a grid [N, out..., axes]: [N, C, out...]. */
const gridSample = (domain: string): OpRecord =>
  defineOp({
    opType: 'GridSample',
    domain,
    traits: { layer: 'non-tensor', positivelyHomogeneous: () => true },
    axes: leadingAxes(2),
    infer: (site) => {
      const data = shapeOf(site, 0);
      const grid = shapeOf(site, 1);
      const known = data !== undefined && grid !== undefined && grid.length === data.length;
      return [{ dtype: dtypeOf(site, 0), shape: known ? [...data.slice(0, 2), ...grid.slice(1, -1)] : undefined }];
    },
  });

/** The grid of an affine map: [N, out..., axes] for a size [N, C, out...]. */
const affineGrid = defineOp({
  opType: 'AffineGrid',
  traits: PLUMBING,
  infer: (site) => {
    const size = site.input(1)?.data;
    const batch = size?.[0];
    return [
      {
        dtype: dtypeOf(site, 0),
        shape: size === undefined || batch === undefined ? undefined : [batch, ...size.slice(2), size.length - 2],
      },
    ];
  },
});

const cumSum = defineOp({
  opType: 'CumSum',
  traits: { layer: 'non-tensor', positivelyHomogeneous: () => true },
  axes: (site) => {
    const given = scalarOf(site, 1);
    const axis = isStatic(given) ? axisOf(given, shapeOf(site, 0)?.length ?? 0) : undefined;
    const ties = axis === undefined ? undefined : sameAxes(site, [axis]);
    return ties && { ties };
  },
  infer: (site) => [like(site)],
});

export const GATHERS: readonly OpRecord[] = [
  gather,
  gatherElements,
  gatherNd,
  topK,
  nonZero,
  compress,
  oneHot,
  unique,
  nonMaxSuppression,
  affineGrid,
  sameAsData('Scatter'),
  sameAsData('ScatterElements'),
  sameAsData('ScatterND'),
  sameAsData('Trilu'),
  cumSum,
  gridSample(''),
  gridSample('com.microsoft'),
  regionPool('RoiAlign', (site) => [site.node.int('output_height', 1), site.node.int('output_width', 1)]),
  regionPool('MaxRoiPool', (site) => site.node.ints('pooled_shape') ?? []),
];
