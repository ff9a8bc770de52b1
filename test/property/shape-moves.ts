// Random nodes that move data without computing: padding, transposing, reshaping, slicing, no-ops, shape computations.
import { elementCount, Tensor } from '../../src/tensor/tensor.js';
import type { Value } from '../../src/ir/value.js';
import { DYNAMIC_BATCH, type GraphBuilder, type Tracked } from './graph-builder.js';

export function pad(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const rank = x.shape.length;
  const amounts = Array.from({ length: 2 * rank }, (_, i) => (i % rank < 2 || b.chance(0.4) ? 0 : b.rng.int(0, 2)));
  const mode = b.chance(0.75) ? 'constant' : b.rng.pick(['edge', 'reflect']);
  if (mode === 'reflect' && x.shape.slice(2).some((size) => size < 3)) return;
  const shape = x.shape.map((size, i) => size + (amounts[i] ?? 0) + (amounts[i + rank] ?? 0));
  const value = b.chance(0.75) ? 0 : 0.5;
  const attributes = mode === 'constant' && b.chance(0.5) ? {} : { mode };
  if (b.opset < 11) b.node('Pad', [x], shape, { ...attributes, pads: amounts, value });
  else
    b.node(
      'Pad',
      [x, b.ints(amounts), value === 0 && b.chance(0.5) ? undefined : b.constant([], [value])],
      shape,
      attributes,
    );
}

export function transpose(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length >= 2);
  if (!x) return;
  const axes = x.shape.map((_, i) => i);
  const perm = b.chance(0.3) ? axes : shuffled(b, axes);
  const moved = b.node(
    'Transpose',
    [x],
    perm.map((axis) => x.shape[axis] ?? 1),
    { perm },
  );
  if (b.chance(0.6)) {
    const middle = b.chance(0.5) ? b.node('Relu', [moved], moved.shape) : moved;
    b.node('Transpose', [middle], x.shape, { perm: axes.map((axis) => perm.indexOf(axis)) });
  }
}

function shuffled(b: GraphBuilder, items: readonly number[]): number[] {
  return items
    .map((item) => ({ item, key: b.rng.uniform() }))
    .sort((p, q) => p.key - q.key)
    .map(({ item }) => item);
}

/** Reshape to `shape`, written with 0 and -1 where it may be; a dynamic batch is never written as a number by choice. */
export function reshapeTo(b: GraphBuilder, x: Tracked, shape: readonly number[]): Tracked {
  const target = [...shape];
  if (target[0] === x.shape[0] && (b.chance(0.5) || target[0] === DYNAMIC_BATCH)) target[0] = 0;
  const free = target.indexOf(DYNAMIC_BATCH);
  if (free >= 0) target[free] = -1;
  else if (b.chance(0.4) && elementCount(shape) > 0) target[b.rng.int(0, target.length - 1)] = -1;
  return b.node('Reshape', [x, b.ints(target)], shape);
}

export function reshape(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length >= 2);
  if (!x) return;
  const [batch = 1, ...rest] = x.shape;
  const tail = elementCount(rest);
  b.rng.pick([
    () => reshapeTo(b, reshapeTo(b, x, [batch, tail]), x.shape),
    () => reshapeTo(b, x, x.shape),
    () => reshapeTo(b, x, [batch, tail]),
    () => reshapeTo(b, x, [batch, 1, ...rest]),
    () => b.node('Flatten', [x], [batch, tail], { axis: 1 }),
    () => reshapeTo(b, b.node('Flatten', [x], [batch, tail], {}), x.shape),
  ])();
}

/** Squeeze or Unsqueeze, with the axes where the operator set wants them. */
function withAxes(
  b: GraphBuilder,
  opType: 'Squeeze' | 'Unsqueeze',
  x: Tracked | Value,
  axes: readonly number[],
): Value {
  return b.opset < 13 ? b.hidden(opType, [x], { axes }) : b.hidden(opType, [x, b.ints(axes)]);
}

export function squeeze(b: GraphBuilder): void {
  const x = b.pick();
  if (!x || x.shape.length > 4) return;
  const axis = b.rng.int(0, x.shape.length);
  const wide = { value: withAxes(b, 'Unsqueeze', x, [axis]), shape: x.shape.toSpliced(axis, 0, 1) };
  b.pool.push(wide);
  if (b.chance(0.6)) b.pool.push({ value: withAxes(b, 'Squeeze', wide, [axis]), shape: x.shape });
}

