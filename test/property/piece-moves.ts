// Operators written out as exporters write them: what the fusing passes look for, in many spellings, some nearly right.
import type { Value } from '../../src/ir/value.js';
import type { GraphBuilder, Tracked } from './graph-builder.js';
import { clip, conv } from './layer-moves.js';

type Move = (b: GraphBuilder) => void;

/** The two in any order. */
function swapped<T>(b: GraphBuilder, left: T, right: T): [T, T] {
  return b.chance(0.5) ? [left, right] : [right, left];
}

/** A constant of one number: scalar, vector, or with as many axes as `x`; now and then another number than asked for. */
function number(b: GraphBuilder, x: Tracked, value: number, doubt = 0.03): Value {
  const rank = b.rng.int(0, x.shape.length);
  const dims = Array.from({ length: rank }, () => 1);
  return b.constant(dims, [b.chance(doubt) ? value * 1.25 : value]);
}

/** `x` op number; the operators that commute in any order. */
function step(b: GraphBuilder, op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Pow', x: Tracked, value: number): Tracked {
  // Powers that are no integers have no value for negative numbers.
  const constant = number(b, x, value, op === 'Pow' ? 0 : 0.03);
  const inputs = op === 'Add' || op === 'Mul' ? swapped<Tracked | Value>(b, x, constant) : [x, constant];
  return b.node(op, inputs, x.shape);
}

/** x times `value`, as product or quotient. */
function scaled(b: GraphBuilder, x: Tracked, value: number): Tracked {
  return b.chance(0.5) ? step(b, 'Mul', x, value) : step(b, 'Div', x, 1 / value);
}

function unary(b: GraphBuilder, op: string, x: Tracked): Tracked {
  return b.node(op, [x], x.shape);
}

function product(b: GraphBuilder, left: Tracked, right: Tracked): Tracked {
  return b.node('Mul', swapped(b, left, right), left.shape);
}

/** Clip, or Relu and Min, or Max and Min. */
function clipped(b: GraphBuilder, x: Tracked, high: number): Tracked {
  // Until opset 8 Max and Min do not broadcast, and the runtime has no other Clip than this.
  if (b.opset < 11 || b.chance(0.5)) return clip(b, x, 0, high);
  const low = b.chance(0.5)
    ? unary(b, 'Relu', x)
    : b.node('Max', swapped<Tracked | Value>(b, x, number(b, x, 0)), x.shape);
  return b.node('Min', swapped<Tracked | Value>(b, low, number(b, x, high)), x.shape);
}

const hardSigmoid: Move = (b) => {
  const x = activationInput(b);
  if (!x) return;
  const gate = b.chance(0.5)
    ? scaled(b, clipped(b, step(b, 'Add', x, 3), 6), 1 / 6)
    : clipped(b, step(b, 'Add', scaled(b, x, b.rng.pick([0.2, 1 / 6])), 0.5), 1);
  if (b.chance(0.5)) product(b, x, gate);
};

const hardSwish: Move = (b) => {
  const x = activationInput(b);
  if (!x) return;
  const gate = clipped(b, step(b, 'Add', x, 3), 6);
  if (b.chance(0.5)) scaled(b, product(b, x, gate), 1 / 6);
  else product(b, scaled(b, x, 1 / 6), gate);
};

const gelu: Move = (b) => {
  const x = activationInput(b);
  if (!x) return;
  const isErf = b.chance(0.5);
  const cube = (): Tracked => (b.chance(0.5) ? step(b, 'Pow', x, 3) : product(b, product(b, x, x), x));
  const argument = isErf
    ? scaled(b, x, Math.SQRT1_2)
    : scaled(b, b.node('Add', swapped(b, x, scaled(b, cube(), 0.044715)), x.shape), Math.sqrt(2 / Math.PI));
  const bracket = step(b, 'Add', unary(b, isErf ? 'Erf' : 'Tanh', argument), 1);
  if (b.chance(0.4)) scaled(b, product(b, x, bracket), 0.5);
  else if (b.chance(0.5)) product(b, scaled(b, x, 0.5), bracket);
  else product(b, x, scaled(b, bracket, 0.5));
};

const mish: Move = (b) => {
  const x = activationInput(b);
  if (!x) return;
  const softplus = b.chance(0.7) ? unary(b, 'Softplus', x) : unary(b, 'Log', step(b, 'Add', unary(b, 'Exp', x), 1));
  product(b, x, unary(b, 'Tanh', softplus));
};

