// Small models per operator for the conversion between opsets: each is converted and compared on ONNX Runtime.
import { image, one, type OpsetCase } from './opset-case.js';
import { MORE_UNCHANGED_CASES, UNCHANGED_CASES } from './opset-kept-cases.js';

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

export const OPSET_CASES: readonly OpsetCase[] = [
  ...attributesToInputs,
  ...meaningKept,
  ...UNCHANGED_CASES,
  ...MORE_UNCHANGED_CASES,
];
