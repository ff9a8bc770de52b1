"""Prunes by the peers, without training, for the pruning benches.

    python bench/peers/prune.py torch-pruning NET MODEL.onnx LEFT CONFIG OUT.onnx   NET: resnet-cifar or mobilenetv2
    python bench/peers/prune.py onnxsim MODEL.onnx SPARSITY OUT.onnx                apply_structured_pruning
    python bench/peers/prune.py versions                                            JSON, of what is installed

Torch-Pruning works on PyTorch modules, so the net is built anew, takes its weights (normalization kept) from the file by
their names and must answer as the file does. LEFT: part of the multiplications that may be left; the pruning ratio is
searched that comes closest from below. CONFIG: `local` (its default: the same part of every layer), `global`, and the
same with `inner-` in front, where the residual stream keeps its width. Group L2 magnitude, its default, always.
An error ends it with status 1 and one line in OUT.error. Needs: pip install torch torch-pruning onnx onnxruntime (onnxsim).
"""

import copy
import json
import sys
import warnings

import numpy as np
import onnx

CONFIGS = ("local", "global", "inner-local", "inner-global")


def resnet_cifar(shapes):
    """The CIFAR ResNet with shortcuts without weights: every second pixel, zero channels around."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, before, width, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.padding = (width - before) // 2 if stride == 2 else None

        def forward(self, x):
            y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
            if self.padding is not None:
                around = (0, 0, 0, 0, self.padding, self.padding)
                x = functional.pad(x[:, :, ::2, ::2], around)
            return functional.relu(y + x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(16)
            before = 16
            for number, width in enumerate((16, 32, 64), 1):
                depth = sum(
                    name.startswith(f"layer{number}.")
                    and name.endswith("conv1.weight")
                    for name in shapes
                )
                blocks = []
                for at in range(depth):
                    blocks.append(
                        Block(before, width, 2 if at == 0 and number > 1 else 1)
                    )
                    before = width
                setattr(self, f"layer{number}", nn.Sequential(*blocks))
            self.linear = nn.Linear(64, shapes["linear.weight"][0])

        def forward(self, x):
            x = functional.relu(self.bn1(self.conv1(x)))
            x = self.layer3(self.layer2(self.layer1(x)))
            return self.linear(torch.mean(x, dim=(2, 3)))

    net = Net()
    # The shortcut's zero channels tie widths in a way that only the last layers of blocks and the first of all are in.
    blocks = [*net.layer1, *net.layer2, *net.layer3]
    stream = [net.conv1, *(block.conv2 for block in blocks)]
    return net, net.linear, stream


def mobilenetv2(shapes):
    """MobileNetV2 of width 1, in the layout of its published weights."""
    from torch import nn

    def normalized(before, width, kernel, stride=1, groups=1):
        return nn.Sequential(
            nn.Conv2d(
                before, width, kernel, stride, kernel // 2, groups=groups, bias=False
            ),
            nn.BatchNorm2d(width),
            nn.ReLU6(),
        )

    class Block(nn.Module):
        def __init__(self, before, width, stride, factor):
            super().__init__()
            inner = before * factor
            expand = [normalized(before, inner, 1)] if factor > 1 else []
            self.conv = nn.Sequential(
                *expand,
                normalized(inner, inner, 3, stride, inner),
                nn.Conv2d(inner, width, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            self.residual = stride == 1 and before == width

        def forward(self, x):
            return x + self.conv(x) if self.residual else self.conv(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [normalized(3, 32, 3, 2)]
            before = 32
            for factor, width, depth, stride in (
                (1, 16, 1, 1),
                (6, 24, 2, 2),
                (6, 32, 3, 2),
                (6, 64, 4, 2),
                (6, 96, 3, 1),
                (6, 160, 3, 2),
                (6, 320, 1, 1),
            ):
                for at in range(depth):
                    layers.append(
                        Block(before, width, stride if at == 0 else 1, factor)
                    )
                    before = width
            self.features = nn.Sequential(*layers, normalized(before, 1280, 1))
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

        def forward(self, x):
            return self.classifier(self.features(x).mean((2, 3)))

    net = Net()
    stream = [
        layer.conv[-2] for layer in net.features if isinstance(layer, Block)
    ]
    return net, net.classifier[1], stream


NETS = {"resnet-cifar": (resnet_cifar, 32), "mobilenetv2": (mobilenetv2, 224)}


def build(name, path):
    """The net with the weights of the file, in inference mode, checked against the file's own answers."""
    import onnxruntime
    import torch

    stored = onnx.load(path).graph.initializer
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in stored}
    make, side = NETS[name]
    net, head, stream = make({key: value.shape for key, value in weights.items()})
    own = net.state_dict()
    state = {
        key: torch.from_numpy(np.array(weights[key]))
        for key in own
        if not key.endswith("num_batches_tracked")
    }
    net.load_state_dict(state, strict=False)
    net.eval()
    inputs = np.random.default_rng(0).standard_normal((2, 3, side, side), np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    with torch.no_grad():
        error = np.abs(net(torch.from_numpy(inputs)).numpy() - expected).max()
    if error > 1e-3 * np.abs(expected).max():
        raise SystemExit(f"the net does not answer as {path} does: off by {error}")
    return net, head, stream, torch.from_numpy(inputs[:1])


def multiplications(net, image):
    """Of convolutions and dense layers on one image."""
    import torch
    from torch import nn

    total = 0

    def count(layer, _, output):
        nonlocal total
        per_value = layer.weight[0].numel()
        total += per_value * output[0].numel()

    hooks = [
        layer.register_forward_hook(count)
        for layer in net.modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad():
        net(image)
    for hook in hooks:
        hook.remove()
    return total


def pruned(net, head, stream, image, config, ratio):
    """A pruned copy."""
    import torch_pruning

    net, head, stream = copy.deepcopy((net, head, stream))
    pruner = torch_pruning.pruner.BasePruner(
        net,
        image,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=ratio,
        global_pruning=config.endswith("global"),
        ignored_layers=[head, *(stream if config.startswith("inner") else [])],
    )
    pruner.step()
    return net


def torch_pruning_to(name, path, left, config, out):
    import torch

    if config not in CONFIGS:
        raise SystemExit(__doc__)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net, head, stream, image = build(name, path)
    limit = float(left) * multiplications(net, image)
    low, high, best = 0.0, 1.0, None
    for _ in range(10):
        ratio = (low + high) / 2
        candidate = pruned(net, head, stream, image, config, ratio)
        if multiplications(candidate, image) <= limit:
            high, best = ratio, candidate
        else:
            low = ratio
    if best is None:
        raise SystemExit("no ratio leaves so little")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            best,
            (image,),
            out,
            dynamo=False,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        )


def onnxsim_to(path, sparsity, out):
    import onnxsim

    onnx.save(onnxsim.apply_structured_pruning(onnx.load(path), float(sparsity)), out)


def versions():
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("torch", "torch-pruning", "onnx", "onnxruntime", "onnxsim"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    json.dump(found, sys.stdout)


def main(verb, *rest):
    verbs = {
        "torch-pruning": torch_pruning_to,
        "onnxsim": onnxsim_to,
        "versions": versions,
    }
    if verb not in verbs:
        raise SystemExit(__doc__)
    try:
        verbs[verb](*rest)
    except (Exception, SystemExit) as error:
        if rest:
            with open(f"{rest[-1]}.error", "w", encoding="utf8") as file:
                file.write(" ".join(f"{type(error).__name__}: {error}".split())[:400])
        raise


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
