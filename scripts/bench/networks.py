"""The networks of train_cuda.py in torch.nn's layers, for a Python that has torch but no torchvision.

Layers, their names and their order are those of torchvision 0.26, so that a step asks for the same
kernels; only how the weights are drawn is left at torch.nn's default, which no time depends on.

    python3 networks.py      # with torchvision: same names and shapes; same logits, losses, gradients
"""

import sys
from collections import OrderedDict

import torch
from torch import nn

# Huang et al. 2017, https://arxiv.org/abs/1608.06993, table 1: layers a block.
DENSENETS = {"densenet121": (6, 12, 24, 16)}
# He et al. 2016, https://arxiv.org/abs/1512.03385, table 1: bottlenecks a stage.
RESNETS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
GROWTH, EXPANSION = 32, 4


def conv(c_in: int, c_out: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, size, stride, padding=size // 2, bias=False)


class DenseLayer(nn.Module):
    """[N, C, H, W] each -> [N, 32, H, W]"""

    def __init__(self, channels: int):
        super().__init__()
        self.norm1, self.relu1 = nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        self.conv1 = conv(channels, EXPANSION * GROWTH, 1)
        self.norm2, self.relu2 = nn.BatchNorm2d(EXPANSION * GROWTH), nn.ReLU(inplace=True)
        self.conv2 = conv(EXPANSION * GROWTH, GROWTH, 3)

    def forward(self, features):
        x = self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))
        return self.conv2(self.relu2(self.norm2(x)))


class DenseBlock(nn.ModuleDict):
    """[N, C, H, W] -> [N, C + 32 layers, H, W]"""

    def __init__(self, layers: int, channels: int):
        super().__init__({f"denselayer{i + 1}": DenseLayer(channels + i * GROWTH) for i in range(layers)})

    def forward(self, x):
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class DenseNet(nn.Module):
    """[N, 3, H, W] -> [N, K]"""

    def __init__(self, blocks: tuple, classes: int):
        super().__init__()
        stem = [conv(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
        self.features = nn.Sequential(OrderedDict(zip(["conv0", "norm0", "relu0", "pool0"], stem)))
        channels = 64
        for number, layers in enumerate(blocks, 1):
            self.features.add_module(f"denseblock{number}", DenseBlock(layers, channels))
            channels += layers * GROWTH
            if number < len(blocks):
                halved = [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), conv(channels, channels // 2, 1)]
                named = zip(["norm", "relu", "conv", "pool"], [*halved, nn.AvgPool2d(2, 2)])
                self.features.add_module(f"transition{number}", nn.Sequential(OrderedDict(named)))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        x = nn.functional.relu(self.features(x), inplace=True)
        return self.classifier(torch.flatten(nn.functional.adaptive_avg_pool2d(x, (1, 1)), 1))


class Bottleneck(nn.Module):
    """[N, C, H, W] -> [N, 4 width, H / stride, W / stride]"""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        wide = EXPANSION * width
        self.conv1, self.bn1 = conv(channels, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, wide, 1), nn.BatchNorm2d(wide)
        self.relu, self.downsample = nn.ReLU(inplace=True), None
        if channels != wide:
            self.downsample = nn.Sequential(conv(channels, wide, 1, stride), nn.BatchNorm2d(wide))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """[N, 3, H, W] -> [N, K]"""

    def __init__(self, stages: tuple, classes: int):
        super().__init__()
        self.conv1, self.bn1, self.relu = conv(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for number, blocks in enumerate(stages, 1):
            width, stride = 32 << number, 1 if number == 1 else 2
            first = Bottleneck(channels, width, stride)
            channels = EXPANSION * width
            rest = [Bottleneck(channels, width, 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(channels, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def network(name: str, classes: int) -> nn.Module:
    if name in DENSENETS:
        return DenseNet(DENSENETS[name], classes)
    return ResNet(RESNETS[name], classes)


def differences(name: str) -> list[str]:
    """In what the network differs from torchvision's of this name; nothing is right."""
    import torchvision

    torch.manual_seed(1)
    ours, theirs = network(name, 2), getattr(torchvision.models, name)(weights=None, num_classes=2)
    shapes = [[(key, tuple(value.shape)) for key, value in model.state_dict().items()] for model in (ours, theirs)]
    if shapes[0] != shapes[1]:
        return [f"{name}: {one} and {other}" for one, other in zip(*shapes) if one != other] or [f"{name}: count"]
    ours.load_state_dict(theirs.state_dict())
    x, labels = torch.rand(4, 3, 64, 64), torch.arange(4) % 2
    found = []
    for model in (ours, theirs):
        logits = model.train()(x)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        state = [value.double().flatten() for value in model.state_dict().values()]
        gradient = torch.cat([weight.grad.flatten() for weight in model.parameters()])
        found.append({"logits": logits, "loss": loss, "gradient": gradient, "statistics": torch.cat(state)})
    return [f"{name}: {what}" for what in found[0] if not torch.equal(found[0][what], found[1][what])]


if __name__ == "__main__":
    wrong = [what for name in [*DENSENETS, *RESNETS] for what in differences(name)]
    print("\n".join(wrong) or "as torchvision has them, bit for bit")
    sys.exit(1 if wrong else 0)
