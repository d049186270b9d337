"""The raw figures of a bench as a CSV file."""

import csv
from pathlib import Path


def write(path: Path, rows: list[dict]) -> None:
    """A line a row, all of the first one's columns."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
