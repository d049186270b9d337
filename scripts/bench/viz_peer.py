"""The peer's side of `viz.py`: pytorch-grad-cam's maps and RISE's metric on torchvision's network.

A JSON request a line on standard input, a JSON answer a line on standard output, as `catscan bench
scans` (crates/catscan/src/commands/bench/scans.rs) has them. Everything runs as its users write it:
eager, 32 bits, one call a batch.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy
import torch
import torchvision
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

# torchvision ends with an in-place ReLU, which would overwrite norm5's output under the hook.
relu = torch.nn.functional.relu
torchvision.models.densenet.F.relu = lambda x, inplace=False: relu(x)


class CausalMetric:
    """Deletion and insertion as RISE's authors wrote them (Petsiuk et al. 2018, `evaluation.py` of
    https://github.com/eclique/RISE), on the CPU and with the number of parts given."""

    def __init__(self, net, mode: str, parts: int, substrate):
        self.net, self.mode, self.parts, self.substrate = net, mode, parts, substrate

    def run(self, images, maps):
        """Scores `[parts + 1, N]` of one batch: `evaluate` of the original; of one picture, its
        `single_run`."""
        count, channels, height, width = images.shape
        pixels = height * width
        step = (pixels + self.parts - 1) // self.parts
        top = self.net(images).softmax(1).argmax(1).numpy()
        order = numpy.flip(numpy.argsort(maps.reshape(-1, pixels), axis=1), axis=-1)
        if self.mode == "deletion":
            start, finish = images.clone(), self.substrate(images)
        else:
            start, finish = self.substrate(images), images.clone()
        rows = numpy.arange(count).reshape(count, 1)
        scores = numpy.empty((self.parts + 1, count))
        for i in range(self.parts + 1):
            scores[i] = self.net(start).softmax(1).numpy()[numpy.arange(count), top]
            coords = order[:, step * i : step * (i + 1)]
            begin = start.numpy().reshape(count, channels, pixels)
            end = finish.numpy().reshape(count, channels, pixels)
            begin[rows, :, coords] = end[rows, :, coords]
        return scores


def gaussian_blur(side: int = 11, deviation: float = 5.0):
    """RISE's `gkern`: a Gaussian of a square of pixels, a channel by itself."""
    along = torch.arange(side, dtype=torch.float32) - side // 2
    line = torch.exp(-(along**2) / (2 * deviation**2))
    square = torch.outer(line, line)
    kernel = torch.zeros(3, 3, side, side)
    for channel in range(3):
        kernel[channel, channel] = square / square.sum()
    return lambda x: torch.nn.functional.conv2d(x, kernel, padding=side // 2)


def load(folder: str, size_px: int):
    def one(path: Path):
        picture = Image.open(path).convert("RGB").resize((size_px, size_px), Image.BILINEAR)
        return torch.from_numpy(numpy.array(picture)).permute(2, 0, 1)

    pictures = [one(path) for path in sorted(Path(folder).iterdir())]
    return torch.stack(pictures).contiguous().float() / 255


class Peer:
    def __init__(self, folder: str, size_px: int):
        torch.manual_seed(1)
        self.net = torchvision.models.densenet121(weights=None, num_classes=2).eval()
        self.pictures = load(folder, size_px)
        features = self.net.features
        blocks = [getattr(features, f"denseblock{i}") for i in range(1, 5)]
        self.layers = [layer for block in blocks for layer in block.values()]
        self.layers += [getattr(features, f"transition{i}") for i in range(1, 4)]
        self.layers.append(features.norm5)
        self.maps = {}

    def targets(self, count: int):
        return [ClassifierOutputTarget(n % 2) for n in range(count)]

    def cam(self, layers, x):
        with GradCAM(self.net, layers) as cam:
            return cam(input_tensor=x, targets=self.targets(len(x)))

    def work(self, what: str, first: int, count: int, parts: int):
        x = self.pictures[first : first + count]
        if what == "last":
            self.cam([self.net.features.norm5], x)
        elif what == "every":
            self.cam(self.layers, x)
        elif what == "each":
            for layer in self.layers:
                self.cam([layer], x)
        else:
            maps = self.maps[first, count]
            with torch.no_grad():
                for mode, substrate in [("deletion", torch.zeros_like), ("insertion", gaussian_blur())]:
                    metric = CausalMetric(self.net, mode, parts, substrate)
                    metric.run(x, maps)

    def time(self, what: str, pictures: int, batch: int, parts: int) -> float:
        batch = 1 if what == "single" else batch
        runs = [(first, min(batch, pictures - first)) for first in range(0, pictures, batch)]
        if what in ("curves", "single"):
            for first, count in runs:
                if (first, count) not in self.maps:
                    x = self.pictures[first : first + count]
                    self.maps[first, count] = self.cam([self.net.features.norm5], x)
        began = time.perf_counter()
        for first, count in runs:
            self.work(what, first, count, parts)
        return time.perf_counter() - began


def main() -> None:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    key, peer = None, None
    for text in iter(sys.stdin.readline, ""):
        request = json.loads(text)
        if (request["folder"], request["size_px"]) != key:
            key = request["folder"], request["size_px"]
            peer = Peer(*key)
        seconds = peer.time(request["work"], request["pictures"], request["batch"], request["parts"])
        print(json.dumps({"seconds": seconds, "layers": len(peer.layers)}), flush=True)


if __name__ == "__main__":
    main()
