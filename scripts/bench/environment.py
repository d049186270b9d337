"""Finds or makes the Python that has PyTorch and torchvision: for the benchmarks, and for those tests
that ask torchvision on the spot.

    python3 scripts/bench/environment.py --cache FOLDER [PACKAGE==VERSION …]

prints its path.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Those that our libtorch belongs to: the same kernels on both sides.
PACKAGES = ["torch==2.11.0", "torchvision==0.26.0", "numpy"]
# Maps of the peer, for viz.py only.
GRAD_CAM = "grad-cam==1.5.5"
# For the loaders: Keras as the goldens have it (it augments by scipy), libjpeg-turbo by simplejpeg.
DATA_PACKAGES = ["keras==3.15.0", "scipy", "simplejpeg==1.9.0"]


def interpreter(cache: Path, extra: tuple[str, ...] = ()) -> Path:
    """CATSCAN_PYTHON, or the one in the cache, made on first use; with the packages of `extra`."""
    if own := os.environ.get("CATSCAN_PYTHON"):
        return checked(Path(own), extra)
    folder = cache / "bench-python"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "complete").exists():
        say(f"making a virtual environment with PyTorch in {folder}, once")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        # As xtask does for libtorch: another index, such as PyTorch's own without CUDA, if named.
        index = os.environ.get("CATSCAN_TORCH_INDEX")
        install(python, *(["--index-url", index] if index else []), *PACKAGES)
        (folder / "complete").touch()
    for package in extra:
        if not (folder / package).exists():
            say(f"adding {package} to {folder}, once")
            # Named together, so that pip changes no PyTorch on the way.
            install(python, package, *PACKAGES)
            (folder / package).touch()
    return checked(python, extra)


def install(python: Path, *what: str) -> None:
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *what], check=True)


def packages(cache: Path, python: Path) -> Path:
    """A folder of what only `bench data` compares with, for PYTHONPATH; made on first use."""
    folder = cache / "bench-data-packages"
    if not (folder / "complete").exists():
        say(f"installing Keras and simplejpeg into {folder}, once")
        install(python, "--upgrade", "--target", str(folder), *DATA_PACKAGES)
        # numpy comes from the interpreter, where torch was built against it.
        for own in folder.glob("numpy*"):
            shutil.rmtree(own)
        (folder / "complete").touch()
    return folder


def checked(python: Path, extra: tuple[str, ...] = ()) -> Path:
    code = "import torch, torchvision; print(torch.__version__, torchvision.__version__)"
    result = subprocess.run([python, "-c", code], capture_output=True, text=True)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(f"{python}: {last}; install {' '.join(PACKAGES)} there or unset CATSCAN_PYTHON")
    torch, torchvision = result.stdout.split()
    if not (torch.startswith("2.11.") and torchvision.startswith("0.26.")):
        sys.exit(f"{python}: has torch {torch} and torchvision {torchvision}, want 2.11 and 0.26")
    for package in extra:
        name, want = package.split("==")
        code = f"from importlib.metadata import version; print(version({name!r}))"
        result = subprocess.run([python, "-c", code], capture_output=True, text=True)
        if result.stdout.strip() != want:
            got = result.stdout.strip() or "none"
            sys.exit(f"{python}: has {name} {got}, want {want}; install {package} there")
    return python


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="where it lies or is made")
    parser.add_argument("extra", nargs="*", metavar="PACKAGE==VERSION")
    arguments = parser.parse_args()
    print(interpreter(arguments.cache, tuple(arguments.extra)))
