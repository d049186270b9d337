"""PyTorch's side of `models.py`: takes timed steps of torchvision's networks on request.

A JSON request a line on standard input, a JSON answer a line on standard output, as `catscan bench`
(crates/catscan/src/commands/bench.rs) has them. Everything runs as a PyTorch user would write it:
eager, `torch.autocast` for bf16, `torch.optim.SGD`.
"""

import json
import os
import sys
import time
from pathlib import Path

import torch
import torchvision
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
import mnist  # the notebooks' networks in torch.nn's layers

NOTEBOOKS = {"mnist-resnet": lambda: mnist.ResNet(as_printed=False), "mnist-densenet": mnist.DenseNet}


def build(request: dict):
    torch.manual_seed(1)
    name, channels, classes = request["model"], 3, 2
    if name in NOTEBOOKS:
        model, channels, classes = NOTEBOOKS[name](), 1, 10
    else:
        options = {"memory_efficient": True} if request["memory"] == "recompute" else {}
        model = getattr(torchvision.models, name)(weights=None, num_classes=classes, **options)
    layout = torch.channels_last if request["layout"] == "channels_last" else torch.contiguous_format
    model = model.to(memory_format=layout)
    size = request["size_px"]
    x = torch.rand(request["batch"], channels, size, size).contiguous(memory_format=layout)
    labels = torch.arange(request["batch"]) % classes
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    bf16 = torch.autocast("cpu", dtype=torch.bfloat16, enabled=request["precision"] == "bf16")

    def forward():
        with torch.no_grad(), bf16:
            model(x)

    def step():
        optimizer.zero_grad()
        with bf16:
            logits = model(x)
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    model.train(request["work"] == "step")
    return forward if request["work"] == "forward" else step


def timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_bytes() -> int | None:
    try:
        status = open("/proc/self/status").read()
    except OSError:
        return None
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    key, work = None, None
    for text in iter(sys.stdin.readline, ""):
        request = json.loads(text)
        repeat = request.pop("repeat")
        if request != key:
            work = None  # the old model goes before the new one comes
            key, work = request, build(request)
        seconds = [timed(work) for _ in range(repeat)]
        print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes()}), flush=True)


if __name__ == "__main__":
    main()
