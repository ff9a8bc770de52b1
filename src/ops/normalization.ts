// Normalization: by stored statistics (BatchNormalization), by those of the data (Instance, Group, Layer, RMS), local (LRN).
import { axisOf, dtypeOf, like, shapeOf, UNKNOWN, type Dims } from './inputs.js';
import { defineOp, type OpRecord, type OpSite, type ValueInfo } from './record.js';

const sameAsInput = (opType: string): OpRecord =>
  defineOp({ opType, traits: { layer: 'non-tensor' }, infer: (site) => [like(site)] });

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
  sameAsInput('InstanceNormalization'),
  sameAsInput('GroupNormalization'),
  sameAsInput('LRN'),
  sameAsInput('LpNormalization'),
  sameAsInput('MeanVarianceNormalization'),
  sameAsInput('RMSNormalization'),
  layerNormalization('LayerNormalization'),
  layerNormalization('SimplifiedLayerNormalization'),
  skipLayerNormalization('SkipLayerNormalization'),
  skipLayerNormalization('SkipSimplifiedLayerNormalization'),
];
