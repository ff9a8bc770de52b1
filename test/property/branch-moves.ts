// Random structure: branches that meet again, shared and duplicate nodes, constants per channel with the shapes that are
// easily mistaken for them, conditional subgraphs.
import { graphAttr } from '../../src/ir/attribute.js';
import { elementCount, Tensor } from '../../src/tensor/tensor.js';
import type { Value } from '../../src/ir/value.js';
import type { GraphBuilder, Tracked } from './graph-builder.js';
import { batchNorm, conv } from './layer-moves.js';

const sameShape = (a: Tracked, b: Tracked): boolean => a.shape.join() === b.shape.join();

/** Parallel convolutions of one input that are added or concatenated, with an identity or pooled branch now and then. */
export function parallelConvs(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const channels = b.chance(0.5) ? (x.shape[1] ?? 1) : b.rng.int(1, 4);
  const branches: Tracked[] = [];
  for (let i = b.rng.int(2, 3); i > 0; i--) {
    const branch = conv(b, x, { sameSize: b.rng.pick([1, 3]), channels });
    if (branch) branches.push(b.chance(0.3) ? (batchNorm(b, branch) ?? branch) : branch);
  }
  if (channels === x.shape[1] && b.chance(0.5)) branches.push(b.chance(0.3) ? (batchNorm(b, x) ?? x) : x);
  const [first, ...others] = branches;
  if (!first || others.length === 0) return;
  if (b.chance(0.35)) b.node('Concat', branches, x.shape.with(1, channels * branches.length), { axis: 1 });
  else if (b.chance(0.3)) b.node('Sum', branches, first.shape);
  else others.reduce((sum, branch) => b.node('Add', b.chance(0.5) ? [sum, branch] : [branch, sum], first.shape), first);
}

/** A convolution followed by another one. */
export function convPair(b: GraphBuilder): void {
  const x = b.image();
  const first = x && conv(b, x, b.chance(0.5) ? { sameSize: b.rng.pick([1, 3]) } : {});
  if (first) conv(b, first, b.chance(0.6) ? { sameSize: 1 } : {});
}

export function convNorm(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  if (b.chance(0.3)) {
    const before = batchNorm(b, x);
    if (before) conv(b, before);
    return;
  }
  const y = conv(b, x);
  const z = y && batchNorm(b, y);
  if (z && b.chance(0.7)) b.node('Relu', [z], z.shape);
}

/** Arithmetic of two values of one shape, or of one value with itself. */
export function join(b: GraphBuilder): void {
  const x = b.pick();
  const y = x && b.pick((other) => sameShape(other, x));
  if (x && y) b.node(b.rng.pick(['Add', 'Mul', 'Sub', 'Max', 'Min']), [x, y], x.shape);
}

export function concat(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length >= 2);
  if (!x) return;
  const axis = b.rng.int(1, x.shape.length - 1);
  const isAlike = ({ shape }: Tracked): boolean =>
    shape.length === x.shape.length && shape.every((dim, i) => i === axis || dim === x.shape[i]);
  const parts = [x, ...Array.from({ length: b.rng.int(1, 2) }, () => (b.chance(0.3) ? x : (b.pick(isAlike) ?? x)))];
  const size = parts.reduce((sum, { shape }) => sum + (shape[axis] ?? 0), 0);
  if (elementCount(x.shape) * parts.length < 4096)
    b.node('Concat', parts, x.shape.with(axis, size), { axis: b.chance(0.8) ? axis : axis - x.shape.length });
}

/** Splits an axis in two, and sometimes concatenates the parts again. */
export function split(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const axis = b.rng.int(1, x.shape.length - 1);
  const size = x.shape[axis] ?? 1;
  if (size < 2) return;
  const left = b.chance(0.5) && size % 2 === 0 ? size / 2 : b.rng.int(1, size - 1);
  const sizes = [left, size - left];
  const outputs =
    b.opset < 13
      ? b.outputs('Split', [x], 2, { axis, split: sizes })
      : b.outputs('Split', [x, b.ints(sizes)], 2, { axis });
  const parts = outputs.map((value, i): Tracked => ({ value, shape: x.shape.with(axis, sizes[i] ?? 1) }));
  if (b.chance(0.4)) b.node('Concat', parts, x.shape, { axis });
  if (b.chance(0.8)) b.pool.push(...parts);
}

