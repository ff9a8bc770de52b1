"""Writes operator-cases.json: one-node models, with the types and shapes (and small integer values) of their outputs.

Truth is ONNX Runtime, which runs each model; where it has no kernel, onnx's own strict shape inference (data_prop). Where
both answer and disagree, the case is printed and ONNX Runtime's answer is kept.

    python generate_cases.py > operator-cases.json
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ort.set_default_logger_severity(4)
NEWEST = 23  # the newest ai.onnx opset that the runtime has kernels for throughout
DTYPES = {'float32': TensorProto.FLOAT, 'float16': TensorProto.FLOAT16, 'float64': TensorProto.DOUBLE, 'int64': TensorProto.INT64,
          'int32': TensorProto.INT32, 'int8': TensorProto.INT8, 'uint8': TensorProto.UINT8, 'bool': TensorProto.BOOL, 'string': TensorProto.STRING}
NAMES = {code: name for name, code in DTYPES.items()}
rng = np.random.default_rng(0)
cases = []


def var(*dims, dtype='float32', high=4):
    """An input whose numbers no inference may look at."""
    return {'dtype': dtype, 'dims': list(dims), 'high': high}


def const(values, dtype='int64'):
    array = np.array(values, dtype=dtype)
    return {'dtype': dtype, 'dims': list(array.shape), 'data': array.flatten().tolist()}


def tensor_of(spec, name):
    if 'data' in spec:
        return numpy_helper.from_array(np.array(spec['data'], dtype=spec['dtype']).reshape(spec['dims']), name)
    return None


def feed_of(spec):
    if spec['dtype'] == 'string':
        return np.full(spec['dims'], 'a', dtype=object)
    if spec['dtype'].startswith('float'):
        return rng.uniform(0.1, 1, spec['dims']).astype(spec['dtype'])
    return rng.integers(0, 2 if spec['dtype'] == 'bool' else spec['high'], spec['dims']).astype(spec['dtype'])


def attribute(value):
    """As the table stores it: kind first."""
    if isinstance(value, np.ndarray):
        return ['tensor', str(value.dtype), list(value.shape), value.flatten().tolist()]
    if isinstance(value, (list, tuple)):
        kind = 'floats' if any(isinstance(item, float) for item in value) else 'strings' if value and isinstance(value[0], str) else 'ints'
        return [kind, list(value)]
    return [{int: 'int', float: 'float', str: 'string'}[type(value)], value]


def build(op, domain, opset, inputs, outputs, attributes):
    names = ['' if spec is None else f'x{i}' for i, spec in enumerate(inputs)]
    node = helper.make_node(op, names, [f'y{i}' for i in range(outputs)], domain=domain)
    for key, value in attributes.items():
        node.attribute.append(helper.make_attribute(key, numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value))
    graph_inputs = [helper.make_tensor_value_info(names[i], DTYPES[s['dtype']], s['dims']) for i, s in enumerate(inputs) if s and 'data' not in s]
    initializers = [tensor_of(s, names[i]) for i, s in enumerate(inputs) if s and 'data' in s]
    graph = helper.make_graph([node], 'g', graph_inputs, [onnx.ValueInfoProto(name=f'y{i}') for i in range(outputs)], initializers)
    imports = [helper.make_opsetid('', opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 21 else 10)


def infer(model, outputs):
    """Type and dims per output by onnx; dims may hold None."""
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    found = {value.name: value.type.tensor_type for value in inferred.graph.output}
    results = []
    for i in range(outputs):
        tensor = found[f'y{i}']
        dims = [d.dim_value if d.HasField('dim_value') else None for d in tensor.shape.dim] if tensor.HasField('shape') else None
        results.append((NAMES.get(tensor.elem_type), dims))
    return results


def open_session(model):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider'])


def execute(model, inputs):
    return open_session(model).run(None, {f'x{i}': feed_of(s) for i, s in enumerate(inputs) if s and 'data' not in s})


def observe(model, inputs):
    """'m' when the first output never falls as the first input grows, 'h' when f(3 x) = 3 f(x); other inputs stay."""
    first = inputs[0] if inputs else None
    if not first or 'data' in first or first['dtype'] != 'float32':
        return None
    session = open_session(model)
    others = {f'x{i}': feed_of(s) for i, s in enumerate(inputs) if s and 'data' not in s}
    grows = scales = True
    for _ in range(8):
        x = rng.normal(0, 2, first['dims']).astype(np.float32)
        more = x + rng.choice([0, 0.25, 1, 3], first['dims']).astype(np.float32)
        y, y_more, y_scaled = (session.run(None, {**others, 'x0': np.asarray(value, np.float32)})[0] for value in (x, more, 3 * x))
        if not isinstance(y, np.ndarray) or y.dtype.kind not in 'fiu':
            return None
        with np.errstate(invalid='ignore'):
            grows &= bool(np.all(y_more >= y - 1e-6 * np.abs(y)))
            scales &= y.dtype == np.float32 and bool(np.allclose(y_scaled, 3 * y, rtol=1e-4, atol=1e-5, equal_nan=True))
    return ('m' if grows else '') + ('h' if scales else '')


def numpy_name(array):
    return 'string' if array.dtype.kind in 'OU' else str(array.dtype)


def case(op, inputs, attributes=None, outputs=1, opsets=None, domain=''):
    attributes = attributes or {}
    for opset in opsets or versions(op, domain):
        model = build(op, domain, opset, inputs, outputs, attributes)
        by_onnx = by_runtime = values = None
        problems = []
        try:
            by_onnx = infer(model, outputs) if domain == '' else None
        except Exception as error:  # the message says which rule
            problems.append(f'onnx: {str(error)[:160]}')
        try:
            values = execute(model, inputs)
            by_runtime = [(numpy_name(value), list(value.shape)) for value in values]
        except Exception as error:
            problems.append(f'ort: {str(error)[:160]}')
        best = by_runtime or by_onnx
        label = f'{op}-{opset} {attributes} {[s and s["dims"] for s in inputs]}'
        if best is None or any(dims is None or None in dims or dtype is None for dtype, dims in best):
            print(f'left out: {label}: {best} {problems}', file=sys.stderr)
            continue
        if by_onnx and by_runtime:
            for (t1, d1), (t2, d2) in zip(by_onnx, by_runtime):
                if t1 != t2 or (d1 is not None and (len(d1) != len(d2) or any(a is not None and a != b for a, b in zip(d1, d2)))):
                    print(f'disagree: {label}: onnx {by_onnx}, runtime {by_runtime}', file=sys.stderr)
        entry = {'op': op, **({'domain': domain} if domain else {}), 'opset': opset,
                 'in': [s and [s['dtype'], s['dims']] + ([s['data']] if 'data' in s else []) for s in inputs],
                 **({'attr': {k: attribute(v) for k, v in attributes.items()}} if attributes else {}),
                 'out': [[dtype, dims] for dtype, dims in best]}
        if values is not None and all(s is None or 'data' in s for s in inputs):
            for value, out in zip(values, entry['out']):
                if value.dtype.kind in 'iub' and value.size <= 64:
                    out.append(value.astype(np.int64).flatten().tolist())
        if by_runtime:
            entry['is'] = observe(model, inputs)
            if entry['is'] is None:
                del entry['is']
        cases.append(entry)


def versions(op, domain):
    if domain:
        return [17]
    since = sorted({schema.since_version for schema in onnx.defs.get_all_schemas_with_history() if schema.name == op and schema.domain == ''})
    usable = [v for v in since if 7 <= v <= NEWEST]
    older = [v for v in since if v < 7]
    return ([7] if older and 7 not in usable else []) + usable


def since(op, version):
    """Versions of `op` from `version` on."""
    return [v for v in versions(op, '') if v >= version] or [version]


def before(op, version):
    return [v for v in versions(op, '') if v < version]


exec(open(__file__.replace('generate_cases.py', 'case_list.py')).read())

# One line for all opsets in which a case has the same answer.
merged = {}
for entry in cases:
    rest = {key: value for key, value in entry.items() if key != 'opset'}
    merged.setdefault(json.dumps(rest, separators=(',', ':')), []).append(entry['opset'])
lines = [f'{{"opsets":{json.dumps(opsets, separators=(",", ":"))},{text[1:]}' for text, opsets in merged.items()]
print('[' + ',\n'.join(lines) + ']')
print(f'{len(cases)} cases, {len(lines)} lines', file=sys.stderr)
