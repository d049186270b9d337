"""Writes crates/models/tests/golden/costs.json: parameters and multiply-adds of every network.

For each of torchvision's networks at 224 px and 1000 classes: parameters, multiply-adds of its
convolutions and linear layers (counted by hooks, in whole numbers), the GFLOPS that torchvision's
weights state (`_ops`, rounded to three decimals; multiply-adds too), and the output shape of every
stage. For each row of MODELS that torchvision lacks, parameters and multiply-adds of the reference in
resnet.py, densenet_cifar.py and mnist.py at the size, channels and classes that it was made for; other
libraries' networks (peers.py) must cost the same, and are named beside each (`held_against`).

Run: python3 scripts/golden/costs.py   (needs what README.md installs)
"""

import json
import math
import pathlib

import torch
import torchvision
from torch import nn

import densenet_cifar
import keras_peers
import mnist
import peers
import resnet

NAMES = ["densenet121", "densenet161", "densenet169", "densenet201",
         "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]


def counted(model, shape):
    """Parameters, and multiply-adds of a picture of this shape, of what is trained."""
    if isinstance(model, keras_peers.Translated):
        return counted_by_keras(model.model[0])
    multiply_adds = 0

    def count(module, _, output):
        nonlocal multiply_adds
        multiply_adds += output.numel() * (module.weight.numel() // module.weight.shape[0])

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.weight.requires_grad:
            module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(torch.zeros(1, *shape))
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"parameters": parameters, "multiply_adds": multiply_adds}


def counted_by_keras(model):
    multiply_adds = sum(math.prod(layer.output.shape[1:]) * math.prod(layer.kernel.shape[:-1])
                        for layer in model.layers if hasattr(layer, "kernel"))
    parameters = sum(math.prod(v.shape) for v in model.trainable_variables)
    return {"parameters": parameters, "multiply_adds": multiply_adds}


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
    """Row, network, the shape of its pictures, and the others' networks."""
    imagenet, cifar, digit = [3, 224, 224], [3, 32, 32], [1, 28, 28]
    basic = {"18": [2, 2, 2, 2], "34": [3, 4, 6, 3]}
    deep = {"50": [3, 4, 6, 3], "101": [3, 4, 23, 3], "152": [3, 8, 36, 3]}

    def residual(name, shape, **how):
        return name, resnet.Reference(**how), shape, peers.residual(**how)

    for depth, stages in {**basic, **deep}.items():
        how = dict(stages=stages, width=64, outputs=1000, bottleneck=depth in deep, pre=True)
        yield residual(f"preresnet{depth}", imagenet, **how)
    for depth in ["50", "101"]:
        net = resnet.Reference(deep[depth], 64, 1000, bottleneck=True, stride_first=True, biases=True)
        theirs = keras_peers.application(f"ResNet{depth}")
        yield (f"resnet{depth}-keras", net, imagenet,
               peers.of_keras(f"applications.ResNet{depth}", theirs))
    yield residual("resnet-mini", imagenet, stages=[2, 1, 1, 1], width=8, outputs=1000,
                   bottleneck=True)
    for depth in [20, 32, 44, 56, 110]:
        small = dict(stages=[(depth - 2) // 6] * 3, width=16, outputs=10, small=True)
        for name, how in [("resnet", {"shortcut": "identity"}),
                          ("preresnet", {"shortcut": "identity", "pre": True}),
                          ("plain", {"shortcut": "none"})]:
            yield residual(f"{name}{depth}", cifar, **small, **how)
    for name, shape in [("densenet264", (32, (6, 12, 64, 48), 64)),
                        ("densenet-mini", (8, (2, 2, 2, 2), 16))]:
        net = torchvision.models.DenseNet(*shape)
        label = f"torchvision {torchvision.__version__}: DenseNet"
        yield name, net, imagenet, [peers.Peer(label, net, [])]  # itself another's
    for name, bottleneck, compression, sizes in [
        ("", False, False, [(40, 12), (100, 12), (100, 24)]),
        ("b-", True, False, [(40, 12), (100, 12)]),
        ("c-", False, True, [(40, 12), (100, 12)]),
        ("bc-", True, True, [(40, 12), (100, 12), (250, 24), (190, 40)]),
    ]:
        for depth, growth in sizes:
            shape = (depth, growth, bottleneck, compression)
            yield (f"densenet-{name}{depth}-{growth}", densenet_cifar.DenseNet(*shape, outputs=10),
                   cifar, peers.densenet_cifar(*shape, outputs=10))
    shape = (10, 8, False, False)
    yield ("densenet-cifar-mini", densenet_cifar.DenseNet(*shape, outputs=10), cifar,
           peers.densenet_cifar(*shape, outputs=10))
    for name, net, theirs in [
        ("mnist-resnet", mnist.ResNet(as_printed=False), keras_peers.mnist_resnet(False)),
        ("mnist-resnet-as-printed", mnist.ResNet(as_printed=True), keras_peers.mnist_resnet(True)),
        ("mnist-densenet", mnist.DenseNet(), keras_peers.mnist_densenet()),
    ]:
        yield name, net, digit, peers.of_keras("the notebook's layers", theirs)


def reference(name, net, shape, others):
    """A row, which costs the same by everybody's account."""
    costs = counted(net, shape)
    for peer in others:
        theirs = counted(peer.net, shape)
        assert costs == theirs, f"{name}: {costs}, {peer.label}: {theirs}"
    return {"name": name, **costs, "held_against": [peer.label for peer in others]}


golden = {
    "made_by": f"scripts/golden/costs.py with torch {torch.__version__}, "
               f"torchvision {torchvision.__version__}",
    "models": [cost(name) for name in NAMES],
    "references": [reference(*row) for row in references()],
}
target = pathlib.Path(__file__).parents[2] / "crates/models/tests/golden/costs.json"
target.write_text(json.dumps(golden, indent=1) + "\n")
print(f"wrote {target.name}, {target.stat().st_size} bytes")
