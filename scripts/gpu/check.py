"""What check.sh runs: parity, benches, a bounded run of the study. Writes check.json.

Each part is a process of the program, or of train_cuda.py, with its words kept beside the figures;
a part that fails does not end the others. Needs the standard library only.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NO_DEVICE = 3


def call(command: list, seconds: int, **environment) -> dict:
    """Runs a program to its end; what it said, how long it took, and how it ended."""
    began = time.time()
    try:
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, timeout=seconds,
            env={**os.environ, **environment},
        )
        code, out, words = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        text = lambda said: said.decode(errors="replace") if isinstance(said, bytes) else said or ""
        code, out, words = None, text(late.stdout), text(late.stderr)
        words += f"\nstopped after {seconds} s"
    except OSError as error:
        code, out, words = None, "", str(error)
    return {"exit_code": code, "seconds": round(time.time() - began, 1), "out": out, "words": words[-4000:]}


def card() -> dict | None:
    query = "name,driver_version,memory.total,power.limit"
    said = call(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], 30)
    lines = said["out"].strip().splitlines()
    return dict(zip(query.split(","), map(str.strip, lines[0].split(",")))) if lines else None


def parsed(part: dict) -> dict:
    """The part with what it printed as JSON, if that is what it printed."""
    try:
        return {**part, "out": json.loads(part["out"])}
    except ValueError:
        return part


def parity(catscan: Path, device: str, quick: bool) -> dict:
    models = "densenet-mini" if device == "cpu" else "densenet121,resnet50" + ("" if quick else ",resnet101")
    part = parsed(call([catscan, "parity", "--device", device, "--models", models], 1200))
    return {**part, "passed": part["exit_code"] == 0}


def bench(bundle: Path, device: str, quick: bool, folder: Path) -> dict:
    rows = folder / "bench.json"
    command = [sys.executable, bundle / "scripts/bench/train_cuda.py", "--catscan", bundle / "catscan"]
    command += ["--device", device, "--json", rows]
    if device == "cpu":
        command += ["--models", "resnet50", "--batches", 2, "--size", 32, "--rounds", 1, "--warm-up", 1]
        command += ["--turn-s", 0.1, "--arms", "catscan eager", "catscan graph", "pytorch eager", "pytorch amp"]
    elif quick:
        command += ["--models", "densenet121", "--batches", 20, "--rounds", 2]
    part = call(command, 3600)
    if rows.exists():
        part["rows"] = json.loads(rows.read_text())
    return {**part, "passed": part["exit_code"] == 0}


def original(catscan: Path, device: str, quick: bool, folder: Path) -> dict:
    """The published study's settings, bounded: both arms, one seed, on drawings."""
    steps = 2 if device == "cpu" else 80 if quick else 800
    command = [catscan, "experiment", "pooling-compare", "--profile", "original", "--device", device]
    command += ["--seeds", 1, "--max-steps", steps, "--runs", folder / "runs", "--json", "--no-report"]
    if device == "cpu":
        command += ["--size", 64, "--data", "critters:60"]
    part = parsed(call(command, 3600, CATSCAN_CACHE=str(folder / "cache")))
    lines = {}
    for metrics in sorted((folder / "runs").glob("*/*/*/metrics.jsonl")):
        lines["/".join(metrics.parts[-3:-1])] = [json.loads(line) for line in metrics.read_text().splitlines()]
    return {**part, "steps": steps, "metrics": lines, "passed": part["exit_code"] == 0}


def main() -> int:
    parser = argparse.ArgumentParser(prog="check.sh")
    parser.add_argument("--bundle", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--torch", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="shorter: about 5 minutes")
    parser.add_argument("--out", type=Path, help="the answer goes here; check.json beside check.sh")
    arguments = parser.parse_args()
    bundle, quick = arguments.bundle, arguments.quick
    catscan = bundle / "catscan"
    about = json.loads((bundle / "bundle.json").read_text())
    os.environ.setdefault("CATSCAN_GIT_COMMIT", about["commit"])

    doctor = parsed(call([catscan, "doctor", "--json", "--no-speed"], 300))
    found = doctor["out"] if isinstance(doctor["out"], dict) else {}
    ready = found.get("cuda", {}).get("status") == "ready"
    device = "cuda" if ready else "cpu"
    said = f"running on {card()}" if ready else f"no CUDA device ({found.get('cuda')}): the processor's half only"
    print(said, file=sys.stderr)
    answer = {
        "bundle": about,
        "machine": {"card": card(), "processor": platform.processor() or platform.machine(), "torch": str(arguments.torch)},
        "ran_on_a_card": ready,
        "doctor": doctor,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parts = {
            "parity": lambda: parity(catscan, device, quick),
            "bench": lambda: bench(bundle, device, quick, folder),
            "original": lambda: original(catscan, device, quick, folder),
        }
        for name, part in parts.items():
            print(f"{name} ...", file=sys.stderr)
            answer[name] = part()
            print(f"{name}: {'passed' if answer[name]['passed'] else 'FAILED'}", file=sys.stderr)
            if not answer[name]["passed"]:
                print(answer[name]["words"], file=sys.stderr)
    passed = all(answer[name]["passed"] for name in ("parity", "bench", "original"))
    answer["passed"] = passed and ready
    out = arguments.out or bundle / "check.json"
    out.write_text(json.dumps(answer, indent=1) + "\n")
    print(f"see {out}", file=sys.stderr)
    return (0 if ready else NO_DEVICE) if passed else 1


if __name__ == "__main__":
    sys.exit(main())
