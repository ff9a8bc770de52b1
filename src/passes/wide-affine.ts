// Affine maps y = s x + t by constants of any shape that broadcasts to the data, and their composition. Shapes align at
// the last axis (ONNX broadcasting).
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { DType } from '../tensor/dtype.js';
import { elementCount } from '../tensor/tensor.js';
import { affineOf, type AffineNode } from './channel-affine.js';
import { isFoldable } from './folded-tensor.js';

/** Numbers of a broadcast constant, row-major. */
export interface WideNumbers {
  readonly dims: readonly number[];
  readonly numbers: Float64Array;
}

export interface WideAffine {
  readonly affine: AffineNode;
  readonly dtype: DType;
  readonly scale: WideNumbers;
  readonly shift: WideNumbers;
}

const one: WideNumbers = { dims: [], numbers: Float64Array.of(1) };
const zero: WideNumbers = { dims: [], numbers: Float64Array.of(0) };

/** Constants longer than this are left alone. */
const MAX_NUMBERS = 2 ** 20;

/** `node` as a map by broadcast constants; BatchNormalization needs the rank of its data. */
export function wideAffineOf(node: Node, facts: Facts): WideAffine | undefined {
  const affine = affineOf(node);
  if (affine === undefined) return undefined;
  const { opType } = node;
  if (opType === 'BatchNormalization') return batchNorm(affine, facts);
  const operand = affine.constants[0]?.constant;
  const dtype = operand?.dtype ?? facts.of(affine.data).dtype;
  if (dtype === undefined || !isFoldable(dtype) || (operand?.size ?? 0) > MAX_NUMBERS) return undefined;
  const map = (f: (t: number) => number): WideNumbers =>
    operand
      ? { dims: operand.dims, numbers: operand.toFloat64().map(f) }
      : { dims: [], numbers: Float64Array.of(f(0)) };
  const flipped = affine.data !== node.inputs[0];
  const scales: Readonly<Record<string, WideNumbers>> = {
    Mul: map((t) => t),
    Div: map((t) => 1 / t),
    Neg: map(() => -1),
    Sub: flipped ? map(() => -1) : one,
  };
  const shifts: Readonly<Record<string, WideNumbers>> = { Add: map((t) => t), Sub: map((t) => (flipped ? t : -t)) };
  return { affine, dtype, scale: scales[opType] ?? one, shift: shifts[opType] ?? zero };
}

function batchNorm(affine: AffineNode, facts: Facts): WideAffine | undefined {
  const rank = facts.of(affine.data).shape?.length;
  const gamma = affine.constants[0]?.constant;
  if (rank === undefined || rank < 2 || gamma === undefined) return undefined;
  const map = affine.along({ channels: gamma.size, rank, fromEnd: rank - 2 });
  const dims = [gamma.size, ...Array<number>(rank - 2).fill(1)];
  return (
    map && { affine, dtype: gamma.dtype, scale: { dims, numbers: map.scale }, shift: { dims, numbers: map.shift } }
  );
}

/** `second` after `first`: s = s2 s1, t = s2 t1 + t2. */
export function composed(
  first: Pick<WideAffine, 'scale' | 'shift'>,
  second: Pick<WideAffine, 'scale' | 'shift'>,
): Pick<WideAffine, 'scale' | 'shift'> | undefined {
  const scale = combined(second.scale, first.scale, (a, b) => a * b);
  const moved = combined(second.scale, first.shift, (a, b) => a * b);
  const shift = moved && combined(moved, second.shift, (a, b) => a + b);
  return scale && shift && { scale, shift };
}

/** f over two broadcast constants; undefined when their shapes do not fit. */
export function combined(a: WideNumbers, b: WideNumbers, f: (x: number, y: number) => number): WideNumbers | undefined {
  const rank = Math.max(a.dims.length, b.dims.length);
  const dims: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const [x, y] = [a.dims[axis - rank + a.dims.length] ?? 1, b.dims[axis - rank + b.dims.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) return undefined;
    dims.push(x === 1 ? y : x);
  }
  const [at, bt] = [strides(a.dims, dims), strides(b.dims, dims)];
  const numbers = new Float64Array(elementCount(dims));
  const index = dims.map(() => 0);
  for (let i = 0; i < numbers.length; i++) {
    let [x, y] = [0, 0];
    for (let axis = 0; axis < rank; axis++) {
      x += (index[axis] ?? 0) * (at[axis] ?? 0);
      y += (index[axis] ?? 0) * (bt[axis] ?? 0);
    }
    numbers[i] = f(a.numbers[x] ?? Number.NaN, b.numbers[y] ?? Number.NaN);
    for (let axis = rank - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next < (dims[axis] ?? 1) ? next : 0;
      if (index[axis] !== 0) break;
    }
  }
  return { dims, numbers };
}

/** Steps through a broadcast constant per axis of the result: 0 where it is repeated. */
function strides(dims: readonly number[], result: readonly number[]): number[] {
  const steps = result.map(() => 0);
  let step = 1;
  for (let i = 1; i <= dims.length; i++) {
    const dim = dims[dims.length - i] ?? 1;
    if (dim !== 1) steps[result.length - i] = step;
    step *= dim;
  }
  return steps;
}

/** Every number is `number`. */
export function allAre({ numbers }: WideNumbers, number: number): boolean {
  return numbers.every((x) => x === number);
}

/** Whether broadcasting with `other` leaves constants of `wide` with the dims they have. */
export function covers(wide: WideNumbers, other: WideNumbers): boolean {
  const lead = wide.dims.length - other.dims.length;
  return lead >= 0 && other.dims.every((dim, i) => dim === 1 || dim === wide.dims[lead + i]);
}

/** Bytes that the operands of a chain of maps take in the file, without those that others read too. */
export function operandBytes(chain: readonly WideAffine[]): number {
  const nodes = new Set(chain.map(({ affine }) => affine.node));
  const values = new Set(chain.flatMap(({ affine }) => affine.constants));
  const owned = [...values].filter(
    (value) => !value.isGraphOutput && value.consumers().every((node) => nodes.has(node)),
  );
  return owned.reduce((sum, value) => sum + (value.constant?.byteLength ?? 0), 0);
}
