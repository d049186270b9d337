"""Times scans against pytorch-grad-cam on the same photographs and cores, and prints the ratios.

    cargo xtask bench viz               # 100 photographs, DenseNet-121 at 224 px: half an hour
    cargo xtask bench viz --quick       # 8 photographs, two turns: minutes
    cargo xtask bench viz --csv viz.csv --batch 1

Two processes live side by side, ours (`catscan bench scans`) and Python's (`viz_peer.py`), and take
turns as in `models.py`: ours in 32 bits, ours as recipes have it (bf16), theirs, and back, so that a
machine that slows down slows all. Weights are random: they change no time. Decoding is not timed.

| row | ours | theirs |
|---|---|---|
| last block | Grad-CAM at norm5 | one GradCAM object with norm5 |
| every layer, one object | all 62 layers' own maps, one forward and one backward | one object with all 62 target layers, which computes them all and returns their mean: its cheapest way |
| every layer, an object each | the same | 62 objects, a layer each: how one gets each layer's own map |
| deletion and insertion | both curves in `--parts` parts | RISE's CausalMetric, both modes, `evaluate` in batches |
| the same, one by one | the same | its `single_run`, as its notebook does |

The 62 layers are the 58 dense layers, the three transitions and norm5. Both sides enlarge every map
to the picture and scale it to 0..=1, as pytorch-grad-cam does. A ratio is theirs over ours, a
median; behind it the lowest and the highest of the single rounds.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import zipfile
from pathlib import Path

import csv_file
from environment import GRAD_CAM, interpreter
from side import Side

# Ours, as (precision, layout), by the name of its column.
OURS = {"fp32": ("fp32", "nchw"), "bf16": ("bf16", "channels_last")}
THEIRS = "theirs"
# Each row: its name, our work, theirs, what the issue wants of the ratio, whether it is a slow one.
ROWS = [
    ("last block", "last", "last", 1.5, False),
    ("every layer, one object", "every", "every", 1.5, False),
    ("every layer, an object each", "every", "each", 40.0, True),
    ("deletion and insertion", "curves", "curves", 3.0, False),
    ("deletion and insertion, one by one", "curves", "single", 3.0, True),
]
ARCHIVE = "cats-vs-dogs-500-originals.zip"


def photographs(source: Path, count: int, folder: Path) -> None:
    """Unpacks `count` pictures, cats and dogs alike, into `folder`."""
    with zipfile.ZipFile(source) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        classes = sorted({name.split("/")[-2] for name in names})
        of_class = [[name for name in names if name.split("/")[-2] == one] for one in classes]
        turns = [name for several in zip(*of_class) for name in several][:count]
        if len(turns) < count:
            sys.exit(f"{source}: holds {len(turns)} pictures, want {count}; give --pictures less")
        for number, name in enumerate(turns):
            (folder / f"{number:03}.jpg").write_bytes(archive.read(name))


def compare(sides: dict[str, Side], row: tuple, common: dict, pictures: int, rounds: int) -> dict:
    """Seconds a picture of each turn, by column."""
    _, ours, theirs, _, _ = row

    def turn(column: str, pictures: int) -> float:
        if column == THEIRS:
            answer = sides[THEIRS].ask(**common, work=theirs, pictures=pictures)
        else:
            precision, layout = OURS[column]
            how = {"precision": precision, "layout": layout}
            answer = sides["ours"].ask(**common, **how, work=ours, pictures=pictures)
        return answer["seconds"] / pictures

    columns = [*OURS, THEIRS]
    for column in columns:
        turn(column, min(pictures, common["batch"]))
    seconds = {column: [] for column in columns}
    for number in range(rounds):
        for column in columns if number % 2 == 0 else reversed(columns):
            seconds[column].append(turn(column, pictures))
    return seconds


def line(row: tuple, seconds: dict) -> str:
    middle = {column: statistics.median(times) for column, times in seconds.items()}

    def ratio(column: str) -> str:
        single = [theirs / ours for ours, theirs in zip(seconds[column], seconds[THEIRS])]
        value = middle[THEIRS] / middle[column]
        return f"{value:.2f} ({min(single):.2f} to {max(single):.2f})"

    times = " | ".join(f"{1e3 * middle[column]:>7.1f}" for column in [*OURS, THEIRS])
    return f"| {row[0]:<34} | {times} | {ratio('fp32'):<20} | {ratio('bf16'):<20} | {row[3]:>4} |"


def parse() -> argparse.Namespace:
    shared = Path(os.environ.get("CATSCAN_SHARED_DATA", Path(__file__).parents[3] / "shared/data"))
    parser = argparse.ArgumentParser(prog="cargo xtask bench viz", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--photographs", type=Path, default=shared / ARCHIVE,
                        help="a zip with a folder of .jpg a class")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--slow-pictures", type=int, default=4, help="for the two slowest rows")
    parser.add_argument("--batch", type=int, default=10, help="pictures in one pass, on both sides")
    parser.add_argument("--size", type=int, default=224, help="pixels of a picture's side")
    parser.add_argument("--parts", type=int, default=8, help="in which pixels go and come")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each, after the warm-up")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--csv", type=Path, help="every turn goes here, a line each")
    parser.add_argument("--quick", action="store_true", help="8 photographs, two turns")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.pictures, arguments.slow_pictures, arguments.rounds = 8, 1, 2
    if not arguments.photographs.exists():
        sys.exit(f"{arguments.photographs}: no such file; name a zip of photographs with --photographs")
    return arguments


def main() -> None:
    arguments = parse()
    python = interpreter(arguments.cache, (GRAD_CAM,))
    peer = Path(__file__).parent / "viz_peer.py"
    with tempfile.TemporaryDirectory() as folder:
        photographs(arguments.photographs, arguments.pictures, Path(folder))
        sides = {
            "ours": Side([str(arguments.catscan), "bench", "scans"], arguments.threads),
            THEIRS: Side([str(python), str(peer)], arguments.threads),
        }
        print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads, "
              f"DenseNet-121 at {arguments.size} px, {arguments.pictures} photographs in batches of "
              f"{arguments.batch} ({arguments.slow_pictures} in the slow rows), medians of "
              f"{arguments.rounds} rounds in turn; {GRAD_CAM}")
        print(f"| {'a picture, ms':<34} | ours fp32 | ours bf16 | theirs | fp32 ratio (rounds)  "
              "| bf16 ratio (rounds)  | want |")
        print("|---|---:|---:|---:|---|---|---:|")
        common = {"folder": folder, "batch": arguments.batch, "size_px": arguments.size,
                  "parts": arguments.parts}
        raw = []
        for row in ROWS:
            pictures = min(arguments.slow_pictures if row[4] else arguments.pictures, arguments.pictures)
            seconds = compare(sides, row, common, pictures, arguments.rounds)
            print(line(row, seconds), flush=True)
            for column, times in seconds.items():
                raw += [{"row": row[0], "column": column, "round": number, "pictures": pictures,
                         "seconds_a_picture": time} for number, time in enumerate(times)]
        for side in sides.values():
            side.close()
    if arguments.csv:
        csv_file.write(arguments.csv, raw)


if __name__ == "__main__":
    main()
