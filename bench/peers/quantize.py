"""Quantizes with onnxruntime.quantization, for the quantization benches.

    python bench/peers/quantize.py prepare MODEL OUT                              opset 13 or later, then quant_pre_process
    python bench/peers/quantize.py quantize PREPARED CALIBRATION.npz CONFIG OUT   the named configuration (dynamic reads no data)
    python bench/peers/quantize.py preprocess MODEL OUT                           quant_pre_process alone
    python bench/peers/quantize.py calibrate PREPARED CALIBRATION.npz METHOD OUT   only the ranges (Percentile, Entropy, MinMax); writes their names
    python bench/peers/quantize.py versions                                       JSON

An error ends it with status 1 and one line in OUT.error. Needs: pip install onnx onnxruntime onnxslim sympy.
"""

import json
import logging
import os
import sys
import tempfile

import numpy as np
import onnx

LOWEST_OPSET = 13


def without_input_initializers(model):
    """A constant that is also an input is folded by no one."""
    names = {initializer.name for initializer in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 8)
    return model


def raise_opset(source, target):
    """What a user of the peer has to do by hand for per-channel weights: the converter of the onnx package, then onnxslim."""
    import onnxslim

    model = without_input_initializers(onnx.load(source))
    model = onnx.version_converter.convert_version(model, LOWEST_OPSET)
    onnx.save(onnxslim.slim(model), target)


def preprocess(source, target):
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(source, target)


def prepare(source, target):
    opset = next(
        entry.version
        for entry in onnx.load(source).opset_import
        if entry.domain in ("", "ai.onnx")
    )
    with tempfile.TemporaryDirectory() as folder:
        if opset < LOWEST_OPSET:
            raised = os.path.join(folder, "raised.onnx")
            raise_opset(source, raised)
            source = raised
        preprocess(source, target)


def configuration(name):
    """Arguments of quantize_static."""
    from onnxruntime.quantization import CalibrationMethod, QuantType

    u8s8 = {
        "activation_type": QuantType.QUInt8,
        "weight_type": QuantType.QInt8,
        "per_channel": True,
    }
    return {
        "default": {},
        "minmax": u8s8,
        "percentile": {**u8s8, "calibrate_method": CalibrationMethod.Percentile},
        "percentile-99.99": {
            **u8s8,
            "calibrate_method": CalibrationMethod.Percentile,
            "extra_options": {"CalibPercentile": 99.99},
        },
        "entropy": {**u8s8, "calibrate_method": CalibrationMethod.Entropy},
    }[name]


def stored_samples(path):
    """One feed per sample, batch 1."""
    arrays = np.load(path)
    names = [name for name in arrays.files if name != "labels"]
    stored = {name: arrays[name] for name in names}
    count = len(stored[names[0]])
    return [
        {name: values[row : row + 1] for name, values in stored.items()}
        for row in range(count)
    ]


class Reader:
    """What the peer calls a CalibrationDataReader: anything with get_next."""

    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def calibrate(model, data, method, target):
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    with tempfile.TemporaryDirectory() as folder:
        calibrator = create_calibrator(
            model,
            sorted({*QLinearOpsRegistry, *QDQRegistry}),
            augmented_model_path=os.path.join(folder, "augmented.onnx"),
            calibrate_method=CalibrationMethod[method],
        )
        calibrator.collect_data(Reader(stored_samples(data)))
        ranges = calibrator.compute_data()
    with open(target, "w", encoding="utf8") as file:
        json.dump(sorted(ranges.keys()), file)


def quantize(model, data, config, target):
    from onnxruntime.quantization import quantize_dynamic, quantize_static

    logging.disable(logging.WARNING)
    if config == "dynamic":
        quantize_dynamic(model, target)
        return
    quantize_static(model, target, Reader(stored_samples(data)), **configuration(config))


def versions():
    from importlib.metadata import version

    names = ("onnx", "onnxruntime", "onnxslim", "numpy")
    json.dump({name: version(name) for name in names}, sys.stdout)


def main(verb, *rest):
    verbs = {
        "prepare": prepare,
        "preprocess": preprocess,
        "calibrate": calibrate,
        "quantize": quantize,
        "versions": versions,
    }
    if verb not in verbs:
        raise SystemExit(__doc__)
    try:
        verbs[verb](*rest)
    except Exception as error:
        with open(f"{rest[-1]}.error", "w", encoding="utf8") as file:
            file.write(" ".join(f"{type(error).__name__}: {error}".split())[:400])
        raise


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
