"""The other side of train_cuda.py: the same networks and steps in PyTorch, on a CUDA device. Reads a
JSON request a line on standard input, writes a JSON answer a line on standard output.

    {"about": true, "device": "cuda"}    what is compared with, on which card
    {"arm": "pytorch amp", "model": "resnet50", "batch": 20, "size_px": 224, "device": "cuda", "repeat": 10}

The networks are torchvision's where it is installed, else those of networks.py. Each arm is written as
a PyTorch user would write it; which arm does what stands in ARMS. The step of the last request is kept,
so that repeating a request repeats the work only; torch.compile compiles in the first repetitions.
"""

import json
import signal
import sys
import time
import warnings

import torch
from torch.nn import functional

try:
    import torchvision

    NETWORKS = f"torchvision {torchvision.__version__}"
except Exception as error:  # absent, or of another torch: then it raises RuntimeError
    import networks

    torchvision = None
    NETWORKS = f"torch.nn's layers, as torchvision 0.26 has them ({type(error).__name__}: {error})"

# arm -> bf16 autocast, channels_last, torch.compile's mode (None: not compiled)
ARMS = {
    "pytorch eager": (False, False, None),
    "pytorch amp": (True, True, None),
    "pytorch compile": (True, True, "default"),
    "pytorch compile graphs": (True, True, "reduce-overhead"),
}


def about(device: torch.device) -> dict:
    """With the card as nvidia-smi names it, whatever CUDA_VISIBLE_DEVICES makes of the numbers."""
    found = {"torch": torch.__version__, "networks": NETWORKS, "card": None}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        uuid = str(properties.uuid)
        found["card"] = uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"
        found["name"] = properties.name
    return found


def network(name: str):
    if torchvision is None:
        return networks.network(name, 2)
    return getattr(torchvision.models, name)(weights=None, num_classes=2)


def build(request: dict):
    amp, channels_last, mode = ARMS[request["arm"]]
    device = torch.device(request["device"])
    torch.manual_seed(1)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = network(request["model"]).to(device=device, memory_format=layout).train()
    n, size = request["batch"], request["size_px"]
    x = torch.rand(n, 3, size, size, device=device).contiguous(memory_format=layout)
    labels = torch.arange(n, device=device) % 2
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=amp)
    forward = model if mode is None else torch.compile(model, mode=mode)

    def step():
        optimizer.zero_grad()
        with autocast:
            logits = forward(x)
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step, device


def how(request: dict) -> str:
    """What PyTorch says against its own word, if anything: a graph that it did not record."""
    mode = ARMS[request["arm"]][2]
    if mode is None:
        return ""
    from torch._dynamo.utils import counters

    skips = counters["inductor"]["cudagraph_skips"]
    return f"no graph: skipped {skips} times" if mode == "reduce-overhead" and skips else "compiled"


def synchronize(device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_words(error: Exception) -> str:
    """Such as a compiler that is not installed: its reason follows after the first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:3])}"[:400]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback
    warnings.filterwarnings("ignore")
    key, ready = None, None
    for text in iter(sys.stdin.readline, ""):
        request = json.loads(text)
        if request.pop("about", False):
            print(json.dumps(about(torch.device(request["device"]))), flush=True)
            continue
        repeat = request.pop("repeat")
        try:
            if request != key:
                key, ready = request, None  # the old model goes before the new one comes
                ready = build(request)
            step, device = ready
            synchronize(device)
            began = time.perf_counter()
            for _ in range(repeat):
                step()
            synchronize(device)
            seconds = (time.perf_counter() - began) / max(repeat, 1)
            answer = {"seconds": [seconds] * repeat, "how": how(request)}
        except Exception as error:  # this arm has no figure, the others do
            key, ready = None, None
            answer = {"seconds": [], "error": in_words(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
