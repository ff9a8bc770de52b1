// Functions of several tensors, element by element, with broadcasting: arithmetic, comparison, logic, selection.
import {
  addDims,
  boundsOf,
  floorDivDims,
  isAtLeast,
  maxDims,
  minDims,
  mulDims,
  sameDim,
  subDims,
  type Dim,
} from '../ir/dim.js';
import { isFloat, type DType } from '../tensor/dtype.js';
import { broadcastAxes } from './axis-ties.js';
import { broadcastShapes } from './broadcast.js';
import { mapData } from './data.js';
import { dtypeOf, shapeOf, type Dims } from './inputs.js';
import { defineOp, type OpRecord, type OpSite, type OpTraits } from './record.js';

type Fold = (a: Dim, b: Dim) => Dim | undefined;

interface BinaryOptions {
  readonly traits?: Omit<OpTraits, 'layer' | 'elementwise'>;
  readonly domain?: string;
  /** The function on two elements of shape arithmetic of element type `dtype`. */
  readonly value?: (a: Dim, b: Dim, dtype: DType, site: OpSite) => Dim | undefined;
  /** Element type of the result where it is not that of the first input. */
  readonly dtype?: DType;
}

/** Before opset 7 a second input was broadcast only where `broadcast` said so, to the shape of the first. */
function binaryShape(site: OpSite): Dims | undefined {
  const legacy = site.opset < 7 && site.node.domain === '';
  return legacy ? shapeOf(site, 0) : broadcastShapes(site, [shapeOf(site, 0), shapeOf(site, 1)]);
}

function binary(opType: string, { traits = {}, domain = '', value, dtype }: BinaryOptions = {}): OpRecord {
  return defineOp({
    opType,
    domain,
    traits: { layer: 'non-tensor', elementwise: true, ...traits },
    axes: broadcastAxes,
    infer: (site) => {
      const operand = dtypeOf(site, 0);
      const type = dtype ?? operand;
      const shape = binaryShape(site);
      if (value === undefined || operand === undefined || site.opset < 7) return [{ dtype: type, shape }];
      return [
        {
          dtype: type,
          shape,
          data: mapData(site, [0, 1], shape, type, (a, b) => (mixes(a, b) ? undefined : value(a, b, operand, site))),
        },
      ];
    },
  });
}

/** An operator of one or more inputs, folded from the left. */
function variadic(
  opType: string,
  fold: Fold | undefined,
  traits: Omit<OpTraits, 'layer' | 'elementwise'> = {},
): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'non-tensor', elementwise: true, ...traits },
    axes: broadcastAxes,
    infer: (site) => {
      const indices = site.node.inputs.map((_, index) => index);
      const dtype = dtypeOf(site, 0);
      const shape = broadcastShapes(
        site,
        indices.map((index) => shapeOf(site, index)),
      );
      const step = (a: Dim | undefined, b: Dim): Dim | undefined =>
        a === undefined || mixes(a, b) ? undefined : fold?.(a, b);
      return [
        {
          dtype,
          shape,
          data:
            fold && mapData(site, indices, shape, dtype, (first, ...rest) => rest.reduce<Dim | undefined>(step, first)),
        },
      ];
    },
  });
}

const always = (): boolean => true;

/** The second input is a constant whose every element passes `test`. */
function constantIs(site: OpSite, index: number, test: (x: number) => boolean): boolean {
  const tensor = site.constant(index);
  return tensor !== undefined && isFloat(tensor.dtype) && tensor.toFloat64().every(test);
}

/** A symbol meets infinity or NaN, which polynomials do not hold. */
function mixes(a: Dim, b: Dim): boolean {
  return (
    (typeof a === 'number') !== (typeof b === 'number') &&
    [a, b].some((x) => typeof x === 'number' && !Number.isFinite(x))
  );
}

/** Integers are divided as in C, towards zero. */
function divide(a: Dim, b: Dim, dtype: DType): Dim | undefined {
  if (isFloat(dtype))
    return typeof b !== 'number' ? undefined : typeof a === 'number' ? a / b : b === 0 ? undefined : mulDims(a, 1 / b);
  if (typeof a === 'number' && typeof b === 'number') return b === 0 ? undefined : Math.trunc(a / b);
  if (boundsOf(b).low < 1) return undefined;
  if (isAtLeast(a, 0)) return floorDivDims(a, b);
  if (isAtLeast(0, a)) return mulDims(floorDivDims(mulDims(a, -1), b), -1);
  return subDims(floorDivDims(maxDims(a, 0), b), floorDivDims(maxDims(mulDims(a, -1), 0), b));
}

