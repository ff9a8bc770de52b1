"""Operators written in pieces, chains that merge, and nodes that do nothing, as exporters leave them."""

import numpy as np
from onnx import TensorProto

from .net import Net


def layer_norm_pieces():
    """LayerNormalization in nine nodes, over the last axis and over the last two."""
    net = Net("layer-norm-pieces", opset=17)
    value = net.input("x", ["batch", 5, 8])
    for index, axes in enumerate(([-1], [-2, -1])):
        shape = [8] if len(axes) == 1 else [5, 8]
        mean = net.node("ReduceMean", [value], axes=axes)
        centred = net.node("Sub", [value, mean])
        square = net.node("Pow", [centred, net.constant(2.0)])
        deviation = net.node("Sqrt", [net.node("Add", [net.node("ReduceMean", [square], axes=axes), net.constant(1e-5)])])
        scaled = net.node("Mul", [net.node("Div", [centred, deviation]), net.weight(*shape)])
        value = net.node("Add", [scaled, net.weight(*shape)], output="y" if index == 1 else None)
    net.output("y", ["batch", 5, 8])
    return net.model()


def instance_norm_pieces():
    """InstanceNormalization in pieces over the spatial axes, behind a convolution."""
    net = Net("instance-norm-pieces", opset=13)
    x = net.input("x", [1, 3, 8, 8])
    value = net.conv(x, 3, 4)
    centred = net.node("Sub", [value, net.node("ReduceMean", [value], axes=[2, 3])])
    variance = net.node("ReduceMean", [net.node("Mul", [centred, centred])], axes=[2, 3])
    deviation = net.node("Sqrt", [net.node("Add", [variance, net.constant(1e-5)])])
    scaled = net.node("Mul", [net.node("Div", [centred, deviation]), net.weight(1, 4, 1, 1)])
    net.node("Add", [scaled, net.weight(1, 4, 1, 1)], output="y")
    net.output("y", [1, 4, 6, 6])
    return net.model()


def hard_swish_pieces():
    """HardSwish in pieces, as Add, Clip, Mul, Div and as Add, Clip, Div, Mul, and HardSigmoid in pieces."""
    net = Net("hard-swish-pieces", opset=14)
    value = net.input("x", [1, 4, 6, 6])
    three, six, zero = net.constant(3.0, "three"), net.constant(6.0, "six"), net.constant(0.0, "zero")
    bounded = net.node("Clip", [net.node("Add", [net.conv(value, 4, 4, pads=[1, 1, 1, 1], output="first"), three]), zero, six])
    value = net.node("Div", [net.node("Mul", ["first", bounded]), six])
    bounded = net.node("Clip", [net.node("Add", [net.conv(value, 4, 4, pads=[1, 1, 1, 1], output="second"), three]), zero, six])
    value = net.node("Mul", ["second", net.node("Div", [bounded, six])])
    net.node("Div", [net.node("Clip", [net.node("Add", [value, three]), zero, six]), six], output="y")
    net.output("y", [1, 4, 6, 6])
    return net.model()


def activation_pieces():
    """SiLU as Sigmoid and Mul, Gelu with Erf and with Tanh, Mish, all in pieces, at an opset that has the single operators."""
    net = Net("activation-pieces", opset=24, ir_version=11)
    value = net.input("x", [2, 8])
    value = net.node("Mul", [value, net.node("Sigmoid", [value])])
    half, one = net.constant(0.5, "half"), net.constant(1.0, "one")
    erf = net.node("Add", [net.node("Erf", [net.node("Div", [value, net.constant(np.sqrt(2.0), "root_two")])]), one])
    value = net.node("Mul", [net.node("Mul", [value, erf]), half])
    cube = net.node("Mul", [net.node("Pow", [value, net.constant(3.0)]), net.constant(0.044715)])
    tanh = net.node("Tanh", [net.node("Mul", [net.node("Add", [value, cube]), net.constant(np.sqrt(2 / np.pi))])])
    value = net.node("Mul", [net.node("Mul", [value, half]), net.node("Add", [tanh, one])])
    net.node("Mul", [value, net.node("Tanh", [net.node("Softplus", [value])])], output="y")
    net.output("y", [2, 8])
    return net.model()


def removable():
    """Nodes that do nothing, twice the same node, twice the same weight, nodes and weights that nobody uses."""
    net = Net("removable", opset=13)
    x = net.input("x", [1, 4, 6, 6])
    value = net.node("Dropout", [net.node("Identity", [x])])
    value = net.node("Pad", [value, net.constant([0] * 8, "no_pads", np.int64)])
    value = net.node("Reshape", [value, net.constant([1, 4, 6, 6], "same_shape", np.int64)])
    value = net.node("Transpose", [net.node("Transpose", [value], perm=[0, 2, 3, 1])], perm=[0, 3, 1, 2])
    value = net.node("Cast", [value], to=TensorProto.FLOAT)
    value = net.node("Mul", [net.node("Add", [value, net.constant(0.0)]), net.constant(1.0)])
    value = net.node("Concat", [value], axis=1)
    bounds = [net.constant(numbers, dtype=np.int64) for numbers in ([0], [2**31 - 1], [2], [1])]
    value = net.node("Expand", [net.node("Slice", [value, *bounds]), net.constant([1, 1, 1, 1], dtype=np.int64)])
    value = net.node("Squeeze", [net.node("Unsqueeze", [value, net.constant([0], "front", np.int64)]), "front"])
    kernel = net.rng.standard_normal((4, 4, 1, 1))
    first = net.node("Relu", [net.node("Conv", [value, net.constant(kernel, "kernel")])])
    second = net.node("Relu", [net.node("Conv", [value, net.constant(kernel, "same_kernel")])])
    net.node("Sigmoid", [first], output="unused")
    net.weight(64, name="unused_weight")
    net.node("Add", [first, second], output="y")
    net.output("y", [1, 4, 6, 6])
    return net.model()


