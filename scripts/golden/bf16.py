"""Writes the golden of bf16: how far torch's own bf16 is from the exact answer, on small networks of
every family.

    python3 scripts/golden/bf16.py

Writes crates/models/tests/golden/bf16.json. Each network of `twins` answers BATCHES batches of
pictures in training, and in evaluation before, each time from its closed-form weights and running
statistics (parity.py): in 64-bit, and in bf16 in two ways. `casts` is what crates/models promises:
maps and what convolves them in bf16; weights, norms' parameters and statistics, the head and the
loss in 32-bit. `autocast` is torch.autocast as it comes, whose head is bf16 too. `folded` is
evaluation with norms in the convolutions before them.

Of each part of the answer the golden keeps the error: the mean, over batches and tensors, of
|bf16 - exact| / |exact| in the 2-norm. Of all gradients together it is the `angle` to the exact ones,
in radians, the mean over batches; `cosine` is its cosine. Few blocks and many pixels keep bf16
meaningful: a rounding that flips a ReLU or moves a maximum changes a gradient by percents, and every
layer adds some.
"""

import copy
import json
import math
import operator
import platform

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode
from torchvision.models import DenseNet

import densenet_cifar
import mnist
from parity import OUT, input_of, loss_of, short, value
from resnet import Reference

BATCHES, PICTURES = 4, 8


class Casts(TorchFunctionMode):
    """Convolutions take their weights in their input's kind; the head is 32-bit, from its pooling
    or its first linear layer on."""

    HEAD = (torch.Tensor.mean, nn.functional.adaptive_avg_pool2d, nn.functional.linear)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is nn.functional.conv2d:
            x, weight, bias, *rest = args
            bias = None if bias is None else bias.to(x.dtype)
            args = (x, weight.to(x.dtype), bias, *rest)
        elif function in self.HEAD:
            args = (args[0].float(), *args[1:])
        return function(*args, **kwargs or {})


def part(name: str, tensor: torch.Tensor) -> str:
    """What the gradient of a parameter counts among."""
    if tensor.ndim == 1:
        return "scales" if name.endswith("weight") else "shifts"
    return {4: "convolutions", 2: "linear"}[tensor.ndim]


def folded(net: nn.Module) -> nn.Module:
    """In evaluation, with every norm that follows a convolution folded into it by torch; but for one
    that closes a residual unit, which crates/models computes with the sum after it."""
    traced = fx.symbolic_trace(net.eval())
    modules = dict(traced.named_modules())
    for norm in list(traced.graph.nodes):
        if not isinstance(modules.get(norm.target), nn.BatchNorm2d):
            continue
        conv = norm.args[0]
        closes = any(u.target is operator.add and u.args[0] is norm for u in norm.users)
        if isinstance(modules.get(conv.target), nn.Conv2d) and len(conv.users) == 1 and not closes:
            both = fuse_conv_bn_eval(modules[conv.target], modules[norm.target])
            modules[conv.target].weight, modules[conv.target].bias = both.weight, both.bias
            norm.replace_all_uses_with(conv)
            traced.graph.erase_node(norm)
    traced.recompile()
    return traced


def answer(net: nn.Module, weights: dict, x: torch.Tensor, how) -> dict[str, list[torch.Tensor]]:
    """By part, from fresh weights; loss and gradients apart."""
    net.load_state_dict(weights)
    net.zero_grad()
    net.eval()
    with torch.no_grad(), how:
        evaluation = net(x)
        in_one = folded(copy.deepcopy(net))(x)
    net.train()
    with how:
        logits = net(x)
    loss = loss_of(logits.float() if logits.dtype == torch.bfloat16 else logits)
    loss.backward()
    parts = {"evaluation": [evaluation], "folded": [in_one], "training": [logits.detach()]}
    for name, p in net.named_parameters():
        parts.setdefault(part(name, p), []).append(p.grad)
    for name, b in net.named_buffers():
        if b.ndim > 0:
            parts.setdefault(name.split(".")[-1], []).append(b)
    parts = {part: [t.double().clone() for t in tensors] for part, tensors in parts.items()}
    gradient = torch.cat([p.grad.double().flatten() for p in net.parameters()])
    return {"parts": parts, "loss": loss.item(), "gradient": gradient}


