"""Times our networks and PyTorch's side by side, and prints the ratio of their speeds.

    cargo xtask bench models                 # everything, at 64 px: about an hour on two cores
    cargo xtask bench models --within 20     # everything in some twenty minutes, fewer turns
    cargo xtask bench models --quick         # batch 20 only, fewer turns: minutes
    cargo xtask bench models --size 224 --models densenet121 --batches 20

Two processes live side by side, ours (`catscan bench`) and Python's (`peer.py`), with the same
number of threads. They take turns: ours, theirs, theirs, ours, … while the other waits on its
input, so that a machine that slows down slows both. The first turn of each warms up and is not
counted. A figure is the median over all repetitions of all turns; the range behind a ratio is that
of the single rounds, so a machine that was busy shows itself.

With `--within` each comparison gets an equal share of the minutes that are left. It ends with its
share, after three rounds at the least, so that the longest (64 pictures through ResNet-101) may take
more than theirs and the many short ones less.

Modes: the same kind of number and the same memory layout on both sides; `default` is each side's
own default, ours being bf16 and channels_last, theirs fp32 and NCHW. Their bf16 is
`torch.autocast`, which like ours keeps weights and batch norm in 32 bits. Our process keeps freed
memory, as `catscan` always does (crates/torch-ext/src/allocator.rs); theirs runs as Python starts it.

Needs the standard library only. PyTorch comes from the interpreter that CATSCAN_PYTHON names, else
from a virtual environment that is made once in the cache folder.
"""

import argparse
import itertools
import os
import platform
import statistics
import time
from pathlib import Path

import csv_file
from environment import interpreter
from side import OURS, THEIRS, Side, start

# Each mode as (precision, layout) of ours and of theirs.
MODES = {
    "fp32": (("fp32", "nchw"), ("fp32", "nchw")),
    "fp32 channels_last": (("fp32", "channels_last"), ("fp32", "channels_last")),
    "bf16": (("bf16", "nchw"), ("bf16", "nchw")),
    "bf16 channels_last": (("bf16", "channels_last"), ("bf16", "channels_last")),
    "default": (("bf16", "channels_last"), ("fp32", "nchw")),
}
MODELS = ["densenet121", "resnet50", "resnet101"]
# The notebooks' nets on their own pictures; see peer.py.
SMALL = {"mnist-resnet": (28, [32]), "mnist-densenet": (28, [32])}
# A turn repeats until it has lasted about this long.
TURN_S = 1.0
# A range over fewer rounds says nothing.
FEWEST_ROUNDS = 3


def compare(
    sides: dict[str, Side], case: dict, rounds: int, turn_s: float, share_s: float
) -> dict[str, list[list[float]]]:
    """Seconds of each repetition, by side and round, of at most `rounds` rounds in about `share_s`."""
    began = time.monotonic()
    mode = dict(zip([OURS, THEIRS], MODES[case["mode"]]))

    def turn(name: str, repeat: int) -> list[float]:
        precision, layout = mode[name]
        what = {key: case[key] for key in ("model", "work", "batch", "size_px")}
        how = {"precision": precision, "layout": layout, "memory": "keep"}
        return sides[name].ask(**what, **how, repeat=repeat)["seconds"]

    warm = {name: turn(name, 2)[-1] for name in (OURS, THEIRS)}
    turn_s = min(turn_s, share_s / (2 * rounds))
    repeat = max(1, min(200, round(turn_s / max(warm.values()))))
    seconds = {OURS: [], THEIRS: []}
    for number in range(rounds):
        if number >= FEWEST_ROUNDS and time.monotonic() - began > share_s:
            break
        order = (OURS, THEIRS) if number % 2 == 0 else (THEIRS, OURS)
        for name in order:
            seconds[name].append(turn(name, repeat))
    return seconds


def row(case: dict, seconds: dict[str, list[list[float]]]) -> dict:
    """What is printed of one comparison: pictures a second, and how many times theirs ours is."""
    middle = {name: statistics.median(itertools.chain(*turns)) for name, turns in seconds.items()}
    single = [
        statistics.median(theirs) / statistics.median(ours)
        for ours, theirs in zip(seconds[OURS], seconds[THEIRS])
    ]
    return {
        **case,
        "ours_per_s": case["batch"] / middle[OURS],
        "theirs_per_s": case["batch"] / middle[THEIRS],
        "ratio": middle[THEIRS] / middle[OURS],
        "lowest": min(single),
        "highest": max(single),
        "rounds": len(single),
    }


def line(result: dict) -> str:
    name = f"{result['model']} {result['work']}"
    return (
        f"| {name:<24} | {result['batch']:>5} | {result['mode']:<18} | {result['ours_per_s']:>8.1f} "
        f"| {result['theirs_per_s']:>8.1f} | {result['ratio']:.2f} ({result['lowest']:.2f} to "
        f"{result['highest']:.2f}) |"
    )


def cases(arguments) -> list[dict]:
    found = []
    for model in arguments.models:
        size, batches = SMALL.get(model, (arguments.size, arguments.batches))
        keys = ("model", "batch", "work", "mode", "size_px")
        for values in itertools.product([model], batches, arguments.work, arguments.modes, [size]):
            found.append(dict(zip(keys, values)))
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cargo xtask bench models", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=64, help="pixels of a picture's side")
    parser.add_argument("--models", nargs="+", choices=[*MODELS, *SMALL], default=[*MODELS, *SMALL])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 20, 64])
    parser.add_argument("--work", nargs="+", choices=["forward", "step"], default=["forward", "step"])
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side, after the warm-up")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--within", type=float, metavar="MINUTES", help="about how long all of it may take")
    parser.add_argument("--csv", type=Path, help="the table goes here, a line a comparison")
    parser.add_argument("--raw", type=Path, help="every repetition goes here, a line each")
    parser.add_argument("--quick", action="store_true", help="batch 20 only, three short turns")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.batches, arguments.rounds = [20], 3
    return arguments


def main() -> None:
    arguments = parse()
    python = interpreter(arguments.cache)
    sides = {
        name: start(name, arguments.catscan, python, arguments.threads) for name in (OURS, THEIRS)
    }
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads, "
          f"{arguments.size} px, medians of {arguments.rounds} rounds in turn")
    print("| model and work           | batch | mode               | ours /s  | theirs/s | ratio (rounds) |")
    print("|---|---|---|---|---|---|")
    turn_s = TURN_S / 3 if arguments.quick else TURN_S
    end = time.monotonic() + (arguments.within * 60 if arguments.within else float("inf"))
    todo, table, raw = cases(arguments), [], []
    for number, case in enumerate(todo):
        share_s = max(0.0, end - time.monotonic()) / (len(todo) - number)
        seconds = compare(sides, case, arguments.rounds, turn_s, share_s)
        table.append(row(case, seconds))
        print(line(table[-1]), flush=True)
        for side, turns in seconds.items():
            for turn_number, turn in enumerate(turns):
                raw += [{**case, "side": side, "round": turn_number, "seconds": s} for s in turn]
        # After each, so that a run that is stopped leaves what it found.
        write(arguments.csv, [rounded(result) for result in table])
    write(arguments.raw, raw)
    for side in sides.values():
        side.close()


def rounded(result: dict) -> dict:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}


def write(path: Path | None, lines: list[dict]) -> None:
    if path:
        csv_file.write(path, lines)


if __name__ == "__main__":
    main()