const sigmoid: Move = (b) => {
  const x = activationInput(b);
  if (!x) return;
  const sum = step(b, 'Add', unary(b, 'Exp', b.chance(0.5) ? unary(b, 'Neg', x) : scaled(b, x, -1)), 1);
  b.rng.pick<() => void>([
    () => b.node('Div', [number(b, x, 1), sum], x.shape),
    () => b.node('Div', [x, sum], x.shape),
    () => unary(b, 'Reciprocal', sum),
  ])();
};

/** Max or Min with one number. */
const bound: Move = (b) => {
  const x = activationInput(b);
  if (!x || b.opset < 11) return;
  const isMax = b.chance(0.5);
  const constant = number(b, x, isMax ? b.rng.pick([0, 0, -1]) : b.rng.pick([6, 1]));
  b.node(isMax ? 'Max' : 'Min', swapped<Tracked | Value>(b, x, constant), x.shape);
};

const leakyRelu: Move = (b) => {
  const x = activationInput(b);
  if (!x) return;
  const slope = b.rng.pick([0.1, 0.25, 0.01]);
  const negative = (): Tracked => unary(b, 'Relu', b.chance(0.5) ? unary(b, 'Neg', x) : scaled(b, x, -1));
  b.rng.pick<() => void>([
    () => b.node('Max', swapped(b, x, scaled(b, x, slope)), x.shape),
    () => {
      const [isGreater, zero] = [b.chance(0.5), number(b, x, 0)];
      const condition = b.hidden(isGreater ? 'Greater' : 'Less', [x, zero]);
      const branches = [x, scaled(b, x, slope)];
      b.node('Where', [condition, ...(isGreater ? branches : branches.reverse())], x.shape);
    },
    () => b.node('Sub', [unary(b, 'Relu', x), scaled(b, negative(), slope)], x.shape),
    () => b.node('Add', swapped(b, unary(b, 'Relu', x), scaled(b, negative(), -slope)), x.shape),
    () => b.node('PRelu', [x, b.constant([1], [slope])], x.shape),
  ])();
};

const softmaxPieces: Move = (b) => {
  const x = b.pick(({ shape }) => shape.length >= 2 && shape.every((size) => size > 0));
  if (!x) return;
  const axis = b.chance(0.6) ? x.shape.length - 1 : b.rng.int(1, x.shape.length - 1);
  const shape = x.shape.map((size, i) => (i === axis ? 1 : size));
  const written = b.chance(0.5) ? axis : axis - x.shape.length;
  const attributes = { axes: [written], keepdims: 1 };
  // Before opset 11 a negative axis is not allowed.
  if (b.opset < 11 && written < 0) return;
  const maximum = b.opset < 18 ? b.hidden('ReduceMax', [x], attributes) : b.hidden('ReduceMax', [x, b.ints([written])]);
  // Without it the exponentials of a deep graph overflow.
  const exp = unary(b, 'Exp', b.node('Sub', [x, maximum], x.shape));
  const sum = {
    value: b.opset < 13 ? b.hidden('ReduceSum', [exp], attributes) : b.hidden('ReduceSum', [exp, b.ints([written])]),
    shape,
  };
  if (b.chance(0.6)) b.node('Div', [exp, sum], x.shape);
  else b.node('Mul', swapped(b, exp, { value: b.hidden('Reciprocal', [sum]), shape }), x.shape);
};

/** Reshape, Transpose, Reshape that move blocks of channels into space or back. */
const blockMove: Move = (b) => {
  const x = b.pick(({ shape }) => shape.length === 4 && b.isImage(shape));
  if (!x) return;
  const [batch = 1, channels = 1, height = 1, width = 1] = x.shape;
  const isToDepth = height % 2 === 0 && width % 2 === 0 && b.chance(0.5);
  const deep = isToDepth ? x : conv(b, x, { sameSize: 1, channels: 4 * b.rng.int(1, 2) });
  const blocks = (deep?.shape[1] ?? 4) / 4;
  const [parts, perm, out] = isToDepth
    ? [
        [-1, channels, height / 2, 2, width / 2, 2],
        [0, 3, 5, 1, 2, 4],
        [channels * 4, height / 2, width / 2],
      ]
    : b.chance(0.5)
      ? [
          [-1, 2, 2, blocks, height, width],
          [0, 3, 4, 1, 5, 2],
          [blocks, height * 2, width * 2],
        ]
      : [
          [-1, blocks, 2, 2, height, width],
          [0, 1, 4, 2, 5, 3],
          [blocks, height * 2, width * 2],
        ];
  if (!deep) return;
  const split = b.hidden('Reshape', [deep, b.ints(parts)]);
  b.node('Reshape', [b.hidden('Transpose', [split], { perm }), b.ints([-1, ...out])], [batch, ...out]);
};

