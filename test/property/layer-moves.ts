// Random layers: convolutions, normalization, activations, pools, dense tails.
import { elementCount } from '../../src/tensor/tensor.js';
import type { GraphBuilder, Tracked } from './graph-builder.js';

const repeat = (count: number, make: (i: number) => number): number[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Padding of a window: attributes, and the padded size less the window per axis. */
interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly autoPad: string | undefined;
}

function randomWindow(
  b: GraphBuilder,
  sizes: readonly number[],
  limits: { readonly kernel: number; readonly padding: 'any' | 'below-kernel' },
): Window {
  const { rng } = b;
  const kernel = sizes.map(() => rng.int(1, limits.kernel));
  const autoPad = b.chance(0.15) ? rng.pick(['SAME_UPPER', 'SAME_LOWER', 'VALID']) : undefined;
  // SAME padding of a window that is smaller than its stride is negative, which ONNX Runtime refuses.
  const strides = kernel.map((size) => (b.chance(0.7) || (autoPad && size < 2) ? 1 : 2));
  const pad = (i: number): number =>
    b.chance(0.5) || autoPad ? 0 : rng.int(0, limits.padding === 'any' ? 2 : (kernel[i] ?? 1) - 1);
  return {
    kernel,
    autoPad,
    strides,
    dilations: sizes.map(() => (b.chance(0.85) || autoPad ? 1 : 2)),
    begin: sizes.map((_, i) => pad(i)),
    end: sizes.map((_, i) => pad(i)),
  };
}

