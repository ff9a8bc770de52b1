// Operators that make tensors out of attributes and shapes: Constant, ConstantOfShape, Range, EyeLike, random numbers.
import { addDims, ceilDivDims, isStatic, maxDims, mulDims, subDims, type Dim } from '../ir/dim.js';
import type { Node } from '../ir/node.js';
import { isInteger, type DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { axisNumbers, inputAxis, outputAxis } from './axis-ties.js';
import { buildData, tensorData } from './data.js';
import { dtypeAttribute, dtypeOf, lengthOf, scalarOf, shapeOf, UNKNOWN, unknownDims } from './inputs.js';
import { defineOp, type OpRecord, type OpSite, type ValueInfo } from './record.js';

const PLUMBING = { layer: 'plumbing' } as const;

/** The tensor that a Constant node gives; undefined for strings, sparse tensors and other nodes. */
export function constantTensor(node: Node): Tensor | undefined {
  if (!node.is('Constant')) return undefined;
  const tensor = node.tensor('value');
  if (tensor !== undefined) return tensor;
  const attribute = ['value_int', 'value_ints', 'value_float', 'value_floats']
    .map((name) => node.attribute(name))
    .find((found) => found !== undefined);
  if (attribute?.kind === 'int') return Tensor.scalar('int64', attribute.value);
  if (attribute?.kind === 'float') return Tensor.scalar('float32', attribute.value);
  if (attribute?.kind === 'ints') return Tensor.int64s(attribute.value);
  return attribute?.kind === 'floats'
    ? Tensor.fromNumbers('float32', [attribute.value.length], attribute.value)
    : undefined;
}

/** Facts of a known tensor; its elements are read when asked for. */
export function tensorInfo(tensor: Tensor): ValueInfo {
  let data: ValueInfo['data'] | 'unread' = 'unread';
  return {
    dtype: tensor.dtype,
    shape: tensor.dims,
    get data() {
      if (data === 'unread') data = tensorData(tensor);
      return data;
    },
  };
}

function constantInfo(site: OpSite): ValueInfo {
  const { node } = site;
  const tensor = constantTensor(node);
  if (tensor !== undefined) return tensorInfo(tensor);
  const strings = node.attribute('value_strings');
  if (strings?.kind === 'strings') return { dtype: 'string', shape: [strings.value.length] };
  return node.attribute('value_string') ? { dtype: 'string', shape: [] } : UNKNOWN;
}

/** Shape given as a tensor of dims at input `index`. */
function shapeInput(site: OpSite, index: number): ValueInfo['shape'] {
  const length = lengthOf(site, index);
  return site.input(index)?.data ?? (length === undefined ? undefined : unknownDims(site, length));
}

const constantOfShape = defineOp({
  opType: 'ConstantOfShape',
  traits: PLUMBING,
  // All elements are the same: any may leave, where the shape can be written anew.
  axes: (site) => {
    const rank = site.constant(0) && site.output(0)?.shape?.length;
    const outputs = axisNumbers(rank ?? 0).map((axis) => outputAxis(0, axis));
    return rank === undefined ? undefined : { ties: [], untouched: [inputAxis(0, 0), ...outputs] };
  },
  infer: (site) => {
    const value = site.node.tensor('value');
    const shape = shapeInput(site, 0);
    const fill = value === undefined ? 0 : tensorData(value)?.[0];
    return [{ dtype: value?.dtype ?? 'float32', shape, data: buildData(shape, () => fill) }];
  },
});

/** max(ceil((limit - start)/delta), 0) numbers. */
const range = defineOp({
  opType: 'Range',
  traits: PLUMBING,
  infer: (site) => {
    const dtype = dtypeOf(site, 0);
    const [start, limit, delta] = [scalarOf(site, 0), scalarOf(site, 1), scalarOf(site, 2)];
    const length =
      start === undefined || limit === undefined || delta === undefined ? undefined : rangeLength(start, limit, delta);
    const shape = [length ?? site.unknownDim()];
    if (start === undefined || delta === undefined || dtype === undefined || !isInteger(dtype))
      return [{ dtype, shape }];
    return [{ dtype, shape, data: buildData(shape, ([index = 0]) => addDims(start, mulDims(delta, index))) }];
  },
});

function rangeLength(start: Dim, limit: Dim, delta: Dim): Dim | undefined {
  if (!isStatic(delta) || delta === 0) return undefined;
  if (isStatic(start) && isStatic(limit)) return Math.max(Math.ceil((limit - start) / delta), 0);
  if (!Number.isInteger(delta)) return undefined;
  const span = subDims(limit, start);
  return maxDims(ceilDivDims(mulDims(span, Math.sign(delta)), Math.abs(delta)), 0);
}

const eyeLike = defineOp({
  opType: 'EyeLike',
  traits: { ...PLUMBING, dimsOnly: true },
  infer: (site) => [{ dtype: dtypeAttribute(site, 'dtype', dtypeOf(site, 0)), shape: shapeOf(site, 0) }],
});

/** Random numbers: the type is an attribute; the shape is one too, or that of the input. */
function random(
  opType: string,
  shape: (site: OpSite) => ValueInfo['shape'],
  fallback: (site: OpSite) => DType | undefined,
): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'non-tensor', deterministic: false, dimsOnly: opType.endsWith('Like') },
    infer: (site) => [{ dtype: dtypeAttribute(site, 'dtype', fallback(site)), shape: shape(site) }],
  });
}

const fromAttribute = (site: OpSite): ValueInfo['shape'] => site.node.ints('shape');
const fromInput = (site: OpSite): ValueInfo['shape'] => shapeOf(site, 0);
const inputType = (site: OpSite): DType | undefined => dtypeOf(site, 0);

function sampleShape(site: OpSite): ValueInfo['shape'] {
  const batch = shapeOf(site, 0)?.[0];
  return batch === undefined ? undefined : [batch, site.node.int('sample_size', 1)];
}

export const GENERATORS: readonly OpRecord[] = [
  defineOp({ opType: 'Constant', traits: PLUMBING, infer: (site) => [constantInfo(site)] }),
  constantOfShape,
  range,
  eyeLike,
  random('RandomNormal', fromAttribute, () => 'float32'),
  random('RandomUniform', fromAttribute, () => 'float32'),
  random('RandomNormalLike', fromInput, inputType),
  random('RandomUniformLike', fromInput, inputType),
  random('Bernoulli', fromInput, inputType),
  random('Multinomial', sampleShape, () => 'int32'),
];