/** A mean over all positions behind a convolution with whole blocks of channels. */
const blockedMean: Move = (b) => {
  const x = b.pick(({ shape }) => shape.length === 4 && b.isImage(shape));
  const y = x && conv(b, x, { sameSize: b.rng.pick([1, 3]), channels: b.rng.pick([8, 16, 10]) });
  if (!y) return;
  const z = b.chance(0.5) ? unary(b, b.rng.pick(['Relu', 'Sigmoid', 'Tanh']), y) : y;
  const shape = [...z.shape.slice(0, 2), 1, 1];
  if (b.opset < 18) b.node('ReduceMean', [z], shape, { axes: [2, 3] });
  else b.node('ReduceMean', [z, b.ints([2, 3])], shape);
};

/** A matrix: of the pool, or the positions of an image averaged away. */
function matrix(b: GraphBuilder): Tracked | undefined {
  const x = b.chance(0.5) ? b.pick(({ shape }) => shape.length === 2 && (shape[1] ?? 0) <= 600) : undefined;
  const image = x ? undefined : b.image();
  if (!image) return x;
  const pooled = b.hidden('GlobalMaxPool', [image]);
  return b.node('Flatten', [pooled], image.shape.slice(0, 2));
}

/** Gemm with transposed operands and another product behind it, or MatMul and a matrix that is added. */
const products: Move = (b) => {
  const x = matrix(b);
  if (!x) return;
  const [rows = 1, width = 1] = x.shape;
  const middle = b.rng.int(2, 6);
  const out = b.rng.int(1, 6);
  if (b.chance(0.3)) {
    const left = b.node('MatMul', [x, b.weight([width, out])], [rows, out]);
    const right = unary(b, 'Tanh', b.node('MatMul', [x, b.weight([width, out])], [rows, out]));
    b.node('Add', swapped(b, left, right), [rows, out]);
    return;
  }
  const data = b.hidden('Transpose', [x], b.chance(0.5) ? { perm: [1, 0] } : {});
  const bias = b.constant([middle], b.normals([middle], 0.3));
  const first = b.node('Gemm', [data, b.weight([width, middle]), bias], [rows, middle], { transA: 1 });
  const second = b.node(
    'MatMul',
    [b.chance(0.7) ? first : unary(b, 'Relu', first), b.weight([middle, out])],
    [rows, out],
  );
  if (b.chance(0.5))
    b.node('Add', swapped<Tracked | Value>(b, second, b.constant([out], b.normals([out], 0.3))), [rows, out]);
};

/** x k + (bias - mean k) with k = scale / sqrt(variance + eps): a normalization as TensorFlow writes it. */
const moments: Move = (b) => {
  const x = b.image();
  if (!x || b.opset < 13) return;
  const isLast = b.chance(0.5);
  const axes = isLast ? [x.shape.length - 1] : x.shape.slice(2).map((_, i) => i + 2);
  const mean = (value: Tracked | Value): Value =>
    b.opset < 18 ? b.hidden('ReduceMean', [value], { axes }) : b.hidden('ReduceMean', [value, b.ints(axes)]);
  const dims = isLast ? [x.shape.at(-1) ?? 1] : [x.shape[1] ?? 1, ...axes.map(() => 1)];
  const average = mean(x);
  const difference = b.hidden('Sub', swapped<Tracked | Value>(b, x, average));
  const variance = mean(b.hidden('Mul', [difference, difference]));
  const root = b.hidden('Sqrt', [b.hidden('Add', [variance, b.constant([], [1e-3])])]);
  const inverse = b.hidden('Reciprocal', [root]);
  const scale = b.constant(dims, b.uniforms(dims, 0.5, 1.5));
  const factor = b.chance(0.7) ? b.hidden('Mul', swapped(b, inverse, scale)) : inverse;
  const left = b.hidden('Mul', swapped<Tracked | Value>(b, x, factor));
  const right = b.hidden('Mul', swapped(b, average, factor));
  const bias = b.constant(dims, b.normals(dims, 0.3));
  if (b.chance(0.7)) b.node('Add', swapped(b, left, b.hidden('Sub', [bias, right])), x.shape);
  else b.node('Sub', [left, right], x.shape);
};

const MOVES: readonly Move[] = [
  hardSigmoid,
  hardSwish,
  gelu,
  mish,
  sigmoid,
  bound,
  leakyRelu,
  softmaxPieces,
  blockMove,
  blockedMean,
  products,
  moments,
];

/** One operator written out. */
export function writtenOut(b: GraphBuilder): void {
  b.rng.pick(MOVES)(b);
}

function activationInput(b: GraphBuilder): Tracked | undefined {
  return b.pick(({ shape }) => shape.length >= 2);
}
