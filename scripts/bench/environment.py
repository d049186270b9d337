"""Finds or makes the Python that has PyTorch and torchvision, for the benchmarks only."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Those that our libtorch belongs to: the same kernels on both sides.
PACKAGES = ["torch==2.11.0", "torchvision==0.26.0", "numpy"]
# For the loaders: Keras as the goldens have it (it augments by scipy), libjpeg-turbo by simplejpeg.
DATA_PACKAGES = ["keras==3.15.0", "scipy", "simplejpeg==1.9.0"]


def interpreter(cache: Path) -> Path:
    """CATSCAN_PYTHON, or the one in the cache, made on first use."""
    if own := os.environ.get("CATSCAN_PYTHON"):
        return checked(Path(own))
    folder = cache / "bench-python"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "complete").exists():
        say(f"making a virtual environment with PyTorch in {folder}, once")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # As xtask does for libtorch: another index, such as PyTorch's own without CUDA, if named.
        if index := os.environ.get("CATSCAN_TORCH_INDEX"):
            install += ["--index-url", index]
        subprocess.run([*install, *PACKAGES], check=True)
        (folder / "complete").touch()
    return checked(python)


def packages(cache: Path, python: Path) -> Path:
    """A folder of what only `bench data` compares with, for PYTHONPATH; made on first use."""
    folder = cache / "bench-data-packages"
    if not (folder / "complete").exists():
        say(f"installing Keras and simplejpeg into {folder}, once")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--upgrade", "--target", folder, *DATA_PACKAGES], check=True)
        # numpy comes from the interpreter, where torch was built against it.
        for own in folder.glob("numpy*"):
            shutil.rmtree(own)
        (folder / "complete").touch()
    return folder


def checked(python: Path) -> Path:
    code = "import torch, torchvision; print(torch.__version__, torchvision.__version__)"
    result = subprocess.run([python, "-c", code], capture_output=True, text=True)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(f"{python}: {last}; install {' '.join(PACKAGES)} there or unset CATSCAN_PYTHON")
    torch, torchvision = result.stdout.split()
    if not (torch.startswith("2.11.") and torchvision.startswith("0.26.")):
        sys.exit(f"{python}: has torch {torch} and torchvision {torchvision}, want 2.11 and 0.26")
    return python


def say(text: str) -> None:
    print(text, file=sys.stderr)
