// Small models per operator for the conversion between opsets: each is converted and compared on ONNX Runtime.

export interface OpsetCase {
  readonly name: string;
  /** Opsets that the text is valid in. */
  readonly from: readonly number[];
  /** Newest opset that ONNX Runtime has a kernel for, where that is not the newest it reads. */
  readonly newest?: number;
  /** A model without header. */
  readonly text: string;
}

interface Rest {
  readonly outputs?: string;
  readonly weights?: string;
  readonly newest?: number;
}

/** A model of one node: `inputs` with types, `node` computes `y` (of no declared shape) from them. */
function one(name: string, from: readonly number[], inputs: string, node: string, rest: Rest = {}): OpsetCase {
  const { outputs = 'float y', weights = '', newest } = rest;
  return {
    name,
    from,
    text: `g (${inputs}) => (${outputs})${weights && ` <${weights}>`} { ${node} }`,
    ...(newest === undefined ? {} : { newest }),
  };
}

const image = 'float[N,4,8,8] x';
const norm = 'float[4] s = random(1), float[4] b = random(2), float[4] m = random(3), float[4] v = uniform(0.5, 2, 4)';

const attributesToInputs: readonly OpsetCase[] = [
  one('Clip with both bounds', [7, 9], image, 'y = Clip <min = -0.5, max = 0.7> (x)'),
  one('Clip with one bound', [7, 10], image, 'y = Clip <max = 0.1> (x)'),
  one('Clip with the default written down', [7], image, 'y = Clip <min = 0.0, max = 3.4028234663852886e38> (x)'),
  one('Clip without bounds', [7, 11, 12], image, 'y = Clip (x)'),
  one('Clip of inputs', [11, 12, 13], image, 'y = Clip (x, lo, hi)', {
    weights: 'float lo = {-0.3}, float hi = {0.4}',
  }),
  one('Pad with zeros', [7, 9], image, 'y = Pad <pads = [0, 0, 1, 2, 0, 1, 0, 3]> (x)'),
  one('Pad with a value', [7], image, 'y = Pad <mode = "constant", pads = [0, 0, 1, 2, 0, 0, 0, 3], value = 1.5> (x)'),
  one(
    'Pad by reflection',
    [7, 10],
    image,
    'y = Pad <mode = "reflect", pads = [0, 0, 1, 2, 0, 0, 0, 3], value = 1.5> (x)',
  ),
  one('Pad with the edge, cutting', [7], image, 'y = Pad <mode = "edge", pads = [0, 0, -1, 2, 0, 0, 0, 3]> (x)'),
  one('Pad of inputs', [11, 13, 18], image, 'y = Pad (x, p, c)', {
    weights: 'int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}, float c = {2}',
  }),
  one(
    'Slice with axes',
    [7, 9],
    image,
    'y = Slice <axes = [2, 3], starts = [1, -3], ends = [9223372036854775807, -1]> (x)',
  ),
  one('Slice without axes', [7], image, 'y = Slice <starts = [0, 1], ends = [2, 1000]> (x)'),
  one('Slice of inputs', [10, 11], image, 'y = Slice (x, s, e, a, t)', {
    weights: 'int64[1] s = {6}, int64[1] e = {0}, int64[1] a = {3}, int64[1] t = {-2}',
  }),
  one('TopK', [7, 9], 'float[N,20] x', 'y, i = TopK <k = 5> (x)', { outputs: 'float y, int64 i' }),
  one('TopK along another axis', [7], 'float[3,20,4] x', 'y, i = TopK <k = 2, axis = 1> (x)', {
    outputs: 'float y, int64 i',
  }),
  one('TopK of an input', [10, 11], 'float[N,20] x', 'y, i = TopK (x, k)', {
    outputs: 'float y, int64 i',
    weights: 'int64[1] k = {3}',
  }),
  one('Squeeze with axes', [7, 11], 'float[N,1,4,1] x', 'y = Squeeze <axes = [1, 3]> (x)'),
  one('Squeeze of all ones', [7, 11, 13], 'float[3,1,4,1] x', 'y = Squeeze (x)'),
  one('Squeeze from the end', [11, 12], 'float[N,1,4,1] x', 'y = Squeeze <axes = [-1]> (x)'),
  one('Unsqueeze', [7, 11], 'float[N,4] x', 'y = Unsqueeze <axes = [0, 3]> (x)'),
  one('Split in equal parts', [7, 11, 13], image, 'y, z = Split <axis = 1> (x)', { outputs: 'float y, float z' }),
  one('Split by sizes', [7, 11], image, 'y, z = Split <axis = 1, split = [1, 3]> (x)', { outputs: 'float y, float z' }),
  one('Split by an input', [13, 17], image, 'y, z = Split <axis = -1> (x, s)', {
    outputs: 'float y, float z',
    weights: 'int64[2] s = {2, 6}',
  }),
  one('Dropout', [7, 9, 10], image, 'y = Dropout <ratio = 0.4> (x)'),
  one('Dropout with an unused mask', [7, 10], image, 'y, mask = Dropout <ratio = 0.4> (x)'),
  one('Dropout of inputs', [12, 13], image, 'y, mask = Dropout (x, r)', {
    outputs: 'float y, bool mask',
    weights: 'float r = {0.2}',
  }),
  ...['Mean', 'Sum', 'Max', 'Min', 'L1', 'L2', 'SumSquare', 'LogSumExp', 'Prod']
    .map((kind) => `Reduce${kind}`)
    .flatMap((op) => [
      one(`${op} with axes`, [7, 11], image, `y = ${op} <axes = [2, 3], keepdims = 0> (x)`),
      one(`${op} of everything`, [7, 12], image, `y = ${op} (x)`),
    ]),
  one('ReduceMean from the end', [11, 13, 17], image, 'y = ReduceMean <axes = [-1, -2]> (x)'),
  one('ReduceLogSum', [7, 13], image, 'a = Exp (x) y = ReduceLogSum <axes = [1]> (a)'),
  one('ReduceSum of no axes', [7, 11], image, 'y = ReduceSum <axes: ints = []> (x)'),
  one('DFT', [17, 19], 'float[2,4,16,2] x', 'y = DFT <axis = 2> (x)'),
  one('DFT of the default axis', [17], 'float[2,4,16,2] x', 'y = DFT (x)'),
  one('DFT of real numbers, one side', [17], 'float[2,16,1] x', 'y = DFT <axis = 1, onesided = 1> (x)'),
];

