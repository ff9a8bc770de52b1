// Sites of the branch passes and of those that merge runs, whose inner values nobody else reads: added branches of all kinds,
// shuffles between convolutions, values that a Concat holds twice, runs of casts, concatenations, pools, slices and paddings.
import type { AttributeValues, GraphBuilder, Tracked } from './graph-builder.js';

const step = (
  b: GraphBuilder,
  op: string,
  inputs: Parameters<GraphBuilder['hidden']>[1],
  shape: readonly number[],
  attributes: AttributeValues = {},
): Tracked => ({ value: b.hidden(op, inputs, attributes), shape });

/** A convolution of stride 1 that keeps the sizes: padding before and behind adds up to what the kernel reaches. */
function sameConv(b: GraphBuilder, x: Tracked, outputs: number, group = 1): Tracked {
  const [, channels = 1, ...sizes] = x.shape;
  const dilation = b.chance(0.15) ? 2 : 1;
  const kernel = sizes.map(() => b.rng.pick([1, 1, 2, 3, 3]));
  const begins = kernel.map((k) =>
    b.chance(0.8) ? Math.floor(((k - 1) * dilation) / 2) : b.rng.int(0, (k - 1) * dilation),
  );
  const ends = kernel.map((k, i) => (k - 1) * dilation - (begins[i] ?? 0));
  const bias = b.chance(0.5) ? b.constant([outputs], b.normals([outputs], 0.3)) : undefined;
  return step(b, 'Conv', [x, b.weight([outputs, channels / group, ...kernel]), bias], x.shape.with(1, outputs), {
    kernel_shape: kernel,
    pads: [...begins, ...ends],
    dilations: dilation === 1 ? undefined : sizes.map(() => dilation),
    group: group === 1 ? undefined : group,
  });
}

function addedBranches(b: GraphBuilder, x: Tracked): void {
  const [, channels = 1, ...sizes] = x.shape;
  const three = { kernel_shape: sizes.map(() => 3), pads: sizes.flatMap(() => [1, 1]) };
  const branches = Array.from({ length: b.rng.int(2, 4) }, () =>
    b.rng.pick([
      () => sameConv(b, x, channels),
      () => sameConv(b, x, channels),
      () => sameConv(b, x, channels, channels),
      () => x,
      () => step(b, 'Mul', [x, b.constant([channels, ...sizes.map(() => 1)], b.normals([channels], 1))], x.shape),
      () => step(b, 'AveragePool', [x], x.shape, { ...three, count_include_pad: b.chance(0.7) ? 1 : 0 }),
      () => step(b, 'Relu', [sameConv(b, x, channels)], x.shape),
    ])(),
  );
  if (b.chance(0.3)) return void b.node('Sum', branches, x.shape);
  const queue = [...branches];
  while (queue.length > 2) {
    const [first, second] = queue.splice(b.rng.int(0, queue.length - 2), 2);
    queue.push(step(b, 'Add', [first, second], x.shape));
  }
  b.node('Add', queue, x.shape);
}

function parallel(b: GraphBuilder, x: Tracked): void {
  const sizes = x.shape.slice(2);
  const kernel = sizes.map((size) => Math.min(size, b.rng.pick([1, 2])));
  const isActive = b.chance(0.5);
  const results = Array.from({ length: b.rng.int(2, 3) }, () => {
    const outputs = b.rng.int(1, 4);
    const shape = [x.shape[0] ?? 1, outputs, ...sizes.map((size, i) => size - (kernel[i] ?? 1) + 1)];
    const conv = step(b, 'Conv', [x, b.weight([outputs, x.shape[1] ?? 1, ...kernel])], shape, { kernel_shape: kernel });
    return isActive && b.chance(0.9) ? step(b, 'Relu', [conv], shape) : conv;
  });
  const [first] = results;
  const total = results.reduce((sum, { shape }) => sum + (shape[1] ?? 0), 0);
  if (first && b.chance(0.6)) b.node('Concat', results, first.shape.with(1, total), { axis: 1 });
  else for (const result of results) b.node('Tanh', [result], result.shape);
}

