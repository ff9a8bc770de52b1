// Signal processing in front of speech nets: windows, Fourier transforms, mel filter banks.
import { addDims, floorDivDims, isStatic, subDims, type Dim } from '../ir/dim.js';
import { axisOf, dtypeAttribute, dtypeOf, scalarOf, shapeOf, type Dims } from './inputs.js';
import { defineOp, type OpRecord, type OpSite } from './record.js';

const PLUMBING = { layer: 'plumbing' } as const;
const NON_TENSOR = { layer: 'non-tensor' } as const;

/** `size` samples of a window function. */
const windowFunction = (opType: string): OpRecord =>
  defineOp({
    opType,
    traits: PLUMBING,
    infer: (site) => [
      { dtype: dtypeAttribute(site, 'output_datatype', 'float32'), shape: [scalarOf(site, 0) ?? site.unknownDim()] },
    ],
  });

/** Frequencies of a transform of real numbers of this length that are not mirror images. */
const onesided = (length: Dim): Dim => addDims(floorDivDims(length, 2), 1);

/** The axis is an attribute until opset 19 (default 1), an input since 20 (default -2). */
function transformAxis(site: OpSite, rank: number): number | undefined {
  if (site.opset < 20) return axisOf(site.node.int('axis', 1), rank);
  const axis = site.input(2) === undefined ? -2 : scalarOf(site, 2);
  return isStatic(axis) ? axisOf(axis, rank) : undefined;
}

/** [..., length, ..., 1 or 2] to [..., frequencies, ..., 2]; one-sided inverses (opset 20) give real numbers again. */
function transformShape(site: OpSite): Dims | undefined {
  const data = shapeOf(site, 0);
  const axis = data && transformAxis(site, data.length);
  const current = axis === undefined ? undefined : data?.[axis];
  if (data === undefined || axis === undefined || current === undefined) return undefined;
  const isOnesided = site.node.int('onesided', 0) === 1;
  const isInverse = site.node.int('inverse', 0) === 1;
  const length = site.input(1) === undefined ? (isOnesided && isInverse ? undefined : current) : scalarOf(site, 1);
  const size = length === undefined ? site.unknownDim() : isOnesided && !isInverse ? onesided(length) : length;
  return [...data.with(axis, size).slice(0, -1), isOnesided && isInverse ? 1 : 2];
}

/** [batch, samples, ...] to [batch, frames, frequencies, 2], frames = floor((samples - frame)/step) + 1. */
function framesShape(site: OpSite): Dims | undefined {
  const [batch, samples] = shapeOf(site, 0) ?? [];
  const step = scalarOf(site, 1);
  const frame = site.input(3) === undefined ? shapeOf(site, 2)?.[0] : scalarOf(site, 3);
  if (batch === undefined || samples === undefined) return undefined;
  const frames =
    step === undefined || frame === undefined
      ? site.unknownDim()
      : addDims(floorDivDims(subDims(samples, frame), step), 1);
  const frequencies =
    frame === undefined ? site.unknownDim() : site.node.int('onesided', 1) === 1 ? onesided(frame) : frame;
  return [batch, frames, frequencies, 2];
}

/** [frequencies, bins]. */
const melWeights = defineOp({
  opType: 'MelWeightMatrix',
  traits: PLUMBING,
  infer: (site) => {
    const length = scalarOf(site, 1);
    const shape = [length === undefined ? site.unknownDim() : onesided(length), scalarOf(site, 0) ?? site.unknownDim()];
    return [{ dtype: dtypeAttribute(site, 'output_datatype', 'float32'), shape }];
  },
});

export const SIGNALS: readonly OpRecord[] = [
  windowFunction('HannWindow'),
  windowFunction('HammingWindow'),
  windowFunction('BlackmanWindow'),
  defineOp({
    opType: 'DFT',
    traits: NON_TENSOR,
    infer: (site) => [{ dtype: dtypeOf(site, 0), shape: transformShape(site) }],
  }),
  defineOp({
    opType: 'STFT',
    traits: NON_TENSOR,
    infer: (site) => [{ dtype: dtypeOf(site, 0), shape: framesShape(site) }],
  }),
  melWeights,
];
