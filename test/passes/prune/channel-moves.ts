// Random nodes that matter to groups of channels: shortcuts, depthwise layers, parts and orders of channels, channels that
// lie elsewhere than on axis 1, and layers that read them.
import { elementCount, Tensor } from '../../../src/tensor/tensor.js';
import type { GraphBuilder, Tracked } from '../../property/graph-builder.js';
import { conv, dense } from '../../property/layer-moves.js';
import { reshapeTo } from '../../property/shape-moves.js';

const channelsOf = ({ shape }: Tracked): number => shape[1] ?? 1;

function shuffled<T>({ rng }: GraphBuilder, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, key: rng.uniform() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

const count = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** A convolution of several channels, of the same size as its input. */
export function wideConv(b: GraphBuilder): Tracked | undefined {
  const x = b.image();
  return x && conv(b, x, { sameSize: b.rng.pick([1, 3]), channels: b.rng.int(3, 8) });
}

/** Two convolutions and the sum of what went in and came out. */
export function residual(b: GraphBuilder): void {
  const x = b.image();
  const first = x && conv(b, x, { sameSize: b.rng.pick([1, 3]), channels: b.rng.int(2, 6) });
  const middle = first && (b.chance(0.6) ? b.node('Relu', [first], first.shape) : first);
  const last = middle && conv(b, middle, { sameSize: 1, channels: channelsOf(x) });
  if (last) b.node('Add', b.chance(0.5) ? [x, last] : [last, x], x.shape);
}

/** One or two channels out of each. */
export function depthwise(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const channels = channelsOf(x);
  const outputs = channels * b.rng.int(1, 2);
  const kernel = x.shape.slice(2).map(() => 3);
  const weight = b.weight([outputs, 1, ...kernel]);
  const bias = b.chance(0.5) ? b.constant([outputs], b.normals([outputs], 0.3)) : undefined;
  const pads = [...kernel, ...kernel].map(() => 1);
  b.node('Conv', [x, weight, bias], x.shape.with(1, outputs), { group: channels, pads, kernel_shape: kernel });
}

/** A shortcut with channels of zeros around its own, added to a wider layer. */
export function paddedShortcut(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const rank = x.shape.length;
  const [begin, end] = [b.rng.int(0, 2), b.rng.int(0, 2)];
  const pads = count(2 * rank).map((i) => (i === 1 ? begin : i === rank + 1 ? end : 0));
  const shape = x.shape.with(1, channelsOf(x) + begin + end);
  const wide = conv(b, x, { sameSize: 1, channels: channelsOf({ ...x, shape }) });
  const padded = b.opset < 11 ? b.node('Pad', [x], shape, { pads }) : b.node('Pad', [x, b.ints(pads)], shape);
  if (wide) b.node('Add', [wide, padded], shape);
}

/** Channels in another order, some of them, some twice. */
export function gatherChannels(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const size = channelsOf(x);
  const indices = count(b.rng.int(1, size)).map(() => b.rng.int(b.opset < 11 ? 0 : -size, size - 1));
  const index = b.chance(0.5) ? indices : shuffled(b, count(size));
  b.node('Gather', [x, b.ints(index)], x.shape.with(1, index.length), { axis: b.chance(0.5) ? 1 : 1 - x.shape.length });
}

/** A range of channels, every second one of it, forwards or backwards. */
export function sliceChannels(b: GraphBuilder): void {
  const x = b.image();
  const size = x ? channelsOf(x) : 0;
  if (!x || size < 2 || b.opset < 10) return;
  const step = b.rng.pick([1, 1, 1, 2, -1, -2]);
  const [low, high] = [b.rng.int(0, size - 2), b.rng.int(1, size)];
  const [start, end] = step > 0 ? [low, Math.max(high, low + 1)] : [Math.max(high - 1, low), low - 1];
  const beyond = step > 0 ? (end === size && b.chance(0.5) ? 2 ** 31 - 1 : end) : end < 0 ? -size - 1 : end;
  const length = Math.ceil((end - start) / step);
  b.node('Slice', [x, b.ints([start]), b.ints([beyond]), b.ints([1]), b.ints([step])], x.shape.with(1, length));
}

/** Channels in two or three parts, with sizes or (equal parts) without. */
export function splitChannels(b: GraphBuilder): void {
  const x = b.image();
  const size = x ? channelsOf(x) : 0;
  if (!x || size < 2) return;
  const left = b.rng.int(1, size - 1);
  const isEven = size % 2 === 0 && b.chance(0.5);
  const sizes = isEven ? [size / 2, size / 2] : [left, size - left];
  const plain = isEven ? (b.opset >= 18 ? { num_outputs: 2 } : {}) : undefined;
  const values = plain
    ? b.outputs('Split', [x], 2, { axis: 1, ...plain })
    : b.opset < 13
      ? b.outputs('Split', [x], 2, { axis: 1, split: sizes })
      : b.outputs('Split', [x, b.ints(sizes)], 2, { axis: 1 });
  const parts = values.map((value, i): Tracked => ({ value, shape: x.shape.with(1, sizes[i] ?? 1) }));
  b.pool.push(...parts);
  if (b.chance(0.4)) b.node('Concat', shuffled(b, parts), x.shape, { axis: 1 });
}

/** Images of the same size side by side. */
export function concatChannels(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const isAlike = ({ shape }: Tracked): boolean =>
    shape.length === x.shape.length && shape.every((dim, i) => i === 1 || dim === x.shape[i]);
  const parts = [x, ...count(b.rng.int(1, 2)).map(() => b.pick(isAlike) ?? x)];
  const size = parts.reduce((sum, part) => sum + channelsOf(part), 0);
  if (size <= 24) b.node('Concat', parts, x.shape.with(1, size), { axis: 1 });
}

/** A dense layer over channels that lie last for a while. */
export function channelsLast(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const rank = x.shape.length;
  const [batch = 1, channels = 1, ...rest] = x.shape;
  const width = b.chance(0.5) ? channels : b.rng.int(2, 6);
  const moved = b.node('Transpose', [x], [batch, ...rest, channels], {
    perm: [0, ...count(rank - 2).map((i) => i + 2), 1],
  });
  const weight = b.constant([channels, width], b.normals([channels, width], 0.5));
  const product = b.node('MatMul', [moved, weight], [batch, ...rest, width]);
  const biased = b.node('Add', [product, b.constant([width], b.normals([width], 0.3))], product.shape);
  const end = b.chance(0.5) ? b.node('Sigmoid', [biased], biased.shape) : biased;
  b.node('Transpose', [end], [batch, width, ...rest], { perm: [0, rank - 1, ...count(rank - 2).map((i) => i + 1)] });
}

export function instanceNorm(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => b.isImage(shape) && elementCount(shape.slice(2)) > 3);
  if (!x) return;
  const dims = [channelsOf(x)];
  const parameters = [b.uniforms(dims, 0.5, 1.5), b.normals(dims, 0.3)].map((numbers) => b.constant(dims, numbers));
  b.node('InstanceNormalization', [x, ...parameters], x.shape, { epsilon: 1e-2 });
}