def errors(answers: list[dict], exact: list[dict]) -> dict:
    """By part, over all batches."""
    found, angles = {}, []
    for got, want in zip(answers, exact):
        for part, tensors in want["parts"].items():
            for a, b in zip(got["parts"][part], tensors):
                # In exact arithmetic the gradient of a bias before a norm is 0.
                if b.norm() > 1e-9:
                    found.setdefault(part, []).append(((a - b).norm() / b.norm()).item())
        a, b = got["gradient"], want["gradient"]
        angles.append(torch.acos(a @ b / (a.norm() * b.norm())).item())
    found["angle"] = angles
    parts = {part: short(sum(of) / len(of)) for part, of in found.items()}
    return {"cosine": short(math.cos(parts["angle"])), "parts": parts}


def ask(name: str, make, channels: int, px: int) -> dict:
    exact_net, net = make().double(), make()
    weights = {
        name: tensor if tensor.ndim == 0 else value(name, list(tensor.shape))
        for name, tensor in exact_net.state_dict().items()
    }
    shape = [BATCHES * PICTURES, channels, px, px]
    batches = input_of(shape).split(PICTURES)
    nothing = torch.autocast("cpu", enabled=False)
    exact = [answer(exact_net, weights, x, nothing) for x in batches]
    casts = [answer(net, weights, x.bfloat16(), Casts()) for x in batches]
    autocast = torch.autocast("cpu", torch.bfloat16)
    by_itself = [answer(net, weights, x.float(), autocast) for x in batches]
    record = {
        "name": name,
        "input": shape,
        "outputs": exact[0]["parts"]["training"][0].shape[1],
        # Of each batch, so that a test knows it asks the same.
        "losses": [short(a["loss"]) for a in exact],
        "gradient_norms": [short(a["gradient"].norm().item()) for a in exact],
        "casts": errors(casts, exact),
        "autocast": errors(by_itself, exact),
    }
    for way in ["casts", "autocast"]:
        parts = " ".join(f"{part} {error:.2g}" for part, error in record[way]["parts"].items())
        print(f"{name} {way}: cosine {record[way]['cosine']:.4f}, {parts}")
    return record


def dense() -> nn.Module:
    return DenseNet(8, (2, 2), 16, num_classes=3)


def dense_max() -> nn.Module:
    net = dense()
    net.features.transition1.pool = nn.MaxPool2d(2, 2)
    return net


def residual(**how):
    if how.pop("small", False):
        return lambda: Reference([1, 1, 1], 8, 10, small=True, **how)
    return lambda: Reference([1, 1], 8, 3, bottleneck=True, **how)


def twins():
    """Name, network, channels and size of its pictures."""
    yield "densenet", dense, 3, 64
    yield "densenet max", dense_max, 3, 64
    yield "densenet bc", lambda: densenet_cifar.DenseNet(16, 6, True, True), 3, 32
    yield "densenet basic", lambda: densenet_cifar.DenseNet(10, 8, False, False), 3, 32
    yield "resnet", residual(), 3, 64
    yield "resnet keras", residual(stride_first=True, biases=True, eps=1e-3, momentum=0.01), 3, 64
    yield "resnet basic", residual(small=True, shortcut="identity"), 3, 32
    yield "preresnet", residual(pre=True), 3, 64
    yield "preresnet basic", residual(small=True, shortcut="identity", pre=True), 3, 32
    yield "plain", residual(small=True, shortcut="none"), 3, 32
    yield "mnist-resnet", lambda: mnist.ResNet(as_printed=False), 1, 28
    yield "mnist-densenet", mnist.DenseNet, 1, 28


if __name__ == "__main__":
    record = {
        "made_by": {
            "script": "scripts/golden/bf16.py",
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cpu": torch.backends.cpu.get_cpu_capability(),
        },
        "twins": [ask(*twin) for twin in twins()],
    }
    lines = json.dumps(record, separators=(",", ":")).replace('{"name"', '\n{"name"')
    path = OUT / "bf16.json"
    path.write_text(lines + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")
