"""Writes crates/viz/tests/golden/road.json: how pytorch-grad-cam fills holes for ROAD, without noise.

    python3 scripts/golden/road.py      (pip install torch grad-cam)
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy
import torch
from pytorch_grad_cam.metrics.road import NoisyLinearImputer

from parity import closed_form, short

OUT = Path(__file__).resolve().parents[2] / "crates" / "viz" / "tests" / "golden" / "road.json"
CHANNELS, HEIGHT, WIDTH = 2, 6, 8

if __name__ == "__main__":
    shape = (CHANNELS, HEIGHT, WIDTH)
    picture = closed_form("road", CHANNELS * HEIGHT * WIDTH).reshape(shape)
    order = numpy.argsort(closed_form("holes", HEIGHT * WIDTH))
    removed = [int(i) for i in order[:30]]
    mask = numpy.ones(HEIGHT * WIDTH)
    mask[removed] = 0
    filled = NoisyLinearImputer(noise=0.0)(
        torch.from_numpy(picture).float(), torch.from_numpy(mask.reshape(HEIGHT, WIDTH)))
    OUT.write_text(json.dumps({
        "made_by": {"script": "scripts/golden/road.py", "python": platform.python_version(),
                    "torch": torch.__version__, "grad-cam": version("grad-cam")},
        "picture": [short(float(v)) for v in picture.flatten()],
        "removed": removed,
        "filled": [short(float(v)) for v in filled.flatten()],
    }, separators=(",", ":")) + "\n")
    print(f"{OUT.name}: {OUT.stat().st_size} bytes")
