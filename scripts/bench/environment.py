"""Finds or makes the Python that has PyTorch and torchvision, for the benchmarks only."""

import os
import subprocess
import sys
from pathlib import Path

# Those that our libtorch belongs to: the same kernels on both sides.
PACKAGES = ["torch==2.11.0", "torchvision==0.26.0", "numpy"]


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
