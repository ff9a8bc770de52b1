"""Tensors in every storage: typed fields, strings, sparse, low precision, sixteen bits, empty ones, external files."""

import hashlib

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from .net import FLOAT, Net


def external_data():
    """Two weights in one side file: with offset, length and SHA-1 checksum; the second one begins at byte 4096."""
    net = Net("external-data")
    x = net.input("x", ["n", 3, 5, 5])
    hidden = net.conv(x, 3, 8, pads=[1, 1, 1, 1], bias=False)
    hidden = net.node("Relu", [hidden])
    net.conv(hidden, 8, 4, output="y", kernel=(1, 1), bias=False)
    net.output("y", ["n", 4, 5, 5])
    model = net.model()
    blob = bytearray()
    for tensor in model.graph.initializer:
        data = tensor.raw_data
        blob.extend(bytes(-len(blob) % 4096))
        fields = {"location": "external-data.bin", "offset": len(blob), "length": len(data), "checksum": hashlib.sha1(data).hexdigest()}
        blob.extend(data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in fields.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(text)
    return {"external-data.onnx": model.SerializeToString(deterministic=True), "external-data.bin": bytes(blob)}


def sparse_initializer():
    """A matrix as sparse_initializer (coordinates as linear indices)."""
    net = Net("sparse-initializer", opset=13)
    x = net.input("x", [2, 6])
    values = numpy_helper.from_array(np.float32([0.5, -1.0, 2.0, 0.25]), "w")
    indices = numpy_helper.from_array(np.int64([0, 7, 13, 22]), "w_indices")
    net.node("MatMul", [x, "w"], output="y")
    net.output("y", [2, 4])
    model = net.model()
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [6, 4]))
    return model


def string_tensors():
    """Strings as initializer and as attribute, with text that is not ASCII, and an empty one."""
    net = Net("string-tensors", opset=17)
    index = net.input("index", ["n"], TensorProto.INT64)
    names = ["zero", "", "zwei", "três", "\u56db"]
    net.initializers.append(helper.make_tensor("names", TensorProto.STRING, [5], [name.encode() for name in names]))
    net.node("Gather", ["names", index], output="label")
    net.output("label", ["n"], TensorProto.STRING)
    other = helper.make_tensor("value", TensorProto.STRING, [1], [b"constant"])
    net.node("Constant", [], output="fixed", value=other)
    net.output("fixed", [1], TensorProto.STRING)
    return net.model()


def raw_tensor(name, dtype, shape, data):
    tensor = TensorProto(name=name, data_type=dtype, dims=shape)
    tensor.raw_data = data
    return tensor


