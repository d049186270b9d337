"""Writes the ResNet goldens of crates/models: from torchvision's networks at full size, and from a
reference in torch.nn (below) for small twins and for what torchvision lacks: pre-activation units,
shortcuts padded with zeros, stems for small pictures, plain nets.

    python3 scripts/golden/resnet.py

Writes crates/models/tests/golden/resnet-*.json; what is asked, and with which weights, is in
parity.py. The reference is written from the papers (He et al. 2016, arXiv:1512.03385 and
arXiv:1603.05027), and is first held against other people's: torchvision's resnet18 and resnet50, and
for each golden the networks of peers.py.
"""

import torch
from torch import nn
from torchvision.models import resnet18, resnet50

import keras_peers
import peers
from parity import golden, value, write

SCRIPT = "resnet.py"


class Padded(nn.Module):
    """Option A: every second pixel, then maps of zeros for those the input lacks."""

    def __init__(self, stride: int, zeros: int):
        super().__init__()
        self.stride, self.zeros = stride, zeros

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        n, _, h, w = x.shape
        return torch.cat([x, x.new_zeros(n, self.zeros, h, w)], dim=1)


class Unit(nn.Module):
    """A residual unit of either paper: post-activation, or pre-activation if `pre`."""

    def __init__(self, net: "Reference", inputs: int, width: int, stride: int, first: bool):
        super().__init__()
        self.pre, self.first = net.pre, first
        if net.bottleneck:
            a, b = (stride, 1) if net.stride_first else (1, stride)
            convs = [(inputs, width, 1, a), (width, width, 3, b), (width, 4 * width, 1, 1)]
        else:
            convs = [(inputs, width, 3, stride), (width, width, 3, 1)]
        self.count, outputs = len(convs), convs[-1][1]
        for i, (c, d, size, s) in enumerate(convs, start=1):
            conv = nn.Conv2d(c, d, size, s, size // 2, bias=net.biases)
            norm = net.norm(c if net.pre else d)
            if not net.pre:
                self.add_module(f"conv{i}", conv)
                self.add_module(f"bn{i}", norm)
            else:
                if not (first and i == 1):
                    self.add_module(f"bn{i}", norm)
                self.add_module(f"conv{i}", conv)
        self.changes = inputs != outputs or stride != 1
        self.shortcut = net.shortcut
        if self.changes and net.shortcut == "projection":
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=net.biases)
            self.downsample = nn.Sequential(projection)
            if not net.pre:
                self.downsample.append(net.norm(outputs))
        elif self.changes and net.shortcut == "identity":
            self.downsample = Padded(stride, outputs - inputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        around, y = x, x
        for i in range(1, self.count + 1):
            conv = getattr(self, f"conv{i}")
            if self.pre:
                if hasattr(self, f"bn{i}"):
                    y = torch.relu(getattr(self, f"bn{i}")(y))
                if i == 1 and self.changes:
                    around = y
                y = conv(y)
            else:
                y = getattr(self, f"bn{i}")(conv(y))
                if i < self.count:
                    y = torch.relu(y)
        if self.shortcut != "none":
            y = y + (self.downsample(around) if self.changes else around)
        return y if self.pre else torch.relu(y)


class Reference(nn.Module):
    """A residual network of either paper, or a plain one."""

    def __init__(
        self,
        stages: list[int],
        width: int,
        outputs: int,
        bottleneck: bool = False,
        stride_first: bool = False,
        pre: bool = False,
        shortcut: str = "projection",
        small: bool = False,
        biases: bool = False,
        eps: float = 1e-5,
        momentum: float = 0.1,
    ):
        super().__init__()
        self.bottleneck, self.stride_first, self.pre = bottleneck, stride_first, pre
        self.shortcut, self.biases = shortcut, biases
        self.norm = lambda channels: nn.BatchNorm2d(channels, eps, momentum)
        size, stride = (3, 1) if small else (7, 2)
        self.conv1 = nn.Conv2d(3, width, size, stride, size // 2, bias=biases)
        self.bn1 = self.norm(width)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        self.layers, channels = len(stages), width
        for i, units in enumerate(stages):
            layer = nn.Sequential()
            for u in range(units):
                stride = 2 if i > 0 and u == 0 else 1
                layer.append(Unit(self, channels, width * 2**i, stride, i == 0 and u == 0))
                channels = width * 2**i * (4 if bottleneck else 1)
            self.add_module(f"layer{i + 1}", layer)
        if pre:
            self.norm = self.norm(channels)
        self.fc = nn.Linear(channels, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for i in range(1, self.layers + 1):
            x = getattr(self, f"layer{i}")(x)
        if self.pre:
            x = torch.relu(self.norm(x))
        return self.fc(x.mean([2, 3]))


def hold_against_torchvision() -> None:
    """The reference with torchvision's weights gives torchvision's logits, to rounding."""
    for theirs, ours in [
        (resnet18(num_classes=2), Reference([2, 2, 2, 2], 64, 2)),
        (resnet50(num_classes=2), Reference([3, 4, 6, 3], 64, 2, bottleneck=True)),
    ]:
        theirs, ours = theirs.double(), ours.double()
        assert [n for n, _ in theirs.named_parameters()] == [n for n, _ in ours.named_parameters()]
        ours.load_state_dict(theirs.state_dict())
        x = value("held", [2, 3, 64, 64])
        difference = (theirs(x) - ours(x)).abs().max().item()
        assert difference < 1e-10, difference


if __name__ == "__main__":
    hold_against_torchvision()
    large = dict(script=SCRIPT, pictures=4, size_px=64)
    small = dict(script=SCRIPT, pictures=4, size_px=32, outputs=10)
    full = dict(outputs=1, **large)
    write("resnet-18", golden(net=resnet18(num_classes=1), lr=1e-3, **full))
    # At 1e-3 ResNet-50's descent is chaos: a last bit of the picture moves the tenth loss fivefold.
    write("resnet-50", golden(net=resnet50(num_classes=1), lr=1e-4, **full))

    mini = dict(stages=[2, 1, 1, 1], width=8, outputs=3)
    for name, how in [
        ("mini", dict(bottleneck=True)),
        ("mini-basic", {}),
        ("mini-padded", dict(bottleneck=True, shortcut="identity")),
        ("mini-pre", dict(bottleneck=True, pre=True)),
        ("mini-pre-basic", dict(pre=True)),
    ]:
        others = peers.residual(**mini, **how)
        net = Reference(**mini, **how)
        write(f"resnet-{name}", golden(net=net, outputs=3, peers=others, **large))
    keras = dict(bottleneck=True, stride_first=True, biases=True, eps=1e-3, momentum=0.01)
    theirs = keras_peers.depth_study(**mini, px=64)
    others = peers.of_keras("stack_residual_blocks_v1", theirs)
    net = Reference(**keras, **mini)
    write("resnet-mini-keras", golden(net=net, outputs=3, peers=others, **large))

    twenty = dict(stages=[3, 3, 3], width=16, outputs=10, small=True)
    for name, how in [
        ("20", dict(shortcut="identity")),
        ("20-pre", dict(shortcut="identity", pre=True)),
        ("20-plain", dict(shortcut="none")),
    ]:
        others = peers.residual(**twenty, **how)
        net = Reference(**twenty, **how)
        write(f"resnet-{name}", golden(net=net, peers=others, **small))
