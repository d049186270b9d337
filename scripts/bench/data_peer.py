"""The others' side of `data.py`: torchvision's loader, Keras' generator and the limits, on request.

A JSON request a line on standard input, a JSON answer a line on standard output, as
`catscan bench-data` (crates/catscan/src/commands/bench_data.rs) has them.
"""

import io
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = int(os.environ["OMP_NUM_THREADS"])


def torchvision_pass(request: dict):
    import torch
    from torchvision import datasets, transforms
    from torchvision.transforms import InterpolationMode

    size, filter = request["size_px"], InterpolationMode(request["filter"])
    transform = transforms.Compose([
        transforms.Resize((size, size), interpolation=filter),
        transforms.RandomAffine(
            40, shear=0.2, scale=(0.8, 1.2), interpolation=InterpolationMode.BILINEAR
        ),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
    ])
    pictures = datasets.ImageFolder(request["data"], transform)
    loader = torch.utils.data.DataLoader(
        pictures, batch_size=request["batch"], shuffle=True, num_workers=THREADS, persistent_workers=True
    )
    return len(pictures), lambda: sum(len(labels) for _, labels in loader)


def keras_pass(request: dict):
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rescale=1 / 255, rotation_range=40, shear_range=0.2, zoom_range=0.2, horizontal_flip=True,
        fill_mode="nearest",
    )
    size = request["size_px"]
    sys.stdout = sys.stderr  # it prints what it found
    flow = generator.flow_from_directory(
        request["data"], target_size=(size, size), batch_size=request["batch"], class_mode="binary",
        interpolation=request["filter"],
    )
    sys.stdout = sys.__stdout__
    return flow.samples, lambda: sum(len(next(flow)[1]) for _ in range(len(flow)))


def paths(request: dict) -> list[Path]:
    return sorted(path for path in Path(request["data"]).glob("*/*") if path.is_file())


def turbo_pass(request: dict, resize: bool):
    import numpy
    import simplejpeg
    from PIL import Image

    size = request["size_px"]
    filter = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR}[request["filter"]]
    files = paths(request)

    def one(path: Path) -> int:
        bytes = path.read_bytes()
        if simplejpeg.is_jpeg(bytes):
            pixels = simplejpeg.decode_jpeg(bytes, "RGB")
        else:
            pixels = numpy.asarray(Image.open(io.BytesIO(bytes)).convert("RGB"))
        if resize:
            Image.fromarray(pixels).resize((size, size), filter).load()
        return 1

    pool = ThreadPoolExecutor(THREADS)
    return len(files), lambda: sum(pool.map(one, files, chunksize=16))


def copy_pass(request: dict):
    import numpy

    n, size = len(paths(request)), request["size_px"]
    batch = numpy.ones((request["batch"], size, size, 3), numpy.float32)

    def work() -> int:
        for start in range(0, n, len(batch)):
            batch[: n - start].copy()
        return n

    return n, work


PASSES = {
    "torchvision": torchvision_pass,
    "keras": keras_pass,
    "turbo": lambda request: turbo_pass(request, resize=False),
    "turbo_resize": lambda request: turbo_pass(request, resize=True),
    "copy": copy_pass,
}


def timed(work, pictures: int) -> float:
    began = time.perf_counter()
    met = work()
    seconds = time.perf_counter() - began
    if met != pictures:
        sys.exit(f"data_peer.py: a pass met {met} of {pictures} pictures")
    return seconds


def main() -> None:
    key, work, pictures = None, None, 0
    for text in iter(sys.stdin.readline, ""):
        request = json.loads(text)
        repeat = request.pop("repeat")
        if request != key:
            key, (pictures, work) = request, PASSES[request["work"]](request)
        seconds = [timed(work, pictures) for _ in range(repeat)]
        print(json.dumps({"seconds": seconds, "pictures": pictures}), flush=True)


if __name__ == "__main__":
    main()
