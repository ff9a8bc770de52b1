// Normalization: by stored statistics (BatchNormalization), by those of the data (Instance, Group, Layer, RMS), local (LRN).
import type { AxisFacts } from './axes.js';
import { axisNumbers, carried, leadingAxes, sameAxes } from './axis-ties.js';
import { axisOf, dtypeOf, like, shapeOf, UNKNOWN, type Dims } from './inputs.js';
import { defineOp, type CostSite, type OpRecord, type OpSite, type ValueInfo } from './record.js';

/** Over axes that `axes` leaves out, the statistics of the data are taken. */
const sameAsInput = (opType: string, axes: NonNullable<OpRecord['axes']>): OpRecord =>
  defineOp({ opType, traits: { layer: 'non-tensor' }, axes, infer: (site) => [like(site)] });

/** Facts of a function with one parameter per channel in each of `slots`, that leaves the axes in `mixed` out. */
function channelwiseAxes(
  site: CostSite,
  slots: readonly number[],
  mixed: readonly number[] = [],
): AxisFacts | undefined {
  const isPlain = slots.every((slot) => shapeOf(site, slot)?.length === 1) && site.node.outputs.length === 1;
  const ties = isPlain ? sameAxes(site, mixed) : undefined;
  return ties && { ties: [...ties, ...slots.map((slot) => carried(slot, 0, 1))] };
}

/** Everything but the axes that `mixed` names is followed. */
const mixing =
  (mixed: (site: CostSite, rank: number) => readonly (number | undefined)[] | undefined) =>
  (site: CostSite): AxisFacts | undefined => {
    const rank = shapeOf(site, 0)?.length;
    const axes = rank === undefined ? undefined : mixed(site, rank);
    if (!axes?.every((axis) => axis !== undefined)) return undefined;
    const ties = sameAxes(site, axes);
    return ties && { ties };
  };

/** The axes from attribute `axis` on are normalized together. */
function beforeAxis(site: CostSite): AxisFacts | undefined {
  const rank = shapeOf(site, 0)?.length ?? 0;
  return leadingAxes(axisOf(site.node.int('axis', -1), rank) ?? 0)(site);
}

/** [C]: the shape of a per-channel vector, from the scale or the second axis of the data. */
function channelShape(site: OpSite): Dims | undefined {
  const channels = shapeOf(site, 0)?.[1];
  return shapeOf(site, 1) ?? (channels === undefined ? undefined : [channels]);
}

/** Further outputs are running statistics: those in training (opset 14: mean and variance), or saved ones before. */
const batchNormalization = defineOp({
  opType: 'BatchNormalization',
  traits: { layer: 'non-tensor' },
  infer: (site) => {
    const statistics: ValueInfo = { dtype: dtypeOf(site, 3) ?? dtypeOf(site, 0), shape: channelShape(site) };
    return [like(site), ...site.node.outputs.slice(1).map(() => statistics)];
  },
  axes: (site) => channelwiseAxes(site, [1, 2, 3, 4]),
});

/** Axes from `axis` on are normalized; mean and inverse deviation keep the others. */
function layerNormalization(opType: string): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'non-tensor' },
    infer: (site) => {
      const shape = shapeOf(site, 0);
      const axis = shape && axisOf(site.node.int('axis', -1), shape.length);
      const reduced = axis === undefined ? undefined : shape?.map((dim, i) => (i < axis ? dim : 1));
      return [like(site), ...site.node.outputs.slice(1).map((): ValueInfo => ({ dtype: 'float32', shape: reduced }))];
    },
    axes: beforeAxis,
  });
}

/** Sum of input and skip, normalized; the fourth output is that sum. */
const skipLayerNormalization = (opType: string): OpRecord =>
  defineOp({
    opType,
    domain: 'com.microsoft',
    traits: { layer: 'non-tensor' },
    infer: (site) => [like(site), UNKNOWN, UNKNOWN, like(site)].slice(0, Math.max(1, site.node.outputs.length)),
  });

export const NORMALIZATIONS: readonly OpRecord[] = [
  batchNormalization,
  sameAsInput('InstanceNormalization', (site) =>
    channelwiseAxes(site, [1, 2], axisNumbers(shapeOf(site, 0)?.length ?? 0).slice(2)),
  ),
  sameAsInput('GroupNormalization', leadingAxes(1)),
  sameAsInput(
    'LRN',
    mixing(() => [1]),
  ),
  sameAsInput(
    'LpNormalization',
    mixing((site, rank) => [axisOf(site.node.int('axis', -1), rank)]),
  ),
  sameAsInput(
    'MeanVarianceNormalization',
    mixing((site, rank) => (site.node.ints('axes') ?? [0, 2, 3]).map((axis) => axisOf(axis, rank))),
  ),
  sameAsInput('RMSNormalization', beforeAxis),
  layerNormalization('LayerNormalization'),
  layerNormalization('SimplifiedLayerNormalization'),
  skipLayerNormalization('SkipLayerNormalization'),
  skipLayerNormalization('SkipSimplifiedLayerNormalization'),
];
