// Small models per operator whose meaning no conversion between opsets changes.
import { image, one, type OpsetCase } from './opset-case.js';

const window = (rest: string): string => `<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]${rest}>`;

export const UNCHANGED_CASES: readonly OpsetCase[] = [
  one(
    'Conv, MaxPool, AveragePool, Gemm',
    [7, 9, 11],
    image,
    `c = Conv <pads = [1, 1, 1, 1]> (x, w) r = Relu (c) p = MaxPool ${window('')} (r)
    a = AveragePool ${window(', count_include_pad = 1')} (p) f = Flatten (a) y = Gemm <transB = 1, alpha = 0.5> (f, g, h)`,
    { weights: 'float[6,4,3,3] w = random(1), float[5,24] g = random(2), float[5] h = random(3)' },
  ),
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((pad) => [
    one(
      `AveragePool ${pad}`,
      [7, 10],
      image,
      `y = AveragePool <kernel_shape = [3, 3], strides = [2, 2], auto_pad = "${pad}"> (x)`,
    ),
    one(`ConvTranspose ${pad}`, [7], image, `y = ConvTranspose <strides = [2, 2], auto_pad = "${pad}"> (x, w)`, {
      weights: 'float[4,3,3,3] w = random(1)',
    }),
  ]),
  one('AveragePool with ceil_mode', [10, 11], image, `y = AveragePool ${window(', ceil_mode = 1')} (x)`),
  one(
    'AveragePool with ceil_mode and padding counted',
    [10, 11],
    image,
    `y = AveragePool ${window(', ceil_mode = 1, count_include_pad = 1')} (x)`,
  ),
  one('MaxPool with ceil_mode and indices', [10, 12], image, `y, i = MaxPool ${window(', ceil_mode = 1')} (x)`, {
    outputs: 'float y, int64 i',
  }),
  one(
    'GlobalAveragePool, LRN, InstanceNormalization',
    [7],
    image,
    'l = LRN <size = 3> (x) i = InstanceNormalization (l, s, b) y = GlobalAveragePool (i)',
    { weights: 'float[4] s = random(1), float[4] b = random(2)' },
  ),
  one('LpPool', [7, 11], image, `y = LpPool ${window('')} (x)`),
  one(
    'elementwise operators',
    [7],
    image,
    `
    a = Elu (x) b = Selu (a) c = LeakyRelu (b) d = PRelu (c, p) e = Sigmoid (d) f = Tanh (e) g = Softplus (f) h = HardSigmoid (g)
    i = Add (h, x) j = Mul (i, x) k = Sub (j, x) l = Div (k, g) m = Max (l, x) n = Min (m, h) o = Sum (n, x)
    q = Neg (o) r = Abs (q) s = Sqrt (r) t = Exp (s)
    u = Log (t) v = Reciprocal (t) w = Pow (r, e) z = Floor (u) aa = Ceil (v) ab = Softsign (w) y = Mean (z, aa, ab)`,
    { weights: 'float[4,1,1] p = random(1)' },
  ),
  one(
    'comparison and selection',
    [9],
    image,
    `
    a = Greater (x, o) b = Less (x, o) c = Or (a, b) d = Where (c, x, o) e = Not (a) f = Cast <to = 1> (e) g = Erf (f) h = Sign (d)
    y = Add (g, h)`,
    { weights: 'float o = {0.1}' },
  ),
  one(
    'shapes',
    [9],
    image,
    `s = Shape (x) i = Gather (s, z) j = Unsqueeze <axes = [0]> (i) k = Concat <axis = 0> (j, m) r = Reshape (x, k)
    t = Transpose <perm = [1, 0]> (r) e = Expand (t, n) l = Tile (e, q) c = ConstantOfShape (s) d = Identity (c) f = Size (d) g = Cast <to = 1> (f)
    y = Add (l, g)`,
    { weights: 'int64 z = {0}, int64[1] m = {-1}, int64[1] n = {1}, int64[2] q = {1, 2}' },
  ),
  one(
    'DepthToSpace, SpaceToDepth',
    [7, 11],
    image,
    'd = DepthToSpace <blocksize = 2> (x) y = SpaceToDepth <blocksize = 4> (d)',
  ),
  one('ArgMax, OneHot', [9, 11], 'float[N,10] x', 'a = ArgMax <axis = 1, keepdims = 0> (x) y = OneHot (a, d, v)', {
    weights: 'int64[1] d = {10}, float[2] v = {0, 1}',
  }),
  one('QDQ', [10, 13, 19], image, 'q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z)', {
    weights: 'float s = {0.05}, uint8 z = {120}',
  }),
  one(
    'QDQ per channel',
    [13, 15],
    image,
    'q = QuantizeLinear <axis = 1> (x, s, z) y = DequantizeLinear <axis = 1> (q, s, z)',
    { weights: 'float[4] s = {0.05, 0.1, 0.2, 0.01}, int8[4] z = {0, 0, 0, 0}' },
  ),
  one(
    'LSTM and GRU',
    [7, 12],
    'float[5,N,3] x',
    `
    a, b, c = LSTM <hidden_size = 4> (x, w, r) s = Squeeze <axes = [1]> (a)
    d = GRU <hidden_size = 4, direction = "reverse"> (s, u, v) y = Identity (d)`,
    {
      weights:
        'float[1,16,3] w = random(1), float[1,16,4] r = random(2), float[1,12,4] u = random(3), float[1,12,4] v = random(4)',
    },
  ),
  one('NonMaxSuppression', [10], 'float[1,9,4] x, float[1,2,9] s', 'y = NonMaxSuppression (x, s, m, t)', {
    outputs: 'int64 y',
    weights: 'int64[1] m = {5}, float[1] t = {0.5}',
  }),
  one(
    'ScatterND, GatherND, GatherElements',
    [11],
    'float[3,4] x',
    `
    a = ScatterND (x, i, u) b = GatherND (a, i) c = GatherElements (a, j) d = ReduceMax <axes = [0]> (c) y = Add (b, d)`,
    { weights: 'int64[2,1] i = {2, 0}, float[2,4] u = random(1), int64[1,4] j = {0, 2, 1, 0}' },
  ),
];

