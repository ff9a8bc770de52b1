"""Files whose bytes are unusual: written field by field, because the protobuf library writes only one form of a message."""

import struct

import numpy as np

from .net import Net

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number, kind, body):
    """One field: an integer for VARINT, bytes for the others."""
    head = varint(number << 3 | kind)
    if kind == VARINT:
        return head + varint(body & 0xFFFFFFFFFFFFFFFF)
    return head + (varint(len(body)) + body if kind == BYTES else body)


def message(number, *parts):
    return field(number, BYTES, b"".join(part.encode() if isinstance(part, str) else part for part in parts))


def text(number, value):
    return field(number, BYTES, value.encode())


UNKNOWN = [field(500, VARINT, 123456789), field(501, FIXED64, b"abcdefgh"), field(502, BYTES, b"from a later version"), field(503, FIXED32, b"wxyz")]


def unknown_fields():
    """Fields that no schema of today has, of every wire type, at the end of the model, the graph, a node and a tensor, and between known ones."""
    net = Net("unknown-fields", opset=17)
    x = net.input("x", [1, 3, 6, 6])
    net.node("Relu", [net.batch_norm(net.conv(x, 3, 4), 4)], output="y")
    net.output("y", [1, 4, 4, 4])
    model = net.model()
    late = b"".join(UNKNOWN)
    nodes = [message(1, UNKNOWN[2], node.SerializeToString(deterministic=True), late) for node in model.graph.node]
    tensors = [message(5, tensor.SerializeToString(deterministic=True), late) for tensor in model.graph.initializer]
    inputs = [message(11, item.SerializeToString(deterministic=True), late) for item in model.graph.input]
    outputs = [message(12, item.SerializeToString(deterministic=True)) for item in model.graph.output]
    graph = message(7, UNKNOWN[0], *nodes, UNKNOWN[1], text(2, "unknown-fields"), *tensors, *inputs, *outputs, late)
    return field(1, VARINT, model.ir_version) + UNKNOWN[3] + opset(17) + graph + late


def opset(version):
    return message(8, text(1, ""), field(2, VARINT, version))


def tensor_type(*dims):
    shape = b"".join(message(1, field(1, VARINT, dim)) for dim in dims)
    return message(2, message(1, field(1, VARINT, 1), message(2, shape)))


def value_info(number, name, *dims):
    return message(number, text(1, name), tensor_type(*dims))


def repeated_forms(packed):
    """One model in two encodings: repeated numbers packed into one field, or one field each. Both are legal to read."""
    weights = np.linspace(-1, 1, 12, dtype=np.float32)
    values = [struct.pack("<f", number) for number in weights]
    integers = [1, 8]

    def integers_as(number, items):
        if packed:
            return field(number, BYTES, b"".join(varint(item & 0xFFFFFFFFFFFFFFFF) for item in items))
        return b"".join(field(number, VARINT, item) for item in items)

    floats = field(4, BYTES, b"".join(values)) if packed else b"".join(field(4, FIXED32, value) for value in values)
    weight = message(5, integers_as(1, [3, 4]), field(2, VARINT, 1), floats, text(8, "w"))
    target = message(5, integers_as(1, [2]), field(2, VARINT, 7), integers_as(7, integers), text(8, "target"))
    floats_list = [struct.pack("<f", number) for number in (0.5, 0.25)]
    listed = field(7, BYTES, b"".join(floats_list)) if packed else b"".join(field(7, FIXED32, value) for value in floats_list)
    constant = message(1, text(2, "c"), text(3, "constant"), text(4, "Constant"), message(5, text(1, "value_floats"), field(20, VARINT, 6), listed))
    permute = message(1, text(1, "product"), text(2, "turned"), text(3, "transpose"), text(4, "Transpose"),
                      message(5, text(1, "perm"), field(20, VARINT, 7), integers_as(8, [1, 0])))
    multiply = message(1, text(1, "x"), text(1, "w"), text(2, "product"), text(3, "matmul"), text(4, "MatMul"))
    shape = message(1, text(1, "turned"), text(1, "target"), text(2, "flat"), text(3, "reshape"), text(4, "Reshape"))
    absolute = message(1, text(1, "flat"), text(2, "y"), text(3, "abs"), text(4, "Abs"))
    graph = message(7, multiply, permute, constant, shape, absolute, text(2, "repeated"), weight, target, value_info(11, "x", 2, 3), value_info(12, "y", 1, 8),
                    value_info(12, "c", 2))
    return field(1, VARINT, 8) + opset(17) + graph


def repeated_last_wins():
    """A scalar field given twice (the last one counts) and a submessage given twice (its parts are joined), as protobuf allows."""
    node = message(1, text(1, "x"), text(2, "y"), text(4, "Neg"), text(4, "Relu"), text(3, "only"))
    first = message(7, node, text(2, "old name"), value_info(11, "x", 2, 2))
    second = message(7, text(2, "new name"), value_info(12, "y", 2, 2))
    return field(1, VARINT, 3) + field(1, VARINT, 8) + opset(17) + first + second


MODELS = {
    "unknown-fields": unknown_fields,
    "repeated-packed": lambda: repeated_forms(True),
    "repeated-unpacked": lambda: repeated_forms(False),
    "repeated-last-wins": repeated_last_wins,
}
