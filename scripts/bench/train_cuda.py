"""Times training steps on a CUDA device: ours and PyTorch's, in turn on the same card.

    cargo xtask bench train --device cuda                   # everything: about half an hour
    cargo xtask bench train --device cuda --models densenet121 --batches 20 --rounds 3
    python3 train_cuda.py --catscan ./catscan --device cuda # from a bundle

A step is forward, loss, backward and SGD with momentum, on a batch that lies on the device. Arms:

- `catscan eager`, `catscan graph`: bf16, channels_last, as recipes have it; the second records
  forward and backward as a CUDA graph. `catscan fp32` is 32 bits without TF32;
- `pytorch eager`: as one writes it first, fp32 and NCHW (with TF32 in convolutions, its default);
- `pytorch amp`: bf16 autocast and channels_last;
- `pytorch compile`, `pytorch compile graphs`: the same through torch.compile, the second in its
  mode reduce-overhead, which uses CUDA graphs.

cuDNN tries its algorithms on both sides. Each arm warms up, then the arms take turns; a turn waits
for the device once, at its end. A figure is the median of the turns. `busy` is the share of the time
in which the card was computing, as nvidia-smi samples it, during a turn of its own.

Needs PyTorch and torchvision of 2.11 and 0.26 in the Python that runs it (or --python).
"""

import argparse
import csv
import itertools
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from side import Side

OURS = {
    "catscan eager": ("bf16", False),
    "catscan graph": ("bf16", True),
    "catscan fp32": ("fp32", True),
}
THEIRS = ["pytorch eager", "pytorch amp", "pytorch compile", "pytorch compile graphs"]
MODELS = ["densenet121", "resnet50", "resnet101"]
# Steps before anything is counted: handles, algorithms, compilers, the graph's own warm-up.
WARM_UP = 10


def ask(sides: dict[str, Side], arm: str, case: dict, device: str, repeat: int) -> dict:
    if arm in OURS:
        precision, graph = OURS[arm]
        how = {"precision": precision, "layout": "channels_last", "memory": "keep", "graph": graph}
        return sides["catscan"].ask(**case, work="step", device=device, repeat=repeat, **how)
    return sides["pytorch"].ask(**case, arm=arm, device=device, repeat=repeat)


def busy(sides: dict[str, Side], arm: str, case: dict, device: str, repeat: int) -> float | None:
    """Percent of a turn in which the card computed; None without nvidia-smi."""
    if not shutil.which("nvidia-smi") or not device.startswith("cuda"):
        return None
    index = device.partition(":")[2] or "0"
    query = ["nvidia-smi", "-i", index, "--query-gpu=utilization.gpu", "-lms", "100"]
    sampler = subprocess.Popen([*query, "--format=csv,noheader,nounits"], stdout=subprocess.PIPE, text=True)
    ask(sides, arm, case, device, repeat)
    sampler.terminate()
    samples = [float(line) for line in sampler.communicate()[0].split() if line.replace(".", "").isdigit()]
    inner = samples[1:-1] or samples
    return statistics.mean(inner) if inner else None


def compare(sides: dict[str, Side], case: dict, arguments) -> list[dict]:
    """A row an arm. The model of a side is rebuilt whenever its arm changes, which is not timed."""
    arms = [arm for arm in arguments.arms if not (arm in OURS and "catscan" not in sides)]
    rows = {arm: {**case, "arm": arm, "turns": [], "how": "", "busy_percent": None} for arm in arms}
    for number in range(arguments.rounds):
        order = arms if number % 2 == 0 else arms[::-1]
        for arm in order:
            row = rows[arm]
            if row.get("error"):
                continue
            # Building a model and changing arms need a warm-up every time.
            warm = ask(sides, arm, case, arguments.device, arguments.warm_up)
            if warm.get("error"):
                row["error"] = warm["error"]
                continue
            repeat = max(1, min(500, round(arguments.turn_s / max(warm["seconds"][-1], 1e-6))))
            answer = ask(sides, arm, case, arguments.device, repeat)
            row["turns"].append(statistics.median(answer["seconds"]))
            row["how"] = answer.get("how", "")
            if number == arguments.rounds - 1:
                row["busy_percent"] = busy(sides, arm, case, arguments.device, 3 * repeat)
    for row in rows.values():
        turns = row["turns"]
        row["images_per_s"] = case["batch"] / statistics.median(turns) if turns else None
    return list(rows.values())


def line(row: dict, base: float | None) -> str:
    head = f"| {row['model']:<12} | {row['batch']:>5} | {row['arm']:<22} "
    if not row["images_per_s"]:
        return f"{head}| none: {row.get('error', 'it gave no time')} |"
    turns = row["turns"]
    low, high = row["batch"] / max(turns), row["batch"] / min(turns)
    ratio = f"{row['images_per_s'] / base:.2f}" if base else "-"
    share = "-" if row["busy_percent"] is None else f"{row['busy_percent']:.0f} %"
    return f"{head}| {row['images_per_s']:>8.1f} ({low:.1f} to {high:.1f}) | {ratio:>5} | {share:>5} | {row['how']} |"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train_cuda.py", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help="the program")
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--python", type=Path, help="with PyTorch; this one, or as bench models has it")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--batches", nargs="+", type=int, default=[20, 256])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--arms", nargs="+", choices=[*OURS, *THEIRS], default=[*OURS, *THEIRS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=WARM_UP)
    parser.add_argument("--turn-s", type=float, default=2.0, help="a turn lasts about this long")
    parser.add_argument("--csv", type=Path, help="every turn goes here, a line each")
    parser.add_argument("--json", type=Path, help="the rows go here")
    arguments = parser.parse_args()
    if not arguments.python:
        arguments.python = Path(sys.executable)
        if arguments.cache:  # cargo xtask named it: the benchmarks' own Python
            from environment import interpreter

            arguments.python = interpreter(arguments.cache)
    return arguments


def start(arguments) -> dict[str, Side]:
    peer = Path(__file__).parent / "peer_cuda.py"
    return {
        "catscan": Side([str(arguments.catscan), "bench"], 1),
        "pytorch": Side([str(arguments.python), str(peer)], 1),
    }


def main() -> None:
    arguments = parse()
    sides = start(arguments)
    print(f"device {arguments.device}, {arguments.size} px, medians of {arguments.rounds} turns")
    print("| network      | batch | arm                    | images/s (turns) | × pytorch eager | busy | how |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for model, batch in itertools.product(arguments.models, arguments.batches):
        case = {"model": model, "batch": batch, "size_px": arguments.size}
        found = compare(sides, case, arguments)
        base = next((row["images_per_s"] for row in found if row["arm"] == "pytorch eager"), None)
        for row in found:
            print(line(row, base), flush=True)
        rows += found
    for side in sides.values():
        side.close()
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["model", "batch", "size_px", "arm", "turn", "seconds_a_step"])
            for row in rows:
                for number, seconds in enumerate(row["turns"]):
                    writer.writerow([*(row[key] for key in ("model", "batch", "size_px", "arm")), number, seconds])


if __name__ == "__main__":
    main()
