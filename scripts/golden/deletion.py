"""Writes crates/viz/tests/golden/deletion.json: deletion and insertion by RISE's own metric.

    python3 scripts/golden/deletion.py      (pip install torch torchvision grad-cam)

On the small DenseNet twin, its closed formulas (see densenet.py and cams.py) and a map of as many
places as the picture has, so that nothing is enlarged; the substrate of insertion, which RISE's
metric takes as an argument, is our box blur. All is computed in 64-bit.
"""

import json
import math
import platform
import sys
from pathlib import Path

import numpy
import torch
import torchvision

from cams import network
from parity import closed_form, short

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
from viz_peer import CausalMetric  # noqa: E402

OUT = Path(__file__).resolve().parents[2] / "crates" / "viz" / "tests" / "golden" / "deletion.json"
SHAPE, PARTS = [2, 3, 32, 32], 4


def blur(x):
    """deletion.rs' own: a mean over 11 x 11 pixels, three times."""
    for _ in range(3):
        x = torch.nn.functional.avg_pool2d(x, 11, stride=1, padding=5, count_include_pad=False)
    return x


@torch.no_grad()
def main():
    net = network()
    x = closed_form("input", math.prod(SHAPE)).reshape(SHAPE) * 0.5 + 0.5
    x = torch.from_numpy(x.astype(numpy.float32)).double()
    maps = closed_form("map", SHAPE[0] * SHAPE[2] * SHAPE[3]).reshape(SHAPE[0], SHAPE[2], SHAPE[3])
    maps = maps.astype(numpy.float32)
    scores = {
        mode: CausalMetric(net, mode, PARTS, substrate).run(x, maps)
        for mode, substrate in [("deletion", torch.zeros_like), ("insertion", blur)]
    }
    OUT.write_text(json.dumps({
        "made_by": {"script": "scripts/golden/deletion.py", "python": platform.python_version(),
                    "torch": torch.__version__, "torchvision": torchvision.__version__},
        "input": SHAPE, "parts": PARTS, "classes": net(x).argmax(1).tolist(),
        **{mode: [short(float(v)) for v in of.mean(1)] for mode, of in scores.items()},
    }, separators=(",", ":")) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()