const meaningKept: readonly OpsetCase[] = [
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op) => [
    one(`${op} of a matrix`, [7, 11], 'float[N,10] x', `y = ${op} (x)`),
    one(`${op} flattened at 1`, [7, 11], 'float[N,3,5] x', `y = ${op} (x)`),
    one(`${op} flattened at 0`, [9], 'float[N,3,5] x', `y = ${op} <axis = 0> (x)`),
    one(`${op} flattened at 2 of 4`, [9], image, `y = ${op} <axis = 2> (x)`),
    one(`${op} with ones behind`, [7], 'float[N,10,1,1] x', `y = ${op} <axis = 1> (x)`),
    one(`${op} of the last axis`, [11], 'float[N,3,5] x', `y = ${op} <axis = -1> (x)`),
    one(`${op} from the end`, [11, 12], 'float[A,3,B,5] x', `y = ${op} <axis = -2> (x)`),
    one(`${op} of many free dimensions`, [11], 'float[A,B,C,5] x', `y = ${op} <axis = 2> (x)`),
    one(`${op} since 13`, [13, 14], 'float[N,3,5] x', `y = ${op} <axis = 1> (x)`),
  ]),
  ...[
    ['2.0, 2.0', 'twice'],
    ['1.7, 1.3', 'by fractions'],
    ['3.0, 1.0', 'along one axis'],
  ].flatMap(([scales, how]) => [
    one(`Upsample 7 nearest ${how}`, [7], image, `y = Upsample <mode = "nearest", scales = [1.0, 1.0, ${scales}]> (x)`),
    one(`Upsample 7 linear ${how}`, [8], image, `y = Upsample <mode = "linear", scales = [1.0, 1.0, ${scales}]> (x)`),
    one(`Upsample 9 nearest ${how}`, [9], image, 'y = Upsample (x, s)', { weights: `float[4] s = {1, 1, ${scales}}` }),
    one(`Upsample 9 linear ${how}`, [9], image, 'y = Upsample <mode = "linear"> (x, s)', {
      weights: `float[4] s = {1, 1, ${scales}}`,
    }),
  ]),
  one(
    'Upsample by computed scales',
    [9],
    `${image}, float[2] f`,
    'a = Abs (f) b = Add (a, o) s = Concat <axis = 0> (o, b) y = Upsample (x, s)',
    { weights: 'float[2] o = {1, 1}' },
  ),
  ...['0.5, 0.5', '0.6, 0.6', '0.3333333, 1', '2, 3', '1, 1.75'].flatMap((scales) =>
    ['nearest', 'linear'].map((mode) =>
      one(`Resize 10 ${mode} by ${scales}`, [10], 'float[N,4,9,12] x', `y = Resize <mode = "${mode}"> (x, s)`, {
        weights: `float[4] s = {1, 1, ${scales}}`,
      }),
    ),
  ),
  one('Resize 10 linear, up and down', [10], 'float[N,4,9,12] x', 'y = Resize <mode = "linear"> (x, s)', {
    weights: 'float[4] s = {1, 1, 0.5, 2}',
  }),
  ...['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'].flatMap((coordinates) => [
    one(
      `Resize 11 nearest ${coordinates}`,
      [11, 13, 18],
      image,
      `y = Resize <coordinate_transformation_mode = "${coordinates}"> (x, r, s)`,
      { weights: 'float[0] r = {}, float[4] s = {1, 1, 1.6, 0.7}' },
    ),
    one(
      `Resize 11 cubic ${coordinates}`,
      [11, 13],
      image,
      `y = Resize <mode = "cubic", coordinate_transformation_mode = "${coordinates}", cubic_coeff_a = -0.5> (x, r, s)`,
      { weights: 'float[0] r = {}, float[4] s = {1, 1, 1.6, 2}' },
    ),
    one(
      `Resize 11 to sizes ${coordinates}`,
      [11, 12],
      'float[1,4,8,8] x',
      `y = Resize <mode = "linear", coordinate_transformation_mode = "${coordinates}"> (x, r, s, z)`,
      { weights: 'float[0] r = {}, float[0] s = {}, int64[4] z = {1, 4, 13, 5}' },
    ),
  ]),
  ...['2, 2', '1.7, 0.6', '3, 5', '0.4, 2.5'].map((scales) =>
    one(
      `Resize 11 tf_half_pixel_for_nn by ${scales}`,
      [11, 12],
      'float[N,4,9,12] x',
      'y = Resize <coordinate_transformation_mode = "tf_half_pixel_for_nn", nearest_mode = "floor"> (x, r, s)',
      { weights: `float[0] r = {}, float[4] s = {1, 1, ${scales}}` },
    ),
  ),
  one(
    'Resize 11 with a region',
    [11, 13],
    'float[1,4,8,8] x',
    'y = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = 2.0> (x, r, s)',
    { weights: 'float[8] r = {0, 0, 0.1, 0.2, 1, 1, 0.8, 1.2}, float[4] s = {1, 1, 2, 2}' },
  ),
  one(
    'RoiAlign',
    [10, 15],
    'float[1,4,8,8] x',
    'y = RoiAlign <output_height = 2, output_width = 3, sampling_ratio = 2> (x, r, i)',
    { newest: 21, weights: 'float[2,4] r = {0, 0, 5, 5, 1, 1, 7.5, 6}, int64[2] i = {0, 0}' },
  ),
  one('RoiAlign since 16', [16], 'float[1,4,8,8] x', 'y = RoiAlign <output_height = 2, output_width = 3> (x, r, i)', {
    newest: 21,
    weights: 'float[2,4] r = {0, 0, 5, 5, 1, 1, 7.5, 6}, int64[2] i = {0, 0}',
  }),
  ...['bilinear', 'bicubic', 'nearest'].map((mode) =>
    one(
      `GridSample ${mode}`,
      [16, 18],
      `${image}, float[N,3,5,2] f`,
      `t = Tanh (f) y = GridSample <mode = "${mode}", padding_mode = "border"> (x, t)`,
    ),
  ),
  one('GridSample of the default mode', [16], `${image}, float[N,3,5,2] f`, 't = Tanh (f) y = GridSample (x, t)'),
  one('GroupNormalization', [18, 20], image, 'y = GroupNormalization <num_groups = 2> (x, s, b)', {
    weights: 'float[2] s = {1, -2}, float[2] b = {0.5, 0.25}',
  }),
  one('BatchNormalization', [7, 8, 9], image, 'y = BatchNormalization (x, s, b, m, v)', { weights: norm }),
  one(
    'BatchNormalization with spatial',
    [7],
    image,
    'y = BatchNormalization <spatial = 1, momentum = 0.8, epsilon = 0.01> (x, s, b, m, v)',
    { weights: norm },
  ),
  one(
    'BatchNormalization per element',
    [7, 8],
    'float[N,2,3,3] x',
    'y = BatchNormalization <spatial = 0> (x, s, b, m, v)',
    {
      weights:
        'float[2,3,3] s = random(1), float[2,3,3] b = random(2), float[2,3,3] m = random(3), float[2,3,3] v = uniform(0.5, 2, 4)',
    },
  ),
  one(
    'BatchNormalization per element, computed',
    [7],
    'float[N,2,3,3] x, float[2,3,3] s',
    'y = BatchNormalization <spatial = 0> (x, s, b, m, v)',
    { weights: 'float[2,3,3] b = random(2), float[2,3,3] m = random(3), float[2,3,3] v = uniform(0.5, 2, 4)' },
  ),
  one('Scatter', [9, 10], 'float[3,4] x', 'y = Scatter <axis = 1> (x, i, u)', {
    weights: 'int64[3,1] i = {1, 0, 2}, float[3,1] u = {5, 6, 7}',
  }),
];

const window = (rest: string): string => `<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]${rest}>`;

const unchanged: readonly OpsetCase[] = [
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

const more: readonly OpsetCase[] = [
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

export const OPSET_CASES: readonly OpsetCase[] = [...attributesToInputs, ...meaningKept, ...unchanged, ...more];
