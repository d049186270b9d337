"""Times training steps on a CUDA device: ours and PyTorch's, in turn on the same card.

    cargo xtask bench train --device cuda                   # everything: about an hour, at a guess
    cargo xtask bench train --device cuda --models densenet121 --batches 20 --rounds 3
    python3 train_cuda.py --catscan ./catscan --device cuda # from a bundle

A step is forward, loss, backward and SGD with momentum, on a batch that lies on the device. Arms:

- `catscan eager`, `catscan graph`: bf16, channels_last, as recipes have it; the second records
  forward and backward as a CUDA graph. `catscan fp32` is 32 bits without TF32, as a graph;
- `pytorch eager`: as one writes it first, fp32 and NCHW (with TF32 in convolutions, its default);
- `pytorch amp`: bf16 autocast and channels_last;
- `pytorch compile`, `pytorch compile graphs`: the same through torch.compile, the second in its
  mode reduce-overhead, which uses CUDA graphs.

cuDNN tries its algorithms on both sides. Each arm is a process, made once and kept through the rounds:
what it builds, compiles, records and tries in its first steps is not timed, and a few steps after those
tell how many make a turn. The arms take turns; a turn waits for the device once, at its end. A figure is
the median of the turns. Where all of them together hold more than half of the card's memory, each would
choose its algorithms by what the others leave: then each is alone on the card, twice, in the order and
against it (`alone` in the table).

`busy` is the share of the time in which the card was computing, as nvidia-smi samples it through some
seconds after the last turn. Goals are compared at the end; `--json` and `--csv` are written after each
turn, so that what was measured is there whatever ends the run.

Needs PyTorch 2.11 in the Python that runs it (or --python); the networks are torchvision's where it is
there, else networks.py's. An arm that cannot run is told, and the others go on.
"""

import argparse
import contextlib
import csv
import io
import itertools
import json
import math
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from cuda_goals import EAGER, OURS, THEIRS, goals, not_recorded, told
from side import Side
from whole_file import write_whole

MODELS = ["densenet121", "resnet50", "resnet101"]
BATCHES = [20, 256]
# Steps before anything is counted: handles, algorithms, compilers, the graph's own warm-up.
WARM_UP = 10
# Steps before each turn: they tell how many make a turn.
PROBE = 5
# Of one turn, at most and (on a device) at least.
MOST, FEWEST = 1000, 5
# How long `busy` looks, and from when on: nvidia-smi's own samples cover up to a second.
BUSY_S, SETTLED_S, FEWEST_SAMPLES = 6.0, 1.5, 10
# The share of the card's memory up to which arms stay on it together.
CROWDED = 0.5


class Ended(Exception):
    """A process went away without an answer."""