function shuffled(b: GraphBuilder, x: Tracked): void {
  const groups = b.rng.int(2, 3);
  const channels = groups * b.rng.int(2, 3);
  const [batch = 1, , ...sizes] = x.shape;
  const plain = (y: Tracked): Tracked => {
    if (b.chance(0.4)) return step(b, b.rng.pick(['Relu', 'Sigmoid']), [y], y.shape);
    return b.chance(0.3) ? sameConv(b, y, channels, channels) : y;
  };
  const wide = plain(sameConv(b, x, channels));
  const parts = [batch, groups, channels / groups, ...sizes];
  const split = b.hidden('Reshape', [wide, b.ints(parts)]);
  const perm = [0, 2, 1, ...sizes.map((_, i) => i + 3)];
  const turned = b.hidden('Transpose', [split], { perm });
  const whole = step(b, 'Reshape', [turned, b.ints([batch, channels, ...sizes])], wide.shape);
  const last = sameConv(b, plain(whole), channels, b.chance(0.4) ? groups : 1);
  b.node('Tanh', [last], last.shape);
}

function doubledConcat(b: GraphBuilder, x: Tracked): void {
  const [, channels = 1] = x.shape;
  const other = b.chance(0.5) ? [step(b, 'Abs', [x], x.shape)] : [];
  const parts = b.chance(0.5) ? [x, ...other, x] : [x, x, ...other];
  const axis = b.chance(0.8) ? 1 : 1 - x.shape.length;
  const joined = step(b, 'Concat', parts, x.shape.with(1, channels * parts.length), { axis });
  const result = sameConv(b, joined, 2);
  b.node('Tanh', [result], result.shape);
}

function run(b: GraphBuilder, x: Tracked): void {
  const [, channels = 1, ...sizes] = x.shape;
  const axis = x.shape.length - 1;
  const last = x.shape.at(-1) ?? 1;
  b.rng.pick([
    () => b.node('Cast', [b.hidden('Cast', [x], { to: 11 })], x.shape, { to: 1 }),
    () => {
      const inner = b.hidden('Concat', [x, step(b, 'Abs', [x], x.shape)], { axis: 1 });
      const isTwice = b.chance(0.5);
      const total = channels * (isTwice ? 5 : 3);
      b.node('Concat', isTwice ? [x, inner, inner] : [inner, x], x.shape.with(1, total), { axis: 1 });
    },
    () => {
      if (sizes.some((size) => size < 5)) return;
      const pool = (k: number, s: number) => ({ kernel_shape: sizes.map(() => k), strides: sizes.map(() => s) });
      const [k1, s1, k2] = [b.rng.int(1, 2), b.rng.int(1, 2), b.rng.int(1, 2)];
      const after = (size: number): number => Math.floor((size - k1) / s1) + 1 - k2 + 1;
      const inner = b.hidden('MaxPool', [x], pool(k1, s1));
      b.node('MaxPool', [inner], [...x.shape.slice(0, 2), ...sizes.map(after)], pool(k2, 1));
    },
    () => {
      if (last < 4 || b.opset < 10) return;
      const from = (at: number) => [b.ints([at]), b.ints([2 ** 31 - 1]), b.ints([b.chance(0.5) ? axis : -1])];
      const inner = b.hidden('Slice', [x, ...from(1)]);
      const at = b.rng.pick([1, -2]);
      b.node('Slice', [inner, ...from(at)], x.shape.with(axis, at < 0 ? 2 : last - 2));
    },
    () => {
      if (b.opset < 11) return;
      const amounts = [...x.shape.map(() => 0), ...x.shape.map((_, i) => (i === axis ? 1 : 0))];
      const inner = b.hidden('Pad', [x, b.ints(amounts)]);
      b.node('Pad', [inner, b.ints(amounts)], x.shape.with(axis, last + 2));
    },
  ])();
}

/** One of the sites. */
export function cleanupSite(b: GraphBuilder): void {
  const x = b.image();
  if (x && (x.shape[1] ?? 1) <= 8)
    b.rng.pick([addedBranches, addedBranches, parallel, shuffled, doubledConcat, run, run])(b, x);
}