def low_precision():
    """int4 and uint4 weights of DequantizeLinear, the four float8 types and bfloat16 behind Cast; all summed."""
    net = Net("low-precision", opset=21, ir_version=10)
    x = net.input("x", [4])
    scale = net.constant(0.125, "scale")
    packed = {"int4": (TensorProto.INT4, b"\x71\xf8"), "uint4": (TensorProto.UINT4, b"\x50\x3f")}
    total = x
    for name, (dtype, data) in packed.items():
        net.initializers.append(raw_tensor(name, dtype, [4], data))
        total = net.node("Add", [total, net.node("DequantizeLinear", [name, scale])])
    values = np.float32([1.0, -0.5, 3.0, 0.0])
    kinds = {
        "float8e4m3fn": (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn), "float8e4m3fnuz": (TensorProto.FLOAT8E4M3FNUZ, ml_dtypes.float8_e4m3fnuz),
        "float8e5m2": (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2), "float8e5m2fnuz": (TensorProto.FLOAT8E5M2FNUZ, ml_dtypes.float8_e5m2fnuz),
        "bfloat16": (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
    }
    for index, (name, (dtype, numpy_type)) in enumerate(kinds.items()):
        net.initializers.append(raw_tensor(name, dtype, [4], values.astype(numpy_type).tobytes()))
        total = net.node("Add", [total, net.node("Cast", [name], to=FLOAT)], output="y" if index == len(kinds) - 1 else None)
    net.output("y", [4])
    return net.model()


def newest_types():
    """Types that came with later versions: float4, float8e8m0, int2, uint2. Not every runtime reads them."""
    net = Net("newest-types", opset=25, ir_version=13)
    x = net.input("x", [4])
    kinds = {"float4e2m1": (TensorProto.FLOAT4E2M1, b"\x21\x7f"), "float8e8m0": (TensorProto.FLOAT8E8M0, b"\x7f\x80\x7e\x7f"),
             "int2": (TensorProto.INT2, b"\xe4"), "uint2": (TensorProto.UINT2, b"\x1b")}
    total = x
    for index, (name, (dtype, data)) in enumerate(kinds.items()):
        net.initializers.append(raw_tensor(name, dtype, [4], data))
        total = net.node("Add", [total, net.node("Cast", [name], to=FLOAT)], output="y" if index == len(kinds) - 1 else None)
    net.output("y", [4])
    return net.model()


def typed_data():
    """Numbers in the typed fields in place of raw_data: float, double, int32 (also for small types), int64 and uint64."""
    net = Net("typed-data", opset=17)
    x = net.input("x", [2, 2])
    numbers = [0.5, -2.0, 3.25, 0.0]
    fields = {
        "as_float": (TensorProto.FLOAT, numbers), "as_double": (TensorProto.DOUBLE, numbers), "as_float16": (TensorProto.FLOAT16, np.float16(numbers)),
        "as_int8": (TensorProto.INT8, [-128, -1, 0, 127]), "as_uint8": (TensorProto.UINT8, [0, 1, 128, 255]), "as_int16": (TensorProto.INT16, [-300, 0, 1, 300]),
        "as_int32": (TensorProto.INT32, [-70000, 0, 1, 70000]), "as_int64": (TensorProto.INT64, [-(2**40), 0, 1, 2**40]),
        "as_uint32": (TensorProto.UINT32, [0, 1, 2**31, 2**32 - 1]), "as_uint64": (TensorProto.UINT64, [0, 1, 2**40, 2**50]),
        "as_bool": (TensorProto.BOOL, [True, False, True, True]),
    }
    total = x
    for index, (name, (dtype, values)) in enumerate(fields.items()):
        tensor = helper.make_tensor(name, dtype, [2, 2], values)
        assert not tensor.raw_data
        net.initializers.append(tensor)
        as_float = name if dtype == FLOAT else net.node("Cast", [name], to=FLOAT)
        total = net.node("Add", [total, as_float], output="y" if index == len(fields) - 1 else None)
    net.output("y", [2, 2])
    return net.model()


def float16_net():
    """A net in half precision with BatchNormalization."""
    net = Net("float16-net", opset=15)
    x = net.input("x", [1, 3, 6, 6], TensorProto.FLOAT16)
    hidden = net.node("Conv", [x, net.weight(4, 3, 3, 3, dtype=np.float16), net.weight(4, dtype=np.float16)], kernel_shape=[3, 3])
    parameters = [net.constant(net.rng.uniform(0.5, 1.5, 4), dtype=np.float16) for _ in range(4)]
    net.node("Relu", [net.node("BatchNormalization", [hidden, *parameters])], output="y")
    net.output("y", [1, 4, 4, 4], TensorProto.FLOAT16)
    return net.model()


def zero_size():
    """Empty tensors, scalars, and a Concat with an empty part."""
    net = Net("zero-size", opset=17)
    x = net.input("x", [2, 3])
    net.constant(np.zeros((0, 3)), "nothing")
    net.constant(2.0, "scalar")
    net.node("Concat", ["nothing", x], output="joined", axis=0)
    net.node("Mul", ["joined", "scalar"], output="y")
    net.output("y", [2, 3])
    net.node("Shape", ["nothing"], output="sizes")
    net.output("sizes", [2], TensorProto.INT64)
    return net.model()


MODELS = {
    "external-data": external_data,
    "sparse-initializer": sparse_initializer,
    "string-tensors": string_tensors,
    "low-precision": low_precision,
    "newest-types": newest_types,
    "typed-data": typed_data,
    "float16-net": float16_net,
    "zero-size": zero_size,
}
