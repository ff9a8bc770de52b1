// Normalizations over the last axes of a value, whose operators (LayerNormalization, RMSNormalization) take scale and bias
// with the dims of these axes.
import type { Facts } from '../analysis/facts.js';
import { floatAttr, intAttr } from '../ir/attribute.js';
import type { Value } from '../ir/value.js';
import { elementCount, Tensor } from '../tensor/tensor.js';
import { graphOf, removeDead, replaceNode } from './edit.js';
import type { Normalization } from './normalization.js';

type Axes = Pick<Normalization, 'x' | 'rank' | 'axes'>;

/** Whether the axes are the last ones. */
export function isOverLastAxes({ axes, rank }: Axes): boolean {
  return axes.every((axis, i) => axis === rank - axes.length + i);
}

/** The sizes of the axes, when all are known. */
export function normalizedDims({ x, axes }: Axes, facts: Facts): number[] | undefined {
  const sizes = axes.map((axis) => facts.of(x).shape?.[axis]);
  const known = sizes.filter((size): size is number => typeof size === 'number');
  return known.length === sizes.length ? known : undefined;
}

/** Whether `value` can be scale or bias. */
export function fitsLastAxes(value: Value, moments: Axes, facts: Facts): boolean {
  const dims = normalizedDims(moments, facts);
  const shape = value.constant ? value.constant.dims : facts.staticShape(value);
  if (dims === undefined || shape === undefined || shape.length > moments.rank) return false;
  // A constant can be given another shape; a value that is computed must have the right one.
  const inner = value.constant ? stripped(shape) : shape;
  return inner.length === dims.length && inner.every((dim, i) => dim === dims[i]);
}

/** Leading axes of 1 do not matter in a constant that broadcasts. */
function stripped(dims: readonly number[]): readonly number[] {
  const first = dims.findIndex((dim) => dim !== 1);
  return first < 0 ? dims.slice(-1) : dims.slice(first);
}

/** Puts `operator` in the place of float32 pieces over axes of these dims; without a scale it gets ones. */
export function fuseOverLastAxes(found: Normalization, dims: readonly number[], operator: string): void {
  const { x, axes, epsilon, last } = found;
  const graph = graphOf(last);
  const name = last.output?.name ?? 'norm';
  const ones = (): Tensor => Tensor.fromNumbers('float32', dims, new Float64Array(elementCount(dims)).fill(1));
  const parameter = (value: Value, hint: string): Value => {
    const tensor = value.constant;
    return tensor ? graph.addInitializer(tensor.reshaped(dims), `${name}_${hint}`) : value;
  };
  const scale = found.scale ? parameter(found.scale, 'scale') : graph.addInitializer(ones(), `${name}_scale`);
  const bias = found.bias && parameter(found.bias, 'bias');
  const { inputs } = last;
  replaceNode(last, {
    opType: operator,
    inputs: [x, scale, bias],
    attributes: { axis: intAttr(-axes.length), epsilon: floatAttr(Math.fround(epsilon)) },
  });
  removeDead(inputs);
}
