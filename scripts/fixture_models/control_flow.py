"""Subgraphs: If, Loop, Scan, values captured from outer scopes, and local functions."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from .net import FLOAT, Net

value = helper.make_tensor_value_info


def branch(name, nodes, output, shape, initializers=()):
    return helper.make_graph(nodes, name, [], [value(output, FLOAT, shape)], list(initializers))


def if_constant():
    """The condition is an initializer: one branch can be inlined. That branch holds another If with a Constant condition."""
    net = Net("if-constant")
    x = net.input("x", [1, 4, 6, 6])
    inner_then = branch("inner_then", [helper.make_node("Relu", ["taken"], ["inner_a"], name="inner_relu")], "inner_a", [1, 4, 6, 6])
    inner_else = branch("inner_else", [helper.make_node("Neg", ["taken"], ["inner_b"], name="inner_neg")], "inner_b", [1, 4, 6, 6])
    scale = numpy_helper.from_array(np.float32([2.0]), "scale")
    condition = numpy_helper.from_array(np.array(False), "inner_condition_value")
    then_nodes = [
        helper.make_node("Mul", ["features", "scale"], ["taken"], name="scale_features"),
        helper.make_node("Constant", [], ["inner_condition"], name="inner_condition_node", value=condition),
        helper.make_node("If", ["inner_condition"], ["then_out"], name="inner_if", then_branch=inner_then, else_branch=inner_else),
    ]
    then_branch = branch("then", then_nodes, "then_out", [1, 4, 6, 6], [scale])
    else_branch = branch("else", [helper.make_node("Abs", ["features"], ["else_out"], name="abs")], "else_out", [1, 4, 6, 6])
    net.conv(x, 4, 4, output="features", pads=[1, 1, 1, 1])
    net.constant(True, "condition", np.bool_)
    net.node("If", ["condition"], output="y", then_branch=then_branch, else_branch=else_branch)
    net.output("y", [1, 4, 6, 6])
    return net.model()


def if_runtime():
    """The condition depends on the input; branches capture a weight, an intermediate value and the input of the outer graph."""
    net = Net("if-runtime")
    x = net.input("x", ["n", 4, 6, 6])
    net.conv(x, 4, 4, output="features", pads=[1, 1, 1, 1])
    net.weight(4, 4, 1, 1, name="outer_weight")
    net.node("ReduceSum", [x], output="total", keepdims=0)
    net.node("Greater", ["total", net.constant(0.0, "zero")], output="positive")
    shape = ["n", 4, 6, 6]
    deepest = branch("deepest", [helper.make_node("Add", ["features", "x"], ["deepest_out"], name="deepest_add")], "deepest_out", shape)
    other = branch("other", [helper.make_node("Sub", ["mixed", "features"], ["other_out"], name="other_sub")], "other_out", shape)
    then_nodes = [
        helper.make_node("Conv", ["features", "outer_weight"], ["mixed"], name="branch_conv"),
        helper.make_node("If", ["positive"], ["then_out"], name="nested_if", then_branch=deepest, else_branch=other),
    ]
    then_branch = branch("then", then_nodes, "then_out", shape)
    else_branch = branch("else", [helper.make_node("Identity", ["features"], ["else_out"], name="pass_on")], "else_out", shape)
    net.node("If", ["positive"], output="chosen", then_branch=then_branch, else_branch=else_branch)
    net.node("Relu", ["chosen"], output="y")
    net.output("y", shape)
    return net.model()


def loop():
    """A counted loop with a carried value, a scan output, an early stop and a captured weight; values inside shadow none outside."""
    net = Net("loop")
    x = net.input("x", [2, 3])
    net.weight(3, 3, name="step_weight")
    net.constant(4, "trips", np.int64)
    net.constant(True, "go_on", np.bool_)
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state_in", "step_weight"], ["product"], name="body_matmul"),
            helper.make_node("Tanh", ["product"], ["state_out"], name="body_tanh"),
            helper.make_node("ReduceMax", ["state_out"], ["largest"], name="body_max", keepdims=0),
            helper.make_node("Less", ["largest", "limit"], ["go_on_out"], name="body_less"),
            helper.make_node("Identity", ["state_out"], ["seen"], name="body_seen"),
        ],
        "body",
        [value("iteration", TensorProto.INT64, []), value("go_on_in", TensorProto.BOOL, []), value("state_in", FLOAT, [2, 3])],
        [value("go_on_out", TensorProto.BOOL, []), value("state_out", FLOAT, [2, 3]), value("seen", FLOAT, [2, 3])],
        [numpy_helper.from_array(np.float32(0.999), "limit")],
    )
    net.node("Loop", ["trips", "go_on", x], outputs=["final", "history"], body=body)
    net.output("final", [2, 3])
    net.output("history", [None, 2, 3])
    return net.model()


def scan():
    """A running sum over the first axis."""
    net = Net("scan")
    x = net.input("x", [5, 3])
    net.constant(np.zeros(3), "start")
    body = helper.make_graph(
        [helper.make_node("Add", ["sum_in", "row"], ["sum_out"], name="body_add"), helper.make_node("Identity", ["sum_out"], ["row_out"], name="body_row")],
        "body",
        [value("sum_in", FLOAT, [3]), value("row", FLOAT, [3])],
        [value("sum_out", FLOAT, [3]), value("row_out", FLOAT, [3])],
    )
    net.node("Scan", ["start", x], outputs=["total", "sums"], body=body, num_scan_inputs=1)
    net.output("total", [3])
    net.output("sums", [5, 3])
    return net.model()


def reference(node_inputs, outputs, op_type, **references):
    """A node of a function body whose attributes refer to the function's."""
    node = helper.make_node(op_type, node_inputs, outputs, name=f"{op_type}_{outputs[0]}")
    for attribute, (source, kind) in references.items():
        item = node.attribute.add()
        item.name, item.ref_attr_name, item.type = attribute, source, kind
    return node


