"""Tells how long training waits for its pictures, by network: the share that each run records.

    cargo xtask bench waits                      # every network that an experiment's usual arms train
    cargo xtask bench waits --mnist FOLDER       # also the two MNIST nets, the fastest of all
    cargo xtask bench waits --experiments smoke --steps 200

One short run a network (`catscan train`, the quick profile), two passes over a small set; the second
epoch's line of metrics.jsonl has `seconds_waiting_for_data`. Waiting is what the loop spends with
nothing to do: pictures are gathered ahead on a thread of its own. Share = waited / (epoch without
validation). The goal is below 3 %.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from environment import say

GOAL_PERCENT = 3.0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cargo xtask bench waits", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--experiments", nargs="+", metavar="NAME", help="all, unless named")
    parser.add_argument("--data", default="critters:300", help="for all but mnist-compare")
    parser.add_argument("--mnist", type=Path, help="the folder of MNIST's files")
    parser.add_argument("--steps", type=int, default=60, help="in all, at most")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--csv", type=Path, help="every network's last epoch goes here, a line each")
    return parser.parse_args()


def arms(catscan: Path, only: list[str] | None) -> list[tuple[str, str]]:
    """(experiment, arm): the first of each network."""
    listed = subprocess.run([catscan, "list", "arms", "--json"], check=True, capture_output=True)
    rows = json.loads(listed.stdout)["arms"]
    if unknown := set(only or []) - {row["experiment"] for row in rows}:
        sys.exit(f"cargo xtask bench waits: no experiment {', '.join(sorted(unknown))}")
    first = {}
    for row in rows:
        if not only or row["experiment"] in only:
            first.setdefault(row["network"], (row["experiment"], row["arm"]))
    return list(first.values())


def train(arguments, experiment: str, arm: str, data: str, out: Path) -> list[dict]:
    """The lines of metrics.jsonl."""
    command = [
        arguments.catscan, "train", "--experiment", experiment, "--arm", arm, "--data", data,
        "--epochs", "2", "--max-steps", str(arguments.steps), "--threads", str(arguments.threads),
        "--device", "cpu", "--out", out,
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{experiment} {arm}: exit {result.returncode}: {result.stderr.strip()[-400:]}")
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def main() -> None:
    arguments = parse()
    worst, rows = 0.0, []
    print("| network | pictures/s | waited, s | share, % |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for number, (experiment, arm) in enumerate(arms(arguments.catscan, arguments.experiments)):
            data = arguments.data
            if experiment == "mnist-compare":
                if not arguments.mnist:
                    say(f"skipped {experiment} {arm}: give --mnist FOLDER")
                    continue
                data = f"mnist:{arguments.mnist}"
            out = Path(scratch) / str(number)
            lines = train(arguments, experiment, arm, data, out)
            recipe = json.loads((out / "recipe.json").read_text())
            name = recipe["model"]["name"]
            # The first epoch, if there is another, warms up: pages come in, libtorch makes its threads.
            last, before = lines[-1], lines[-2]["step"] if len(lines) > 1 else 0
            waited, rate = last["seconds_waiting_for_data"], last["images_per_s"]
            # As if all batches were full: the last one of a pass may be short, by less than a step.
            working = (last["step"] - before) * recipe["batch"] / rate
            share = 100 * waited / (waited + working)
            worst = max(worst, share)
            rows.append([name, rate, waited, share])
            print(f"| {name} | {rate:.0f} | {waited:.3f} | {share:.2f} |", flush=True)
    print(f"\nthe largest share is {worst:.2f} %, the goal below {GOAL_PERCENT:g} %")
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["network", "pictures_per_second", "waited_seconds", "share_percent"])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
