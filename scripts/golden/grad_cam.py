"""Writes the Grad-CAM goldens of crates/viz with pytorch-grad-cam on torchvision's networks.

    python3 scripts/golden/grad_cam.py        (pip install torch torchvision grad-cam)

Writes crates/viz/tests/golden/grad-cam-*.json: the signed maps of a batch at several depths, before
the ReLU and the scaling that pytorch-grad-cam adds for display. Weights and pictures are the closed
formulas of densenet.py; all is computed in 64-bit.

torchvision ends with an in-place ReLU, which overwrites the output of norm5 after pytorch-grad-cam
has taken hold of it; it is made out-of-place here, so that norm5 means norm5.
"""

import json
import math
import platform
from importlib.metadata import version
from pathlib import Path

import numpy
import torch
import torchvision
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget, ClassifierOutputTarget
from torchvision.models import densenet121

from densenet import twin
from parity import closed_form, short, value

OUT = Path(__file__).resolve().parents[2] / "crates" / "viz" / "tests" / "golden"

relu = torch.nn.functional.relu
torchvision.models.densenet.F.relu = lambda x, inplace=False: relu(x)


class SignedGradCAM(GradCAM):
    """Keeps each layer's map as it is before ReLU and scaling."""

    def __init__(self, *arguments):
        self.signed = []
        super().__init__(*arguments)

    def get_cam_image(self, *arguments, **named):
        cam = super().get_cam_image(*arguments, **named)
        self.signed.append(cam)
        return cam


def golden(net, taps: list[str], shape: list[int], targets: list, classes: list[int]) -> dict:
    net = net.double()
    net.load_state_dict(
        {
            name: tensor if tensor.ndim == 0 else value(name, list(tensor.shape))
            for name, tensor in net.state_dict().items()
        }
    )
    net.eval()
    x = (closed_form("input", math.prod(shape)).reshape(shape) * 0.5 + 0.5).astype(numpy.float32)
    x = torch.from_numpy(x).double()
    with SignedGradCAM(net, [net.get_submodule(tap) for tap in taps]) as cam:
        cam(x, targets)
        maps = {tap: [[short(v) for v in m.flatten()] for m in signed]
                for tap, signed in zip(taps, cam.signed)}
    return {
        "made_by": {
            "script": "scripts/golden/grad_cam.py",
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "grad-cam": version("grad-cam"),
        },
        "input": shape,
        "classes": classes,
        "maps": maps,
    }


def write(name: str, record: dict) -> None:
    path = OUT / f"grad-cam-{name}.json"
    path.write_text(json.dumps(record, separators=(",", ":")).replace("]],", "]],\n") + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    blocks = [f"features.{name}" for name in
              ["pool0", "denseblock1", "denseblock2", "denseblock3", "denseblock4", "norm5"]]
    # pytorch-grad-cam pairs layers with maps by their order in the forward pass: keep to it.
    inner = list(blocks)
    inner.insert(3, "features.transition2.pool")
    inner.insert(2, "features.denseblock2.denselayer1.conv2")
    write("mini", golden(twin(), inner, [3, 3, 64, 64],
                         [ClassifierOutputTarget(c) for c in [2, 0, 1]], [2, 0, 1]))
    write("121", golden(densenet121(num_classes=1), blocks, [2, 3, 64, 64],
                        [BinaryClassifierOutputTarget(c) for c in [1, 0]], [1, 0]))