/** Output sizes, or undefined where the window does not fit. */
function windowSizes(sizes: readonly number[], w: Window, ceilMode = 0): number[] | undefined {
  const out = sizes.map((size, i) => {
    const stride = w.strides[i] ?? 1;
    if (w.autoPad?.startsWith('SAME')) return Math.ceil(size / stride);
    const begin = w.begin[i] ?? 0;
    const room = size + begin + (w.end[i] ?? 0) - (((w.kernel[i] ?? 1) - 1) * (w.dilations[i] ?? 1) + 1);
    if (room < 0) return 0;
    const steps = (ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    // A last window that starts in the padding is dropped by the kernel and counted by shape inference: not used here.
    return ceilMode && (steps - 1) * stride >= size + begin ? 0 : steps;
  });
  return out.every((size) => size > 0) ? out : undefined;
}

/** Attributes of a window; those at their defaults are left out at random. */
function windowAttributes(b: GraphBuilder, w: Window): Record<string, string | number | readonly number[] | undefined> {
  const unlessTrivial = (values: readonly number[], trivial: number): readonly number[] | undefined =>
    values.every((x) => x === trivial) && b.chance(0.7) ? undefined : values;
  return {
    kernel_shape: w.kernel,
    strides: unlessTrivial(w.strides, 1),
    auto_pad: w.autoPad,
    pads: w.autoPad ? undefined : unlessTrivial([...w.begin, ...w.end], 0),
  };
}

export interface ConvOptions {
  readonly channels?: number;
  /** Same output size as input size: odd kernel, stride 1. */
  readonly sameSize?: number;
}

/** Convolution of `x` with random geometry, or the given one. */
export function conv(b: GraphBuilder, x: Tracked, options: ConvOptions = {}): Tracked | undefined {
  const [batch = 1, channels = 1, ...sizes] = x.shape;
  const same = options.sameSize;
  const window: Window =
    same === undefined
      ? randomWindow(b, sizes, { kernel: 3, padding: 'any' })
      : {
          kernel: sizes.map(() => same),
          strides: sizes.map(() => 1),
          dilations: sizes.map(() => 1),
          begin: sizes.map(() => (same - 1) / 2),
          end: sizes.map(() => (same - 1) / 2),
          autoPad: undefined,
        };
  const out = windowSizes(sizes, window);
  if (!out) return undefined;
  const group = b.chance(0.7) ? 1 : b.rng.pick([1, 2, channels].filter((g) => channels % g === 0));
  const outChannels = options.channels ?? group * b.rng.int(1, group > 2 ? 2 : 4);
  if (outChannels % group !== 0) return undefined;
  const weight = b.weight([outChannels, channels / group, ...window.kernel]);
  const bias = b.chance(0.6) ? b.constant([outChannels], b.normals([outChannels], 0.3)) : undefined;
  const dilations = window.dilations.every((d) => d === 1) ? undefined : window.dilations;
  return b.node('Conv', [x, weight, bias], [batch, outChannels, ...out], {
    ...windowAttributes(b, window),
    dilations,
    group: group === 1 ? undefined : group,
  });
}

export function convTranspose(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const [batch = 1, channels = 1, ...sizes] = x.shape;
  const strides = sizes.map(() => b.rng.int(1, 2));
  const kernel = sizes.map(() => b.rng.int(1, 3));
  const group = channels % 2 === 0 && b.chance(0.3) ? 2 : 1;
  const perGroup = b.rng.int(1, 3);
  const pads = sizes.map((_, i) => b.rng.int(0, ((kernel[i] ?? 1) - 1) >> 1));
  const out = sizes.map((size, i) => (size - 1) * (strides[i] ?? 1) + (kernel[i] ?? 1) - 2 * (pads[i] ?? 0));
  if (out.some((size) => size < 1)) return;
  const bias = b.chance(0.5) ? b.constant([group * perGroup], b.normals([group * perGroup], 0.3)) : undefined;
  const weight = b.constant(
    [channels, perGroup, ...kernel],
    b.normals([channels, perGroup, ...kernel], 1 / Math.sqrt(channels)),
  );
  b.node('ConvTranspose', [x, weight, bias], [batch, group * perGroup, ...out], {
    strides,
    pads: [...pads, ...pads],
    group,
  });
}

export function batchNorm(
  b: GraphBuilder,
  x: Tracked | undefined = b.pick(({ shape }) => shape.length >= 2),
): Tracked | undefined {
  if (!x) return undefined;
  const dims = [x.shape[1] ?? 1];
  const parameters = [
    b.uniforms(dims, 0.5, 1.5),
    b.normals(dims, 0.3),
    b.normals(dims, 0.3),
    b.uniforms(dims, 0.3, 2),
  ].map((numbers) => b.constant(dims, numbers));
  return b.node('BatchNormalization', [x, ...parameters], x.shape, { epsilon: b.chance(0.5) ? 1e-3 : undefined });
}

/** Clip with bounds as inputs or (below opset 11) attributes. */
export function clip(b: GraphBuilder, x: Tracked, low: number | undefined, high: number | undefined): Tracked {
  if (b.opset < 11) return b.node('Clip', [x], x.shape, { min: low, max: high });
  const bound = (value: number | undefined) => (value === undefined ? undefined : b.constant([], [value]));
  return b.node('Clip', [x, bound(low), bound(high)], x.shape);
}

const ACTIVATIONS: readonly ((b: GraphBuilder, x: Tracked) => void)[] = [
  (b, x) => b.node('Relu', [x], x.shape),
  (b, x) => b.node('Relu', [x], x.shape),
  (b, x) => b.node('Sigmoid', [x], x.shape),
  (b, x) => b.node('Tanh', [x], x.shape),
  (b, x) => b.node('LeakyRelu', [x], x.shape, { alpha: b.rng.pick([0.1, 0, -0.2]) }),
  (b, x) => b.node('HardSigmoid', [x], x.shape, { alpha: 1 / 6, beta: 0.5 }),
  (b, x) => b.node('Elu', [x], x.shape, { alpha: 1 }),
  (b, x) =>
    b.node(
      'PRelu',
      [x, b.constant([x.shape[1] ?? 1, ...x.shape.slice(2).map(() => 1)], b.uniforms([x.shape[1] ?? 1], -0.2, 0.5))],
      x.shape,
    ),
  (b, x) => clip(b, x, 0, 6),
  (b, x) => clip(b, x, b.chance(0.3) ? undefined : b.rng.int(-2, 0), b.chance(0.3) ? undefined : b.rng.int(0, 2)),
  (b, x) => {
    if (b.opset >= 14) b.node('HardSwish', [x], x.shape);
  },
];

export function activation(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length >= 2);
  if (x) b.rng.pick(ACTIVATIONS)(b, x);
}

/** Operators that exporters write activations with. */
export function activationPieces(b: GraphBuilder): void {
  const x = b.pick();
  if (!x) return;
  const scalar = (value: number) => b.constant(b.chance(0.5) ? [] : [1], [value]);
  const swap = (left: Tracked, right: Tracked): [Tracked, Tracked] => (b.chance(0.5) ? [left, right] : [right, left]);
  const binary = (op: string, left: Tracked, value: number): Tracked =>
    b.node(op, [left, scalar(value)], left.shape.length === 0 ? [1] : left.shape);
  b.rng.pick([
    () => {
      const ramp = clip(b, binary('Add', x, 3), 0, 6);
      return b.chance(0.5)
        ? binary('Div', b.node('Mul', swap(x, ramp), x.shape), 6)
        : b.node('Mul', swap(x, binary('Div', ramp, 6)), x.shape);
    },
    () =>
      b.node(
        'Mul',
        swap(x, b.node('HardSigmoid', [x], x.shape, { alpha: b.rng.pick([1 / 6, 0.2]), beta: 0.5 })),
        x.shape,
      ),
    () => b.node('Mul', swap(x, b.node('Sigmoid', [x], x.shape)), x.shape),
    () => {
      const erf = b.node('Erf', [binary('Div', x, Math.SQRT2)], x.shape);
      return binary('Mul', b.node('Mul', swap(x, binary('Add', erf, 1)), x.shape), 0.5);
    },
    () => b.node('Mul', swap(x, b.node('Tanh', [b.node('Softplus', [x], x.shape)], x.shape)), x.shape),
  ])();
}

