"""Writes crates/viz/tests/golden/cams.json: every method of CAMS, on the small DenseNet twin.

    python3 scripts/golden/cams.py      (pip install torch torchvision grad-cam captum)

pytorch-grad-cam for the methods it has, captum for those of the picture; CAM and SmoothGrad are
written out in PyTorch. Signed maps, before any ReLU and scaling; weights and pictures are the
closed formulas of densenet.py; all is computed in 64-bit. Maps of the picture are averaged over
4 x 4 pixels, to keep the file small.

What is set so that one thing is compared with itself:
- Score-CAM enlarges with half-pixel centres (pytorch-grad-cam aligns corners);
- Ablation-CAM is asked at a tap without negative values, where pytorch-grad-cam sets a channel to
  zero as the paper does; its map is multiplied by the score's sign, see ablation_cam.rs;
- Eigen-CAM has no sign: the test compares it with either.
"""

import json
import math
import platform
from importlib.metadata import version
from pathlib import Path

import numpy
import pytorch_grad_cam as cams
import torch
import torchvision
from captum.attr import GuidedBackprop, IntegratedGradients, Occlusion
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from densenet import twin
from parity import closed_form, short, value

OUT = Path(__file__).resolve().parents[2] / "crates" / "viz" / "tests" / "golden" / "cams.json"
SIZE, PICTURES, CLASSES = 32, 2, [2, 0]
LAST, MIDDLE, FIRST = "features.norm5", "features.denseblock2", "features.pool0"

relu = torch.nn.functional.relu
torchvision.models.densenet.F.relu = lambda x, inplace=False: relu(x)
torch.nn.UpsamplingBilinear2d = lambda size: torch.nn.Upsample(
    size=tuple(size), mode="bilinear", align_corners=False)

TAPPED = {
    "grad-cam": cams.GradCAM,
    "grad-cam++": cams.GradCAMPlusPlus,
    "hires-cam": cams.HiResCAM,
    "xgrad-cam": cams.XGradCAM,
    "layer-cam": cams.LayerCAM,
    "eigen-cam": cams.EigenCAM,
    "score-cam": cams.ScoreCAM,
    "ablation-cam": cams.AblationCAM,
}


def network():
    net = twin().double()
    net.load_state_dict({
        name: tensor if tensor.ndim == 0 else value(name, list(tensor.shape))
        for name, tensor in net.state_dict().items()
    })
    return net.eval()


def signed(method, net, tap, x):
    """The maps of a tap as they are before ReLU and scaling."""
    kept = []

    class Signed(method):
        def get_cam_image(self, *arguments, **named):
            cam = super().get_cam_image(*arguments, **named)
            kept.append(cam)
            return cam

    targets = [ClassifierOutputTarget(c) for c in CLASSES]
    with Signed(net, [net.get_submodule(tap)]) as cam:
        cam(x, targets)
    return kept[0]


def noise(copy, shape):
    """chance.rs' normal: Box and Muller's transform of splitmix64."""
    count = math.prod(shape)
    i = numpy.arange(2 * copy * count, 2 * (copy + 1) * count, dtype=numpy.uint64)
    z = (i + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    u = (((z ^ (z >> numpy.uint64(31))) >> numpy.uint64(11)).astype(float) + 0.5) * 2.0**-53
    normal = numpy.sqrt(-2 * numpy.log(u[0::2])) * numpy.cos(2 * numpy.pi * u[1::2])
    return torch.from_numpy(normal.astype(numpy.float32).astype(float).reshape(shape))


def gradient(net, x):
    x = x.detach().requires_grad_(True)
    score = net(x)[range(PICTURES), CLASSES].sum()
    return torch.autograd.grad(score, x)[0]


def of_picture(net, x):
    classes = torch.tensor(CLASSES)
    square, step = SIZE // 8, SIZE // 16
    integrated = IntegratedGradients(net).attribute(
        x, target=classes, n_steps=32, method="riemann_middle")
    occluded = Occlusion(net).attribute(
        x, (3, square, square), strides=(3, step, step), target=classes)
    span = x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True)
    smooth = sum(gradient(net, x + 0.15 * span * noise(copy, x.shape[1:]))
                 for copy in range(16)) / 16
    guided = GuidedBackprop(modules(net)).attribute(x.requires_grad_(True), target=classes)
    return {
        "integrated-gradients": integrated.sum(1),
        "occlusion": occluded[:, 0],  # the same for each colour
        "smooth-grad": smooth.abs().amax(1),
        "guided-backprop": guided.sum(1),
    }


def modules(net):
    """The same network with a module for its last ReLU, which captum must find."""
    class Head(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.classifier = net.features, net.classifier
            self.relu = torch.nn.ReLU()

        def forward(self, x):
            return self.classifier(self.relu(self.features(x)).mean((2, 3)))

    for module in net.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    return Head().eval()


def class_activation(net, x):
    features = torch.relu(net.features(x))
    return torch.einsum("nk,nkhw->nhw", net.classifier.weight[CLASSES], features)


def numbers(maps):
    return [[short(float(v)) for v in m.flatten()] for m in maps]


def main():
    net = network()
    shape = [PICTURES, 3, SIZE, SIZE]
    x = (closed_form("input", math.prod(shape)).reshape(shape) * 0.5 + 0.5).astype(numpy.float32)
    x = torch.from_numpy(x).double()
    sign = numpy.sign(net(x).detach().numpy()[range(PICTURES), CLASSES])[:, None, None]
    taps = {}
    for name, method in TAPPED.items():
        wanted = [FIRST] if name == "ablation-cam" else [FIRST, MIDDLE, LAST]
        maps = {tap: signed(method, network(), tap, x) for tap in wanted}
        if name == "ablation-cam":
            maps = {tap: m * sign for tap, m in maps.items()}
        taps[name] = {tap: numbers(m) for tap, m in maps.items()}
    taps["cam"] = {LAST: numbers(class_activation(net, x).detach())}
    pooled = torch.nn.AvgPool2d(4)
    inputs = {name: numbers(pooled(m.detach()[:, None].double())[:, 0])
              for name, m in of_picture(net, x).items()}
    golden = {
        "made_by": {"script": "scripts/golden/cams.py", "python": platform.python_version(),
                    "torch": torch.__version__, "torchvision": torchvision.__version__,
                    "grad-cam": version("grad-cam"), "captum": version("captum")},
        "input": shape, "classes": CLASSES, "taps": taps, "pictures": inputs,
    }
    OUT.write_text(json.dumps(golden, separators=(",", ":")).replace("]],", "]],\n") + "\n")
    print(f"{OUT.name}: {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
