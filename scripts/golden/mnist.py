"""Writes the goldens of the MNIST notebooks' networks (crates/models).

    python3 scripts/golden/mnist.py

Writes crates/models/tests/golden/mnist-*.json. The reference is the notebooks' networks in torch.nn's
layers, with Keras' habits: "same" padding, biases, norms with eps 1e-3 and momentum 0.99 (0.01 in
PyTorch's sense), first held against the same put together from Keras' own layers (keras_peers.py).
Names are torchvision's. It is compared in 64-bit like the others: see parity.py.
"""

import torch
from torch import nn

from parity import golden, write

# Ten times this, and the first step leaps.
LR = 0.0001


def conv(channels: int, out: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(channels, out, size, padding="same")


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Unit(nn.Module):
    def __init__(self, channels: int, out: int, as_printed: bool):
        super().__init__()
        if not as_printed:
            self.bn1, self.conv1 = norm(channels), conv(channels, out)
        self.bn2 = norm(channels if as_printed else out)
        self.conv2 = conv(channels if as_printed else out, out)
        if channels != out:
            self.downsample = nn.Sequential(conv(channels, out, 1))
        self.as_printed = as_printed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x if self.as_printed else self.conv1(self.bn1(x).relu())
        h = self.conv2(self.bn2(h).relu())
        return h + (self.downsample(x) if hasattr(self, "downsample") else x)


class ResNet(nn.Module):
    def __init__(self, as_printed: bool):
        super().__init__()
        self.conv1 = conv(1, 8)
        self.layer1 = nn.Sequential(Unit(8, 16, as_printed), Unit(16, 16, as_printed))
        self.layer2 = nn.Sequential(Unit(16, 32, as_printed), Unit(32, 32, as_printed))
        self.layer3 = nn.Sequential(Unit(32, 64, as_printed), Unit(64, 64, as_printed))
        self.hidden, self.fc = nn.Linear(7 * 7 * 64, 128), nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer1(self.conv1(x).relu())
        x = self.layer2(nn.functional.max_pool2d(x, 2))
        x = self.layer3(nn.functional.max_pool2d(x, 2))
        return self.fc(self.hidden(x.flatten(1)).relu())


class Layer(nn.Module):
    def __init__(self, channels: int, growth: int):
        super().__init__()
        self.norm1, self.conv1 = norm(channels), conv(channels, growth)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.conv1(self.norm1(x).relu())], 1)


def named(**children: nn.Module) -> nn.Sequential:
    sequence = nn.Sequential()
    for name, child in children.items():
        sequence.add_module(name, child)
    return sequence


class DenseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = named(
            conv0=conv(1, 8),
            relu0=nn.ReLU(),
            denseblock1=named(denselayer1=Layer(8, 4), denselayer2=Layer(12, 4)),
            transition1=named(conv=conv(16, 16), pool=nn.MaxPool2d(2)),
            denseblock2=named(denselayer1=Layer(16, 8), denselayer2=Layer(24, 8)),
            transition2=named(conv=conv(32, 32), pool=nn.MaxPool2d(2)),
            denseblock3=named(denselayer1=Layer(32, 16), denselayer2=Layer(48, 16)),
        )
        self.hidden, self.classifier = nn.Linear(7 * 7 * 64, 128), nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.hidden(self.features(x).flatten(1)).relu())


if __name__ == "__main__":
    # Here, because scripts/bench takes the networks above and needs neither.
    import keras_peers
    from peers import of_keras

    for name, net, theirs in [
        ("mnist-resnet", ResNet(as_printed=False), keras_peers.mnist_resnet(as_printed=False)),
        ("mnist-resnet-as-printed", ResNet(as_printed=True), keras_peers.mnist_resnet(True)),
        ("mnist-densenet", DenseNet(), keras_peers.mnist_densenet()),
    ]:
        print(name, sum(p.numel() for p in net.parameters()), "parameters")
        peers = of_keras("the notebook's layers", theirs)
        asked = dict(pictures=4, size_px=28, outputs=10, channels=1, lr=LR)
        write(name, golden("mnist.py", net, peers=peers, **asked))
