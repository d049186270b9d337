"""Times how pictures come to the trainer: ours, torchvision's DataLoader, Keras' generator, limits.

    cargo xtask bench data --photos FOLDER          # FOLDER/class/picture.jpg
    cargo xtask bench data --photos PetImages.zip   # an archive of such folders; unpacked for the time
    cargo xtask bench data --photos FOLDER --quick  # two rounds

All on the same photographs and cores, in turns, a process each; a figure is the median of the rounds,
the range behind a ratio that of single rounds. Each contender's first turn warms up (files in the page
cache, workers started) and is not counted; it also says how many passes a turn of a second holds, for a
pass of a few hundred pictures from a cache ends before a processor has woken up. `By processor time` is
pictures a second of work done by a process, its threads and its children together: on a machine that
others use, look at that column. The transforms are the study's: squashed to a square by the nearest
pixel, rotation to 40 degrees, shear to 0.2, zoom to 0.2, mirrored; values 0 to 1.

- ours, decode: every file read, decoded strictly, resized; nothing kept.
- ours, first epoch: the same, written to a new cache and synced to disk, then one augmented pass of
  batches as the trainer gets them.
- ours, later epochs: one augmented pass from the cache. `plain` is without augmentation, `streamed` one
  where nothing is cached.
- torchvision: ImageFolder, Resize, RandomAffine (bilinear; black comes in, as it has no other), flip,
  ToTensor; DataLoader with persistent workers, as many as cores. It has no cache: all epochs are alike.
- Keras: ImageDataGenerator with these ranges, one process as the notebooks run it.
- limits: libjpeg-turbo (simplejpeg) by as many threads as cores, alone and with Pillow's nearest
  resizing; and one copy of a pass's floats (numpy), which is what any loader must at least write.

Needs the standard library only; what it compares with is installed once into the cache folder.
"""

import argparse
import csv
import math
import os
import platform
import statistics
import tempfile
import zipfile
from pathlib import Path

from environment import interpreter, packages
from side import Side

# Name, side, work.
CONTENDERS = [
    ("ours, decode", "ours", "decode"),
    ("ours, first epoch", "ours", "first"),
    ("ours, later epochs", "ours", "later"),
    ("ours, later, plain", "ours", "plain"),
    ("ours, streamed", "ours", "streamed"),
    ("torchvision", "theirs", "torchvision"),
    ("Keras", "theirs", "keras"),
    ("libjpeg-turbo alone", "theirs", "turbo"),
    ("libjpeg-turbo + resize", "theirs", "turbo_resize"),
    ("one copy of the floats", "theirs", "copy"),
]
# What is compared: ours, the other, the goal for ours / other.
RATIOS = [
    ("ours, decode", "libjpeg-turbo + resize", 0.85),
    ("ours, decode", "libjpeg-turbo alone", None),
    ("ours, first epoch", "torchvision", 2.0),
    ("ours, first epoch", "Keras", None),
    ("ours, later epochs", "torchvision", 10.0),
    ("ours, later epochs", "Keras", 30.0),
    ("ours, later epochs", "one copy of the floats", None),
    ("ours, streamed", "torchvision", None),
]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cargo xtask bench data", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--photos", type=Path, required=True, help="FOLDER/class/picture, or a zip of it")
    parser.add_argument("--size", type=int, default=224, help="pixels of a picture's side")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--filter", default="nearest", choices=["nearest", "bilinear"])
    parser.add_argument("--rounds", type=int, default=7, help="turns of each, after the warm-up")
    parser.add_argument("--turn-s", type=float, default=1.0, help="about a turn's length, in whole passes")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="such as Keras")
    parser.add_argument("--csv", type=Path, help="every turn goes here, a line each")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds = 2
    return arguments


def folder_of_classes(photos: Path, scratch: Path) -> Path:
    """The folder whose folders are classes; an archive is unpacked, a lone folder is stepped into."""
    if photos.is_file():
        with zipfile.ZipFile(photos) as archive:
            archive.extractall(scratch)
        photos = scratch
    inside = [path for path in photos.iterdir() if path.is_dir()]
    while len(inside) == 1:
        photos = inside[0]
        inside = [path for path in photos.iterdir() if path.is_dir()]
    return photos.resolve()


