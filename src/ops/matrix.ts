// Matrix products. MACs: M N K each, times the batch.
import { mulDims, productOf, type Dim } from '../ir/dim.js';
import { broadcastTies, inputAxis, outputAxis, tie } from './axis-ties.js';
import type { AxisFacts, AxisTie } from './axes.js';
import { broadcastShapes } from './broadcast.js';
import { dtypeOf, shapeOf, type Dims } from './inputs.js';
import { einsumAxes, einsumMacs, einsumShape } from './einsum.js';
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
  readonly axes?: NonNullable<OpRecord['axes']>;
}

/** A product of the inputs at `left` and `right`; quantized ones have scales and zero points between them. */
export function matMul(
  opType: string,
  { domain = '', left = 0, right = 1, dtype = (site) => dtypeOf(site, left), traits = {}, axes }: MatMulOptions = {},
): OpRecord {
  return defineOp({
    opType,
    domain,
    traits: { layer: 'tensor', ...traits },
    infer: (site) => [{ dtype: dtype(site), shape: matMulShape(site, shapeOf(site, left), shapeOf(site, right)) }],
    macs: matMulMacs(left),
    ...(axes === undefined ? {} : { axes }),
  });
}

/**
 * Facts of A B with operands of any rank, whose last two axes are swapped where `transposed` names the slot: the rows of A and
 * the columns of B make those of the result, the inner axes are summed over, leading axes are broadcast.
 */
function productAxes(site: CostSite, transposed: readonly number[] = []): AxisFacts | undefined {
  const [left, right] = [shapeOf(site, 0)?.length, shapeOf(site, 1)?.length];
  const rank = site.output(0)?.shape?.length;
  if (left === undefined || right === undefined || rank === undefined || left === 0 || right === 0) return undefined;
  const axisOf = (slot: number, size: number, fromEnd: number): number =>
    size === 1 ? 0 : size - (transposed.includes(slot) ? 3 - fromEnd : fromEnd);
  const rows =
    left > 1 ? [tie('make', inputAxis(0, axisOf(0, left, 2)), outputAxis(0, rank - (right > 1 ? 2 : 1)))] : [];
  const columns = right > 1 ? [tie('make', inputAxis(1, axisOf(1, right, 1)), outputAxis(0, rank - 1))] : [];
  const inner = tie('contract', inputAxis(0, axisOf(0, left, 1)), inputAxis(1, axisOf(1, right, 2)));
  const kept = rows.length + columns.length;
  const batch = [0, 1].flatMap((slot): AxisTie[] => {
    const shape = shapeOf(site, slot) ?? [];
    return shape
      .slice(0, -2)
      .flatMap((dim, axis) =>
        dim === 1 ? [] : [tie('carry', inputAxis(slot, axis), outputAxis(0, rank - kept - (shape.length - 2) + axis))],
      );
  });
  return { ties: [inner, ...rows, ...columns, ...batch] };
}

const transposedSlots = (site: OpSite): number[] =>
  ['transA', 'transB'].flatMap((name, slot) => (site.node.int(name, 0) === 0 ? [] : [slot]));

/** alpha A' B' + beta C. */
function gemmAxes(site: CostSite): AxisFacts | undefined {
  const product = productAxes(site, transposedSlots(site));
  return product && { ties: [...product.ties, ...(site.input(2) ? broadcastTies(site, 2) : [])] };
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
  axes: gemmAxes,
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
  axes: einsumAxes,
  macs: einsumMacs,
});

/** ONNX Runtime's product with operands transposed and a scale: transBatch moves the first axis in front of the last. */
const fusedMatMul = defineOp({
  opType: 'FusedMatMul',
  domain: 'com.microsoft',
  traits: { layer: 'tensor', positivelyHomogeneous: always },
  axes: (site) => {
    if (['transBatchA', 'transBatchB'].some((name) => site.node.int(name, 0) !== 0)) return undefined;
    return productAxes(site, transposedSlots(site));
  },
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
  matMul('MatMul', { traits: { positivelyHomogeneous: always }, axes: (site) => productAxes(site) }),
  gemm,
  einsum,
  fusedMatMul,
  determinant,
];
