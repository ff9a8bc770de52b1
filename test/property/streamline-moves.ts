// Random sites of the passes that fold, merge and move neighbours of convolutions: constants per channel around layers,
// padding and cropping, pools beside convolutions, resizing in front of them.
import { elementCount } from '../../src/tensor/tensor.js';
import type { AttributeValues, GraphBuilder, Tracked } from './graph-builder.js';
import { batchNorm, clip, conv } from './layer-moves.js';

type Step = (b: GraphBuilder, x: Tracked) => Tracked | undefined;

const sizesOf = ({ shape }: Tracked): readonly number[] => shape.slice(2);
const resized = ({ shape }: Tracked, size: (size: number) => number): number[] =>
  shape.map((dim, i) => (i < 2 ? dim : size(dim)));

/** One pool with the same window along every axis; undefined where it does not fit. */
function pooled(
  b: GraphBuilder,
  x: Tracked,
  op: 'MaxPool' | 'AveragePool',
  window: { readonly kernel: number; readonly stride: number; readonly pad?: number },
  attributes: AttributeValues = {},
): Tracked | undefined {
  const { kernel, stride, pad = 0 } = window;
  const axes = sizesOf(x);
  if (axes.some((size) => size + 2 * pad < kernel)) return undefined;
  return b.node(
    op,
    [x],
    resized(x, (size) => Math.floor((size + 2 * pad - kernel) / stride) + 1),
    {
      kernel_shape: axes.map(() => kernel),
      strides: axes.map(() => stride),
      pads: pad > 0 ? [...axes, ...axes].map(() => pad) : undefined,
      ...attributes,
    },
  );
}

/** A constant per channel or a single one, on either side. */
function constantMap(b: GraphBuilder, x: Tracked): Tracked {
  const dims = b.chance(0.3) ? [] : [x.shape[1] ?? 1, ...sizesOf(x).map(() => 1)];
  const op = b.rng.pick(['Mul', 'Mul', 'Add', 'Sub', 'Div', 'Neg']);
  if (op === 'Neg') return b.node('Neg', [x], x.shape);
  const positive = op === 'Div' || b.chance(0.5);
  const constant = b.constant(dims, positive ? b.uniforms(dims, 0.5, 2) : b.normals(dims, 1));
  return b.node(op, op !== 'Div' && b.chance(0.3) ? [constant, x] : [x, constant], x.shape);
}

const affine: Step = (b, x) => (b.chance(0.4) ? batchNorm(b, x) : constantMap(b, x));

/** Several maps in a row. */
const affineChain: Step = (b, x) => {
  let y: Tracked | undefined = x;
  for (let i = b.rng.int(2, 3); i > 0 && y; i--) y = affine(b, y);
  return y;
};

/** Operators that a map per channel may cross, or not quite. */
const CROSSED: readonly Step[] = [
  (b, x) => b.node('Relu', [x], x.shape),
  (b, x) => b.node('LeakyRelu', [x], x.shape),
  (b, x) => pooled(b, x, 'MaxPool', { kernel: 2, stride: b.rng.int(1, 2) }),
  (b, x) =>
    pooled(b, x, 'AveragePool', { kernel: 2, stride: 1, pad: b.rng.int(0, 1) }, { count_include_pad: b.rng.int(0, 1) }),
  (b, x) => padded(b, x, b.rng.pick([0, 0, 0.5])),
  (b, x) => constantMap(b, x),
];

function transposed(b: GraphBuilder, x: Tracked): Tracked | undefined {
  const [batch = 1, channels = 1, ...sizes] = x.shape;
  const dims = [channels, b.rng.int(1, 3), ...sizes.map(() => 3)];
  const shape = [batch, dims[1] ?? 1, ...sizes.map((size) => 2 * (size - 1) + 3)];
  if (elementCount(shape) > 2048) return undefined;
  const weight = b.constant(dims, b.normals(dims, 0.3));
  return b.node('ConvTranspose', [x, weight], shape, { strides: sizes.map(() => 2) });
}