export const MORE_UNCHANGED_CASES: readonly OpsetCase[] = [
  one(
    'trigonometry',
    [7],
    'float[N,6] x',
    `
    a = Tanh (x) b = Asin (a) c = Acos (a) d = Atan (x) e = Sin (x) f = Cos (x) g = Tan (a) y = Sum (b, c, d, e, f, g)`,
  ),
  one(
    'hyperbolic functions',
    [9],
    'float[N,6] x',
    `
    a = Tanh (x) b = Sinh (x) c = Cosh (x) d = Asinh (x) e = Acosh (c) f = Atanh (a) y = Sum (b, c, d, e, f)`,
  ),
  one('activations since 18', [18], image, 'a = HardSwish (x) b = Mish (a) y = ThresholdedRelu (b)'),
  one(
    'rounding and remainders',
    [11],
    image,
    'a = Round (x) b = Cast <to = 7> (a) c = Mod (b, k) d = CumSum (c, o) y = Cast <to = 1> (d)',
    { weights: 'int64 k = {3}, int64 o = {1}' },
  ),
  one(
    'tests of numbers',
    [12],
    image,
    `
    a = IsNaN (x) b = IsInf (x) c = GreaterOrEqual (x, o) d = LessOrEqual (x, o) e = Equal (x, o) f = Xor (a, b) g = And (c, d) h = Or (f, g) i = Or (h, e)
    y = Cast <to = 1> (i)`,
    { weights: 'float o = {0.5}' },
  ),
  one(
    'indices',
    [11],
    'float[4,5] x',
    `
    a = NonZero (x) b = EyeLike (x) c = ScatterElements <axis = 1> (x, i, u) d = ArgMin <axis = 1> (c) e = Compress <axis = 0> (c, k)
    f = Add (b, c) g = Cast <to = 1> (d) h = Add (f, g) l = Cast <to = 1> (a) m = ReduceSum (l) n = Add (h, m) o = ReduceSum <axes = [0]> (e) y = Add (n, o)`,
    { weights: 'int64[4,1] i = {0, 4, 2, 1}, float[4,1] u = {9, 8, 7, 6}, bool[3] k = {1, 0, 1}' },
  ),
  one('MatMul and RNN', [7], 'float[5,N,3] x', 'a = MatMul (x, m) y, z = RNN <hidden_size = 4> (a, w, r)', {
    outputs: 'float y, float z',
    weights: 'float[3,3] m = random(1), float[1,4,3] w = random(2), float[1,4,4] r = random(3)',
  }),
  one(
    'normalizations',
    [9],
    image,
    'a = MeanVarianceNormalization (x) b = LpNormalization <axis = 1> (a) c = GlobalMaxPool (b) y = Add (b, c)',
  ),
  one(
    'MaxUnpool',
    [9],
    'float[1,1,4,4] x',
    'p, i = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x) y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (p, i)',
  ),
  one('DeformConv', [19], 'float[1,1,3,3] x, float[1,8,2,2] o', 'y = DeformConv (x, w, o)', {
    weights: 'float[1,1,2,2] w = random(1)',
  }),
  one(
    'CastLike, Shape and Size of parts',
    [15],
    image,
    's = Shape <start = 1> (x) c = CastLike (s, x) n = Size (c) f = Cast <to = 1> (n) y = Add (c, f)',
  ),
  one(
    'QLinearMatMul',
    [10, 13],
    'float[3,4] x',
    `
    q = QuantizeLinear (x, s, z) p = QLinearMatMul (q, s, z, w, s, z, s, z) y = DequantizeLinear (p, s, z)`,
    { weights: 'float s = {0.1}, uint8 z = {128}, uint8[4,2] w = {100, 120, 130, 140, 150, 128, 90, 200}' },
  ),
  one(
    'Attention',
    [23],
    'float[1,2,4,8] q, float[1,2,6,8] k, float[1,2,6,8] v',
    'y = Attention <is_causal = 1> (q, k, v)',
  ),
  one(
    'control flow',
    [7],
    'float[N,4] x, bool c',
    `
    y = If (c) <then_branch = t () => (float[N,4] a) { a = Clip <min = 0.0> (x) }, else_branch = e () => (float[N,4] b) { b = Softmax (x) }>`,
  ),
  one(
    'a loop',
    [7, 11],
    'float[N,4] x',
    `
    f, y = Loop (n, "", x) <body = l (int64 i, bool c, float[N,4] v) => (bool d, float[N,4] w, float r)
    { d = Identity (c) w = Softmax (v) s = ReduceSum <axes = [1], keepdims = 0> (w) r = Unsqueeze <axes = [0]> (s) }>`,
    { weights: 'int64 n = {3}' },
  ),
  one(
    'a scan',
    [9, 11],
    'float[5,4] x',
    `
    f, y = Scan <num_scan_inputs = 1, body = s (float[4] h, float[4] e) => (float[4] i, float o)
    { i = Add (h, e) o = ReduceSum <axes = [0], keepdims = 0> (i) }> (z, x)`,
    { weights: 'float[4] z = fill(0.5)' },
  ),
  one(
    'comparison since 7',
    [7],
    'float[N,4] x',
    `
    g = Greater (x, x) l = Less (x, o) a = ArgMin <axis = 1> (x) i = Cast <to = 6> (l) e = Equal (i, k) b = Or (g, e) f = Cast <to = 1> (b) h = Cast <to = 1> (a)
    y = Add (f, h)`,
    { weights: 'float o = {0.2}, int32 k = {1}' },
  ),
  one('Compress', [9], 'float[4,2] x', 'y = Compress <axis = 0> (x, k)', { weights: 'bool[3] k = {1, 0, 1}' }),
  one('constants', [7], 'float[3] x', 'c = Constant <value = float[3] {1, 2, 3}> () m = Mul (x, c) y = Add (m, c)'),
  one(
    'OneHot of a constant, Det',
    [11],
    'float[2,3,3] x',
    'h = OneHot (i, d, v) t = Det (x) r = ReduceSum (h) y = Add (t, r)',
    { weights: 'int64[2] i = {0, 2}, int64 d = {3}, float[2] v = {0, 1}' },
  ),
  one('SplitToSequence', [11], 'float[6,2] x', 's = SplitToSequence <axis = 0> (x, n) y = SequenceAt (s, i)', {
    weights: 'int64 n = {2}, int64 i = {1}',
  }),
  one(
    'optional values',
    [15],
    'float[2] x',
    'o = Optional (x) h = OptionalHasElement (o) e = OptionalGetElement (o) b = Cast <to = 1> (h) y = Add (e, b)',
  ),
];
