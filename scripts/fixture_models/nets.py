"""Small convolutional nets of one, two and three dimensions, with the block structures that merging and pruning must follow."""

import numpy as np
from onnx import TensorProto

from .net import Net


def conv1d_net():
    """Conv1d, BatchNormalization, Relu, MaxPool over time, twice; dynamic batch and length."""
    net = Net("conv1d-net")
    value = net.input("signal", ["batch", 2, "time"])
    for channels_in, channels_out in ((2, 6), (6, 8)):
        value = net.batch_norm(net.conv(value, channels_in, channels_out, kernel=(5,), pads=[2, 2], bias=channels_in != 2), channels_out)
        value = net.node("MaxPool", [net.node("Relu", [value])], kernel_shape=[2], strides=[2])
    pooled = net.node("Flatten", [net.node("GlobalAveragePool", [value])])
    net.node("Gemm", [pooled, net.weight(3, 8), net.weight(3)], output="logits", transB=1)
    net.output("logits", ["batch", 3])
    return net.model()


def conv3d_net():
    """Conv3d with BatchNormalization, a transposed one with groups, and pooling in three dimensions."""
    net = Net("conv3d-net")
    value = net.input("volume", [1, 2, 6, 6, 6])
    value = net.batch_norm(net.conv(value, 2, 4, kernel=(3, 3, 3), pads=[1] * 6), 4)
    value = net.node("MaxPool", [net.node("Relu", [value])], kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    value = net.conv(value, 4, 4, kernel=(2, 2, 2), group=2, op_type="ConvTranspose", strides=[2, 2, 2])
    net.batch_norm(value, 4, output="y")
    net.output("y", [1, 4, 6, 6, 6])
    return net.model()


def repvgg_block():
    """A 3x3, a 1x1 and an identity branch, each with BatchNormalization, added; then a block with an average pool branch."""
    net = Net("repvgg-block")
    value = net.input("x", ["batch", 4, 8, 8])
    dense = net.batch_norm(net.conv(value, 4, 4, pads=[1, 1, 1, 1], bias=False), 4)
    point = net.batch_norm(net.conv(value, 4, 4, kernel=(1, 1), bias=False), 4)
    same = net.batch_norm(value, 4)
    value = net.node("Relu", [net.node("Add", [net.node("Add", [dense, point]), same])])
    tall = net.conv(value, 4, 4, kernel=(3, 1), pads=[1, 0, 1, 0])
    wide = net.conv(value, 4, 4, kernel=(1, 3), pads=[0, 1, 0, 1])
    pool = net.node("AveragePool", [value], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    net.node("Relu", [net.node("Sum", [tall, wide, pool])], output="y")
    net.output("y", ["batch", 4, 8, 8])
    return net.model()


def channel_shuffle():
    """ShuffleNet's shuffle: once between depthwise and dense convolutions, once between two grouped ones."""
    net = Net("channel-shuffle")

    def shuffle(value, channels, groups, size):
        grouped = net.node("Reshape", [value, net.constant([1, groups, channels // groups, size, size], dtype=np.int64)])
        turned = net.node("Transpose", [grouped], perm=[0, 2, 1, 3, 4])
        return net.node("Reshape", [turned, net.constant([1, channels, size, size], dtype=np.int64)])

    value = net.input("x", [1, 8, 6, 6])
    value = shuffle(net.conv(value, 8, 8, group=8, pads=[1, 1, 1, 1]), 8, 2, 6)
    value = net.conv(value, 8, 12, kernel=(1, 1))
    value = shuffle(net.conv(value, 12, 12, kernel=(1, 1), group=3), 12, 3, 6)
    net.conv(value, 12, 12, kernel=(1, 1), group=3, output="y")
    net.output("y", [1, 12, 6, 6])
    return net.model()


def shared_weights():
    """Two convolutions on one weight with different BatchNormalization, and a third use of the weight by MatMul."""
    net = Net("shared-weights")
    x = net.input("x", [1, 4, 4, 4])
    net.weight(4, 4, 1, 1, name="kernel")
    left = net.batch_norm(net.node("Conv", [x, "kernel"]), 4)
    right = net.batch_norm(net.node("Conv", [net.node("Relu", [x]), "kernel"]), 4)
    flat = net.node("Reshape", ["kernel", net.constant([4, 4], dtype=np.int64)])
    net.node("Add", [net.node("Add", [left, right]), net.node("MatMul", [x, flat])], output="y")
    net.output("y", [1, 4, 4, 4])
    return net.model()


def inception_block():
    """Parallel convolutions and a pool on one input, joined by Concat; three of them 1x1."""
    net = Net("inception-block")
    x = net.input("x", ["batch", 6, 8, 8])
    relu = lambda value: net.node("Relu", [value])  # noqa: E731
    one = relu(net.conv(x, 6, 4, kernel=(1, 1)))
    three = relu(net.conv(relu(net.conv(x, 6, 3, kernel=(1, 1))), 3, 4, pads=[1, 1, 1, 1]))
    five = relu(net.conv(relu(net.conv(x, 6, 2, kernel=(1, 1))), 2, 4, kernel=(5, 5), pads=[2, 2, 2, 2]))
    pool = relu(net.conv(net.node("MaxPool", [x], kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 6, 4, kernel=(1, 1)))
    net.node("Concat", [one, three, five, pool], output="y", axis=1)
    net.output("y", ["batch", 16, 8, 8])
    return net.model()


def residual_net():
    """Two residual blocks with BatchNormalization, the second with stride and a 1x1 shortcut; strided slice and channel Pad as in option A."""
    net = Net("residual-net", opset=13)
    x = net.input("x", ["batch", 3, 12, 12])
    value = net.node("Relu", [net.batch_norm(net.conv(x, 3, 4, pads=[1, 1, 1, 1], bias=False), 4)])
    inner = net.node("Relu", [net.batch_norm(net.conv(value, 4, 4, pads=[1, 1, 1, 1], bias=False), 4)])
    inner = net.batch_norm(net.conv(inner, 4, 4, pads=[1, 1, 1, 1], bias=False), 4)
    value = net.node("Relu", [net.node("Add", [inner, value])])
    bounds = [net.constant(numbers, dtype=np.int64) for numbers in ([0, 0], [2**31 - 1, 2**31 - 1], [2, 3], [2, 2])]
    shortcut = net.node("Pad", [net.node("Slice", [value, *bounds]), net.constant([0, 2, 0, 0, 0, 2, 0, 0], dtype=np.int64)])
    inner = net.node("Relu", [net.batch_norm(net.conv(value, 4, 8, pads=[1, 1, 1, 1], strides=[2, 2], bias=False), 8)])
    inner = net.batch_norm(net.conv(inner, 8, 8, pads=[1, 1, 1, 1], bias=False), 8)
    value = net.node("Relu", [net.node("Add", [inner, shortcut])])
    net.node("Gemm", [net.node("Flatten", [net.node("GlobalAveragePool", [value])]), net.weight(5, 8), net.weight(5)], output="logits", transB=1)
    net.output("logits", ["batch", 5])
    return net.model()


def bottleneck_with_gate():
    """An inverted bottleneck: 1x1, depthwise, squeeze-and-excite gate, 1x1, each with BatchNormalization, and a residual Add."""
    net = Net("gated-bottleneck", opset=14)
    x = net.input("x", [1, 4, 8, 8])
    value = net.node("HardSwish", [net.batch_norm(net.conv(x, 4, 12, kernel=(1, 1), bias=False), 12)])
    value = net.node("HardSwish", [net.batch_norm(net.conv(value, 12, 12, group=12, pads=[1, 1, 1, 1], bias=False), 12)])
    gate = net.node("Relu", [net.conv(net.node("GlobalAveragePool", [value]), 12, 4, kernel=(1, 1))])
    gate = net.node("HardSigmoid", [net.conv(gate, 4, 12, kernel=(1, 1))], alpha=1 / 6, beta=0.5)
    value = net.batch_norm(net.conv(net.node("Mul", [value, gate]), 12, 4, kernel=(1, 1), bias=False), 4)
    net.node("Add", [value, x], output="y")
    net.output("y", [1, 4, 8, 8])
    return net.model()


def quantize(net, value, scale, zero):
    return net.node("DequantizeLinear", [net.node("QuantizeLinear", [value, scale, zero]), scale, zero])


def qdq_net():
    """A quantized net in QDQ form: uint8 activations, int8 weights per channel, int32 bias. It is to stay as it is."""
    net = Net("qdq-net", opset=17)
    x = net.input("x", ["batch", 3, 8, 8])
    scale, zero = net.constant(0.02, "scale"), net.constant(128, "zero", np.uint8)
    after, none = net.constant(0.03, "scale_relu"), net.constant(0, "zero_relu", np.uint8)
    net.constant(net.rng.integers(-127, 128, (4, 3, 3, 3)), "kernel", np.int8)
    net.constant(net.rng.uniform(0.001, 0.003, 4), "kernel_scale")
    net.constant(np.zeros(4), "kernel_zero", np.int8)
    net.constant(net.rng.integers(-999, 999, 4), "bias", np.int32)
    net.constant(0.02 * net.rng.uniform(0.001, 0.003, 4), "bias_scale")
    net.constant(np.zeros(4), "bias_zero", np.int32)
    kernel = net.node("DequantizeLinear", ["kernel", "kernel_scale", "kernel_zero"], axis=0)
    bias = net.node("DequantizeLinear", ["bias", "bias_scale", "bias_zero"], axis=0)
    value = net.node("Relu", [net.node("Conv", [quantize(net, x, scale, zero), kernel, bias], pads=[1, 1, 1, 1])])
    value = net.node("MaxPool", [quantize(net, value, after, none)], kernel_shape=[2, 2], strides=[2, 2])
    net.node("Identity", [quantize(net, value, after, none)], output="y")
    net.output("y", ["batch", 4, 4, 4])
    return net.model()


def qlinear_net():
    """A quantized net with QLinearConv between QuantizeLinear and DequantizeLinear."""
    net = Net("qlinear-net", opset=13)
    x = net.input("x", [1, 3, 8, 8])
    scale, zero = net.constant(0.02, "scale"), net.constant(128, "zero", np.uint8)
    net.constant(net.rng.integers(-127, 128, (4, 3, 3, 3)), "kernel", np.int8)
    net.constant(net.rng.uniform(0.001, 0.003, 4), "kernel_scale")
    net.constant(np.zeros(4), "kernel_zero", np.int8)
    net.constant(net.rng.integers(-999, 999, 4), "bias", np.int32)
    value = net.node("QuantizeLinear", [x, scale, zero])
    value = net.node("QLinearConv", [value, scale, zero, "kernel", "kernel_scale", "kernel_zero", scale, zero, "bias"])
    net.node("DequantizeLinear", [value, scale, zero], output="y")
    net.output("y", [1, 4, 6, 6])
    return net.model()


def classifier_on_pixels():
    """uint8 pixels, channel last: Cast, Transpose, normalization by Sub and Div, a padded convolution, ArgMax of the logits."""
    net = Net("pixel-classifier", opset=13)
    x = net.input("pixels", ["batch", 8, 8, 3], TensorProto.UINT8)
    value = net.node("Transpose", [net.node("Cast", [x], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2])
    value = net.node("Sub", [value, net.constant(np.float32([120, 110, 100]).reshape(3, 1, 1))])
    value = net.node("Div", [value, net.constant(np.float32([60, 61, 62]).reshape(1, 3, 1, 1))])
    value = net.node("Relu", [net.conv(value, 3, 6, pads=[1, 1, 1, 1])])
    value = net.node("Flatten", [net.node("AveragePool", [value], kernel_shape=[8, 8])])
    logits = net.node("Add", [net.node("MatMul", [value, net.weight(6, 4)]), net.weight(4)], output="logits")
    net.node("ArgMax", [logits], output="class", axis=1, keepdims=0)
    net.output("logits", ["batch", 4])
    net.output("class", ["batch"], TensorProto.INT64)
    return net.model()


MODELS = {
    "conv1d-net": conv1d_net,
    "conv3d-net": conv3d_net,
    "repvgg-block": repvgg_block,
    "channel-shuffle": channel_shuffle,
    "shared-weights": shared_weights,
    "inception-block": inception_block,
    "residual-net": residual_net,
    "gated-bottleneck": bottleneck_with_gate,
    "qdq-net": qdq_net,
    "qlinear-net": qlinear_net,
    "pixel-classifier": classifier_on_pixels,
}