export function pool(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const [batch = 1, channels = 1, ...sizes] = x.shape;
  const isMax = b.chance(0.5);
  const window = randomWindow(b, sizes, { kernel: 3, padding: 'below-kernel' });
  const plain = { ...window, dilations: sizes.map(() => 1) };
  const ceilMode = b.opset >= 10 && b.chance(0.15) && !window.autoPad ? 1 : 0;
  const out = windowSizes(sizes, plain, ceilMode);
  if (!out) return;
  const attributes = {
    ...windowAttributes(b, plain),
    ceil_mode: ceilMode || undefined,
    count_include_pad: isMax || b.chance(0.6) ? undefined : 1,
  };
  b.node(isMax ? 'MaxPool' : 'AveragePool', [x], [batch, channels, ...out], attributes);
}

export function globalPool(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const ones = x.shape.map((dim, i) => (i < 2 ? dim : 1));
  const axes = repeat(b.spatial, (i) => i + 2);
  b.rng.pick([
    () => b.node('GlobalAveragePool', [x], ones),
    () => b.node('GlobalMaxPool', [x], ones),
    () =>
      b.opset < 18
        ? b.node('ReduceMean', [x], ones, { axes, keepdims: 1 })
        : b.node('ReduceMean', [x, b.ints(axes)], ones),
    () =>
      b.opset < 18
        ? b.node('ReduceMean', [x], ones.slice(0, 2), { axes, keepdims: 0 })
        : b.node('ReduceMean', [x, b.ints(axes)], ones.slice(0, 2), { keepdims: 0 }),
  ])();
}

/** Squeeze and excitation: a gate per channel. */
export function gate(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const [batch = 1, channels = 1] = x.shape;
  const pooled = b.node('GlobalAveragePool', [x], [batch, channels, ...repeat(b.spatial, () => 1)]);
  const inner = conv(b, pooled, { sameSize: 1, channels: 2 * channels });
  const outer = inner && conv(b, b.node('Relu', [inner], inner.shape), { sameSize: 1, channels });
  if (outer) b.node('Mul', [x, b.node(b.chance(0.5) ? 'Sigmoid' : 'HardSigmoid', [outer], outer.shape)], x.shape);
}

/** A dense layer on a matrix: Gemm with its options, or MatMul and Add. */
export function dense(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length === 2);
  if (!x) return;
  const [rows = 1, width = 1] = x.shape;
  if (width > 600) return;
  const out = b.rng.int(1, 5);
  const bias = b.constant(b.chance(0.8) ? [out] : [1, out], b.normals([out], 0.3));
  if (b.chance(0.5)) {
    const product = b.node(
      'MatMul',
      [x, b.constant([width, out], b.normals([width, out], 1 / Math.sqrt(width)))],
      [rows, out],
    );
    if (b.chance(0.8)) b.node('Add', b.chance(0.5) ? [product, bias] : [bias, product], [rows, out]);
    return;
  }
  const transB = b.rng.int(0, 1);
  const dims = transB ? [out, width] : [width, out];
  const factors = b.chance(0.3) ? { alpha: 0.5, beta: 2 } : {};
  b.node(
    'Gemm',
    [x, b.constant(dims, b.normals(dims, 1 / Math.sqrt(width))), b.chance(0.8) || b.opset < 11 ? bias : undefined],
    [rows, out],
    { transB, ...factors },
  );
}

/** Pooled or flattened features, then one or two dense layers. */
export function tail(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const [batch = 1, ...rest] = x.shape;
  const features = b.chance(0.5)
    ? b.node(
        'GlobalAveragePool',
        [x],
        x.shape.map((dim, i) => (i < 2 ? dim : 1)),
      )
    : x;
  b.node('Flatten', [features], [batch, features === x ? elementCount(rest) : (rest[0] ?? 1)]);
  dense(b);
  if (b.chance(0.4)) activation(b);
  if (b.chance(0.5)) dense(b);
}

export function softmax(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length >= 2);
  if (x) b.node('Softmax', [x], x.shape, { axis: x.shape.length - 1 });
}
