"""Times whole trainings side by side: ours as `catscan train` runs it, PyTorch's as a plain script.

    cargo xtask bench train              # DenseNet-121, batch 20, 224 and 64 px: 20 minutes on two cores
    cargo xtask bench train --quick      # the same in fewer and shorter turns: about 6 minutes
    cargo xtask bench train --sizes 64 --csv train.csv

Arms, each a process that lives through the whole run:

    catscan fp32, catscan bf16   `catscan train`: loader, loop, metrics, events; bf16 is its default
    bare bf16, bare fp32         `catscan bench`: forward, backward and update alone, of the same network,
                                 each told at its end like a step of the trainings
    pytorch default              `train_peer.py`: fp32, NCHW
    pytorch best                 the same with bf16 autocast, channels_last, and its allocator tuned

Data, network and optimiser are the same on both sides: pictures as bytes in memory, no augmentation,
one logit, SGD as in the study (0.001, momentum 0.9). Nobody sets threads but --threads.

The arms take turns: one goes on for some steps while the others are stopped (SIGSTOP). The step in which
an arm wakes is not counted, nor is its first turn. Time is taken here, between the lines in which each
side tells that a step is done. A machine that is shared slows down for seconds at a time, by a fifth and
more, so a turn is short, rounds are many, and arms that are compared stand side by side in the order,
which every other round goes backwards. Seconds of an arm are the median over all its steps. **A ratio is
the median of the rounds' own ratios**, and the range behind it holds the middle half of them: two arms'
medians over all rounds would differ by whatever the machine did to one of them. `peak` is the most memory
a process ever held (VmHWM). What the trainer adds to a step is the training's step over the bare one's.

Needs a Unix system and the standard library; PyTorch comes as for `models.py`.
"""

import argparse
import itertools
import json
import os
import platform
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import csv_file
from environment import interpreter, say
from side import OURS, start

FP32, BF16, BARE32, BARE16 = "catscan fp32", "catscan bf16", "bare fp32", "bare bf16"
DEFAULT, BEST = "pytorch default", "pytorch best"
# In the order of their turns: a training stands beside the bare step that it is held against.
ARMS = [DEFAULT, FP32, BARE32, BARE16, BF16, BEST]
# What is asked of the ratio of an arm's speed to another's.
GOALS = [(FP32, DEFAULT, 1.2), (BF16, DEFAULT, 3.0), (BF16, BEST, 1.1)]
MOST_OVERHEAD = 0.02
# Of which 17 in 25 are trained on: a whole number of batches of 20, so that every step is alike.
PICTURES = 500
# As crates/torch-ext/src/allocator.rs sets our own process up: freed memory is kept, in huge pages. Those
# by glibc: libtorch's own (THP_MEM_ALLOC_ENABLE) took 8 % more processor time in PyTorch's steps too.
TUNED = {
    "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**62), "MALLOC_TOP_PAD_": str(64 << 20),
    "MALLOC_ARENA_MAX": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


class Training:
    """A process that trains for ever and tells each step in a line; it runs only in its turn."""

    def __init__(self, command: list, is_step, environment: dict):
        self.is_step, self.rest = is_step, b""
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, env={**os.environ, **environment}
        )
        self.next_step()  # the pictures are there, the first step is done
        self.stop()

    def next_step(self) -> float:
        """Waits for the end of a step, and tells when that was."""
        while True:
            *lines, self.rest = self.rest.split(b"\n")
            for at, line in enumerate(lines):
                if self.is_step(line):
                    self.rest = b"\n".join([*lines[at + 1:], self.rest])
                    return time.perf_counter()
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            if not more:
                raise SystemExit(f"{self.process.args[0]}: ended; its words stand above")
            self.rest += more

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        # What it said before it stood still is no step of the next turn.
        os.set_blocking(self.process.stdout.fileno(), False)
        try:
            while os.read(self.process.stdout.fileno(), 1 << 16):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(self.process.stdout.fileno(), True)
        self.rest = b""

    def turn(self, steps: int) -> list[float]:
        """Seconds of each of these steps."""
        self.process.send_signal(signal.SIGCONT)
        ends = [self.next_step() for _ in range(steps + 1)]
        self.stop()
        return [end - began for began, end in itertools.pairwise(ends)]

    def peak_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status")
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 if status.exists() else 0

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Bare:
    """The step alone, on request."""

    def __init__(self, arguments, size_px: int, precision: str):
        self.side = start(OURS, arguments.catscan, Path(), arguments.threads or cores())
        self.request = {
            "model": arguments.model, "work": "step", "batch": arguments.batch, "size_px": size_px,
            "precision": precision, "layout": "channels_last", "memory": "keep",
        }
        self.turn(1)

    def turn(self, steps: int) -> list[float]:
        """Seconds of each of these steps, each told at its end, as the trainings tell theirs."""
        self.side.send(*[{**self.request, "repeat": 1}] * (steps + 1))
        ends = []
        for _ in range(steps + 1):
            self.peak = self.side.answer()["peak_bytes"] or 0
            ends.append(time.perf_counter())
        return [end - began for began, end in itertools.pairwise(ends)]

    def peak_bytes(self) -> int:
        return self.peak

    def close(self):
        self.side.close()