const layer: Step = (b, x) => (b.chance(0.2) ? transposed(b, x) : conv(b, x));

/** A map behind or in front of a layer, with up to two operators between. */
const aroundLayer: Step = (b, x) => {
  const steps = Array.from({ length: b.rng.int(0, 2) }, () => b.rng.pick(CROSSED));
  const order = b.chance(0.5) ? [layer, ...steps, affine] : [affine, ...steps, layer];
  return order.reduce<Tracked | undefined>((y, step) => y && step(b, y), x);
};

function padded(b: GraphBuilder, x: Tracked, value: number): Tracked {
  const amounts = [...x.shape, ...x.shape].map((_, i) => (i % x.shape.length < 2 ? 0 : b.rng.int(0, 1)));
  const shape = x.shape.map((size, i) => size + (amounts[i] ?? 0) + (amounts[i + x.shape.length] ?? 0));
  if (b.opset < 11) return b.node('Pad', [x], shape, { pads: amounts, value });
  return b.node('Pad', [x, b.ints(amounts), value === 0 ? undefined : b.constant([], [value])], shape);
}

/** A Pad and what may take it over. */
const padThenWindow: Step = (b, x) => {
  const input = b.chance(0.4) ? b.node('Relu', [x], x.shape) : x;
  const stride = b.rng.int(1, 2);
  if (b.chance(0.4))
    return pooled(b, padded(b, input, b.rng.pick([0, 0, -Infinity, 0.5])), 'MaxPool', {
      kernel: 2,
      stride,
      pad: b.rng.int(0, 1),
    });
  const y = padded(b, input, b.rng.pick([0, 0, 0, 0.5]));
  return b.chance(0.6) ? conv(b, y) : pooled(b, y, 'AveragePool', { kernel: 2, stride });
};

/** A ConvTranspose whose borders are cut off. */
const cropped: Step = (b, x) => {
  const y = b.opset < 10 ? undefined : transposed(b, x);
  if (!y) return undefined;
  const axes = sizesOf(y).map((_, i) => i + 2);
  if (sizesOf(y).some((size) => size < 5)) return undefined;
  const starts = axes.map(() => b.rng.int(0, 2));
  const ends = axes.map(() => -b.rng.int(1, 2));
  return b.node(
    'Slice',
    [y, b.ints(starts), b.ints(ends), b.ints(axes)],
    y.shape.map((size, i) => (i < 2 ? size : size - (starts[i - 2] ?? 0) + (ends[i - 2] ?? 0))),
  );
};

const pointConv: Step = (b, x) => conv(b, x, { sameSize: 1, channels: b.rng.int(1, 6) });

/** A pool that only picks positions, beside a convolution. */
const pickedPositions: Step = (b, x) => {
  const pick: Step = (_, y) => pooled(b, y, b.rng.pick(['MaxPool', 'AveragePool'] as const), { kernel: 1, stride: 2 });
  const order = b.chance(0.5) ? [(_: GraphBuilder, y: Tracked) => conv(b, y), pick] : [pick, pointConv];
  return order.reduce<Tracked | undefined>((y, step) => y && step(b, y), x);
};

/** An average beside a convolution. */
const averageBeside: Step = (b, x) => {
  const average: Step = (_, y) =>
    b.chance(0.3)
      ? b.node(
          'GlobalAveragePool',
          [y],
          resized(y, () => 1),
        )
      : pooled(
          b,
          y,
          'AveragePool',
          { kernel: b.rng.int(2, 3), stride: b.rng.int(1, 3), pad: b.rng.int(0, 1) },
          { count_include_pad: b.rng.int(0, 1) },
        );
  const some: Step = (_, y) => (b.chance(0.6) ? pointConv(b, y) : conv(b, y, { sameSize: 3 }));
  const order = b.chance(0.7) ? [some, average] : [average, (_: GraphBuilder, y: Tracked) => conv(b, y)];
  return order.reduce<Tracked | undefined>((y, step) => y && step(b, y), x);
};