/** Constants that operators with a shape operand spread over channels. */
export function spread(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const [, channels = 1, ...rest] = x.shape;
  const ones = rest.map(() => 1);
  const vector = b.constant([channels, ...ones], b.normals([channels], 0.5));
  const scalar = b.constant([1, ...ones], [0.7]);
  const operand = b.rng.pick([
    () => b.hidden('Expand', [vector, b.ints([channels, ...rest])]),
    () => b.hidden('Expand', [scalar, b.ints([channels, ...ones])]),
    () => b.hidden('Tile', [scalar, b.ints([channels, ...ones])]),
    () => b.hidden('Tile', [vector, b.ints([1, ...rest])]),
    () =>
      b.hidden('ConstantOfShape', [b.ints([channels, ...ones])], { value: Tensor.fromNumbers('float32', [1], [0.4]) }),
  ])();
  b.node(b.rng.pick(['Add', 'Mul']), [x, operand], x.shape);
}

/** Resize to given sizes. */
export function resizeTo(b: GraphBuilder): void {
  const x = b.image();
  if (!x || b.opset < 13 || elementCount(x.shape) > 600) return;
  const shape = x.shape.map((size, i) => (i < 2 ? size : 2 * size));
  const options = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  b.node('Resize', [x, undefined, undefined, b.ints(shape)], shape, options);
}

export function blocks(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => b.isImage(shape) && shape.length === 4 && (shape[1] ?? 1) % 4 === 0);
  if (!x) return;
  const [batch = 1, channels = 1, height = 1, width = 1] = x.shape;
  const mode = b.opset < 11 || b.chance(0.5) ? {} : { mode: 'CRD' };
  b.node('DepthToSpace', [x], [batch, channels / 4, 2 * height, 2 * width], { blocksize: 2, ...mode });
}

/** Images as rows of a matrix, in front of a dense layer. */
export function rows(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => b.isImage(shape) && elementCount(shape.slice(1)) <= 600);
  if (!x) return;
  const [batch = 1, ...rest] = x.shape;
  const flat = [batch, elementCount(rest)];
  if (b.chance(0.5)) b.node('Flatten', [x], flat);
  else reshapeTo(b, x, flat);
  dense(b);
}

/** Sums that mix channels: groups must not go through them. */
export function mixing(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  b.rng.pick([
    () => b.spatial === 2 && b.node('LRN', [x], x.shape, { size: 3, alpha: 1e-2, beta: 0.75, bias: 1 }),
    () => b.node('Softmax', [x], x.shape, { axis: b.opset < 13 ? x.shape.length - 1 : 1 }),
    () => b.opset < 18 && b.node('ReduceMean', [x], x.shape.with(1, 1), { axes: [1], keepdims: 1 }),
    () => b.opset < 18 && b.node('ReduceMax', [x], x.shape.with(1, 1), { axes: [1], keepdims: 1 }),
    () => b.opset < 13 && b.node('ReduceSum', [x], x.shape.with(1, 1), { axes: [1], keepdims: 1 }),
  ])();
}
