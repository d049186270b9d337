"""Makes torchvision networks whose weights crates/models must load, with the logits they must give.

    python3 scripts/golden/torchvision_weights.py

writes crates/models/tests/golden/torchvision-weights.safetensors, the state dict of a DenseNet that
is small enough to be committed, and torchvision-weights.json with its logits. The values are
parity.py's closed formula.

    python3 scripts/golden/torchvision_weights.py --make densenet121 FOLDER

is what crates/models/tests/it/transfer.rs runs where torchvision is installed: it writes
FOLDER/densenet121.pth as torch.save does (and, of a DenseNet, densenet121-old.pth with the names of
torchvision's published files), and prints the logits as JSON.

Logits are computed in 64-bit, in evaluation, of parity.py's pictures.
"""

import json
import math
import re
import sys
from pathlib import Path

import numpy
import torch
import torchvision
from parity import OUT, closed_form, short, value
from torchvision.models import DenseNet

PICTURES = [2, 3, 64, 64]


def fill(net: torch.nn.Module) -> None:
    """Closed-form values, running statistics included."""
    state = {
        name: torch.tensor(7) if tensor.ndim == 0 else value(name, list(tensor.shape)).float()
        for name, tensor in net.state_dict().items()
    }
    net.load_state_dict(state)


def logits(net: torch.nn.Module) -> list[float]:
    x = closed_form("input", math.prod(PICTURES)).reshape(PICTURES) * 0.5 + 0.5
    net = net.double().eval()
    with torch.no_grad():
        y = net(torch.from_numpy(x.astype(numpy.float32)).double())
    return [short(v) for v in y.flatten().tolist()]


def make(name: str, folder: Path) -> None:
    net = getattr(torchvision.models, name)(num_classes=5)
    fill(net)
    state = net.state_dict()
    torch.save(state, folder / f"{name}.pth")
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", n): t for n, t in state.items()}
    if old.keys() != state.keys():
        torch.save(old, folder / f"{name}-old.pth")
    print(json.dumps(logits(net)))


def fixture() -> None:
    from safetensors.torch import save_file

    net = DenseNet(
        growth_rate=4, block_config=(1, 1, 1, 1), num_init_features=8, num_classes=3
    )
    fill(net)
    path = OUT / "torchvision-weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, path)
    record = {
        "made_by": f"scripts/golden/torchvision_weights.py with torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}",
        "input": PICTURES,
        "eval_logits": logits(net),
    }
    (OUT / "torchvision-weights.json").write_text(json.dumps(record) + "\n")
    print(path, path.stat().st_size, "bytes", record["eval_logits"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2], Path(sys.argv[3]))
    else:
        fixture()
