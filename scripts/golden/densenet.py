"""Writes the DenseNet goldens of crates/models from torchvision's own networks.

    python3 scripts/golden/densenet.py

Writes crates/models/tests/golden/densenet-*.json. No weight is stored: every tensor is a closed
formula of its name and index (`closed_form`), which crates/models/tests/it/golden.rs repeats. The
network runs in 64-bit, so that a golden is the exact answer to a rounding far below any 32-bit
computation, whatever machine made it.
"""

import json
import math
import platform
from pathlib import Path

import numpy
import torch
import torchvision
from torch import nn
from torchvision.models import DenseNet, densenet121

OUT = Path(__file__).resolve().parents[2] / "crates" / "models" / "tests" / "golden"


def closed_form(name: str, count: int) -> numpy.ndarray:
    """`count` numbers in [-1, 1): splitmix64 started at the FNV-1a hash of the name."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = ((start ^ byte) * 0x100000001B3) % 2**64
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(start) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1.0


def value(name: str, shape: list[int]) -> torch.Tensor:
    """The tensor of this name, scaled so that activations neither vanish nor blow up, in 32-bit
    values (as the weights of a 32-bit network are)."""
    v = closed_form(name, math.prod(shape)).reshape(shape)
    if len(shape) == 4:  # convolution: variance 2 / fan_in
        v = v * math.sqrt(6.0 / (shape[1] * shape[2] * shape[3]))
    elif len(shape) == 2:  # classifier: variance 1 / fan_in
        v = v * math.sqrt(3.0 / shape[1])
    elif name.endswith(("weight", "running_var")):  # a norm's scale and variance
        v = 1.0 + 0.25 * v
    else:  # biases, running means
        v = 0.25 * v
    return torch.from_numpy(v.astype(numpy.float32)).double()


def all_max(net: DenseNet) -> DenseNet:
    """Every pooling a max pooling: the transitions and the head (the stem has been one)."""
    for i in range(1, 4):
        getattr(net.features, f"transition{i}").pool = nn.MaxPool2d(2, 2)

    def forward(x: torch.Tensor) -> torch.Tensor:
        features = nn.functional.relu(net.features(x))
        return net.classifier(nn.functional.adaptive_max_pool2d(features, 1).flatten(1))

    net.forward = forward
    return net


def short(x: float) -> float:
    """Seven digits: enough for 32-bit, short in JSON."""
    return float(f"{x:.7g}")


def samples(tensor: torch.Tensor, count: int) -> list[float]:
    """`count` entries, evenly spread from the first to the last."""
    flat = tensor.flatten()
    last = flat.numel() - 1
    return [short(flat[last * i // max(count - 1, 1)].item()) for i in range(count)]


def golden(net: DenseNet, pictures: int, size_px: int, outputs: int) -> dict:
    net = net.double()
    net.load_state_dict(
        {
            name: tensor if tensor.ndim == 0 else value(name, list(tensor.shape))
            for name, tensor in net.state_dict().items()
        }
    )
    shape = [pictures, 3, size_px, size_px]
    x = (closed_form("input", math.prod(shape)).reshape(shape) * 0.5 + 0.5).astype(numpy.float32)
    x = torch.from_numpy(x).double()
    labels = torch.arange(pictures) % max(outputs, 2)

    net.eval()
    with torch.no_grad():
        eval_logits = net(x)
    net.train()
    logits = net(x)
    if outputs == 1:
        loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels.double())
    else:
        loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()

    return {
        "made_by": {
            "script": "scripts/golden/densenet.py",
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "numpy": numpy.__version__,
        },
        "input": shape,
        "outputs": outputs,
        "eval_logits": [short(v) for v in eval_logits.flatten().tolist()],
        "train_logits": [short(v) for v in logits.flatten().tolist()],
        "loss": short(loss.item()),
        # [name, shape, norm of the gradient, three of its entries]
        "gradients": [
            [name, list(p.shape), short(p.grad.norm().item()), samples(p.grad, 3)]
            for name, p in net.named_parameters()
        ],
        # [name, norm after the training forward, its first entry]
        "running": [
            [name, short(b.norm().item()), samples(b, 1)]
            for name, b in net.named_buffers()
            if b.ndim > 0
        ],
    }


def twin() -> DenseNet:
    return DenseNet(growth_rate=8, block_config=(2, 2, 2, 2), num_init_features=16, num_classes=3)


def write(name: str, record: dict) -> None:
    lines = json.dumps(record, separators=(",", ":")).replace('],["', '],\n["')
    path = OUT / f"densenet-{name}.json"
    path.write_text(lines + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes, loss {record['loss']}")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    write("mini-avg", golden(twin(), pictures=4, size_px=64, outputs=3))
    write("mini-max", golden(all_max(twin()), pictures=4, size_px=64, outputs=3))
    write("121-avg", golden(densenet121(num_classes=1), pictures=4, size_px=64, outputs=1))
    write("121-max", golden(all_max(densenet121(num_classes=1)), pictures=4, size_px=64, outputs=1))
