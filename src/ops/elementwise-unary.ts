// Functions of one tensor, element by element: activations, rounding, transcendental functions, casts.
import { isAtLeast, maxDims, minDims, mulDims, type Dim } from '../ir/dim.js';
import { isFloat, isInteger, type DType } from '../tensor/dtype.js';
import type { AxisFacts } from './axes.js';
import { broadcastAxes, inputAxis, outputAxis, sameAxes, tie, unaryAxes } from './axis-ties.js';
import { ceilOf, floorOf, isZero, mapData, roundTo, truncOf } from './data.js';
import { dtypeAttribute, dtypeOf, like, scalarOf, shapeOf, UNKNOWN } from './inputs.js';
import { defineOp, type CostSite, type OpRecord, type OpSite, type OpTraits, type ValueInfo } from './record.js';

const always = (): boolean => true;

/** Any f with f(s x) = s f(x), s > 0. */
const HOMOGENEOUS = { positivelyHomogeneous: always } as const;
/** On all real numbers: functions that give NaN for some are none, since NaN has no order. */
const MONOTONE = { nonDecreasing: always } as const;

interface UnaryOptions {
  readonly traits?: Omit<OpTraits, 'layer' | 'elementwise'>;
  readonly layer?: OpTraits['layer'];
  readonly domain?: string;
  /** The function on one element of shape arithmetic. */
  readonly value?: (x: Dim) => Dim | undefined;
  readonly dtype?: DType;
}

/** An operator whose output has the shape of its first input, and its type unless `dtype` says otherwise. */
function unary(
  opType: string,
  { traits = {}, layer = 'non-tensor', domain = '', value, dtype }: UnaryOptions = {},
): OpRecord {
  return defineOp({
    opType,
    domain,
    traits: { layer, elementwise: true, ...traits },
    infer: (site) => {
      const type = dtype ?? dtypeOf(site, 0);
      const shape = shapeOf(site, 0);
      return [{ dtype: type, shape, data: value ? mapData(site, [0], shape, type, value) : undefined }];
    },
    // FastGelu may add a bias.
    axes: broadcastAxes,
  });
}

/** Non-decreasing where the attribute is at least zero. */
const whenNonNegative =
  (attribute: string, fallback: number) =>
  (site: OpSite): boolean =>
    site.node.float(attribute, fallback) >= 0;

const ACTIVATIONS: readonly OpRecord[] = [
  unary('Relu', { traits: { ...MONOTONE, ...HOMOGENEOUS }, value: (x) => maxDims(x, 0) }),
  unary('LeakyRelu', { traits: { nonDecreasing: whenNonNegative('alpha', 0.01), ...HOMOGENEOUS } }),
  unary('Sigmoid', { traits: MONOTONE }),
  unary('Tanh', { traits: MONOTONE }),
  unary('HardSigmoid', { traits: { nonDecreasing: whenNonNegative('alpha', 0.2) } }),
  unary('HardSwish'),
  unary('Elu', { traits: { nonDecreasing: whenNonNegative('alpha', 1) } }),
  unary('Selu', {
    traits: {
      nonDecreasing: (site) => site.node.float('alpha', 1.67326) >= 0 && site.node.float('gamma', 1.0507) >= 0,
    },
  }),
  unary('Celu', { traits: MONOTONE }),
  unary('ThresholdedRelu', { traits: { nonDecreasing: whenNonNegative('alpha', 1) } }),
  unary('Softplus', { traits: MONOTONE }),
  unary('Softsign', { traits: MONOTONE }),
  unary('Mish'),
  unary('Gelu'),
  unary('Swish'),
  unary('Shrink', { traits: { nonDecreasing: (site) => site.node.float('bias', 0) <= site.node.float('lambd', 0.5) } }),
  unary('Gelu', { domain: 'com.microsoft' }),
  unary('FastGelu', { domain: 'com.microsoft' }),
  unary('QuickGelu', { domain: 'com.microsoft' }),
];

const FUNCTIONS: readonly OpRecord[] = [
  unary('Abs', {
    traits: HOMOGENEOUS,
    value: (x) => (isAtLeast(x, 0) ? x : isAtLeast(0, x) ? mulDims(x, -1) : undefined),
  }),
  unary('Neg', { traits: HOMOGENEOUS, value: (x) => mulDims(x, -1) }),
  unary('Sign', { traits: MONOTONE, value: (x) => (typeof x === 'number' ? Math.sign(x) : undefined) }),
  unary('Floor', { traits: MONOTONE, value: floorOf }),
  unary('Ceil', { traits: MONOTONE, value: ceilOf }),
  unary('Round', { traits: MONOTONE, value: roundHalfToEven }),
  unary('Sqrt', { value: numeric(Math.sqrt) }),
  unary('Reciprocal', { value: numeric((x) => 1 / x) }),
  unary('Exp', { traits: MONOTONE }),
  unary('Log'),
  unary('Erf', { traits: MONOTONE }),
  ...['Atan', 'Sinh', 'Asinh'].map((name) => unary(name, { traits: MONOTONE })),
  ...['Sin', 'Cos', 'Tan', 'Asin', 'Acos', 'Cosh', 'Acosh', 'Atanh'].map((name) => unary(name)),
  unary('IsNaN', { dtype: 'bool' }),
  unary('IsInf', { dtype: 'bool' }),
  unary('Not', { value: (x) => (x === 0 ? 1 : 0) }),
  unary('BitwiseNot'),
];