def affine_chain():
    """Constants added and multiplied before and behind Conv, ConvTranspose, Gemm and MatMul: per channel, and one on the width."""
    net = Net("affine-chain", opset=13)
    value = net.input("x", [1, 4, 4, 4])
    value = net.node("Mul", [value, net.positive(1, 4, 1, 1)])
    value = net.node("Add", [net.conv(value, 4, 4, kernel=(1, 1)), net.weight(4, 1, 1)])
    value = net.node("Sub", [net.constant(1.0), net.node("Relu", [net.node("Div", [value, net.positive(1, 4, 1, 1)])])])
    value = net.node("Mul", [net.conv(value, 4, 4, kernel=(2, 2), group=2, op_type="ConvTranspose", strides=[2, 2]), net.positive(4, 1, 1)])
    value = net.node("Relu", [net.node("Add", [net.conv(value, 4, 4, pads=[1, 1, 1, 1]), net.weight(8)])])
    value = net.node("Flatten", [net.node("GlobalAveragePool", [value])])
    value = net.node("Add", [net.node("MatMul", [net.node("Mul", [value, net.positive(4)]), net.weight(4, 6)]), net.weight(6)])
    value = net.node("Relu", [net.batch_norm(value, 6)])
    net.node("Mul", [net.node("Gemm", [value, net.weight(6, 3), net.weight(3)], alpha=0.5, beta=2.0), net.positive(3)], output="y")
    net.output("y", [1, 3])
    return net.model()


def conv_chain():
    """Convolutions behind each other without activation, average pools and a global one between, Pad in front of both kinds."""
    net = Net("conv-chain", opset=13)
    value = net.input("x", [1, 3, 14, 14])
    value = net.node("Pad", [value, net.constant([0, 0, 1, 1, 0, 0, 1, 1], "pads", np.int64)])
    value = net.conv(net.conv(value, 3, 2), 2, 6, kernel=(1, 1))
    value = net.node("Relu", [net.node("AveragePool", [value], kernel_shape=[2, 2], strides=[2, 2])])
    value = net.node("Pad", [value, net.constant([0, 0, 1, 1, 0, 0, 1, 1], "pool_pads", np.int64)])
    value = net.node("MaxPool", [value], kernel_shape=[3, 3], strides=[2, 2])
    value = net.conv(net.conv(value, 6, 6, group=6, pads=[1, 1, 1, 1]), 6, 8, kernel=(1, 1))
    net.node("GlobalAveragePool", [net.conv(value, 8, 5, kernel=(1, 1))], output="y")
    net.output("y", [1, 5, 1, 1])
    return net.model()


def monotone_before_pool():
    """Monotone maps in front of MaxPool, one that is not monotone, pools behind each other, and chains of Clip and Relu."""
    net = Net("monotone-before-pool", opset=14)
    value = net.input("x", [1, 4, 16, 16])
    bounds = [net.constant(bound, f"bound_{index}") for index, bound in enumerate((0.0, 6.0, -1.0, 4.0))]
    value = net.node("Clip", [net.node("Relu", [net.conv(value, 4, 4, pads=[1, 1, 1, 1])]), bounds[0], bounds[1]])
    value = net.node("Clip", [net.node("Clip", [value, bounds[2], bounds[3]]), bounds[0]])
    value = net.node("MaxPool", [net.node("Sigmoid", [value])], kernel_shape=[2, 2], strides=[2, 2])
    value = net.node("MaxPool", [net.node("HardSwish", [net.conv(value, 4, 4, pads=[1, 1, 1, 1])])], kernel_shape=[2, 2], strides=[2, 2])
    net.node("MaxPool", [net.node("MaxPool", [value], kernel_shape=[2, 2])], output="y", kernel_shape=[2, 2])
    net.output("y", [1, 4, 2, 2])
    return net.model()


def same_concat():
    """Concat of one tensor twice, and of a Split's parts in order, in front of convolutions."""
    net = Net("same-concat", opset=13)
    x = net.input("x", [1, 4, 6, 6])
    value = net.node("Relu", [net.conv(net.node("Concat", [x, x], axis=1), 8, 4, kernel=(1, 1))])
    net.node("Split", [value, net.constant([1, 3], "parts", np.int64)], outputs=["head", "tail"], axis=1)
    net.conv(net.node("Concat", ["head", "tail"], axis=1), 4, 4, kernel=(1, 1), output="y")
    net.output("y", [1, 4, 6, 6])
    return net.model()


MODELS = {
    "layer-norm-pieces": layer_norm_pieces,
    "instance-norm-pieces": instance_norm_pieces,
    "hard-swish-pieces": hard_swish_pieces,
    "activation-pieces": activation_pieces,
    "removable": removable,
    "affine-chain": affine_chain,
    "conv-chain": conv_chain,
    "monotone-before-pool": monotone_before_pool,
    "same-concat": same_concat,
}