/** Arithmetic with a constant of every broadcast shape: a scalar, one per channel, one per column, of higher rank. */
export function constantArithmetic(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length >= 2 && elementCount(shape) <= 2048);
  if (!x) return;
  const [, channels = 1, ...rest] = x.shape;
  const ones = rest.map(() => 1);
  const last = x.shape.at(-1) ?? 1;
  const shapes = [
    [],
    [1],
    [channels, ...ones],
    [channels, ...ones],
    [1, channels, ...ones],
    [1, channels, ...ones],
    [last],
    [...ones.slice(1), last],
    [1, 1, channels, ...ones],
    [channels, ...rest],
  ];
  const fitting = shapes.filter((shape) => fits(shape, x.shape));
  // Now and then the constant is longer where the data is 1: the result grows.
  const dims = b.rng.pick(b.chance(0.1) && b.spatial < 3 ? fitting.map((shape) => grown(b, shape, x.shape)) : fitting);
  const rank = Math.max(dims.length, x.shape.length);
  const shape = Array.from({ length: rank }, (_, i) => Math.max(dims.at(i - rank) ?? 1, x.shape.at(i - rank) ?? 1));
  const op = b.rng.pick(['Mul', 'Add', 'Sub', 'Div']);
  const constant = b.constant(dims, op === 'Div' ? b.uniforms(dims, 0.5, 2) : b.normals(dims, 0.7));
  const isLeft = b.chance(0.3) && op !== 'Div';
  b.node(op, isLeft ? [constant, x] : [x, constant], shape);
}

function grown(b: GraphBuilder, dims: readonly number[], shape: readonly number[]): number[] {
  return dims.map((dim, i) =>
    shape.at(i - dims.length) === 1 && i - dims.length >= -shape.length ? b.rng.int(1, 3) : dim,
  );
}

function fits(dims: readonly number[], shape: readonly number[]): boolean {
  return (
    dims.length <= shape.length + 1 &&
    dims.every((dim, i) => dim === 1 || (dim === shape.at(i - dims.length) && i - dims.length >= -shape.length))
  );
}

/** The same node once more, and something that reads both. */
export function duplicate(b: GraphBuilder): void {
  const x = b.pick(
    ({ value }) =>
      value.producer !== undefined &&
      value.producer.graph === b.graph &&
      value.producer.outputs.length === 1 &&
      value.producer.domain === '' &&
      value.producer.subgraphs().length === 0,
  );
  const node = x?.value.producer;
  if (!x || !node) return;
  const copy = { value: b.hidden(node.opType, node.inputs, Object.fromEntries(node.attributes)), shape: x.shape };
  b.pool.push(copy);
  if (b.chance(0.6)) b.node(b.rng.pick(['Add', 'Mul']), [x, copy], x.shape);
}

/** If with a constant or computed condition; the branches read values around them. */
export function conditional(b: GraphBuilder): void {
  const x = b.image();
  if (!x || b.graph !== b.model.graph) return;
  const condition = b.rng.pick([
    () => b.graph.addInitializer(Tensor.scalar('bool', b.rng.int(0, 1)), 'cond'),
    () => b.hidden('Constant', [], { value: Tensor.scalar('bool', b.rng.int(0, 1)) }),
    () => runtimeCondition(b, x),
    () => runtimeCondition(b, x),
  ])();
  const body = (): Value => {
    let result = x;
    for (let steps = b.rng.int(1, 2); steps > 0; steps--) result = branchStep(b, x, result);
    return result === x ? b.hidden('Identity', [x]) : result.value;
  };
  const then = graphAttr(b.branch('then', body));
  b.node('If', [condition], x.shape, { then_branch: then, else_branch: graphAttr(b.branch('else', body)) });
}

/** A node that keeps the shape of `x`. */
function branchStep(b: GraphBuilder, x: Tracked, result: Tracked): Tracked {
  return b.rng.pick([
    () => conv(b, result, { sameSize: b.rng.pick([1, 3]), channels: x.shape[1] ?? 1 }) ?? result,
    () => b.node('Relu', [result], x.shape),
    () => b.node('Add', [result, b.pick((other) => sameShape(other, x)) ?? x], x.shape),
    () => batchNorm(b, result) ?? result,
  ])();
}

/** Whether the mean of `x` is above a number that means do not come close to: rounding must not decide a branch. */
function runtimeCondition(b: GraphBuilder, x: Tracked): Value {
  const mean =
    b.opset < 18
      ? b.hidden('ReduceMean', [x], { keepdims: 0 })
      : b.hidden('ReduceMean', [x, undefined], { keepdims: 0 });
  return b.hidden('Greater', [mean, b.constant([], [0.0371])]);
}
