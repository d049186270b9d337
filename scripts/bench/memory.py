"""Measures what a training step of DenseNet-121 holds in memory, and what holding less costs.

    cargo xtask bench memory
    cargo xtask bench memory --model densenet201 --batch 8 --sizes 224

Each row is a process of its own: it builds the network, takes one step to warm up and then some
more. `peak` is the most memory the process ever held (VmHWM, so Linux only), `step` what that is
above the peak before the first step: the activations and gradients, without program and libraries.
Rows: ours with `memory: keep` and `recompute`, torchvision's with `memory_efficient` off and on, in
fp32 and NCHW on both sides; and ours as recipes have it, bf16 and channels_last.
"""

import argparse
import os
import statistics
from pathlib import Path

from environment import interpreter
from side import OURS, THEIRS, start

ROWS = [
    (OURS, "keep", "fp32", "nchw"),
    (OURS, "recompute", "fp32", "nchw"),
    (THEIRS, "keep", "fp32", "nchw"),
    (THEIRS, "recompute", "fp32", "nchw"),
    (OURS, "keep", "bf16", "channels_last"),
    (OURS, "recompute", "bf16", "channels_last"),
]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cargo xtask bench memory", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--model", default="densenet121")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 112])
    parser.add_argument("--steps", type=int, default=5, help="after the one that warms up")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    python = interpreter(arguments.cache)
    print(f"{arguments.model}, batch {arguments.batch}, {arguments.threads} threads")
    print("| size | program  | memory    | numbers            | peak MB | step MB | s a step |")
    print("|---|---|---|---|---|---|---|")
    for size in arguments.sizes:
        for name, memory, precision, layout in ROWS:
            side = start(name, arguments.catscan, python, arguments.threads)
            request = {
                "model": arguments.model, "work": "step", "batch": arguments.batch,
                "size_px": size, "precision": precision, "layout": layout, "memory": memory,
            }
            before = side.ask(**request, repeat=0)["peak_bytes"]
            side.ask(**request, repeat=1)
            answer = side.ask(**request, repeat=arguments.steps)
            side.close()
            peak, seconds = answer["peak_bytes"], statistics.median(answer["seconds"])
            print(
                f"| {size:>4} | {name:<8} | {memory:<9} | {precision + ' ' + layout:<18} "
                f"| {peak / 1e6:>7.0f} | {(peak - before) / 1e6:>7.0f} | {seconds:>8.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
