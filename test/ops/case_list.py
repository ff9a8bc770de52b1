# The cases of generate_cases.py (run by it): case(operator, inputs, attributes, outputs, opsets, domain).

# Convolutions and pools, 1-D to 3-D.
SPATIAL = {1: [17], 2: [15, 12], 3: [9, 8, 7]}
for rank, size in SPATIAL.items():
    k, two, one = [3] * rank, [2] * rank, [1] * rank
    windows = [{}, {'strides': two}, {'pads': one * 2}, {'dilations': two, 'pads': [2] * rank + one}, {'auto_pad': 'SAME_UPPER', 'strides': two},
               {'auto_pad': 'SAME_LOWER', 'strides': [3] * rank}, {'auto_pad': 'VALID', 'strides': two}]
    for window in windows:
        case('Conv', [var(2, 4, *size), var(6, 4, *k), var(6)], {'kernel_shape': k, **window})
        case('Conv', [var(2, 4, *size), var(4, 1, *k)], {'group': 4, **window}, opsets=[11])
        transposed = {key: value for key, value in window.items() if key != 'auto_pad'}
        case('ConvTranspose', [var(2, 4, *size), var(4, 3, *k)], {'group': 2, **transposed}, opsets=[11, 22])
        for op in ('MaxPool', 'AveragePool'):
            for ceil in (0, 1):
                dilated = 'dilations' in window
                opsets = since(op, 19 if op == 'AveragePool' and dilated else 10) if ceil or dilated else None
                if not (dilated and 'auto_pad' in window):
                    case(op, [var(2, 4, *size)], {'kernel_shape': k, **window, **({'ceil_mode': 1} if ceil else {})}, opsets=opsets)
    case('ConvTranspose', [var(1, 2, *size), var(2, 2, *k)], {'strides': two, 'output_padding': one}, opsets=[11])
    case('ConvTranspose', [var(1, 2, *size), var(2, 2, *k)], {'strides': two, 'auto_pad': 'SAME_UPPER'}, opsets=[11])
    case('ConvTranspose', [var(1, 2, *size), var(2, 2, *k)], {'strides': two, 'auto_pad': 'VALID'}, opsets=[11])
    case('ConvTranspose', [var(1, 2, *size), var(2, 2, *k)], {'strides': two, 'output_shape': [2 * s + 1 for s in size]}, opsets=[11])
    case('MaxPool', [var(2, 4, *size)], {'kernel_shape': k, 'strides': two}, outputs=2, opsets=since('MaxPool', 8))
    case('LpPool', [var(2, 4, *size)], {'kernel_shape': k, 'strides': two, 'pads': one * 2}, opsets=[11])
    for op in ('GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'):
        case(op, [var(2, 4, *size)])
# A last window that would begin in the end padding is dropped: 5 = ceil((9 + 2 - 3)/2) + 1, and 2 after a kernel of 1.
for op in ('MaxPool', 'AveragePool'):
    case(op, [var(1, 1, 4, 9)], {'kernel_shape': [1, 3], 'strides': [2, 2], 'pads': [0, 1, 0, 1], 'ceil_mode': 1}, opsets=since(op, 10))
    case(op, [var(1, 1, 3, 6)], {'kernel_shape': [2, 2], 'strides': [2, 3], 'pads': [1, 1, 1, 1], 'ceil_mode': 1}, opsets=since(op, 10))
    case(op, [var(1, 1, 5, 7)], {'kernel_shape': [2, 2], 'strides': [3, 4], 'pads': [1, 1, 1, 1], 'ceil_mode': 1}, opsets=since(op, 10))
case('MaxUnpool', [var(1, 1, 2, 2), const([[[[0, 2], [8, 10]]]])], {'kernel_shape': [2, 2], 'strides': [2, 2]})
case('MaxUnpool', [var(1, 1, 2, 2), const([[[[0, 2], [8, 10]]]]), const([1, 1, 5, 5])], {'kernel_shape': [2, 2], 'strides': [2, 2]})
case('DeformConv', [var(1, 2, 6, 6), var(3, 2, 3, 3), var(1, 18, 4, 4)], {}, opsets=[19])
case('FusedConv', [var(1, 2, 6, 6), var(3, 2, 3, 3), var(3)], {'activation': 'Relu', 'pads': [1, 1, 1, 1]}, domain='com.microsoft')

