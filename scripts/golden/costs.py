"""Writes crates/models/tests/golden/costs.json: parameters and multiply-adds of every network.

For each of torchvision's networks at 224 px and 1000 classes: parameters, multiply-adds of its
convolutions and linear layers (counted by hooks, in whole numbers), the GFLOPS that torchvision's
weights state (`_ops`, rounded to three decimals; multiply-adds too), and the output shape of every
stage. For each row of MODELS that torchvision lacks, parameters and multiply-adds of the reference in
resnet.py, densenet_cifar.py and mnist.py at the size, channels and classes that it was made for.

Run: python3 scripts/golden/costs.py   (needs torch and torchvision)
"""

import json
import pathlib

import torch
import torchvision
from torch import nn

import densenet_cifar
import mnist
import resnet

NAMES = ["densenet121", "densenet161", "densenet169", "densenet201",
         "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]


def counted(model, shape):
    """Parameters, and multiply-adds of a picture of this shape."""
    multiply_adds = 0

    def count(module, _, output):
        nonlocal multiply_adds
        multiply_adds += output.numel() * (module.weight.numel() // module.weight.shape[0])

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(torch.zeros(1, *shape))
    return {"parameters": sum(p.numel() for p in model.parameters()), "multiply_adds": multiply_adds}


def cost(name):
    model, outputs = torchvision.models.get_model(name), {}

    def keep(path):
        def hook(module, _, output):
            outputs[path] = list(output.shape[1:])
        return hook

    parents = [("features.", model.features)] if hasattr(model, "features") else [("", model)]
    for prefix, parent in parents:
        for child, module in parent.named_children():
            if isinstance(module, nn.Sequential) or prefix and "dense" in child:
                module.register_forward_hook(keep(prefix + child))
    stated = torchvision.models.get_model_weights(name).DEFAULT.meta["_ops"]
    return {"name": name, **counted(model, [3, 224, 224]), "stated_gflops": stated,
            "outputs": outputs}


def references():
    """Row, network, and the shape of its pictures."""
    imagenet, cifar, digit = [3, 224, 224], [3, 32, 32], [1, 28, 28]
    basic = {"18": [2, 2, 2, 2], "34": [3, 4, 6, 3]}
    deep = {"50": [3, 4, 6, 3], "101": [3, 4, 23, 3], "152": [3, 8, 36, 3]}
    for depth, stages in {**basic, **deep}.items():
        bottleneck = depth in deep
        yield (f"preresnet{depth}",
               resnet.Reference(stages, 64, 1000, bottleneck=bottleneck, pre=True), imagenet)
    for depth in ["50", "101"]:
        yield (f"resnet{depth}-keras",
               resnet.Reference(deep[depth], 64, 1000, bottleneck=True, stride_first=True,
                                biases=True), imagenet)
    yield "resnet-mini", resnet.Reference([2, 1, 1, 1], 8, 1000, bottleneck=True), imagenet
    for depth in [20, 32, 44, 56, 110]:
        stages = [(depth - 2) // 6] * 3
        for name, how in [("resnet", {"shortcut": "identity"}),
                          ("preresnet", {"shortcut": "identity", "pre": True}),
                          ("plain", {"shortcut": "none"})]:
            yield f"{name}{depth}", resnet.Reference(stages, 16, 10, small=True, **how), cifar
    dense = torchvision.models.DenseNet
    yield "densenet264", dense(32, (6, 12, 64, 48), 64), imagenet
    yield "densenet-mini", dense(8, (2, 2, 2, 2), 16), imagenet
    for name, bottleneck, compression, sizes in [
        ("", False, False, [(40, 12), (100, 12), (100, 24)]),
        ("b-", True, False, [(40, 12), (100, 12)]),
        ("c-", False, True, [(40, 12), (100, 12)]),
        ("bc-", True, True, [(40, 12), (100, 12), (250, 24), (190, 40)]),
    ]:
        for depth, growth in sizes:
            net = densenet_cifar.DenseNet(depth, growth, bottleneck, compression, outputs=10)
            yield f"densenet-{name}{depth}-{growth}", net, cifar
    yield "densenet-cifar-mini", densenet_cifar.DenseNet(10, 8, False, False, outputs=10), cifar
    for name, net in [("mnist-resnet", mnist.ResNet(as_printed=False)),
                      ("mnist-resnet-as-printed", mnist.ResNet(as_printed=True)),
                      ("mnist-densenet", mnist.DenseNet())]:
        yield name, net, digit


golden = {
    "made_by": f"scripts/golden/costs.py with torch {torch.__version__}, "
               f"torchvision {torchvision.__version__}",
    "models": [cost(name) for name in NAMES],
    "references": [{"name": name, **counted(net, shape)} for name, net, shape in references()],
}
target = pathlib.Path(__file__).parents[2] / "crates/models/tests/golden/costs.json"
target.write_text(json.dumps(golden, indent=1) + "\n")
print(f"wrote {target.name}, {target.stat().st_size} bytes")