def busy_s(pid: int) -> float:
    """Processor seconds that a process and its descendants have used; 0 where the system does not tell."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        own = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return 0.0
    return own + sum(busy_s(child) for child in children)


# Seconds of a pass on the clock and of processors, by turn.
Turns = list[tuple[float, float]]


def measure(arguments, folder: Path) -> tuple[int, dict[str, Turns]]:
    """The number of pictures, and what each contender's turns took."""
    python = interpreter(arguments.cache)
    extra = {"PYTHONPATH": str(packages(arguments.cache, python)), "KERAS_BACKEND": "torch"}
    peer = [str(python), str(Path(__file__).parent / "data_peer.py")]
    commands = {"ours": ([str(arguments.catscan), "bench-data"], {}), "theirs": (peer, extra)}
    contenders = [row for row in CONTENDERS if row[0] not in arguments.without]
    # A process each, so that what one holds in memory is not the other's.
    sides = {name: Side(commands[side][0], arguments.threads, commands[side][1])
             for name, side, _ in contenders}
    counts, seconds = set(), {name: [] for name, _, _ in contenders}
    passes = dict.fromkeys(seconds, 1)
    for number in range(arguments.rounds + 1):
        turn = number % len(contenders)
        for name, side, work in contenders[turn:] + contenders[:turn]:
            data = f"folder:{folder}" if side == "ours" else str(folder)
            before = busy_s(sides[name].process.pid)
            answer = sides[name].ask(
                work=work, data=data, size_px=arguments.size, filter=arguments.filter,
                batch=arguments.batch, repeat=passes[name],
            )
            counts.add(answer["pictures"])
            clock = sum(answer["seconds"])
            if number == 0:
                # About: the first pass of all is the slowest.
                passes[name] = max(1, math.ceil(arguments.turn_s / clock))
                continue
            busy = busy_s(sides[name].process.pid) - before
            seconds[name].append((clock / passes[name], busy / passes[name]))
    for side in sides.values():
        side.close()
    if len(counts) != 1:
        raise SystemExit(f"{folder}: the contenders saw {sorted(counts)} pictures; remove bad ones")
    return counts.pop(), seconds


def show(pictures: int, seconds: dict[str, Turns]) -> None:
    print("| what | pictures/s | lowest | highest | by processor time |")
    print("|---|---|---|---|---|")
    for name, turns in seconds.items():
        rates = sorted(pictures / clock for clock, _ in turns)
        # 0 where the system does not tell.
        busy = max(statistics.median(busy for _, busy in turns), 1e-4)
        print(
            f"| {name} | {statistics.median(rates):.0f} | {rates[0]:.0f} | {rates[-1]:.0f} "
            f"| {pictures / busy:.0f} |"
        )
    print("\n| ours | against | ratio (rounds) | by processor time | goal |")
    print("|---|---|---|---|---|")
    for ours, theirs, goal in RATIOS:
        if ours not in seconds or theirs not in seconds:
            continue
        pairs = list(zip(seconds[ours], seconds[theirs]))
        single = [theirs / ours for (ours, _), (theirs, _) in pairs]
        ratio, busy = (
            statistics.median(turn[k] for turn in seconds[theirs])
            / max(1e-4, statistics.median(turn[k] for turn in seconds[ours]))
            for k in (0, 1)
        )
        want = f"at least {goal:g}" if goal else ""
        spread = f"{min(single):.2f} to {max(single):.2f}"
        print(f"| {ours} | {theirs} | {ratio:.2f} ({spread}) | {busy:.2f} | {want} |")


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as scratch:
        folder = folder_of_classes(arguments.photos, Path(scratch))
        pictures, seconds = measure(arguments, folder)
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads, {pictures} pictures, "
          f"{arguments.size} px, medians of {arguments.rounds} rounds in turn\n")
    show(pictures, seconds)
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["what", "round", "seconds", "processor_seconds", "pictures"])
            for name, turns in seconds.items():
                writer.writerows([name, number, *turn, pictures] for number, turn in enumerate(turns))


if __name__ == "__main__":
    main()