# Matrix products.
for left, right in [((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 5)), ((7, 1, 3, 4), (2, 4, 5)), ((2, 3, 4), (1, 4, 5)), ((2, 3, 4), (4,))]:
    case('MatMul', [var(*left), var(*right)])
case('MatMulInteger', [var(3, 4, dtype='uint8'), var(4, 5, dtype='uint8')])
case('QLinearMatMul', [var(3, 4, dtype='uint8'), const(0.1, 'float32'), const(3, 'uint8'), var(4, 5, dtype='uint8'), const(0.1, 'float32'), const(2, 'uint8'), const(0.2, 'float32'), const(1, 'uint8')], opsets=[10])
case('QLinearConv', [var(1, 3, 8, 8, dtype='uint8'), const(0.1, 'float32'), const(3, 'uint8'), var(4, 3, 3, 3, dtype='int8'), const(0.1, 'float32'), const(0, 'int8'), const(0.2, 'float32'), const(1, 'uint8')], {'pads': [1, 1, 1, 1], 'strides': [2, 2]})
case('ConvInteger', [var(1, 3, 8, 8, dtype='uint8'), var(4, 3, 3, 3, dtype='uint8')])
for a, b, attributes in [((3, 4), (4, 5), {}), ((4, 3), (4, 5), {'transA': 1}), ((3, 4), (5, 4), {'transB': 1}), ((4, 3), (5, 4), {'transA': 1, 'transB': 1, 'alpha': 0.5})]:
    case('Gemm', [var(*a), var(*b), var(5)], attributes)
case('Gemm', [var(3, 4), var(4, 5)], {}, opsets=since('Gemm', 11))
for equation, shapes in [('ij,jk->ik', [(3, 4), (4, 5)]), ('bij,bjk', [(2, 3, 4), (2, 4, 5)]), ('...ij,jk->...ik', [(7, 2, 3, 4), (4, 5)]), ('ij->ji', [(3, 4)]), ('ii->i', [(3, 3)]), ('i,j->', [(3,), (4,)]),
                         ('a...b,c...b->ac...', [(2, 5, 6, 3), (4, 5, 1, 3)]), ('bhwc,hkc->bhwk', [(1, 3, 4, 5), (3, 7, 5)])]:
    case('Einsum', [var(*shape) for shape in shapes], {'equation': equation})
case('Det', [var(2, 3, 3)])
case('FusedMatMul', [var(2, 4, 3), var(2, 5, 4)], {'transA': 1, 'transB': 1, 'alpha': 0.5}, domain='com.microsoft')

# Recurrent layers.
for op, gates, states in [('LSTM', 4, 3), ('GRU', 3, 2), ('RNN', 1, 2)]:
    for direction, count in [('forward', 1), ('bidirectional', 2), ('reverse', 1)]:
        case(op, [var(5, 2, 3), var(count, gates * 4, 3), var(count, gates * 4, 4)], {'hidden_size': 4, 'direction': direction, **({'activations': ['Tanh'] * count} if op == 'RNN' else {})}, outputs=states)

# Normalization.
for size in [(6,), (5, 6), (4, 5, 6)]:
    case('BatchNormalization', [var(2, 3, *size), var(3), var(3), var(3), var(3)], {'epsilon': 1e-3})
    case('InstanceNormalization', [var(2, 3, *size), var(3), var(3)])
    case('LayerNormalization', [var(2, 3, *size), var(size[-1])])
case('BatchNormalization', [var(2, 3, 4), var(3), var(3), var(3), var(3)], {'training_mode': 1}, outputs=3, opsets=[14, 15])
case('LayerNormalization', [var(2, 3, 4, 5), var(4, 5)], {'axis': 2}, outputs=3)
case('LRN', [var(2, 6, 4, 4)], {'size': 5})
case('LpNormalization', [var(2, 6, 4)], {'axis': 1, 'p': 2})
case('GroupNormalization', [var(2, 6, 4, 4), var(6), var(6)], {'num_groups': 3}, opsets=[21])
case('MeanVarianceNormalization', [var(2, 6, 4, 4)])
case('RMSNormalization', [var(2, 6, 4), var(4)])

