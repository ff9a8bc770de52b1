"""A short way to write a model: nodes and weights are added in order, names and random weights are made up."""

import zlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


class Net:
    """A graph under construction. Weights come from a generator that is seeded by the model's name."""

    def __init__(self, name, opset=17, ir_version=8, domains=()):
        self.name, self.opset, self.ir_version, self.domains = name, opset, ir_version, domains
        self.nodes, self.initializers, self.inputs, self.outputs, self.value_info = [], [], [], [], []
        self.functions = []
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.counts = {}

    def unique(self, stem):
        self.counts[stem] = self.counts.get(stem, 0) + 1
        return f"{stem}_{self.counts[stem]}"

    def input(self, name, shape, dtype=FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, name, shape=None, dtype=FLOAT):
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, values, name=None, dtype=np.float32):
        name = name or self.unique("const")
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def weight(self, *shape, name=None, dtype=np.float32):
        """Normal values scaled by the fan-in, so that activations keep their size."""
        fan_in = max(1, int(np.prod(shape[1:])))
        return self.constant(self.rng.standard_normal(shape) / np.sqrt(fan_in), name or self.unique("w"), dtype)

    def positive(self, *shape, name=None):
        return self.constant(self.rng.uniform(0.5, 1.5, shape), name or self.unique("p"))

    def node(self, op_type, inputs, output=None, outputs=None, **attributes):
        """Adds a node; gives the name of its first output."""
        outputs = outputs or [output or self.unique(op_type.lower())]
        self.nodes.append(helper.make_node(op_type, inputs, outputs, name=attributes.pop("name", self.unique(op_type)), **attributes))
        return outputs[0]

    def conv(self, value, channels_in, channels_out, kernel=(3, 3), bias=True, group=1, output=None, op_type="Conv", **attributes):
        shape = (channels_out, channels_in // group, *kernel) if op_type == "Conv" else (channels_in, channels_out // group, *kernel)
        inputs = [value, self.weight(*shape)] + ([self.weight(channels_out, name=self.unique("b"))] if bias else [])
        return self.node(op_type, inputs, output=output, kernel_shape=list(kernel), group=group, **attributes)

    def batch_norm(self, value, channels, output=None):
        parameters = [self.positive(channels), self.weight(channels), self.weight(channels), self.positive(channels)]
        return self.node("BatchNormalization", [value, *parameters], output=output, epsilon=1e-5)

    def graph(self):
        return helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers, value_info=self.value_info)

    def model(self, **fields):
        imports = [helper.make_opsetid("", self.opset), *[helper.make_opsetid(domain, 1) for domain in self.domains]]
        model = helper.make_model(self.graph(), opset_imports=imports, ir_version=self.ir_version, functions=self.functions, **fields)
        model.producer_name = "mcompress fixtures"
        return model
