"""Writes the goldens of the paper's CIFAR networks (crates/models), which torchvision does not have.

    python3 scripts/golden/densenet_cifar.py

Writes crates/models/tests/golden/densenet-cifar-*.json: DenseNet, -B, -C and -BC at L = 16, k = 6,
as Huang et al. 2017 describe them in section 3: the reference is the network below, of torch.nn's
layers, with torchvision's names, first held against pytorchcv's (peers.py). It is compared in 64-bit
like the others: see parity.py.
"""

import torch
from torch import nn

import peers
from parity import golden, write


class Layer(nn.Module):
    """H of equation 2: BN-ReLU-conv(3x3), or with a bottleneck BN-ReLU-conv(1x1) to 4k before."""

    def __init__(self, channels: int, growth: int, bottleneck: bool):
        super().__init__()
        if bottleneck:
            self.norm1 = nn.BatchNorm2d(channels)
            self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(4 * growth)
            self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)
        else:
            self.norm1 = nn.BatchNorm2d(channels)
            self.conv1 = nn.Conv2d(channels, growth, 3, padding=1, bias=False)
        self.bottleneck = bottleneck

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        x = self.conv1(self.norm1(torch.cat(maps, 1)).relu())
        return self.conv2(self.norm2(x).relu()) if self.bottleneck else x


class Block(nn.Module):
    def __init__(self, layers: int, channels: int, growth: int, bottleneck: bool):
        super().__init__()
        for i in range(layers):
            layer = Layer(channels + i * growth, growth, bottleneck)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = [x]
        for layer in self.children():
            maps.append(layer(maps))
        return torch.cat(maps, 1)


class DenseNet(nn.Module):
    """Three blocks of (L - 4) / 3 layers, of (L - 4) / 6 with bottlenecks; theta = 0.5 compresses."""

    def __init__(
        self, depth: int, growth: int, bottleneck: bool, compression: bool, outputs: int = 3
    ):
        super().__init__()
        layers = (depth - 4) // (6 if bottleneck else 3)
        channels = 2 * growth if bottleneck and compression else 16
        features = nn.Sequential()
        features.add_module("conv0", nn.Conv2d(3, channels, 3, padding=1, bias=False))
        for i in (1, 2, 3):
            features.add_module(f"denseblock{i}", Block(layers, channels, growth, bottleneck))
            channels += layers * growth
            if i < 3:
                kept = channels // 2 if compression else channels
                transition = nn.Sequential()
                transition.add_module("norm", nn.BatchNorm2d(channels))
                transition.add_module("relu", nn.ReLU())
                transition.add_module("conv", nn.Conv2d(channels, kept, 1, bias=False))
                transition.add_module("pool", nn.AvgPool2d(2))
                features.add_module(f"transition{i}", transition)
                channels = kept
        features.add_module("norm5", nn.BatchNorm2d(channels))
        self.features = features
        self.classifier = nn.Linear(channels, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).relu().mean((2, 3)))


if __name__ == "__main__":
    for name, bottleneck, compression in [
        ("basic", False, False),
        ("b", True, False),
        ("c", False, True),
        ("bc", True, True),
    ]:
        shape = (16, 6, bottleneck, compression)
        net, others = DenseNet(*shape), peers.densenet_cifar(*shape)
        record = golden(
            "densenet_cifar.py", net, pictures=4, size_px=16, outputs=3, peers=others
        )
        write(f"densenet-cifar-{name}", record)