# Elementwise functions of one tensor.
for op in ['Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'HardSigmoid', 'HardSwish', 'Elu', 'Selu', 'Celu', 'ThresholdedRelu', 'Softplus', 'Softsign', 'Mish', 'Gelu', 'Shrink', 'Abs', 'Neg', 'Sign', 'Floor', 'Ceil', 'Round', 'Sqrt', 'Reciprocal',
           'Exp', 'Log', 'Erf', 'Sin', 'Cos', 'Tan', 'Asin', 'Acos', 'Atan', 'Sinh', 'Cosh', 'Asinh', 'Acosh', 'Atanh', 'IsNaN', 'IsInf', 'Identity', 'Softmax', 'LogSoftmax', 'Hardmax']:
    case(op, [var(2, 3, 5)])
case('Relu', [const([-2, 0, 3], 'int32')], opsets=[14])
case('Neg', [const([-2, 0, 3])])
case('Abs', [const([-2, 0, 3])])
case('Sign', [const([-2, 0, 3])])
case('Not', [const([True, False], 'bool')])
case('BitwiseNot', [var(3, dtype='int32')])
case('Swish', [var(2, 3)], opsets=[24])
case('Clip', [var(2, 3)], {'min': 0.0, 'max': 6.0}, opsets=[7])
case('Clip', [var(2, 3), const(0, 'float32'), const(6, 'float32')], opsets=since('Clip', 11))
case('Clip', [const([-3, 2, 9]), const(0), const(6)], opsets=since('Clip', 12))
case('Clip', [const([-3, 2, 9]), None, const(6)], opsets=[13])
case('Dropout', [var(2, 3)], outputs=2, opsets=[7, 10, 12, 13])
for to in ['float16', 'float64', 'int32', 'bool', 'uint8', 'int64']:
    case('Cast', [var(2, 3)], {'to': DTYPES[to]})
case('Cast', [const([-1.5, 0, 0.5, 2.99], 'float32')], {'to': TensorProto.INT64})
case('Cast', [const([-1, 0, 5])], {'to': TensorProto.BOOL})
case('Cast', [const([-1, 0, 5])], {'to': TensorProto.INT32})
case('CastLike', [var(2, 3), var(1, dtype='int32')])

# Elementwise functions of several tensors.
PAIRS = [((2, 3), (2, 3)), ((2, 3, 4), (4,)), ((4,), (2, 3, 4)), ((2, 1, 4), (3, 1)), ((1, 5), (3, 1)), ((), (2, 3)), ((2, 3), ())]
for a, b in PAIRS:
    for op in ['Add', 'Sub', 'Mul', 'Div', 'Pow']:
        case(op, [var(*a), var(*b)], opsets=versions(op, '')[-2:])
    for op in ['Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual']:
        case(op, [var(*a), var(*b)], opsets=versions(op, '')[-1:])
    for op in ['And', 'Or', 'Xor']:
        case(op, [var(*a, dtype='bool'), var(*b, dtype='bool')])
    for op in ['Sum', 'Mean', 'Min', 'Max']:
        case(op, [var(*a), var(*b), var(1)], opsets=versions(op, '')[-1:])
    case('Where', [var(*a, dtype='bool'), var(*b), var(1)])
case('PRelu', [var(2, 3, 4), var(3, 1)])
case('Mod', [var(2, 3), var(2, 3)], {'fmod': 1})
case('BitShift', [var(3, dtype='uint8'), var(3, dtype='uint8')], {'direction': 'LEFT'})
for op in ['BitwiseAnd', 'BitwiseOr', 'BitwiseXor']:
    case(op, [var(3, dtype='int32'), var(1, dtype='int32')])
NUMBERS, DIVISORS = [-7, -6, -1, 0, 5, 6, 9], [2, 4, 3, 5, 3, 4, 2]
for op in ['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual']:
    case(op, [const(NUMBERS), const(DIVISORS)], opsets=versions(op, '')[-1:])
    case(op, [const(NUMBERS), const(3)], opsets=versions(op, '')[-1:])
