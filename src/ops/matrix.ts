// Matrix products. MACs: M N K each, times the batch.
import { mulDims, productOf, type Dim } from '../ir/dim.js';
import { broadcastShapes } from './broadcast.js';
import { dtypeOf, shapeOf, type Dims } from './inputs.js';
import { einsumMacs, einsumShape } from './einsum.js';
import { defineOp, type CostSite, type OpRecord, type OpSite, type OpTraits, type ValueInfo } from './record.js';

const always = (): boolean => true;

/** numpy.matmul: vectors get an axis of size 1 for the product, leading axes are broadcast. */
function matMulShape(site: OpSite, left: Dims | undefined, right: Dims | undefined): Dims | undefined {
  if (left === undefined || right === undefined || left.length === 0 || right.length === 0) return undefined;
  const batch = broadcastShapes(site, [left.slice(0, -2), right.slice(0, -2)]);
  const rows = left.length > 1 ? left.slice(-2, -1) : [];
  const columns = right.length > 1 ? right.slice(-1) : [];
  return batch && [...batch, ...rows, ...columns];
}

/** Output elements x K, the last axis of the left operand. */
function matMulMacs(left: number): (site: CostSite) => Dim | undefined {
  return (site) => {
    const output = site.output(0)?.shape;
    const inner = shapeOf(site, left)?.at(-1);
    return output && inner !== undefined ? mulDims(productOf(output), inner) : undefined;
  };
}

interface MatMulOptions {
  readonly domain?: string;
  readonly left?: number;
  readonly right?: number;
  readonly dtype?: (site: OpSite) => ValueInfo['dtype'];
  readonly traits?: Omit<OpTraits, 'layer'>;
}

/** A product of the inputs at `left` and `right`; quantized ones have scales and zero points between them. */
export function matMul(
  opType: string,
  { domain = '', left = 0, right = 1, dtype = (site) => dtypeOf(site, left), traits = {} }: MatMulOptions = {},
): OpRecord {
  return defineOp({
    opType,
    domain,
    traits: { layer: 'tensor', ...traits },
    infer: (site) => [{ dtype: dtype(site), shape: matMulShape(site, shapeOf(site, left), shapeOf(site, right)) }],
    macs: matMulMacs(left),
  });
}

/** Rows and columns of a matrix operand, swapped where `transposed` is not 0. */
function matrix(shape: Dims | undefined, transposed: number): readonly [Dim, Dim] | undefined {
  const [rows, columns] = shape ?? [];
  if (shape?.length !== 2 || rows === undefined || columns === undefined) return undefined;
  return transposed === 0 ? [rows, columns] : [columns, rows];
}

/** alpha A' B' + beta C, all of rank 2 (C is broadcast to the result). */
const gemm = defineOp({
  opType: 'Gemm',
  traits: { layer: 'tensor', positivelyHomogeneous: (site) => site.input(2) === undefined },
  infer: (site) => {
    const left = matrix(shapeOf(site, 0), site.node.int('transA', 0));
    const right = matrix(shapeOf(site, 1), site.node.int('transB', 0));
    return [{ dtype: dtypeOf(site, 0), shape: left && right && [left[0], right[1]] }];
  },
  macs: (site) => {
    const left = matrix(shapeOf(site, 0), site.node.int('transA', 0));
    const right = matrix(shapeOf(site, 1), site.node.int('transB', 0));
    return left && right && mulDims(productOf(left), right[1]);
  },
});

const einsum = defineOp({
  opType: 'Einsum',
  traits: { layer: 'tensor' },
  infer: (site) => [{ dtype: dtypeOf(site, 0), shape: einsumShape(site) }],
  macs: einsumMacs,
});

/** ONNX Runtime's product with operands transposed and a scale: transBatch moves the first axis in front of the last. */
const fusedMatMul = defineOp({
  opType: 'FusedMatMul',
  domain: 'com.microsoft',
  traits: { layer: 'tensor', positivelyHomogeneous: always },
  infer: (site) => {
    const { node } = site;
    if (node.int('transBatchA', 0) !== 0 || node.int('transBatchB', 0) !== 0) return [{ dtype: dtypeOf(site, 0) }];
    const left = swapped(shapeOf(site, 0), node.int('transA', 0));
    return [
      { dtype: dtypeOf(site, 0), shape: matMulShape(site, left, swapped(shapeOf(site, 1), node.int('transB', 0))) },
    ];
  },
  macs: (site) => {
    const output = site.output(0)?.shape;
    const inner = swapped(shapeOf(site, 0), site.node.int('transA', 0))?.at(-1);
    return output && inner !== undefined ? mulDims(productOf(output), inner) : undefined;
  },
});

function swapped(shape: Dims | undefined, transposed: number): Dims | undefined {
  if (shape === undefined || shape.length < 2 || transposed === 0) return shape;
  return [...shape.slice(0, -2), ...shape.slice(-1), ...shape.slice(-2, -1)];
}

const determinant = defineOp({
  opType: 'Det',
  traits: { layer: 'non-tensor' },
  infer: (site) => [{ dtype: dtypeOf(site, 0), shape: shapeOf(site, 0)?.slice(0, -2) }],
});

export const MATRIX_PRODUCTS: readonly OpRecord[] = [
  matMul('MatMul', { traits: { positivelyHomogeneous: always } }),
  gemm,
  einsum,
  fusedMatMul,
  determinant,
];
