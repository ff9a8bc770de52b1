"""What a tool must carry through or leave alone: old and new file versions, metadata, foreign operators, open constants."""

import numpy as np
from onnx import TensorProto, helper

from .net import FLOAT, Net


def ir3_inputs():
    """IR 3, opset 7: every initializer is a graph input too, as old exporters wrote it."""
    net = Net("ir3-initializers-as-inputs", opset=7, ir_version=3)
    x = net.input("x", [1, 3, 8, 8])
    hidden = net.batch_norm(net.conv(x, 3, 4, pads=[1, 1, 1, 1]), 4)
    hidden = net.node("Dropout", [net.node("Relu", [hidden])], ratio=0.5)
    pooled = net.node("GlobalAveragePool", [hidden])
    net.node("Reshape", [pooled, net.constant([1, 4], "shape", np.int64)], output="y")
    net.output("y", [1, 4])
    for tensor in net.initializers:
        net.input(tensor.name, list(tensor.dims), tensor.data_type)
    return net.model()


def optional_inputs():
    """Omitted inputs and outputs as empty names, in the middle and at the end."""
    net = Net("optional-inputs", opset=18)
    x = net.input("x", [1, 2, 4, 4])
    bigger = net.node("Resize", [x, "", net.constant([1, 1, 2, 2], "scales")], mode="nearest")
    bounded = net.node("Clip", [bigger, "", net.constant(0.5, "upper")])
    padded = net.node("Pad", [bounded, net.constant([0, 0, 1, 1, 0, 0, 1, 1], "pads", np.int64), ""])
    rows = net.node("Reshape", [padded, net.constant([1, 2, 100], "rows", np.int64)])
    steps = net.node("Transpose", [rows], perm=[2, 0, 1])
    weights = [net.weight(1, 16, 2), net.weight(1, 16, 4)]
    net.node("LSTM", [steps, *weights, "", "", "", ""], outputs=["", "y", ""], hidden_size=4)
    net.output("y", [1, 1, 4])
    return net.model()


def custom_domain():
    """An operator of a domain that nobody knows, between ones that everybody knows. No runtime loads it."""
    net = Net("custom-domain", domains=["example.unknown"])
    x = net.input("x", [1, 3, 6, 6])
    hidden = net.batch_norm(net.conv(x, 3, 4), 4)
    hidden = net.node("Mystery", [hidden, ""], domain="example.unknown", strength=0.5, mode="soft", table=[1, 2, 3])
    net.node("Relu", [net.batch_norm(net.conv(hidden, 4, 4), 4)], output="y")
    net.output("y", [1, 4, None, None])
    return net.model()


def set_metadata(target, level):
    entry = target.metadata_props.add()
    entry.key, entry.value = f"{level}.key", f"{level} value \u00e9"


def metadata():
    """metadata_props and doc_string on every level that has them: model, graph, node, tensor, value, function."""
    net = Net("metadata-everywhere", opset=21, ir_version=10, domains=["mcompress.fixture"])
    body = [helper.make_node("Relu", ["data"], ["result"], name="body_relu")]
    function = helper.make_function("mcompress.fixture", "Soft", ["data"], ["result"], body, [helper.make_opsetid("", 21)])
    function.value_info.append(helper.make_tensor_value_info("result", FLOAT, [1, 4, 4, 4]))
    net.functions = [function]
    x = net.input("x", [1, 3, 6, 6])
    hidden = net.batch_norm(net.conv(x, 3, 4), 4)
    soft = net.node("Soft", [hidden], domain="mcompress.fixture")
    net.node("Identity", [soft], output="y")
    net.output("y", [1, 4, 4, 4])
    net.value_info.append(helper.make_tensor_value_info(hidden, FLOAT, [1, 4, 4, 4]))
    model = net.model()
    graph = model.graph
    parts = [("model", model), ("graph", graph), ("node", graph.node[0]), ("norm", graph.node[1]), ("tensor", graph.initializer[0]), ("value", graph.value_info[0]),
             ("input", graph.input[0]), ("function", model.functions[0]), ("function_node", model.functions[0].node[0])]
    for level, part in parts:
        set_metadata(part, level)
        part.doc_string = f"doc of {level}"
    model.model_version, model.domain, model.producer_version = 7, "example.models", "1.2.3"
    return model


def training_info():
    """A model with training_info: an initialization graph and an algorithm graph with bindings."""
    net = Net("training-info", opset=17)
    x = net.input("x", [2, 3])
    net.weight(3, 4, name="w")
    net.node("MatMul", [x, "w"], output="y")
    net.output("y", [2, 4])
    model = net.model()
    random = helper.make_node("RandomNormal", [], ["w_start"], name="init_w", shape=[3, 4], seed=1.0)
    initialization = helper.make_graph([random], "initialization", [], [helper.make_tensor_value_info("w_start", FLOAT, [3, 4])])
    halve = helper.make_node("Mul", ["w", "half"], ["w_next"], name="decay")
    half = helper.make_tensor("half", FLOAT, [], [0.5])
    algorithm = helper.make_graph([halve], "algorithm", [], [helper.make_tensor_value_info("w_next", FLOAT, [3, 4])], [half])
    model.training_info.append(helper.make_training_info(algorithm, [("w", "w_next")], initialization, [("w", "w_start")]))
    return model


