// Reading scalar expressions out of a graph: a value as a polynomial in another, and a node as a product of factors.
// Exporters write activations as trees of Add, Mul, Div, Pow by constants, in every order.
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { isFloat, isNumeric } from '../tensor/dtype.js';

/** c[0] + c[1] x + c[2] x^2 + ... */
export type Polynomial = readonly number[];

const MAX_DEGREE = 3;
const MAX_DEPTH = 8;

/** Numbers that a file gives rounded to float32 (or less digits) count as equal within this part of their size. */
const CLOSE = 2e-6;

/** Equal up to the rounding of float32 constants (2e-6 relative, and absolute near zero). */
export function isClose(a: number | undefined, b: number): boolean {
  return a !== undefined && Math.abs(a - b) <= CLOSE * Math.max(Math.abs(b), 1e-3);
}

/** `a` is known and has the coefficients of `b`, up to rounding; missing ones are zero. */
export function sameCoefficients(a: Polynomial | undefined, b: Polynomial): boolean {
  return a !== undefined && a.length <= b.length && b.every((c, i) => isClose(a[i] ?? 0, c));
}

/** The single number in a constant of float type; undefined for other values. */
export function scalarConstant(value: Value | undefined): number | undefined {
  const tensor = value?.constant;
  return tensor?.size === 1 && isFloat(tensor.dtype) ? tensor.scalar() : undefined;
}

/** The single number in a constant of any numeric type, as exponents are. */
export function exponentConstant(value: Value | undefined): number | undefined {
  const tensor = value?.constant;
  return tensor?.size === 1 && isNumeric(tensor.dtype) ? tensor.scalar() : undefined;
}

/**
 * `value` as a polynomial in `x`, when it is computed from `x` by sums, differences, products, division by and powers to
 * constants; undefined otherwise. Nodes met on the way are added to `nodes`.
 */
export function polynomialIn(
  value: Value | undefined,
  x: Value,
  nodes: Set<Node>,
  depth = MAX_DEPTH,
): Polynomial | undefined {
  if (value === x) return [0, 1];
  const constant = scalarConstant(value);
  if (constant !== undefined) return [constant];
  const node = value?.producer;
  if (node === undefined || depth === 0 || node.domain !== '' || node.output !== value) return undefined;
  const combine = POLYNOMIALS[node.opType];
  const read = (input: Value | undefined, slot: number): Polynomial | undefined => {
    const exponent = node.opType === 'Pow' && slot === 1 ? exponentConstant(input) : undefined;
    return exponent === undefined ? polynomialIn(input, x, nodes, depth - 1) : [exponent];
  };
  const parts = combine && node.inputs.map(read);
  const known = parts?.filter((part) => part !== undefined);
  if (!combine || !known || known.length !== node.inputs.length) return undefined;
  const result = combine(known);
  if (result !== undefined && result.length <= MAX_DEGREE + 1) {
    nodes.add(node);
    return result;
  }
  return undefined;
}

const POLYNOMIALS: Readonly<Record<string, (parts: readonly Polynomial[]) => Polynomial | undefined>> = {
  Add: ([a = [], b = []]) => sum(a, b, 1),
  Sub: ([a = [], b = []]) => sum(a, b, -1),
  Mul: ([a = [], b = []]) => product(a, b),
  Div: ([a = [], b = []]) => (b.length === 1 ? a.map((c) => c / (b[0] ?? 1)) : undefined),
  Neg: ([a = []]) => a.map((c) => -c),
  Pow: ([a = [], b = []]) => (b.length === 1 ? power(a, b[0] ?? 0) : undefined),
};

function sum(a: Polynomial, b: Polynomial, sign: 1 | -1): Polynomial {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + sign * (b[i] ?? 0));
}

function product(a: Polynomial, b: Polynomial): Polynomial {
  const result = Array<number>(a.length + b.length - 1).fill(0);
  for (const [i, x] of a.entries()) for (const [j, y] of b.entries()) result[i + j] = (result[i + j] ?? 0) + x * y;
  return result;
}

function power(a: Polynomial, exponent: number): Polynomial | undefined {
  if (!Number.isInteger(exponent) || exponent < 1 || exponent > MAX_DEGREE) return undefined;
  return Array.from({ length: exponent - 1 }).reduce<Polynomial>((result) => product(result, a), a);
}

/** A product: `constant` times all `factors`. */
export interface Product {
  readonly constant: number;
  readonly factors: readonly Value[];
  /** The nodes that multiply, without the root. */
  readonly nodes: ReadonlySet<Node>;
}

/** `root` (a Mul, a Div by a constant or a Neg) as a product, with products that only it reads taken apart. */
export function productOf(root: Node): Product | undefined {
  let constant = 1;
  const factors: Value[] = [];
  const nodes = new Set<Node>();
  const visit = (node: Node, depth: number): boolean => {
    const [a, b] = node.inputs;
    const divisor = node.opType === 'Div' ? scalarConstant(b) : undefined;
    if (
      node.domain !== '' ||
      !a ||
      (node.opType === 'Div' && divisor === undefined) ||
      !['Mul', 'Div', 'Neg'].includes(node.opType)
    )
      return false;
    constant *= node.opType === 'Neg' ? -1 : divisor === undefined ? 1 : 1 / divisor;
    for (const value of node.opType === 'Mul' ? [a, b] : [a]) {
      const number = scalarConstant(value);
      const inner = value?.producer;
      if (number !== undefined) constant *= number;
      else if (
        inner &&
        depth > 0 &&
        value.soleConsumer === node &&
        inner.graph === node.graph &&
        visit(inner, depth - 1)
      )
        nodes.add(inner);
      else if (value) factors.push(value);
    }
    return true;
  };
  return visit(root, 4) ? { constant, factors, nodes } : undefined;
}