FUNCTION_DOMAIN = "mcompress.fixture"


def functions():
    """Local functions: one called twice with different attributes, one with a default attribute, one that calls the other."""
    net = Net("functions", opset=18, ir_version=9, domains=[FUNCTION_DOMAIN])
    opsets = [helper.make_opsetid("", 18)]
    leaky = helper.make_function(
        FUNCTION_DOMAIN, "ScaledLeaky", ["data", "factor"], ["result"],
        [reference(["data"], ["bent"], "LeakyRelu", alpha=("slope", 1)), helper.make_node("Mul", ["bent", "factor"], ["result"], name="times")],
        opsets, ["slope"],
    )
    with_default = helper.make_function(
        FUNCTION_DOMAIN, "Sharpen", ["data"], ["result"],
        [reference(["data"], ["soft"], "Elu", alpha=("alpha", 1)), helper.make_node("Identity", ["soft"], ["result"], name="same")],
        opsets, [], [helper.make_attribute("alpha", 0.5)],
    )
    calling = helper.make_function(
        FUNCTION_DOMAIN, "Twice", ["data", "factor"], ["result"],
        [
            helper.make_node("ScaledLeaky", ["data", "factor"], ["once"], name="call_once", domain=FUNCTION_DOMAIN, slope=0.25),
            helper.make_node("Sharpen", ["once"], ["result"], name="call_sharpen", domain=FUNCTION_DOMAIN),
        ],
        [*opsets, helper.make_opsetid(FUNCTION_DOMAIN, 1)],
    )
    unused = helper.make_function(FUNCTION_DOMAIN, "Unused", ["data"], ["result"], [helper.make_node("Neg", ["data"], ["result"])], opsets)
    net.functions = [leaky, with_default, calling, unused]
    x = net.input("x", [1, 3, 4, 4])
    factor = net.positive(1, 3, 1, 1, name="factor")
    once = net.node("ScaledLeaky", [x, factor], domain=FUNCTION_DOMAIN, slope=0.1)
    twice = net.node("Twice", [once, factor], domain=FUNCTION_DOMAIN)
    net.node("Sharpen", [twice], output="y", domain=FUNCTION_DOMAIN, alpha=2.0)
    net.output("y", [1, 3, 4, 4])
    return net.model()


def function_overloads():
    """Two functions of one name that differ by overload (IR 10)."""
    net = Net("function-overloads", opset=21, ir_version=10, domains=[FUNCTION_DOMAIN])
    opsets = [helper.make_opsetid("", 21)]
    for overload, op_type in (("up", "Exp"), ("down", "Neg")):
        node = helper.make_node(op_type, ["data"], ["result"], name=f"{overload}_body")
        net.functions.append(helper.make_function(FUNCTION_DOMAIN, "Bend", ["data"], ["result"], [node], opsets, overload=overload))
    x = net.input("x", [2, 3])
    up = net.node("Bend", [x], domain=FUNCTION_DOMAIN, overload="up")
    net.node("Bend", [up], output="y", domain=FUNCTION_DOMAIN, overload="down")
    net.output("y", [2, 3])
    return net.model()


def captured_by_branch():
    """Conv and BatchNormalization that must not be merged: the value between them is used inside a branch, or is a graph output."""
    net = Net("captured-between")
    x = net.input("x", [1, 4, 6, 6])
    between = net.conv(x, 4, 4, output="between", pads=[1, 1, 1, 1])
    normal = net.batch_norm(between, 4)
    net.node("ReduceSum", [x], output="total", keepdims=0)
    net.node("Greater", ["total", net.constant(0.0, "zero")], output="positive")
    shape = [1, 4, 6, 6]
    then_branch = branch("then", [helper.make_node("Relu", ["between"], ["then_out"], name="branch_relu")], "then_out", shape)
    else_branch = branch("else", [helper.make_node("Neg", ["between"], ["else_out"], name="branch_neg")], "else_out", shape)
    net.node("If", ["positive"], output="chosen", then_branch=then_branch, else_branch=else_branch)
    net.node("Add", [normal, "chosen"], output="joined")
    shown = net.conv("joined", 4, 4, output="shown", kernel=(1, 1))
    net.batch_norm(shown, 4, output="y")
    net.output("y", shape)
    net.output("shown", shape)
    return net.model()


MODELS = {
    "if-constant": if_constant,
    "if-runtime": if_runtime,
    "loop": loop,
    "scan": scan,
    "functions": functions,
    "function-overloads": function_overloads,
    "captured-between": captured_by_branch,
}
