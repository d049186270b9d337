"""Copies what is worth keeping of an experiment into a folder of records/.

    python3 scripts/record.py runs/pooling-compare records/2026-11-21-pooling-critters

Writes study.json, and of each run recipe.json, environment.json and metrics.jsonl, plus one
predictions.csv: a line a test picture with its true class and, by run, the probability of the last of
two classes, or the likeliest of more. Every figure of the report can be computed again from these. Weights,
checkpoints and the list of the split stay behind: they are large, and (recipe, seed, data digest)
make them again. Add a README.md with the command, the hardware, the time and what it shows.
"""

import csv
import json
import shutil
import sys
from pathlib import Path

RUN_FILES = ["recipe.json", "environment.json", "metrics.jsonl"]


def main(source: Path, target: Path) -> None:
    runs = sorted(path.parent for path in source.glob("*/seed-*/test.json"))
    if not runs:
        sys.exit(f"{source}: holds no finished run; want <arm>/seed-<n>/test.json")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "study.json", target)
    columns, pictures = {}, {}
    for run in runs:
        name = f"{run.parent.name}-{run.name}"
        for file in RUN_FILES:
            (target / name).mkdir(exist_ok=True)
            shutil.copy(run / file, target / name)
        test = json.loads((run / "test.json").read_text())
        columns[name] = {p["name"]: said(test["classes"], p["probabilities"]) for p in test["pictures"]}
        pictures |= {p["name"]: test["classes"][p["label"]] for p in test["pictures"]}
    with open(target / "predictions.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["picture", "class", *columns])
        for picture, label in pictures.items():
            table.writerow([picture, label, *(given.get(picture, "") for given in columns.values())])
    print(f"{target}: {len(runs)} runs, {len(pictures)} test pictures")


def said(classes: list[str], probabilities: list[float]) -> str:
    if len(classes) == 2:
        return f"{probabilities[-1]:.4f}"
    return classes[max(range(len(classes)), key=lambda i: probabilities[i])]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