/** A point convolution behind a Resize, with an activation now and then, or a map alone. */
const resizedThenConv: Step = (b, x) => {
  if (b.opset < 13 || elementCount(x.shape) > 300) return undefined;
  const mode = b.spatial > 2 ? 'nearest' : b.rng.pick(['nearest', 'linear']);
  const options =
    mode === 'nearest' ? { mode, coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' } : { mode };
  const shape = resized(x, (size) => 2 * size);
  const scales = b.constant(
    [shape.length],
    shape.map((_, i) => (i < 2 ? 1 : 2)),
  );
  const y = b.node('Resize', [x, undefined, scales], shape, options);
  if (b.chance(0.3)) return b.chance(0.5) ? b.node('Relu', [y], y.shape) : constantMap(b, y);
  const z = conv(b, y, { sameSize: 1, channels: b.rng.int(1, x.shape[1] ?? 1) });
  return z && b.chance(0.5) ? b.node(b.rng.pick(['Relu', 'Sigmoid', 'Tanh']), [z], z.shape) : z;
};

/** Convolutions in a row through many channels, which one convolution does for less. */
const throughMany: Step = (b, x) => {
  const wide = conv(b, x, { sameSize: 1, channels: b.rng.int(12, 24) });
  return wide && conv(b, wide, b.chance(0.7) ? { sameSize: b.rng.pick([1, 3]), channels: b.rng.int(1, 4) } : {});
};

/** An activation in front of a pool with stride. */
const activationThenPool: Step = (b, x) => {
  const op = b.rng.pick(['Relu', 'Sigmoid', 'Tanh', 'Elu', 'Softplus', 'LeakyRelu', 'Clip']);
  const y = op === 'Clip' ? clip(b, x, 0, 1) : b.node(op, [x], x.shape);
  return pooled(b, y, 'MaxPool', { kernel: b.rng.int(2, 3), stride: 2, pad: b.rng.int(0, 1) });
};

/** Two layers between which channels are masked: rows and columns of zeros, and copies of rows. */
const masked: Step = (b, x) => {
  const [batch = 1, channels = 1, ...sizes] = x.shape;
  const ones = sizes.map(() => 1);
  const width = b.rng.int(2, 6);
  const rows = Array.from({ length: width }, () => (b.chance(0.3) ? Array<number>(0) : b.normals([channels], 0.5)));
  const weights = rows.flatMap((row, i) => {
    if (row.length > 0) return row;
    const copied = rows[i - 1];
    return copied && copied.length > 0 && b.chance(0.5) ? copied : Array<number>(channels).fill(0);
  });
  const bias = b.chance(0.5)
    ? b.constant(
        [width],
        Array.from({ length: width }, () => b.rng.int(0, 1)),
      )
    : undefined;
  const y = b.node('Conv', [x, b.constant([width, channels, ...ones], weights), bias], [batch, width, ...sizes]);
  const z = b.chance(0.7) ? b.rng.pick(CROSSED)(b, y) : y;
  if (!z || z.shape[1] !== width) return undefined;
  const outputs = b.rng.int(1, 3);
  const columns = Array.from({ length: width }, () => (b.chance(0.25) ? 0 : 1));
  const reads = b.normals([outputs, width], 0.5).map((w, i) => w * (columns[i % width] ?? 1));
  const pads = b.chance(0.3) ? 1 : 0;
  const shape = [batch, outputs, ...z.shape.slice(2).map((size) => size + 2 * pads)];
  return b.node('Conv', [z, b.constant([outputs, width, ...ones], reads)], shape, {
    pads: [...ones, ...ones].map(() => pads),
  });
};

const SITES: readonly Step[] = [
  masked,
  aroundLayer,
  aroundLayer,
  aroundLayer,
  affineChain,
  padThenWindow,
  cropped,
  pickedPositions,
  averageBeside,
  averageBeside,
  resizedThenConv,
  throughMany,
  activationThenPool,
];

/** One site, on an image of the pool. */
export function streamlineSite(b: GraphBuilder): void {
  const x = b.image();
  if (x) b.rng.pick(SITES)(b, x);
}