for op in ['Min', 'Max']:
    case(op, [const(NUMBERS), const(DIVISORS), const([1])], opsets=[13])
case('Mod', [const(NUMBERS), const(DIVISORS)], {'fmod': 1}, opsets=[13])
case('Pow', [const([2, 3]), const([3, 2])], opsets=[15])
case('And', [const([True, False], 'bool'), const([True, True], 'bool')])
case('Where', [const([True, False, True], 'bool'), const([1, 2, 3]), const(9)])
case('Equal', [const(NUMBERS), const(-1)], opsets=[13])

# Reductions.
for op in ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp']:
    moved = 13 if op == 'ReduceSum' else 18
    for axes, keep in [([1], 1), ([0, -1], 0), ([-2], 0)]:
        case(op, [var(2, 3, 4)], {'axes': axes, 'keepdims': keep}, opsets=before(op, moved))
        case(op, [var(2, 3, 4), const(axes)], {'keepdims': keep}, opsets=since(op, moved))
    case(op, [var(2, 3, 4)])
    case(op, [var(2, 3, 4)], {'keepdims': 0})
    case(op, [var(2, 3, 4)], {'noop_with_empty_axes': 1}, opsets=since(op, moved)[:1])
for op in ['ReduceSum', 'ReduceProd', 'ReduceMax', 'ReduceMin']:
    case(op, [const([[1, -2, 3], [4, 5, 6]]), const([1])], {'keepdims': 0}, opsets=[18])
    case(op, [const([[1, -2, 3], [4, 5, 6]]), const([0])], {'keepdims': 1}, opsets=[18])
    case(op, [const([2, 3, 4])], {'keepdims': 0}, opsets=[13])
for op in ['ArgMax', 'ArgMin']:
    case(op, [var(2, 3, 4)], {'axis': 1})
    case(op, [var(2, 3, 4)], {'axis': -1, 'keepdims': 0})

# Views.
for target in [[2, -1], [0, -1], [4, 3, 2], [-1], [0, 0, -1], [1, 0, -1, 2]]:
    case('Reshape', [var(2, 3, 4), const(target)], opsets=versions('Reshape', '')[:2])
case('Reshape', [var(0, 3), const([3, 0])], {'allowzero': 1}, opsets=[14])
case('Reshape', [const([[1, 2], [3, 4]]), const([-1])])
case('Squeeze', [var(1, 3, 1, 4)], {'axes': [0, 2]}, opsets=before('Squeeze', 13))
case('Squeeze', [var(1, 3, 1, 4)], {'axes': [-2]}, opsets=[11])
case('Squeeze', [var(1, 3, 1, 4)])
case('Squeeze', [var(1, 3, 1, 4), const([-2])], opsets=since('Squeeze', 13))
case('Squeeze', [const([[5]]), const([0])], opsets=since('Squeeze', 13))
case('Unsqueeze', [var(3, 4)], {'axes': [0, 3]}, opsets=before('Unsqueeze', 13))
case('Unsqueeze', [var(3, 4)], {'axes': [-1, 1]}, opsets=[11])
case('Unsqueeze', [var(3, 4), const([0, -1])], opsets=since('Unsqueeze', 13))
case('Unsqueeze', [var(), const([0])], opsets=[13])
for axis in [0, 1, 2, 3]:
    case('Flatten', [var(2, 3, 4)], {'axis': axis})
