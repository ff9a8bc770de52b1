// Reductions along axes. Axes are an attribute in early opsets and an input since 13 (ReduceSum) or 18 (all others).
import { addDims, maxDims, minDims, mulDims, staticDims, type Dim } from '../ir/dim.js';
import { isFloat } from '../tensor/dtype.js';
import type { AxisFacts } from './axes.js';
import { axisNumbers, carried } from './axis-ties.js';
import { buildData, offsetOf, roundTo, type Data } from './data.js';
import { axesOf, axisOf, dtypeOf, intsOf, lengthOf, shapeOf, unknownDims, withoutAxes, type Dims } from './inputs.js';
import { defineOp, type CostSite, type OpRecord, type OpSite, type OpTraits } from './record.js';

type Fold = (a: Dim, b: Dim) => Dim | undefined;

/** Axes to reduce, sorted: all of them when none are given (unless `noop_with_empty_axes`). */
function reducedAxes(site: OpSite, rank: number): readonly number[] | undefined {
  const given = intsOf(site, 'axes', 1);
  if (given === undefined) return undefined;
  if (given !== 'absent' && given.length > 0) return axesOf(given, rank);
  return site.node.int('noop_with_empty_axes', 0) === 1 ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

function reducedShape(shape: Dims, axes: readonly number[], axesOut: 'kept' | 'dropped'): Dims {
  return axesOut === 'kept' ? shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim)) : withoutAxes(shape, axes);
}

/** What becomes of reduced axes: size 1, or gone. */
function keptAxes(site: OpSite): 'kept' | 'dropped' {
  return site.node.int('keepdims', 1) === 1 ? 'kept' : 'dropped';
}

/** Shape when only the number of axes is known. */
function shapeOfRank(site: OpSite, shape: Dims, axesOut: 'kept' | 'dropped'): Dims | undefined {
  const count = lengthOf(site, 1);
  return axesOut === 'kept'
    ? unknownDims(site, shape.length)
    : count === undefined
      ? undefined
      : unknownDims(site, shape.length - count);
}

function reducedData(site: OpSite, shape: Dims, axes: readonly number[], fold: Fold): Data | undefined {
  const input = site.input(0);
  const dims = staticDims(input?.shape);
  const dtype = input?.dtype;
  const data = input?.data;
  if (dims === undefined || data === undefined || dtype === undefined || isFloat(dtype)) return undefined;
  const kept = reducedShape(dims, axes, 'kept');
  const sums = new Map<number, Dim | undefined>();
  buildData(dims, (index) => {
    const at = offsetOf(index, kept as readonly number[]);
    const element = data[offsetOf(index, dims)];
    const before = sums.get(at);
    sums.set(
      at,
      element === undefined
        ? undefined
        : sums.has(at)
          ? before === undefined
            ? undefined
            : fold(before, element)
          : element,
    );
    return 0;
  });
  let flat = 0;
  return buildData(shape, () => {
    const sum = sums.get(flat++);
    return sum === undefined ? undefined : roundTo(sum, dtype);
  });
}

/** Axes that are not reduced keep their indices. */
function reducedAxesFacts(site: CostSite, axes: readonly number[] | undefined): AxisFacts | undefined {
  const rank = shapeOf(site, 0)?.length;
  if (rank === undefined || axes === undefined) return undefined;
  const kept = axisNumbers(rank).filter((axis) => !axes.includes(axis));
  const isDropped = keptAxes(site) === 'dropped';
  return { ties: kept.map((axis, place) => carried(0, axis, isDropped ? place : axis)) };
}

function reduction(opType: string, fold?: Fold, traits: Omit<OpTraits, 'layer'> = {}): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'non-tensor', ...traits },
    axes: (site) => reducedAxesFacts(site, reducedAxes(site, shapeOf(site, 0)?.length ?? 0)),
    infer: (site) => {
      const dtype = dtypeOf(site, 0);
      const input = shapeOf(site, 0);
      const axesOut = keptAxes(site);
      if (input === undefined) return [{ dtype }];
      const axes = reducedAxes(site, input.length);
      if (axes === undefined) return [{ dtype, shape: shapeOfRank(site, input, axesOut) }];
      const shape = reducedShape(input, axes, axesOut);
      return [{ dtype, shape, data: fold && reducedData(site, shape, axes, fold) }];
    },
  });
}

function argReduction(opType: string): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'non-tensor' },
    axes: (site) => {
      const axis = axisOf(site.node.int('axis', 0), shapeOf(site, 0)?.length ?? 0);
      return axis === undefined ? undefined : reducedAxesFacts(site, [axis]);
    },
    infer: (site) => {
      const input = shapeOf(site, 0);
      const axis = input && axisOf(site.node.int('axis', 0), input.length);
      if (input === undefined || axis === undefined) return [{ dtype: 'int64' }];
      return [{ dtype: 'int64', shape: reducedShape(input, [axis], keptAxes(site)) }];
    },
  });
}

const always = (): boolean => true;
const HOMOGENEOUS = { positivelyHomogeneous: always } as const;

export const REDUCTIONS: readonly OpRecord[] = [
  reduction('ReduceSum', addDims, HOMOGENEOUS),
  reduction('ReduceMean', undefined, HOMOGENEOUS),
  reduction('ReduceMax', maxDims, HOMOGENEOUS),
  reduction('ReduceMin', minDims, HOMOGENEOUS),
  reduction('ReduceProd', mulDims),
  reduction('ReduceL1', undefined, HOMOGENEOUS),
  reduction('ReduceL2', undefined, HOMOGENEOUS),
  reduction('ReduceSumSquare'),
  reduction('ReduceLogSum'),
  reduction('ReduceLogSumExp'),
  argReduction('ArgMax'),
  argReduction('ArgMin'),
];