/** Nodes that change nothing. */
const NO_OPS: readonly ((b: GraphBuilder, x: Tracked) => void)[] = [
  (b, x) => b.node('Identity', [x], x.shape),
  (b, x) => b.node('Dropout', [x], x.shape, b.opset < 12 ? { ratio: 0.5 } : {}),
  (b, x) => b.node('Cast', [x], x.shape, { to: 1 }),
  (b, x) => b.node('Mul', [x, b.constant([1], [1])], x.shape.length === 0 ? [1] : x.shape),
  (b, x) => b.node('Add', [b.constant([], [0]), x], x.shape),
  (b, x) => b.node('Div', [x, b.constant([], [1])], x.shape),
  (b, x) => b.node('Concat', [x], x.shape, { axis: 0 }),
  (b, x) => b.node('Transpose', [x], x.shape, { perm: x.shape.map((_, i) => i) }),
  (b, x) => {
    if (b.opset >= 10) b.node('Slice', [x, b.ints([0]), b.ints([2 ** 31 - 1]), b.ints([x.shape.length - 1])], x.shape);
  },
  (b, x) => b.node('Expand', [x, b.ints(x.shape.map(() => 1))], x.shape),
  (b, x) => {
    if (b.opset >= 11) b.node('Pad', [x, b.ints([...x.shape, ...x.shape].map(() => 0))], x.shape);
  },
  (b, x) => b.node('Sum', [x], x.shape),
];

export function noOp(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length > 0);
  if (x) b.rng.pick(NO_OPS)(b, x);
}

/** A reshape whose target is computed from the shape of its input, as exporters write `x.view(x.size(0), -1)`. */
export function shapeChain(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length >= 2);
  if (!x) return;
  const [batch = 1, ...rest] = x.shape;
  const shape = b.hidden('Shape', [x]);
  const first = b.rng.pick([
    () => withAxes(b, 'Unsqueeze', b.hidden('Gather', [shape, b.constant([], [0], 'int64')], { axis: 0 }), [0]),
    () => b.hidden('Gather', [shape, b.constant([1], [0], 'int64')], { axis: 0 }),
    () =>
      b.opset < 10
        ? b.hidden('Slice', [shape], { axes: [0], starts: [0], ends: [1] })
        : b.hidden('Slice', [shape, b.ints([0]), b.ints([1]), b.ints([0])]),
  ])();
  const dims = b.chance(0.5) ? [elementCount(rest)] : [1, ...rest];
  const last = b.chance(0.5) && dims.length === 1 ? [-1] : dims;
  const target = b.hidden('Concat', [first, b.ints(last)], { axis: 0 });
  b.node('Reshape', [x, b.chance(0.2) ? b.hidden('Cast', [target], { to: 7 }) : target], [batch, ...dims]);
}

/** A constant computed at run time from constants: folds to one. */
export function constantChain(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const dims = [x.shape[1] ?? 1, ...x.shape.slice(2).map(() => 1)];
  const filled = b.hidden('ConstantOfShape', [b.ints(dims)], { value: Tensor.fromNumbers('float32', [1], [0.5]) });
  const sum = b.hidden('Add', [filled, b.constant(dims, b.normals(dims, 0.5))]);
  const scale = b.chance(0.5) ? b.hidden('Sqrt', [b.hidden('Mul', [sum, sum])]) : b.hidden('Exp', [sum]);
  b.node(b.rng.pick(['Mul', 'Add']), [x, scale], x.shape);
}

export function slice(b: GraphBuilder): void {
  const x = b.image();
  if (!x || b.opset < 10) return;
  const axis = b.rng.int(1, x.shape.length - 1);
  const size = x.shape[axis] ?? 1;
  if (size < 2) return;
  const start = b.rng.int(0, size - 2);
  const step = b.chance(0.3) ? 2 : 1;
  const length = Math.ceil((size - start) / step);
  b.node(
    'Slice',
    [x, b.ints([start]), b.ints([2 ** 31 - 1]), b.ints([b.chance(0.5) ? axis : axis - x.shape.length]), b.ints([step])],
    x.shape.with(axis, length),
  );
}

export function upsample(b: GraphBuilder): void {
  const x = b.image();
  if (!x || b.opset < 13 || elementCount(x.shape) > 600) return;
  const factor = b.chance(0.3) ? 1 : 2;
  const scales = b.constant(
    [x.shape.length],
    x.shape.map((_, i) => (i < 2 ? 1 : factor)),
  );
  const mode = b.rng.pick(['nearest', 'linear']);
  if (mode === 'linear' && b.spatial > 2) return;
  const options =
    mode === 'nearest' ? { mode, coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' } : { mode };
  b.node(
    'Resize',
    [x, undefined, scales],
    x.shape.map((size, i) => (i < 2 ? size : size * factor)),
    options,
  );
}

/** ShuffleNet's permutation of channels. */
export function channelShuffle(b: GraphBuilder): void {
  const x = b.image();
  const channels = x?.shape[1] ?? 1;
  const groups = [2, 3].filter((g) => channels % g === 0 && channels > g)[0];
  if (!x || groups === undefined) return;
  const [batch = 1, , ...rest] = x.shape;
  const split = reshapeTo(b, x, [batch, groups, channels / groups, ...rest]);
  const swapped = b.node('Transpose', [split], [batch, channels / groups, groups, ...rest], {
    perm: [0, 2, 1, ...rest.map((_, i) => i + 3)],
  });
  reshapeTo(b, swapped, x.shape);
}