case('Flatten', [var(2, 3, 4)], {'axis': -1}, opsets=since('Flatten', 11))
case('Flatten', [var(2, 3, 4)])
case('Transpose', [var(2, 3, 4)], {'perm': [1, 2, 0]})
case('Transpose', [var(2, 3, 4)])
case('Transpose', [const([[1, 2, 3], [4, 5, 6]])])
case('Transpose', [const([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])], {'perm': [2, 0, 1]})
case('Expand', [var(3, 1), const([2, 1, 6])])
case('Expand', [var(2, 3, 4), const([4])])
case('Expand', [const([[1], [2]]), const([2, 2])])
case('Tile', [var(2, 3), const([2, 3])])
case('Tile', [const([1, 2, 3]), const([2])])
case('Shape', [var(2, 3, 4)])
case('Shape', [var(2, 3, 4)], {'start': 1}, opsets=since('Shape', 15))
case('Shape', [var(2, 3, 4)], {'start': -2, 'end': -1}, opsets=since('Shape', 15))
case('Size', [var(2, 3, 4)])
case('DepthToSpace', [var(1, 8, 2, 3)], {'blocksize': 2})
case('DepthToSpace', [var(1, 8, 2, 3)], {'blocksize': 2, 'mode': 'CRD'}, opsets=since('DepthToSpace', 11))
case('SpaceToDepth', [var(1, 2, 4, 6)], {'blocksize': 2})
case('CenterCropPad', [var(10, 7, 3), const([8, 9])], {'axes': [0, 1]})
case('ReverseSequence', [var(4, 3), const([1, 2, 3])])

# Slices and joins.
FAR = 2 ** 63 - 1
for starts, ends, axes, steps in [([1], [3], [1], [1]), ([0, 1], [2, 100], [0, 2], [1, 2]), ([-3], [-1], [-1], [1]), ([-1], [-FAR], [1], [-1]), ([4], [1], [2], [-2]), ([3], [1], [0], [1]), ([1], [FAR], [2], [3]), ([-100], [2], [2], [1])]:
    case('Slice', [var(4, 5, 6), const(starts), const(ends), const(axes), const(steps)], opsets=since('Slice', 10))
    if steps == [1]:
        case('Slice', [var(4, 5, 6)], {'starts': starts, 'ends': ends, 'axes': axes}, opsets=before('Slice', 10))
case('Slice', [var(4, 5, 6), const([1, 2]), const([3, 4])], opsets=since('Slice', 10))
case('Slice', [const([5, 6, 7, 8]), const([-1]), const([-FAR]), const([0]), const([-1])], opsets=[13])
case('Slice', [const([5, 6, 7, 8]), const([1]), const([3]), const([0])], opsets=[13])
case('Slice', [const([[1, 2, 3], [4, 5, 6]]), const([1]), const([3]), const([1])], opsets=[13])
case('Concat', [var(2, 3), var(2, 5)], {'axis': 1})
case('Concat', [var(2, 3), var(4, 3), var(1, 3)], {'axis': 0})
case('Concat', [var(2, 3), var(2, 5)], {'axis': -1}, opsets=since('Concat', 11))
case('Concat', [const([1, 2]), const([3]), const([])], {'axis': 0})
case('Split', [var(2, 6)], {'axis': 1}, outputs=3, opsets=[7, 11, 13])
case('Split', [var(2, 6)], {'axis': 1, 'split': [1, 5]}, outputs=2, opsets=[7, 11])
case('Split', [var(2, 6), const([4, 2])], {'axis': -1}, outputs=2, opsets=since('Split', 13))
case('Split', [var(2, 7)], {'axis': 1, 'num_outputs': 3}, outputs=3, opsets=[18])
case('Split', [const([4, 5, 6]), const([1, 2])], outputs=2, opsets=[13])
case('Pad', [var(2, 3, 4)], {'pads': [0, 1, 2, 0, 0, 1]}, opsets=before('Pad', 11))
case('Pad', [var(2, 3, 4), const([0, 1, 2, 0, 0, 1])], opsets=since('Pad', 11))
case('Pad', [var(2, 3, 4), const([0, -1, -2, 0, 0, 1])], opsets=since('Pad', 11))
case('Pad', [var(2, 3, 4), const([1, 2, 3, 4]), None, const([2, -2])], {'mode': 'edge'}, opsets=since('Pad', 18))

