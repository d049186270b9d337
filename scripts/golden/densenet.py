"""Writes the DenseNet goldens of crates/models from torchvision's own networks.

    python3 scripts/golden/densenet.py

Writes crates/models/tests/golden/densenet-*.json; what is asked, and with which weights, is in
parity.py.
"""

import torch
from torch import nn
from torchvision.models import DenseNet, densenet121

from parity import golden, write

SCRIPT = "densenet.py"


def all_max(net: DenseNet) -> DenseNet:
    """Every pooling a max pooling: the transitions and the head (the stem has been one)."""
    for i in range(1, 4):
        getattr(net.features, f"transition{i}").pool = nn.MaxPool2d(2, 2)

    def forward(x: torch.Tensor) -> torch.Tensor:
        features = nn.functional.relu(net.features(x))
        return net.classifier(nn.functional.adaptive_max_pool2d(features, 1).flatten(1))

    net.forward = forward
    return net


def twin() -> DenseNet:
    return DenseNet(growth_rate=8, block_config=(2, 2, 2, 2), num_init_features=16, num_classes=3)


if __name__ == "__main__":
    small = dict(pictures=4, size_px=64)
    write("densenet-mini-avg", golden(SCRIPT, twin(), outputs=3, **small))
    write("densenet-mini-max", golden(SCRIPT, all_max(twin()), outputs=3, **small))
    write("densenet-121-avg", golden(SCRIPT, densenet121(num_classes=1), outputs=1, **small))
    write("densenet-121-max", golden(SCRIPT, all_max(densenet121(num_classes=1)), outputs=1, **small))
