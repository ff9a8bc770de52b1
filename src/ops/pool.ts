// Pooling: windows (MaxPool, AveragePool, LpPool) and whole maps (Global*). Data is [N, C, spatial...].
import { addDims, mulDims, subDims, type Dim } from '../ir/dim.js';
import { leadingAxes } from './axis-ties.js';
import { dtypeOf, shapeOf, unknownDims, type Dims } from './inputs.js';
import { defineOp, type OpRecord, type OpSite, type OpTraits } from './record.js';
import { windowOf, windowOutput } from './window.js';

const always = (): boolean => true;

/** Shape of a window pool over input `index`. */
export function poolShape(site: OpSite, index = 0): Dims | undefined {
  const data = shapeOf(site, index);
  const kernel = site.node.ints('kernel_shape');
  const [batch, channels] = data ?? [];
  if (data === undefined || kernel === undefined || batch === undefined || channels === undefined) return undefined;
  const window = windowOf(site, data.length - 2);
  const spatial =
    window && windowOutput(data.slice(2), kernel, window, site.node.int('ceil_mode', 0) === 1 ? 'ceil' : 'floor');
  return spatial && [batch, channels, ...spatial];
}

/** Batch and channels stay, every spatial axis becomes 1. */
export function globalPoolShape(shape: Dims | undefined): Dims | undefined {
  return shape?.map((dim, axis): Dim => (axis < 2 ? dim : 1));
}

function windowPool(opType: string, traits: Omit<OpTraits, 'layer'> = {}): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'non-tensor', positivelyHomogeneous: always, ...traits },
    axes: leadingAxes(2),
    infer: (site) => {
      const shape = poolShape(site);
      return [
        { dtype: dtypeOf(site, 0), shape },
        ...(site.node.outputs.length > 1 ? [{ dtype: 'int64' as const, shape }] : []),
      ];
    },
  });
}

function globalPool(opType: string): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'non-tensor', positivelyHomogeneous: always },
    axes: leadingAxes(2),
    infer: (site) => [{ dtype: dtypeOf(site, 0), shape: globalPoolShape(shapeOf(site, 0)) }],
  });
}

/** The inverse of MaxPool: the third input, when given, is the shape; else the pool formula solved for its input. */
const maxUnpool = defineOp({
  opType: 'MaxUnpool',
  traits: { layer: 'non-tensor' },
  infer: (site) => {
    const data = shapeOf(site, 0);
    const dtype = dtypeOf(site, 0);
    if (data === undefined || data.length < 2) return [{ dtype }];
    if (site.input(2) !== undefined) return [{ dtype, shape: site.input(2)?.data ?? unknownDims(site, data.length) }];
    const kernel = site.node.ints('kernel_shape') ?? [];
    const window = windowOf(site, data.length - 2);
    if (window === undefined || kernel.length !== data.length - 2) return [{ dtype }];
    const spatial = kernel.map((size, i) => {
      const reach = mulDims(subDims(data[i + 2] ?? 1, 1), window.strides[i] ?? 1);
      return addDims(reach, size - (window.pads[i] ?? 0) - (window.pads[kernel.length + i] ?? 0));
    });
    return [{ dtype, shape: [...data.slice(0, 2), ...spatial] }];
  },
});

export const POOLS: readonly OpRecord[] = [
  windowPool('MaxPool'),
  windowPool('AveragePool'),
  windowPool('LpPool'),
  globalPool('GlobalAveragePool'),
  globalPool('GlobalMaxPool'),
  globalPool('GlobalLpPool'),
  maxUnpool,
];