# Indexing and selection.
case('Gather', [var(3, 4, 5), const([[0, 2]])], {'axis': 1})
case('Gather', [var(3, 4, 5), const(1)])
case('Gather', [var(3, 4, 5), const([-1])], {'axis': -1}, opsets=since('Gather', 11))
case('Gather', [const([7, 8, 9]), const(-1)], opsets=since('Gather', 11))
case('Gather', [const([[1, 2, 3], [4, 5, 6]]), const([2, 0])], {'axis': 1})
case('Gather', [const([7, 8, 9]), const([[1, 0], [2, 2]])])
case('GatherElements', [var(3, 4), const([[0, 1], [1, 0]])], {'axis': 1})
case('GatherND', [var(3, 4, 5), const([[0, 1], [1, 0]])])
case('GatherND', [var(2, 4, 5), const([[1], [0]])], {'batch_dims': 1}, opsets=since('GatherND', 12))
case('ScatterElements', [var(3, 4), const([[0, 1]]), var(1, 2)], {'axis': 1})
case('ScatterND', [var(3, 4), const([[0, 1]]), var(1)])
case('Scatter', [var(3, 4), const([[0, 1]]), var(1, 2)], {'axis': 1}, opsets=[9])
case('TopK', [var(3, 9)], {'k': 4}, outputs=2, opsets=[7])
case('TopK', [var(3, 9), const([4])], {'axis': 1}, outputs=2, opsets=since('TopK', 10))
case('OneHot', [const([0, 2, 1]), const(5), const([0, 1], 'float32')], {'axis': -1})
case('OneHot', [const([[0, 2, 1]]), const([4]), const([0, 1], 'float32')], {'axis': 1})
case('CumSum', [var(2, 3), const(1)])
case('Trilu', [var(3, 3)])
case('RoiAlign', [var(1, 2, 8, 8), const([[0, 0, 4, 4], [1, 1, 5, 5], [0, 0, 3, 3]], 'float32'), const([0, 0, 0])], {'output_height': 3, 'output_width': 2})
case('MaxRoiPool', [var(1, 2, 8, 8), const([[0, 0, 0, 4, 4], [0, 1, 1, 5, 5]], 'float32')], {'pooled_shape': [3, 2]})
case('GridSample', [var(1, 2, 8, 8), var(1, 3, 5, 2)])
case('GridSample', [var(1, 2, 4, 8, 8), var(1, 3, 5, 6, 3)], opsets=[20, 22])
case('AffineGrid', [var(2, 2, 3), const([2, 3, 5, 6])])

# Resizing.
for scales in [[1, 1, 2, 2], [1, 1, 0.5, 1.5], [1, 1, 0.6, 1.7], [1, 1, 1.25, 0.75], [1, 1, 1 / 3, 2.3]]:
    values = [float(scale) for scale in scales]
    case('Resize', [var(1, 2, 7, 10), const(values, 'float32')], opsets=[10])
    case('Resize', [var(1, 2, 7, 10), None, const(values, 'float32')], {'mode': 'linear'}, opsets=since('Resize', 13))
    case('Resize', [var(1, 2, 7, 10), const([], 'float32'), const(values, 'float32')], opsets=[11])
    case('Upsample', [var(1, 2, 7, 10)], {'scales': values}, opsets=[7]) if min(values) >= 1 else None
    case('Upsample', [var(1, 2, 7, 10), const(values, 'float32')], opsets=[9]) if min(values) >= 1 else None
case('Resize', [var(1, 2, 7, 10), const([], 'float32'), const([], 'float32'), const([1, 2, 9, 5])], opsets=[11])
case('Resize', [var(1, 2, 7, 10), None, None, const([1, 2, 9, 5])], opsets=since('Resize', 13))
case('Resize', [var(1, 2, 7, 10), None, None, const([9, 5])], {'axes': [2, 3]}, opsets=since('Resize', 18))
case('Resize', [var(1, 2, 7, 10), None, const([2.0, 0.3], 'float32')], {'axes': [3, 2]}, opsets=since('Resize', 18))
for policy in ['not_larger', 'not_smaller']:
    case('Resize', [var(1, 2, 7, 10), None, None, const([9, 5])], {'axes': [2, 3], 'keep_aspect_ratio_policy': policy}, opsets=since('Resize', 18))
    case('Resize', [var(1, 2, 7, 10), None, None, const([13, 16])], {'axes': [2, 3], 'keep_aspect_ratio_policy': policy}, opsets=since('Resize', 18))
    case('Resize', [var(1, 1, 7, 10), None, None, const([1, 1, 13, 16])], {'keep_aspect_ratio_policy': policy}, opsets=since('Resize', 18)) if policy == 'not_smaller' else None
