"""Other libraries' networks, which the references in resnet.py, densenet_cifar.py and mnist.py are held
against: the same weights must give the same answers (`hold` in parity.py).

Written by other people from the same papers: pytorchcv's CIFAR and ImageNet networks, timm's ResNetV2,
and Keras' own layers under the MNIST notebooks and the depth study (keras_peers.py). Where a library's
network departs from the paper, its units are put together as the paper has them, and it is said where:

- pytorchcv and timm begin a pre-activation network with a bare convolution, and let the first unit's
  shortcut leave before the first norm. The paper's appendix adopts "the first activation right after
  conv1 and before splitting into two paths", and so do the authors' programs: `moved_up`.
- pytorchcv's CIFAR networks all project (option B). The paper's are of option A, the input's every
  second pixel padded with zeros: a projection whose weight is the unit matrix, without norm:
  `padded`. (A plain net's unit is a residual unit's body.)
- pytorchcv's `densenet40_k12_cifar10` and its like halve the maps in every transition and start with
  2k maps. The paper's DenseNet keeps them all and starts with 16; with theta = 1 there are 1.0
  million parameters (its table 2), in pytorchcv's 0.6. Only its -BC networks are the paper's.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass
from importlib.metadata import version

import torch
from pytorchcv.models import densenet as dense, preresnet, resnet
from pytorchcv.models.common.conv import conv3x3
from pytorchcv.models.densenet_cifar import CIFARDenseNet, DenseSimpleUnit, get_densenet_cifar
from pytorchcv.models.preresnet_cifar import CIFARPreResNet
from pytorchcv.models.resnet_cifar import CIFARResNet
from timm.layers import BatchNormAct2d, create_conv2d
from timm.models.resnetv2 import ResNetV2, create_resnetv2_stem
from torch import nn


@dataclass
class Peer:
    """Another library's network: how it is called in a golden, and its names in ours. What it does
    not train, the reference does not have."""

    label: str
    net: nn.Module
    renamed: list[tuple[str, str]]

    def ours(self, name: str) -> str:
        """Our name of one of its tensors. Numbers in <> are one less there or here."""
        for pattern, ours in self.renamed:
            name = re.sub(pattern, ours, name)
        return re.sub(r"<(\d+)([+-]1)>", lambda m: str(int(m[1]) + int(m[2])), name)

    def answer(self, weights: dict, x: torch.Tensor, ask) -> dict[str, torch.Tensor]:
        """What `ask` asks it, by our names, with these weights."""
        with torch.no_grad():
            for name, tensor in self.net.double().state_dict(keep_vars=True).items():
                if isinstance(tensor, nn.Parameter) and not tensor.requires_grad or tensor.ndim == 0:
                    continue
                tensor.copy_(weights[self.ours(name)].view_as(tensor))
        return ask(self.net, x, self.ours)


RESIDUAL_NAMES = [
    (r"^features\.init_block\.conv\.conv", "conv1"),
    (r"^features\.init_block\.conv\.bn", "bn1"),
    (r"^features\.init_block\.conv", "conv1"),
    (r"^features\.init_block\.bn", "bn1"),
    (r"^features\.stage(\d+)\.unit(\d+)", r"layer\1.<\2-1>"),
    (r"body\.conv(\d)\.conv", r"conv\1"),
    (r"body\.conv(\d)\.bn", r"bn\1"),
    (r"identity_conv\.conv", "downsample.0"),
    (r"identity_conv\.bn", "downsample.1"),
    (r"identity_conv", "downsample.0"),
    (r"^features\.post_activ\.bn", "norm"),
    (r"^output", "fc"),
]
KERAS_NAMES = [
    (r"__", "."),
    (r"_block(\d+)_0_conv", r".<\1-1>.downsample.0"),
    (r"_block(\d+)_0_bn", r".<\1-1>.downsample.1"),
    (r"_block(\d+)_(\d)_(conv|bn)", r".<\1-1>.\3\2"),
]
TIMM_NAMES = [
    (r"^stem\.conv", "conv1"),
    (r"^stem\.norm", "bn1"),
    (r"^stages\.(\d+)\.blocks", r"layer<\1+1>"),
    (r"norm(\d)", r"bn\1"),
    (r"downsample\.conv", "downsample.0"),
    (r"^head\.fc", "fc"),
]
DENSE_NAMES = [
    (r"^features\.init_block", "features.conv0"),
    (r"stage(\d+)\.trans\d+\.conv\.bn", r"transition<\1-1>.norm"),
    (r"stage(\d+)\.trans\d+\.conv\.conv", r"transition<\1-1>.conv"),
    (r"stage(\d+)\.unit", r"denseblock\1.denselayer"),
    (r"conv(\d)\.bn", r"norm\1"),
    (r"conv(\d)\.conv", r"conv\1"),
    (r"conv\.bn", "norm1"),
    (r"conv\.conv", "conv1"),
    (r"post_activ\.bn", "norm5"),
    (r"^output", "classifier"),
]


def residual(
    stages: list[int],
    width: int,
    outputs: int,
    bottleneck: bool = False,
    pre: bool = False,
    shortcut: str = "projection",
    small: bool = False,
) -> list[Peer]:
    """The networks that `resnet.Reference` of the same arguments is held against."""
    channels = [width * 2**i * (4 if bottleneck else 1) for i in range(len(stages))]
    units = [[c] * count for c, count in zip(channels, stages)]
    kind = [[resnet.ResNet, CIFARResNet], [preresnet.PreResNet, CIFARPreResNet]][pre][small]
    how = {} if small else {"conv1_stride": False}
    net = kind(units, width, bottleneck, num_classes=outputs, **how)
    net.features.final_pool = nn.AdaptiveAvgPool2d(1)  # theirs reads one size of picture
    label = f"pytorchcv {version('pytorchcv')}: {kind.__name__}"
    if pre:
        moved_up(net)
        label += ", first norm moved up"
    if shortcut == "identity":
        padded(net)
        label += ", projections the unit matrix"
    if shortcut == "none":
        for stage in net.features.children():
            for name, unit in stage.named_children():
                if isinstance(unit, resnet.ResUnit):
                    setattr(stage, name, nn.Sequential(OrderedDict(body=unit.body, activ=unit.activ)))
        label += ", bodies only"
    peers = [Peer(label, net, RESIDUAL_NAMES)]
    if pre and not small and shortcut == "projection":
        peers.append(timm_v2(stages, width, outputs, channels, bottleneck))
    return peers


def moved_up(net: nn.Module) -> None:
    """The first unit's norm and ReLU right after the stem's convolution, which the ImageNet network
    has there too: twice in pytorchcv."""
    first, stem = net.features.stage1.unit1.body.conv1, net.features.init_block
    if isinstance(stem, nn.Conv2d):
        stem = nn.Sequential(OrderedDict(conv=stem, bn=first.bn, activ=first.activ))
        net.features.init_block = stem
    first.bn, first.activ = nn.Identity(), nn.Identity()


def padded(net: nn.Module) -> None:
    """Option A of every shortcut that changes the shape."""
    for unit in net.modules():
        if getattr(unit, "resize_identity", False):
            conv = unit.identity_conv
            if not isinstance(conv, nn.Conv2d):
                conv.bn, conv = nn.Identity(), conv.conv
            nn.init.dirac_(conv.weight).requires_grad_(False)


def timm_v2(stages, width, outputs, channels, bottleneck: bool) -> Peer:
    parts = dict(conv_layer=create_conv2d, norm_layer=BatchNormAct2d)
    units = dict(basic=not bottleneck, bottle_ratio=0.25 if bottleneck else 1.0)
    net = ResNetV2(stages, channels, num_classes=outputs, stem_chs=width, **units, **parts)
    net.stem = create_resnetv2_stem(3, width, preact=False, **parts)
    net.stages[0].blocks[0].norm1 = nn.Identity()
    label = f"timm {version('timm')}: ResNetV2 with batch norm, first norm moved up"
    return Peer(label, net, TIMM_NAMES)


def densenet_cifar(
    depth: int, growth: int, bottleneck: bool, compression: bool, outputs: int = 3
) -> list[Peer]:
    """The network that `densenet_cifar.DenseNet` of the same arguments is held against."""
    layers = (depth - 4) // (6 if bottleneck else 3)
    start = 2 * growth if bottleneck and compression else 16
    label = f"pytorchcv {version('pytorchcv')}: "
    stages, channels = [], start
    for i in range(3):
        channels = channels // 2 if compression and i > 0 else channels
        stages.append([channels + growth * (j + 1) for j in range(layers)])
        channels = stages[-1][-1]
    if compression and bottleneck and outputs == 10:
        net = get_densenet_cifar(outputs, depth, growth, bottleneck)
        label += "get_densenet_cifar"
    elif compression:
        net = CIFARDenseNet(stages, start, bottleneck, num_classes=outputs)
        label += "CIFARDenseNet"
    else:
        net = uncompressed(stages, start, bottleneck, outputs)
        label += "the units of CIFARDenseNet, transitions that keep all maps"
    net.features.final_pool = nn.AdaptiveAvgPool2d(1)  # theirs reads one size of picture
    return [Peer(label, net, DENSE_NAMES)]


def uncompressed(stages, channels: int, bottleneck: bool, outputs: int) -> nn.Module:
    unit = dense.DenseUnit if bottleneck else DenseSimpleUnit
    features = nn.Sequential(OrderedDict(init_block=conv3x3(3, channels)))
    for i, widths in enumerate(stages, start=1):
        stage = nn.Sequential()
        if i > 1:
            stage.add_module(f"trans{i}", dense.TransitionBlock(channels, channels))
        for j, wider in enumerate(widths, start=1):
            stage.add_module(f"unit{j}", unit(channels, wider, dropout_rate=0.0))
            channels = wider
        features.add_module(f"stage{i}", stage)
    features.add_module("post_activ", preresnet.PreResActivation(channels))
    features.add_module("final_pool", nn.Identity())
    whole = OrderedDict(features=features, flat=nn.Flatten(), output=nn.Linear(channels, outputs))
    return nn.Sequential(whole)


def of_keras(label: str, net: nn.Module) -> list[Peer]:
    """A network of keras_peers.py."""
    return [Peer(f"keras {version('keras')}: {label}", net, KERAS_NAMES)]