def symbolic_dims():
    """Named dynamic dimensions, and a flatten written as a Shape, Gather, Unsqueeze, Concat, Reshape chain."""
    net = Net("symbolic-dims", opset=13)
    x = net.input("x", ["batch", 3, "height", "width"])
    features = net.node("Relu", [net.conv(x, 3, 4, pads=[1, 1, 1, 1])])
    shape = net.node("Shape", [features])
    net.constant([0], "axis0", np.int64)
    batch = net.node("Unsqueeze", [net.node("Gather", [shape, net.constant(0, "zero", np.int64)], axis=0), "axis0"])
    channels = net.node("Unsqueeze", [net.node("Gather", [shape, net.constant(1, "one", np.int64)], axis=0), "axis0"])
    target = net.node("Concat", [batch, channels, net.constant([-1], "rest", np.int64)], axis=0)
    net.node("Reshape", [features, target], output="y")
    net.output("y", ["batch", 4, "height*width"])
    net.node("Slice", [shape, net.constant([2], "from", np.int64), net.constant([4], "to", np.int64), "axis0"], output="size")
    net.output("size", [2], TensorProto.INT64)
    return net.model()


def sequence_types():
    """Values that are no tensors: a sequence between nodes and as an output."""
    net = Net("sequence-types", opset=17)
    x = net.input("x", [4, 3])
    parts = net.node("SplitToSequence", [x, net.constant([1, 3], "lengths", np.int64)], output="parts", axis=0)
    net.node("SequenceAt", [parts, net.constant(1, "position", np.int64)], output="y")
    net.output("y", [3, 3])
    net.outputs.append(helper.make_tensor_sequence_value_info("parts", FLOAT, None))
    return net.model()


def random_operators():
    """Random operators: two alike without a seed are two different values, and neither is a constant."""
    net = Net("random-operators", opset=17)
    x = net.input("x", [2, 3])
    first = net.node("RandomUniform", [], shape=[2, 3])
    second = net.node("RandomUniform", [], shape=[2, 3])
    seeded = net.node("RandomNormal", [], shape=[2, 3], seed=3.0)
    net.node("Add", [net.node("Sub", [first, second]), net.node("Add", [x, seeded])], output="y")
    net.output("y", [2, 3])
    return net.model()


def ml_domain():
    """Operators of ai.onnx.ml: Scaler, LinearClassifier with string labels, and a ZipMap whose output is a sequence of maps."""
    net = Net("ml-domain", opset=17, domains=["ai.onnx.ml"])
    x = net.input("x", ["n", 3])
    scaled = net.node("Scaler", [x], domain="ai.onnx.ml", offset=[1.0, 0.0, -1.0], scale=[0.5, 2.0, 1.0])
    coefficients = net.rng.standard_normal(6).round(3).tolist()
    net.node("LinearClassifier", [scaled], outputs=["label", "scores"], domain="ai.onnx.ml", coefficients=coefficients, intercepts=[0.1, -0.1],
             classlabels_strings=["cat", "dog"], post_transform="SOFTMAX")
    net.node("ZipMap", ["scores"], output="named", domain="ai.onnx.ml", classlabels_strings=["cat", "dog"])
    net.output("label", ["n"], TensorProto.STRING)
    net.output("scores", ["n", 2])
    of_maps = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(FLOAT, [])))
    net.outputs.append(helper.make_value_info("named", of_maps))
    return net.model()


def newest_ir():
    """The newest IR version and opset of the standard, which runtimes of today may refuse, with a device configuration."""
    net = Net("newest-ir", opset=28, ir_version=14)
    x = net.input("x", [2, 3])
    net.node("Relu", [x], output="y")
    net.output("y", [2, 3])
    model = net.model()
    configuration = model.configuration.add()
    configuration.name, configuration.num_devices = "two", 2
    configuration.device.extend(["first", "second"])
    of_node = model.graph.node[0].device_configurations.add()
    of_node.configuration_id, of_node.pipeline_stage = "two", 1
    return model


MODELS = {
    "ir3-initializers-as-inputs": ir3_inputs,
    "optional-inputs": optional_inputs,
    "custom-domain": custom_domain,
    "metadata-everywhere": metadata,
    "training-info": training_info,
    "symbolic-dims": symbolic_dims,
    "sequence-types": sequence_types,
    "random-operators": random_operators,
    "ml-domain": ml_domain,
    "newest-ir": newest_ir,
}