case('Resize', [var(1, 2, 8, 10), const([0, 0, 0.25, 0, 1, 1, 0.75, 1], 'float32'), const([1, 1, 2, 2], 'float32')], {'coordinate_transformation_mode': 'tf_crop_and_resize'}, opsets=[11, 13, 18])

# Generators.
case('ConstantOfShape', [const([2, 3])], {'value': np.array([7], dtype=np.int64)})
case('ConstantOfShape', [const([2, 3])])
case('ConstantOfShape', [const([])])
for start, limit, delta in [(0, 5, 1), (10, 3, -2), (3, 3, 1), (5, 1, 1), (-4, 4, 3)]:
    case('Range', [const(start), const(limit), const(delta)])
case('Range', [const(0.0, 'float32'), const(1.0, 'float32'), const(0.25, 'float32')])
case('EyeLike', [var(3, 4)], {'dtype': TensorProto.INT64})
case('RandomNormal', [], {'shape': [2, 3]})
case('RandomUniform', [], {'shape': [2, 3], 'dtype': TensorProto.DOUBLE})
case('RandomNormalLike', [var(2, 3)], {'dtype': TensorProto.DOUBLE})
case('RandomUniformLike', [var(2, 3)])
case('Bernoulli', [var(2, 3)])
case('Multinomial', [var(2, 3)], {'sample_size': 4})
case('Constant', [], {'value': np.array([[1, 2]], dtype=np.int64)})
case('Constant', [], {'value_ints': [4, 5]}, opsets=since('Constant', 12))
case('Constant', [], {'value_int': 4}, opsets=since('Constant', 12))
case('Constant', [], {'value_float': 4.5}, opsets=since('Constant', 12))
case('Constant', [], {'value_floats': [4.5, 1.0]}, opsets=since('Constant', 12))
case('Constant', [], {'value_string': 'a'}, opsets=since('Constant', 12))

# Quantization.
for zero in ['uint8', 'int8']:
    case('QuantizeLinear', [var(2, 3), const(0.1, 'float32'), const(0, zero)])
    case('DequantizeLinear', [var(2, 3, dtype=zero), const(0.1, 'float32'), const(0, zero)])
case('QuantizeLinear', [var(2, 3), const(0.1, 'float32')])
case('QuantizeLinear', [var(2, 3), const(0.1, 'float32')], {'output_dtype': TensorProto.INT8}, opsets=since('QuantizeLinear', 21))
case('DynamicQuantizeLinear', [var(2, 3)], outputs=3)
Q = [const(0.1, 'float32'), const(3, 'uint8')]
case('QLinearAdd', [var(2, 3, dtype='uint8'), *Q, var(3, dtype='uint8'), *Q, *Q], domain='com.microsoft')
case('QLinearMul', [var(2, 3, dtype='uint8'), *Q, var(1, dtype='uint8'), *Q, *Q], domain='com.microsoft')
case('QLinearSigmoid', [var(2, 3, dtype='uint8'), *Q, *Q], domain='com.microsoft')
case('QLinearLeakyRelu', [var(2, 3, dtype='uint8'), *Q, *Q], {'alpha': 0.1}, domain='com.microsoft')
case('QLinearSoftmax', [var(2, 3, dtype='uint8'), *Q, *Q], {'axis': 1, 'opset': 13}, domain='com.microsoft')
case('QLinearGlobalAveragePool', [var(1, 2, 4, 4, dtype='uint8'), *Q, *Q], {'channels_last': 0}, domain='com.microsoft')
case('QLinearAveragePool', [var(1, 2, 5, 5, dtype='uint8'), *Q, *Q], {'kernel_shape': [2, 2], 'strides': [2, 2], 'ceil_mode': 1}, domain='com.microsoft')
case('QLinearConcat', [*Q, var(1, 2, dtype='uint8'), *Q, var(1, 3, dtype='uint8'), *Q], {'axis': 1}, domain='com.microsoft')
case('QGemm', [var(2, 3, dtype='uint8'), *Q, var(4, 3, dtype='uint8'), *Q, None, *Q], {'transB': 1}, domain='com.microsoft')
case('MatMulIntegerToFloat', [var(2, 3, dtype='uint8'), var(3, 4, dtype='uint8'), const(0.1, 'float32'), const(0.1, 'float32')], domain='com.microsoft')
case('DynamicQuantizeMatMul', [var(2, 3), var(3, 4, dtype='uint8'), const(0.1, 'float32')], domain='com.microsoft')
case('QuantizeLinear', [var(2, 3), *Q], domain='com.microsoft')
case('DequantizeLinear', [var(2, 3, dtype='uint8'), *Q], domain='com.microsoft')