def recipe(arguments, size_px: int, precision: str) -> dict:
    """The pooling study's, without augmentation and with an epoch that does not end."""
    command = [arguments.catscan, "list", "recipes", "--json"]
    rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["recipes"]
    made = next(row["recipe"] for row in rows if row["name"] == "original")
    made["model"] |= {"name": arguments.model, "precision": precision, "convention": "torchvision"}
    made["data"] |= {"source": f"critters:{PICTURES}", "size_px": size_px}
    made["optimizer"]["sgd"]["semantics"] = "pytorch"
    return made | {"augment": None, "batch": arguments.batch, "epochs": 1, "steps_per_epoch": 10**9}


def open_arm(name: str, arguments, size_px: int, python: Path, folder: Path):
    threads = {}
    if arguments.threads:
        threads = {name: str(arguments.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    precision = "fp32" if name in (FP32, BARE32, DEFAULT) else "bf16"
    if name in (BARE16, BARE32):
        return Bare(arguments, size_px, precision)
    if name in (FP32, BF16):
        path = folder / f"{precision}-{size_px}.json"
        path.write_text(json.dumps(recipe(arguments, size_px, precision)))
        run = ["--recipe", path, "--out", path.with_suffix(""), "--device", "cpu", "--events"]
        is_step = lambda line: line.startswith(b'{"event":"step"')
        return Training([arguments.catscan, "train", *run], is_step, threads)
    layout = "nchw" if name == DEFAULT else "channels_last"
    # As many as ours trains on.
    pictures = PICTURES * 17 // 25
    peer = [python, Path(__file__).parent / "train_peer.py", arguments.model, precision, layout]
    tuned = TUNED if name == BEST else {}
    command = [*peer, size_px, arguments.batch, pictures]
    return Training(command, lambda line: line == b"step", {**threads, **tuned})


def compare(arguments, size_px: int, python: Path, folder: Path) -> tuple[dict, dict]:
    """Seconds of each step by arm and round, and the peak of each arm."""
    arms = {}
    for name in arguments.arms:
        say(f"{size_px} px: opening {name}")
        arms[name] = open_arm(name, arguments, size_px, python, folder)
    try:
        warm = {name: arm.turn(2)[-1] for name, arm in arms.items()}
        steps = {name: max(2, min(100, round(arguments.turn_s / warm[name]))) for name in arms}
        seconds = {name: [] for name in arms}
        for number in range(arguments.rounds):
            for name in arguments.arms if number % 2 == 0 else reversed(arguments.arms):
                seconds[name].append(arms[name].turn(steps[name]))
        return seconds, {name: arm.peak_bytes() for name, arm in arms.items()}
    finally:
        for arm in arms.values():
            arm.close()


def times(seconds: dict, slow: str, fast: str) -> tuple[float, float, float]:
    """How many times as fast: the middle round's ratio, and the range of the middle half of them."""
    rounds = zip(seconds[slow], seconds[fast])
    ratios = sorted(statistics.median(s) / statistics.median(f) for s, f in rounds)
    quarter = len(ratios) // 4
    return statistics.median(ratios), ratios[quarter], ratios[-1 - quarter]


def report(arguments, size_px: int, seconds: dict, peaks: dict) -> None:
    print(f"\n{size_px} px\n\n| arm             | images/s | s a step | peak MB |\n|---|---|---|---|")
    for name, rounds in seconds.items():
        middle = statistics.median(itertools.chain(*rounds))
        print(f"| {name:<15} | {arguments.batch / middle:>8.2f} | {middle:>8.4f} | {peaks[name] / 1e6:>7.0f} |")
    print()
    for fast, slow, goal in GOALS:
        if fast in seconds and slow in seconds:
            ratio, least, most = times(seconds, slow, fast)
            met = "met" if ratio >= goal else "not met"
            print(f"{fast} is {ratio:.2f} times {slow} ({least:.2f} to {most:.2f}); goal {goal}: {met}")
    for whole, bare in [(FP32, BARE32), (BF16, BARE16)]:
        if whole in seconds and bare in seconds:
            # Of the whole step, as times() divides the slower by the faster.
            shares = [1 - 1 / ratio for ratio in times(seconds, whole, bare)]
            met = "met" if shares[0] <= MOST_OVERHEAD else "not met"
            print(f"{whole}: the trainer adds {shares[0]:.1%} of a step ({shares[1]:.1%} to {shares[2]:.1%}); "
                  f"goal at most {MOST_OVERHEAD:.0%}: {met}")
    for ours, theirs in [(FP32, DEFAULT), (BF16, BEST)]:
        if ours in peaks and theirs in peaks:
            met = "met" if peaks[ours] <= peaks[theirs] else "not met"
            print(f"{ours} peaks at {peaks[ours] / peaks[theirs]:.2f} of {theirs}; goal at most 1: {met}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cargo xtask bench train", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--model", default="densenet121", help="a name both sides know")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--sizes", nargs="+", type=int, default=[224, 64], help="pixels of a picture's side")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--rounds", type=int, default=32, help="turns of each arm, after the warm-up")
    parser.add_argument("--turn-s", type=float, default=1.5, help="about how long a turn lasts")
    parser.add_argument("--threads", type=int, help="each side's own choice by default")
    parser.add_argument("--csv", type=Path, help="every step goes here, a line each")
    parser.add_argument("--quick", action="store_true", help="twelve turns of a second, whatever --rounds and --turn-s say")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.turn_s = 12, 1.0
    return arguments


def processor() -> str:
    """Its name, and the units on which bf16 runs."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get("flags", "").split()
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if unit in flags]
    return f"{fields.get('model name', platform.machine())} ({', '.join(units) or 'no units known'})"


def cores() -> int:
    """That this process may use, and with it every arm."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def main() -> None:
    arguments = parse()
    python = interpreter(arguments.cache)
    print(f"{arguments.model}, batch {arguments.batch}, {processor()}, {cores()} cores, "
          f"load {os.getloadavg()[0]:.1f} before; "
          f"medians of {arguments.rounds} turns of about {arguments.turn_s:.1f} s")
    raw = []
    with tempfile.TemporaryDirectory() as folder:
        for size_px in arguments.sizes:
            seconds, peaks = compare(arguments, size_px, python, Path(folder))
            report(arguments, size_px, seconds, peaks)
            for arm, rounds in seconds.items():
                case = {"model": arguments.model, "batch": arguments.batch, "size_px": size_px, "arm": arm}
                for number, turn in enumerate(rounds):
                    raw += [{**case, "peak_bytes": peaks[arm], "round": number, "seconds": s} for s in turn]
    if arguments.csv:
        csv_file.write(arguments.csv, raw)


if __name__ == "__main__":
    main()
