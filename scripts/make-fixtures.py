"""Writes the small models of fixtures/small. The files are committed; this is how they were made.

    pip install onnx==1.23.2
    python scripts/make-fixtures.py [--check] [NAME...]

Weights are random with a seed from the model's name, so that a second run writes the same bytes. --check writes nothing and
tells which committed files differ.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from fixture_models import control_flow, fidelity, nets, patterns, tensors, wire  # noqa: E402

TARGET = pathlib.Path(__file__).parent.parent / "fixtures" / "small"
MODULES = (control_flow, fidelity, nets, patterns, tensors, wire)


def make(name, build):
    """The files of one model: {file name: bytes}. A builder gives a model, or bytes, or the files themselves."""
    made = build()
    if isinstance(made, dict):
        return made
    return {f"{name}.onnx": made if isinstance(made, bytes) else made.SerializeToString(deterministic=True)}


def main(arguments):
    check = "--check" in arguments
    wanted = [argument for argument in arguments if argument != "--check"]
    models = {name: build for module in MODULES for name, build in module.MODELS.items()}
    unknown = [name for name in wanted if name not in models]
    if unknown:
        raise SystemExit(f"no such model: {', '.join(unknown)}")
    different = []
    for name in wanted or models:
        for file, data in make(name, models[name]).items():
            path = TARGET / file
            if not check:
                TARGET.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            elif not path.exists() or path.read_bytes() != data:
                different.append(file)
    if different:
        raise SystemExit(f"not as committed: {', '.join(different)}")


if __name__ == "__main__":
    main(sys.argv[1:])