class Arm(Side):
    """A process that takes one arm's steps, and whose last words are kept."""

    def __init__(self, command: list):
        self.words = tempfile.TemporaryFile()
        super().__init__([str(word) for word in command], 1, stderr=self.words)

    def send(self, *requests: dict):
        with contextlib.suppress(BrokenPipeError):  # answer() tells why
            super().send(*requests)

    def answer(self) -> dict:
        if line := self.process.stdout.readline():
            return json.loads(line)
        code = self.process.wait()
        self.words.seek(0)
        lines = [line.strip() for line in self.words.read().decode(errors="replace").splitlines() if line.strip()]
        memory = [line for line in lines if "out of memory" in line.lower()]
        python = lines[-1:] if any(line.startswith("Traceback") for line in lines) else []
        raise Ended(" ".join((memory or python or lines)[:3])[:400] or f"ended with {code} without a word")

    def end(self, at_once: bool = False):
        """After its last answer, or (at once) whatever it does."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            if at_once:
                self.process.terminate()
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.words.close()


class Case:
    """A network at a batch size: its arms, those of them that are on the card, and a row for each."""

    def __init__(self, case: dict, about: dict, arguments, on_turn):
        self.case, self.about, self.arguments, self.on_turn = case, about, arguments, on_turn
        self.on_card: dict[str, Arm] = {}
        empty = {"how": "", "alone": False, "images_per_s": None, "busy_percent": None}
        lists = ("turns", "steps", "ready_s")  # seconds a step and steps of each turn; seconds until warm
        self.rows = {arm: {**case, "arm": arm, **{key: [] for key in lists}, **empty} for arm in arguments.arms}
        for arm, row in self.rows.items():
            if arm in THEIRS and "error" in about:
                row["error"] = f"PyTorch: {about['error']}"

    def compare(self):
        at_once = True
        try:
            together = self.all_fit()
            for arm, turns in schedule(self.arguments.arms, self.arguments.rounds, together):
                for _ in range(turns):
                    self.turn(arm)
                if not together:
                    self.end(arm)
            at_once = False
        finally:
            for arm in list(self.on_card):
                self.end(arm, at_once)

    def all_fit(self) -> bool:
        """Whether all arms are on the card now; if they crowd it, none is."""
        for arm, row in self.rows.items():
            self.make_ready(arm)
            no_room = "out of memory" in row.get("error", "").lower()
            if no_room or crowded(self.arguments.device, self.about):
                for each in list(self.on_card):
                    self.end(each)
                if no_room:
                    del row["error"]  # it may have room alone
                for row in self.rows.values():
                    row["alone"] = True
                return False
        return True

    def make_ready(self, arm: str):
        """Starts an arm that is not on the card and takes its warm-up."""
        if arm in self.on_card or "error" in self.rows[arm]:
            return
        began = time.monotonic()
        try:
            self.on_card[arm] = Arm(command(arm, self.arguments))
        except OSError as error:
            self.rows[arm]["error"] = str(error)
            return
        if self.ask(arm, self.arguments.warm_up):
            self.rows[arm]["ready_s"].append(round(time.monotonic() - began, 2))

    def ask(self, arm: str, repeat: int) -> float | None:
        """Seconds a step; an arm that fails is told in its row and leaves the card."""
        case, device, row = self.case, self.arguments.device, self.rows[arm]
        request = {**case, "device": device, "repeat": repeat}
        if arm in OURS:
            precision, graph = OURS[arm]
            how = {"precision": precision, "layout": "channels_last", "memory": "keep", "graph": graph}
            request = {**request, "work": "step", **how}
        else:
            request["arm"] = arm
        try:
            answer = self.on_card[arm].ask(**request)
        except Ended as words:
            answer = {"error": str(words)}
        if "error" in answer:
            row["error"] = answer["error"]
            self.end(arm, at_once=True)
            return None
        row["how"] = answer.get("how") or ""
        return statistics.median(answer["seconds"])

    def turn(self, arm: str):
        self.make_ready(arm)
        row, arguments = self.rows[arm], self.arguments
        if "error" in row or not (probe := self.ask(arm, PROBE)):
            return
        fewest = FEWEST if arguments.device.startswith("cuda") else 1
        repeat = max(fewest, min(MOST, round(arguments.turn_s / probe)))
        if seconds := self.ask(arm, repeat):
            row["turns"].append(seconds)
            row["steps"].append(repeat)
            row["images_per_s"] = self.case["batch"] / statistics.median(row["turns"])
            if len(row["turns"]) == arguments.rounds:
                row["busy_percent"] = self.busy(arm, max(repeat, math.ceil(BUSY_S / seconds)))
            self.on_turn(list(self.rows.values()))

    def busy(self, arm: str, repeat: int) -> float | None:
        """Percent of the time in which the card computed; None where nvidia-smi does not tell."""
        if not self.arguments.device.startswith("cuda"):
            return None
        query = smi(self.arguments.device, self.about, "timestamp,utilization.gpu") + ["-lms", "100"]
        with tempfile.TemporaryFile("w+") as said:
            try:
                sampler = subprocess.Popen(query, stdout=said, stderr=subprocess.DEVNULL)
            except OSError:
                return None
            try:
                began = time.time()
                self.ask(arm, repeat)
                ended = time.time()
            finally:
                sampler.terminate()
                sampler.wait()
            said.seek(0)
            samples = [sample for line in said if (sample := sampled(line))]
        inner = [share for at, share in samples if began + SETTLED_S <= at <= ended]
        return statistics.mean(inner) if len(inner) >= FEWEST_SAMPLES else None

    def end(self, arm: str, at_once: bool = False):
        if arm in self.on_card:
            self.on_card.pop(arm).end(at_once)


def schedule(arms: list, rounds: int, together: bool) -> list[tuple[str, int]]:
    """(arm, turns) in order: together a turn each, every other round backwards; alone half of the
    rounds each in the order, the others against it, so that a drift of the card's clock cancels."""
    if together:
        return [(arm, 1) for number in range(rounds) for arm in (arms if number % 2 == 0 else arms[::-1])]
    halves = [(arm, rounds - rounds // 2) for arm in arms] + [(arm, rounds // 2) for arm in arms[::-1]]
    return [(arm, turns) for arm, turns in halves if turns]


def command(arm: str, arguments) -> list:
    if arm in OURS:
        return [arguments.catscan, "bench"]
    return [arguments.python, Path(__file__).parent / "peer_cuda.py"]


def smi(device: str, about: dict, query: str) -> list[str]:
    card = about.get("card") or device.partition(":")[2] or "0"
    return ["nvidia-smi", "-i", card, f"--query-gpu={query}", "--format=csv,noheader,nounits"]


def crowded(device: str, about: dict) -> bool:
    """Whether the processes hold too much of the card's memory to be on it together, or may."""
    if not device.startswith("cuda"):
        return False
    query = smi(device, about, "memory.used,memory.total")
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=30).stdout
        used, total = map(float, said.strip().split(","))
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return True
    return used > CROWDED * total


def sampled(line: str) -> tuple[float, float] | None:
    """(seconds since 1970, percent) of a line of nvidia-smi, such as `2026/11/28 19:07:04.512, 97`."""
    try:
        at, share = line.split(",")
        return datetime.strptime(at.strip(), "%Y/%m/%d %H:%M:%S.%f").timestamp(), float(share)
    except ValueError:
        return None


def asked_about(arguments) -> dict:
    """What PyTorch there is and on which card; or why there is none."""
    side = Arm([arguments.python, Path(__file__).parent / "peer_cuda.py"])
    try:
        return side.ask(about=True, device=arguments.device)
    except Ended as words:
        return {"error": str(words)}
    finally:
        side.end()


def line(row: dict, base: float | None) -> str:
    head = f"| {row['model']:<12} | {row['batch']:>5} | {row['arm']:<22} "
    if not row["turns"]:
        return f"{head}| none: {row.get('error', 'it gave no time')} |"
    turns = row["turns"]
    low, high = row["batch"] / max(turns), row["batch"] / min(turns)
    ratio = f"{row['images_per_s'] / base:.2f}" if base else "-"
    share = "-" if row["busy_percent"] is None else f"{row['busy_percent']:.0f} %"
    how = "; ".join(filter(None, [row["how"], "alone" if row["alone"] else "", row.get("error", "")]))
    return f"{head}| {row['images_per_s']:>8.1f} ({low:.1f} to {high:.1f}) | {ratio:>5} | {share:>5} | {how} |"


def save(arguments, about: dict, rows: list, asked: list[dict]) -> dict:
    """Writes the files that are asked for, each whole or not at all, and gives what is in the JSON."""
    answer = {"device": arguments.device, "pytorch": about, "rows": rows}
    answer["not_recorded"] = not_recorded(rows, arguments.device)
    answer["goals"] = goals(rows, asked, arguments.device)
    if arguments.json:
        write_whole(arguments.json, json.dumps(answer, indent=1) + "\n")
    if arguments.csv:
        text, keys = io.StringIO(), ("model", "batch", "size_px", "arm")
        writer = csv.writer(text)
        writer.writerow([*keys, "turn", "seconds_a_step", "steps"])
        for row in rows:
            for number, turn in enumerate(zip(row["turns"], row["steps"])):
                writer.writerow([*(row[key] for key in keys), number, *turn])
        write_whole(arguments.csv, text.getvalue())
    return answer


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train_cuda.py", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help="the program")
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--python", type=Path, help="with PyTorch; this one, or as bench models has it")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--arms", nargs="+", choices=[*OURS, *THEIRS], default=[*OURS, *THEIRS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=WARM_UP)
    parser.add_argument("--turn-s", type=float, default=2.0, help="a turn lasts about this long")
    parser.add_argument("--csv", type=Path, help="every turn goes here, a line each")
    parser.add_argument("--json", type=Path, help="the rows, and what came of the goals, go here")
    arguments = parser.parse_args()
    arguments.catscan = arguments.catscan.absolute()  # a bare name would be looked for in PATH
    if not arguments.python:
        arguments.python = Path(sys.executable)
        if arguments.cache:  # cargo xtask named it: the benchmarks' own Python
            from environment import interpreter

            arguments.python = interpreter(arguments.cache)
    return arguments


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the arms on the way
    arguments = parse()
    both = itertools.product(arguments.models, arguments.batches)
    cases = [{"model": model, "batch": batch, "size_px": arguments.size} for model, batch in both]
    try:
        save(arguments, {}, [], cases)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}; name a file that can be written", file=sys.stderr)
        return 2
    rows, answer = [], {}
    try:
        about = asked_about(arguments)
        save(arguments, about, rows, cases)
        print(f"device {arguments.device}, {arguments.size} px, medians of {arguments.rounds} turns; {about}")
        print("| network      | batch | arm                    | images/s (turns) | × pytorch eager | busy | how |")
        print("|---|---|---|---|---|---|---|")
        for case in cases:
            contest = Case(case, about, arguments, lambda now: save(arguments, about, rows + now, cases))
            contest.compare()
            rows += contest.rows.values()
            base = contest.rows[EAGER]["images_per_s"] if EAGER in contest.rows else None
            for row in contest.rows.values():
                print(line(row, base), flush=True)
            answer = save(arguments, about, rows, cases)
    except KeyboardInterrupt:
        print(f"stopped; see {arguments.json or 'above'} for what was measured", file=sys.stderr)
        return 130
    print("\n".join(["", *told(answer["goals"], answer["not_recorded"])]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