/** `fmod` 0: the sign of the divisor; 1: that of the dividend, as in C. */
function modulo(a: Dim, b: Dim, dtype: DType, site: OpSite): Dim | undefined {
  if (isFloat(dtype)) return typeof a === 'number' && typeof b === 'number' ? a % b : undefined;
  if (boundsOf(b).low < 1) return undefined;
  const quotient = site.node.int('fmod', 0) === 1 ? divide(a, b, dtype) : floorDivDims(a, b);
  return quotient === undefined ? undefined : subDims(a, mulDims(b, quotient));
}

function power(a: Dim, b: Dim, dtype: DType): Dim | undefined {
  if (typeof b !== 'number') return undefined;
  if (typeof a === 'number') return isFloat(dtype) || b >= 0 ? a ** b : undefined;
  return b === 2 ? mulDims(a, a) : b === 1 ? a : undefined;
}

const ARITHMETIC: readonly OpRecord[] = [
  binary('Add', { traits: { nonDecreasing: always }, value: addDims }),
  binary('Sub', { traits: { nonDecreasing: always }, value: subDims }),
  binary('Mul', {
    traits: { nonDecreasing: (site) => constantIs(site, 1, (x) => x >= 0), positivelyHomogeneous: always },
    value: mulDims,
  }),
  binary('Div', {
    traits: { nonDecreasing: (site) => constantIs(site, 1, (x) => x > 0), positivelyHomogeneous: isFloatSite },
    value: divide,
  }),
  binary('Mod', { value: modulo }),
  binary('Pow', { value: power }),
  binary('PRelu', {
    traits: { nonDecreasing: (site) => constantIs(site, 1, (x) => x >= 0), positivelyHomogeneous: always },
  }),
  binary('BitShift'),
  binary('BitwiseAnd'),
  binary('BitwiseOr'),
  binary('BitwiseXor'),
  binary('BiasGelu', { domain: 'com.microsoft' }),
  variadic('Sum', addDims, { nonDecreasing: always }),
  variadic('Mean', undefined, { nonDecreasing: always }),
  variadic('Min', minDims, { nonDecreasing: always }),
  variadic('Max', maxDims, { nonDecreasing: always }),
];

function isFloatSite(site: OpSite): boolean {
  const dtype = dtypeOf(site, 0);
  return dtype !== undefined && isFloat(dtype);
}

/** 1 where `a - b` is positive for every value of the symbols, 0 where it never is. */
function isPositive(difference: Dim): Dim | undefined {
  const { low, high } = boundsOf(difference);
  return low > 0 ? 1 : high <= 0 ? 0 : undefined;
}

const flip = (x: Dim | undefined): Dim | undefined => (x === undefined ? undefined : x === 0 ? 1 : 0);

function equal(a: Dim, b: Dim): Dim | undefined {
  if (sameDim(a, b)) return Number.isNaN(a) ? 0 : 1;
  const { low, high } = boundsOf(subDims(a, b));
  return low > 0 || high < 0 || (typeof a === 'number' && typeof b === 'number') ? 0 : undefined;
}

function comparison(opType: string, compare: Fold): OpRecord {
  return binary(opType, {
    dtype: 'bool',
    value: (a, b, dtype) => (isExact(a, dtype) && isExact(b, dtype) ? compare(a, b) : undefined),
  });
}

const LOGIC: readonly OpRecord[] = [
  comparison('Equal', equal),
  comparison('Greater', (a, b) => isPositive(subDims(a, b))),
  comparison('Less', (a, b) => isPositive(subDims(b, a))),
  comparison('GreaterOrEqual', (a, b) => flip(isPositive(subDims(b, a)))),
  comparison('LessOrEqual', (a, b) => flip(isPositive(subDims(a, b)))),
  binary('And', { dtype: 'bool', value: (a, b) => (a === 0 || b === 0 ? 0 : 1) }),
  binary('Or', { dtype: 'bool', value: (a, b) => (a === 0 && b === 0 ? 0 : 1) }),
  binary('Xor', { dtype: 'bool', value: (a, b) => (a === b ? 0 : 1) }),
];

/** int64 beyond 2^53 was rounded when it was read, so equal numbers need not be equal integers. */
function isExact(value: Dim, dtype: DType): boolean {
  return typeof value !== 'number' || isFloat(dtype) || Number.isSafeInteger(value);
}

const where = defineOp({
  opType: 'Where',
  traits: { layer: 'non-tensor', elementwise: true },
  axes: broadcastAxes,
  infer: (site) => {
    const dtype = dtypeOf(site, 1) ?? dtypeOf(site, 2);
    const shape = broadcastShapes(
      site,
      [0, 1, 2].map((index) => shapeOf(site, index)),
    );
    return [
      {
        dtype,
        shape,
        data: mapData(site, [0, 1, 2], shape, dtype, (condition, yes, no) => (condition === 0 ? no : yes)),
      },
    ];
  },
});

export const ELEMENTWISE_BINARY: readonly OpRecord[] = [...ARITHMETIC, ...LOGIC, where];