/** Clip: bounds are attributes before opset 11, inputs since. Also Relu6 and its like. */
const clip = defineOp({
  opType: 'Clip',
  traits: { layer: 'non-tensor', elementwise: true, nonDecreasing: always },
  infer: (site) => {
    const { dtype, shape } = like(site);
    const low = bound(site, 1, 'min', -Infinity);
    const high = bound(site, 2, 'max', Infinity);
    const limited = (x: Dim): Dim | undefined => {
      if (low === undefined || high === undefined) return undefined;
      const raised = low === -Infinity ? x : maxDims(x, low);
      return high === Infinity ? raised : minDims(raised, high);
    };
    return [{ dtype, shape, data: mapData(site, [0], shape, dtype, limited) }];
  },
  axes: unaryAxes,
});

function bound(site: OpSite, index: number, attribute: string, none: number): Dim | undefined {
  if (site.node.attribute(attribute) !== undefined) return site.node.float(attribute, none);
  return site.input(index) === undefined ? none : scalarOf(site, index);
}

/** Inference of Dropout: the mask has the shape of the data, and is bool since opset 10. */
const dropout = defineOp({
  opType: 'Dropout',
  traits: { layer: 'non-tensor', elementwise: true, deterministic: false, alias: true },
  infer: (site) => {
    const input = site.input(0) ?? UNKNOWN;
    return [
      { dtype: input.dtype, shape: input.shape },
      { dtype: site.opset >= 10 ? 'bool' : input.dtype, shape: input.shape },
    ];
  },
  axes: (site) => {
    const ties = sameAxes(site);
    const masks = site.node.outputs[1] === undefined ? [] : ties;
    return (
      ties && masks && { ties: [...ties, ...masks.map(({ from }) => tie('carry', from, outputAxis(1, from.axis)))] }
    );
  },
});

const identity = (opType: string): OpRecord =>
  defineOp({
    opType,
    traits: { layer: 'plumbing', elementwise: true, alias: true, ...MONOTONE, ...HOMOGENEOUS },
    infer: (site) => [site.input(0) ?? UNKNOWN],
    axes: unaryAxes,
  });

const cast = defineOp({
  opType: 'Cast',
  traits: { layer: 'plumbing', elementwise: true, nonDecreasing: castIsMonotone },
  infer: (site) => [castTo(site, dtypeAttribute(site, 'to'))],
  axes: unaryAxes,
});

const castLike = defineOp({
  opType: 'CastLike',
  traits: { layer: 'plumbing', elementwise: true, nonDecreasing: castIsMonotone },
  infer: (site) => [castTo(site, dtypeOf(site, 1))],
  axes: castLikeAxes,
});

/** The second input gives its type only. */
function castLikeAxes(site: CostSite): AxisFacts | undefined {
  const ties = sameAxes(site);
  return ties && { ties, untouched: (shapeOf(site, 1) ?? []).map((_, axis) => inputAxis(1, axis)) };
}

function castTo(site: OpSite, to: DType | undefined): ValueInfo {
  const shape = shapeOf(site, 0);
  const from = dtypeOf(site, 0);
  if (to === undefined || from === undefined || !isCastable(from) || !isCastable(to)) return { dtype: to, shape };
  const convert = (x: Dim): Dim | undefined => {
    if (to === 'bool') return isZero(x) === undefined ? undefined : isZero(x) ? 0 : 1;
    if (!isInteger(to) || !isFloat(from)) return x;
    const whole = typeof x === 'number' && !Number.isFinite(x) ? undefined : truncOf(x);
    return whole === undefined ? undefined : roundTo(whole, to);
  };
  if (from === to) return site.input(0) ?? UNKNOWN;
  return { dtype: to, shape, data: mapData(site, [0], shape, to, convert) };
}

const isCastable = (dtype: DType): boolean => isFloat(dtype) || isInteger(dtype) || dtype === 'bool';

/** Between float types, and from integers to floats, order is kept; integers may wrap. */
function castIsMonotone(site: OpSite): boolean {
  const from = dtypeOf(site, 0);
  const to = site.node.opType === 'CastLike' ? dtypeOf(site, 1) : dtypeAttribute(site, 'to');
  return from !== undefined && to !== undefined && isCastable(from) && (isFloat(to) || from === to);
}

function roundHalfToEven(x: Dim): Dim | undefined {
  if (typeof x !== 'number') return floorOf(x) === x ? x : undefined;
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest === 0.5 ? 2 * Math.round(x / 2) : rest < 0.5 ? floor : floor + 1;
}

function numeric(fn: (x: number) => number): (x: Dim) => Dim | undefined {
  return (x) => (typeof x === 'number' ? fn(x) : undefined);
}

export const ELEMENTWISE_UNARY: readonly OpRecord[] = [
  ...ACTIVATIONS,
  ...FUNCTIONS,
  clip,
  dropout,
  identity('Identity'),
  cast,
  castLike,
];
