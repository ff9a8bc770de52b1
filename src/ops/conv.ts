// Convolutions. X is [N, C, spatial...], W is [O, C/group, kernel...] (transposed: [C, O/group, kernel...]).
// MACs (one run): output elements x C/group x kernel elements; transposed: input elements x O/group x kernel elements.
import { addDims, mulDims, productOf, subDims, type Dim } from '../ir/dim.js';
import { convAxes, convTransposeAxes, deformConvAxes } from './conv-axes.js';
import { dtypeOf, shapeOf, type Dims } from './inputs.js';
import { defineOp, type CostSite, type OpRecord, type OpSite, type OpTraits, type ValueInfo } from './record.js';
import { extentOf, windowOf, windowOutput, type Window } from './window.js';

/** Kernel sizes: the attribute, else those of the weights. */
function kernelOf(site: OpSite, weights: Dims): Dims {
  return site.node.ints('kernel_shape') ?? weights.slice(2);
}

/** Shape of a convolution whose data and weights stand at these inputs. */
export function convShape(site: OpSite, dataIndex: number, weightIndex: number): Dims | undefined {
  const data = shapeOf(site, dataIndex);
  const weights = shapeOf(site, weightIndex);
  const batch = data?.[0];
  const channels = weights?.[0];
  if (
    data === undefined ||
    weights === undefined ||
    batch === undefined ||
    channels === undefined ||
    data.length < 2 ||
    weights.length !== data.length
  )
    return undefined;
  const window = windowOf(site, data.length - 2);
  const spatial = window && windowOutput(data.slice(2), kernelOf(site, weights), window, 'floor');
  return spatial && [batch, channels, ...spatial];
}

/** Output elements x (C/group x kernel elements), from the weights at `weightIndex`. */
function convMacs(weightIndex: number): (site: CostSite) => Dim | undefined {
  return (site) => {
    const output = site.output(0)?.shape;
    const weights = shapeOf(site, weightIndex);
    return output && weights && mulDims(productOf(output), productOf(weights.slice(1)));
  };
}

/** Without a bias, a convolution is linear in its data. */
const isLinear =
  (biasIndex: number) =>
  (site: OpSite): boolean =>
    site.input(biasIndex) === undefined;

interface ConvOptions {
  readonly domain?: string;
  readonly data?: number;
  readonly weights?: number;
  readonly dtype?: (site: OpSite) => ValueInfo['dtype'];
  readonly traits?: Omit<OpTraits, 'layer'>;
  readonly axes?: NonNullable<OpRecord['axes']>;
}

/** A forward convolution; the inputs of quantized ones stand at other places. */
export function forwardConv(
  opType: string,
  { domain = '', data = 0, weights = 1, dtype = (site) => dtypeOf(site, data), traits = {}, axes }: ConvOptions = {},
): OpRecord {
  return defineOp({
    opType,
    domain,
    traits: { layer: 'tensor', ...traits },
    infer: (site) => [{ dtype: dtype(site), shape: convShape(site, data, weights) }],
    macs: convMacs(weights),
    ...(axes === undefined ? {} : { axes }),
  });
}

/** s (in - 1) + output_padding + extent - begin - end; `output_shape` overrides it; SAME_*: in x s. */
function transposedSizes(site: OpSite, spatial: Dims, kernel: Dims, window: Window): Dim[] | undefined {
  const axes = spatial.length;
  const given = site.node.ints('output_shape');
  if (given !== undefined)
    return given.length === axes ? [...given] : given.length === axes + 2 ? given.slice(2) : undefined;
  const extra = site.node.ints('output_padding') ?? Array<number>(axes).fill(0);
  return spatial.map((size, i) => {
    const stride = window.strides[i] ?? 1;
    if (window.autoPad.startsWith('SAME')) return mulDims(size, stride);
    const reach = addDims(mulDims(subDims(size, 1), stride), extentOf(kernel[i] ?? 1, window.dilations[i] ?? 1));
    return addDims(reach, (extra[i] ?? 0) - (window.pads[i] ?? 0) - (window.pads[axes + i] ?? 0));
  });
}

function transposedShape(site: OpSite): Dims | undefined {
  const data = shapeOf(site, 0);
  const weights = shapeOf(site, 1);
  const batch = data?.[0];
  const perGroup = weights?.[1];
  if (
    data === undefined ||
    weights === undefined ||
    batch === undefined ||
    perGroup === undefined ||
    weights.length !== data.length
  )
    return undefined;
  const window = windowOf(site, data.length - 2);
  const kernel = kernelOf(site, weights);
  if (window === undefined || kernel.length !== data.length - 2) return undefined;
  const spatial = transposedSizes(site, data.slice(2), kernel, window);
  return spatial && [batch, mulDims(perGroup, site.node.int('group', 1)), ...spatial];
}

const convTranspose = defineOp({
  opType: 'ConvTranspose',
  traits: { layer: 'tensor', positivelyHomogeneous: isLinear(2) },
  axes: convTransposeAxes,
  infer: (site) => [{ dtype: dtypeOf(site, 0), shape: transposedShape(site) }],
  macs: (site) => {
    const data = shapeOf(site, 0);
    const weights = shapeOf(site, 1);
    return data && weights && mulDims(productOf(data), productOf(weights.slice(1)));
  },
});

/** Deformable convolution: one output per output position of the window, offsets change no size. */
const deformConv = forwardConv('DeformConv', { axes: deformConvAxes });

/** ONNX Runtime's Conv with an activation, and the same with a sum in front of the activation. */
const fusedConv = forwardConv('FusedConv', { domain: 'com.microsoft', axes: convAxes });

export const CONVOLUTIONS: readonly OpRecord[] = [
  forwardConv('Conv', { traits: { positivelyHomogeneous: isLinear(2) }, axes: convAxes }),
  convTranspose,
  deformConv,
  fusedConv,
];
