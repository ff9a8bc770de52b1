// Quantized operators: conversion between real numbers and integers (q = round(x/scale) + zero point), integer
// convolutions and products, and the com.microsoft twins that ONNX Runtime's quantizer writes.
import { addDims, mulDims, type Dim } from '../ir/dim.js';
import { dtypeFromCode, type DType } from '../tensor/dtype.js';
import { broadcastShapes } from './broadcast.js';
import { forwardConv } from './conv.js';
import { axisOf, dtypeOf, like, shapeOf, type Dims } from './inputs.js';
import { matMul } from './matrix.js';
import { globalPoolShape, poolShape } from './pool.js';
import { defineOp, type OpRecord, type OpSite, type OpTraits } from './record.js';

const MICROSOFT = 'com.microsoft';
const always = (): boolean => true;
const CONVERSION: OpTraits = { layer: 'non-tensor', elementwise: true, nonDecreasing: always };

/** The type of the zero point; without one, `output_dtype` (opset 21), else uint8. */
function quantizedType(site: OpSite): DType | undefined {
  if (site.input(2) !== undefined) return dtypeOf(site, 2);
  const code = site.node.int('output_dtype', 0);
  return code === 0 ? 'uint8' : dtypeFromCode(code);
}

/** The type of the scale; `output_dtype` overrides it (opset 23). */
function realType(site: OpSite): DType | undefined {
  const code = site.node.int('output_dtype', 0);
  return code === 0 ? (dtypeOf(site, 1) ?? 'float32') : dtypeFromCode(code);
}

const conversions = ['', MICROSOFT].flatMap((domain) => [
  defineOp({
    opType: 'QuantizeLinear',
    domain,
    traits: CONVERSION,
    infer: (site) => [{ dtype: quantizedType(site), shape: shapeOf(site, 0) }],
  }),
  defineOp({
    opType: 'DequantizeLinear',
    domain,
    traits: CONVERSION,
    infer: (site) => [{ dtype: realType(site), shape: shapeOf(site, 0) }],
  }),
]);

/** uint8 values, and the scale and zero point found from the range of the data. */
const dynamicQuantize = defineOp({
  opType: 'DynamicQuantizeLinear',
  traits: { layer: 'non-tensor' },
  infer: (site) => [
    { dtype: 'uint8', shape: shapeOf(site, 0) },
    { dtype: 'float32', shape: [] },
    { dtype: 'uint8', shape: [] },
  ],
});

/** x, scale, zero point, w, scale, zero point, output scale, output zero point: its type is that of the result. */
const TYPE_OF_ZERO_POINT = 7;
const integer = (): DType => 'int32';

const products: readonly OpRecord[] = [
  forwardConv('QLinearConv', { weights: 3, dtype: (site) => dtypeOf(site, TYPE_OF_ZERO_POINT) ?? dtypeOf(site, 0) }),
  forwardConv('ConvInteger', { dtype: integer }),
  matMul('QLinearMatMul', { right: 3, dtype: (site) => dtypeOf(site, TYPE_OF_ZERO_POINT) ?? dtypeOf(site, 0) }),
  matMul('MatMulInteger', { dtype: integer }),
  matMul('MatMulIntegerToFloat', { domain: MICROSOFT, dtype: (site) => dtypeOf(site, 2) }),
  matMul('DynamicQuantizeMatMul', { domain: MICROSOFT }),
];

/** a, scale, zero point, b, scale, zero point, output scale, output zero point. */
const qLinearBinary = (opType: string): OpRecord =>
  defineOp({
    opType,
    domain: MICROSOFT,
    traits: { layer: 'non-tensor', elementwise: true },
    infer: (site) => [{ dtype: dtypeOf(site, 0), shape: broadcastShapes(site, [shapeOf(site, 0), shapeOf(site, 3)]) }],
  });

const qLinearUnary = (opType: string): OpRecord =>
  defineOp({
    opType,
    domain: MICROSOFT,
    traits: { layer: 'non-tensor', elementwise: true },
    infer: (site) => [like(site)],
  });

/** Pools over channels-first data; channels-last data (an attribute) has its spatial axes in the middle. */
function qLinearPool(opType: string, shapeOfPool: (site: OpSite) => Dims | undefined): OpRecord {
  return defineOp({
    opType,
    domain: MICROSOFT,
    traits: { layer: 'non-tensor' },
    infer: (site) => [
      { dtype: dtypeOf(site, 0), shape: site.node.int('channels_last', 0) === 0 ? shapeOfPool(site) : undefined },
    ],
  });
}

/** Output scale and zero point first, then triples of tensor, scale, zero point. */
const qLinearConcat = defineOp({
  opType: 'QLinearConcat',
  domain: MICROSOFT,
  traits: { layer: 'plumbing' },
  infer: (site) => {
    const shapes = site.node.inputs.flatMap((_, i) => (i >= 2 && i % 3 === 2 ? [shapeOf(site, i)] : []));
    const first = shapes[0];
    const axis = first && axisOf(site.node.int('axis', 0), first.length);
    if (first === undefined || axis === undefined) return [{ dtype: dtypeOf(site, 1) }];
    const parts = shapes.map((shape) => shape?.[axis]);
    const total = parts.every((part) => part !== undefined) ? parts.reduce<Dim>(addDims, 0) : site.unknownDim();
    return [{ dtype: dtypeOf(site, 1), shape: first.with(axis, total) }];
  },
});

/** a A' b B' + C of quantized matrices: a, scale, zero point, b, scale, zero point, C, output scale, output zero point. */
const qGemm = defineOp({
  opType: 'QGemm',
  domain: MICROSOFT,
  traits: { layer: 'tensor' },
  infer: (site) => {
    const rows = shapeOf(site, 0)?.[site.node.int('transA', 0) === 0 ? 0 : 1];
    const columns = shapeOf(site, 3)?.[site.node.int('transB', 0) === 0 ? 1 : 0];
    const dtype = site.input(8) === undefined ? 'float32' : dtypeOf(site, 8);
    return [{ dtype, shape: rows === undefined || columns === undefined ? undefined : [rows, columns] }];
  },
  macs: (site) => {
    const left = shapeOf(site, 0);
    const columns = site.output(0)?.shape?.[1];
    return left?.length === 2 && columns !== undefined
      ? mulDims(mulDims(left[0] ?? 1, left[1] ?? 1), columns)
      : undefined;
  },
});

export const QUANTIZED: readonly OpRecord[] = [
  ...conversions,
  dynamicQuantize,
  ...products,
  qGemm,
  qLinearBinary('QLinearAdd'),
  qLinearBinary('QLinearMul'),
  qLinearUnary('QLinearSigmoid'),
  qLinearUnary('QLinearLeakyRelu'),
  qLinearUnary('QLinearSoftmax'),
  qLinearPool('QLinearGlobalAveragePool', (site) => globalPoolShape(shapeOf(site, 0))),
  qLinearPool('QLinearAveragePool', (site) => poolShape(site)),
  qLinearConcat,
];