# Fused operators of ONNX Runtime.
for op in ['Gelu', 'FastGelu', 'QuickGelu']:
    case(op, [var(2, 3)], domain='com.microsoft')
case('BiasGelu', [var(2, 3), var(3)], domain='com.microsoft')
case('SkipLayerNormalization', [var(1, 2, 8), var(1, 2, 8), var(8)], domain='com.microsoft')
case('SkipSimplifiedLayerNormalization', [var(1, 2, 8), var(1, 2, 8), var(8)], domain='com.microsoft')
case('SimplifiedLayerNormalization', [var(1, 2, 8), var(8)], {'axis': -1}, opsets=[17])
case('GridSample', [var(1, 2, 8, 8), var(1, 3, 5, 2)], domain='com.microsoft')

# Signal processing.
for op in ['HannWindow', 'HammingWindow', 'BlackmanWindow']:
    case(op, [const(10)])
    case(op, [const(10)], {'output_datatype': TensorProto.DOUBLE})
case('DFT', [var(2, 16, 1)], {'axis': 1}, opsets=[17])
case('DFT', [var(2, 16, 1)], {'axis': 1, 'onesided': 1}, opsets=[17])
case('DFT', [var(2, 16, 2), const(12)], {'axis': 1, 'inverse': 1}, opsets=[17])
case('DFT', [var(2, 16, 1)], {'onesided': 1}, opsets=[20])
case('DFT', [var(2, 16, 5, 1), const(15), const(1)], {'onesided': 1}, opsets=[20])
case('DFT', [var(2, 9, 2), const(16)], {'onesided': 1, 'inverse': 1}, opsets=[20])
case('STFT', [var(2, 128, 1), const(8), var(16), const(16)])
case('STFT', [var(2, 128, 1), const(8), None, const(16)], {'onesided': 0})
case('STFT', [var(2, 128, 1), const(8), var(16)])
case('MelWeightMatrix', [const(8), const(16), const(8192), const(0.0, 'float32'), const(4096.0, 'float32')])

# Slopes, factors and bounds that decide whether an activation rises.
for alpha in [-0.5, 0.0, 0.5]:
    for op in ['LeakyRelu', 'Elu', 'HardSigmoid', 'ThresholdedRelu', 'Selu']:
        case(op, [var(16)], {'alpha': alpha}, opsets=versions(op, '')[-1:])
    case('PRelu', [var(16), const(alpha, 'float32')], opsets=[16])
    case('Mul', [var(16), const(alpha, 'float32')], opsets=[14])
    case('Add', [var(16), const(alpha, 'float32')], opsets=[14])
    if alpha:
        case('Div', [var(16), const(alpha, 'float32')], opsets=[14])
        case('Celu', [var(16)], {'alpha': alpha}, opsets=[12])
for bias in [0.0, 0.5, 2.0]:
    case('Shrink', [var(16)], {'bias': bias, 'lambd': 0.5})
case('Selu', [var(16)], {'gamma': -1.0}, opsets=[6 + 1])
case('Conv', [var(1, 2, 5), const([[[1.0, -1.0], [0.5, 2.0]]], 'float32')], opsets=[11])
case('Gemm', [var(2, 3), const([[1.0], [-2.0], [0.5]], 'float32')], opsets=[13])
case('Gemm', [var(2, 3), const([[1.0], [-2.0], [0.5]], 'float32'), const([1.0], 'float32')], opsets=[13])
