"""What the scripts share that write goldens of whole networks: the closed form of weights and
pictures, and the questions a golden answers.

No weight is stored: every tensor is a closed formula of its name and index (`closed_form`), which
crates/models/tests/it/{golden,support}.rs repeat. Networks run in 64-bit, so that a golden is the
exact answer to a rounding far below any 32-bit computation, whatever machine made it.
"""

import json
import math
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy
import torch
import torchvision
from torch import nn

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


def short(x: float) -> float:
    """Seven digits, short in JSON. What is only rounding is 0, as in exact arithmetic: the gradient
    of a bias before a norm."""
    return 0.0 if abs(x) < 1e-14 else float(f"{x:.7g}")


def samples(tensor: torch.Tensor, count: int) -> list[float]:
    """`count` entries, evenly spread from the first to the last."""
    flat = tensor.flatten()
    last = flat.numel() - 1
    return [short(flat[last * i // max(count - 1, 1)].item()) for i in range(count)]


def input_of(shape: list[int]) -> torch.Tensor:
    """Pictures of numbers in [0, 1), in 32-bit values."""
    x = closed_form("input", math.prod(shape)).reshape(shape) * 0.5 + 0.5
    return torch.from_numpy(x.astype(numpy.float32)).double()


def loss_of(logits: torch.Tensor) -> torch.Tensor:
    """For the labels 0, 1, 2 ... repeated: binary for one logit."""
    labels = torch.arange(len(logits)) % max(logits.shape[1], 2)
    if logits.shape[1] == 1:
        return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype))
    return nn.functional.cross_entropy(logits, labels)


def answers(net: nn.Module, x: torch.Tensor, lr: float, ours=lambda name: name) -> dict:
    """What a golden asks of a network, each a tensor. `ours` is our name of one of its tensors."""
    net.eval()
    with torch.no_grad():
        found = {"eval logits": net(x)}
    net.train()
    learned = [(ours(name), p) for name, p in net.named_parameters() if p.requires_grad]
    logits = net(x)
    loss = loss_of(logits)
    loss.backward()
    found |= {"train logits": logits.detach(), "loss": loss.detach()}
    found |= {f"gradient of {name}": p.grad.clone() for name, p in learned}
    running = [(ours(name), b) for name, b in net.named_buffers() if b.ndim > 0]
    found |= {f"running {name}": b.clone() for name, b in running}
    # The loss after each of ten steps of plain gradient descent on the same pictures.
    descent = torch.optim.SGD([p for _, p in learned], lr)
    for step in range(1, 11):
        descent.step()
        descent.zero_grad()
        loss = loss_of(net(x))
        loss.backward()
        found[f"loss after step {step}"] = loss.detach()
    return found


def hold(label: str, ours: dict, theirs: dict) -> None:
    """That two networks give the same answers to 1e-9 of each tensor's largest entry: the rounding of
    64-bit sums in another order, far below the seven digits that a golden keeps."""
    assert ours.keys() == theirs.keys(), f"{label}: {ours.keys() ^ theirs.keys()}"
    worst = 0.0
    for question, want in theirs.items():
        got = ours[question].view_as(want)
        # Where exact arithmetic gives 0, the gradient of a bias before a norm, all is rounding.
        error = ((got - want).abs().max() / want.abs().max().clamp(min=1e-4)).item()
        assert error < 1e-9, f"{label}: {question} is off by {error}"
        worst = max(worst, error)
    print(f"held against {label}: {len(theirs)} answers within {worst:.0e}")


def golden(
    script: str,
    net: nn.Module,
    pictures: int,
    size_px: int,
    outputs: int,
    channels: int = 3,
    lr: float = 0.01,
    peers: Sequence = (),
) -> dict:
    """The answers of a network whose weights become the closed form, which must be those of each of
    its `peers` (peers.py) too. `script` is who asks; `lr` is one at which ten steps move the loss."""
    net = net.double()
    weights = {
        name: tensor if tensor.ndim == 0 else value(name, list(tensor.shape))
        for name, tensor in net.state_dict().items()
    }
    net.load_state_dict(weights)
    shape = [pictures, channels, size_px, size_px]
    x = input_of(shape)
    learned = list(net.named_parameters())
    running = [name for name, b in net.named_buffers() if b.ndim > 0]
    found = answers(net, x, lr)
    for peer in peers:
        theirs = peer.answer(weights, x, lambda net, x, ours: answers(net, x, lr, ours))
        hold(peer.label, found, theirs)

    def numbers(question: str) -> list[float]:
        return [short(v) for v in found[question].flatten().tolist()]

    made_by = {
        "script": f"scripts/golden/{script}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": numpy.__version__,
    }
    if peers:
        made_by["held_against"] = [peer.label for peer in peers]
    record = {
        "made_by": made_by,
        "input": shape,
        "outputs": outputs,
        "eval_logits": numbers("eval logits"),
        "train_logits": numbers("train logits"),
        "loss": numbers("loss")[0],
        # [name, shape, norm of the gradient, three of its entries]
        "gradients": [
            [name, list(p.shape), short(g.norm().item()), samples(g, 3)]
            for name, p in learned
            for g in [found[f"gradient of {name}"]]
        ],
        # [name, norm after the training forward, its first entry]
        "running": [
            [name, short(b.norm().item()), samples(b, 1)]
            for name in running
            for b in [found[f"running {name}"]]
        ],
    }
    losses = [numbers(f"loss after step {step}")[0] for step in range(1, 11)]
    return record | {"descent": {"lr": lr, "losses": losses}}


def write(name: str, record: dict) -> None:
    """Writes crates/models/tests/golden/NAME.json."""
    lines = json.dumps(record, separators=(",", ":")).replace('],["', '],\n["')
    path = OUT / f"{name}.json"
    path.write_text(lines + "\n")
    curve = " ".join(f"{loss:.3f}" for loss in [record["loss"], *record["descent"]["losses"]])
    print(f"{path.name}: {path.stat().st_size} bytes, loss {curve}")
