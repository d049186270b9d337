"""The other side of train_cuda.py: the same networks and steps in PyTorch and torchvision, on a CUDA
device. Reads a JSON request a line on standard input, writes a JSON answer a line on standard output.

Each arm is written as a PyTorch user would write it; which arm does what stands in ARMS.
"""

import json
import sys
import time
import warnings

import torch
import torchvision
from torch.nn import functional

# arm -> bf16 autocast, channels_last, torch.compile's mode (None: not compiled)
ARMS = {
    "pytorch eager": (False, False, None),
    "pytorch amp": (True, True, None),
    "pytorch compile": (True, True, "default"),
    "pytorch compile graphs": (True, True, "reduce-overhead"),
}


def build(request: dict):
    amp, channels_last, mode = ARMS[request["arm"]]
    device = torch.device(request["device"])
    torch.manual_seed(1)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = getattr(torchvision.models, request["model"])(weights=None, num_classes=2)
    model = model.to(device=device, memory_format=layout).train()
    n, size = request["batch"], request["size_px"]
    x = torch.rand(n, 3, size, size, device=device).contiguous(memory_format=layout)
    labels = torch.arange(n, device=device) % 2
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=amp)
    if mode is not None:
        torch._dynamo.reset()  # of the arm before
    network = model if mode is None else torch.compile(model, mode=mode)

    def step():
        optimizer.zero_grad()
        with autocast:
            logits = network(x)
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step, device


def synchronize(device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    warnings.filterwarnings("ignore")
    key, ready = None, None
    for text in iter(sys.stdin.readline, ""):
        request = json.loads(text)
        repeat = request.pop("repeat")
        try:
            if request != key:
                ready = None  # the old model goes before the new one comes
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                key, ready = request, build(request)
            step, device = ready
            synchronize(device)
            began = time.perf_counter()
            for _ in range(repeat):
                step()
            synchronize(device)
            seconds = (time.perf_counter() - began) / max(repeat, 1)
            answer = {"seconds": [seconds] * repeat}
        except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
            # Such as a compiler that is not installed: this arm has no figure, the others do.
            key, ready = None, None
            answer = {"seconds": [], "error": str(error).strip().splitlines()[0]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
