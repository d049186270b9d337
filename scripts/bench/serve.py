"""Times `catscan serve`: how long one waits for all layers of a picture, once it is warm.

    cargo xtask bench serve                       # DenseNet-121 at 224 px, 20 photographs
    cargo xtask bench serve --run runs/pooling-compare/max/seed-1 --method layer-cam

Starts the page on a free port, sends photographs one after the other as the page does, and prints
the times from the first byte sent to the last one read: the median, and what 19 of 20 stay below.
Decoding, the network, the maps of all blocks and their packing as pictures are in it; what the
browser takes to draw them is not. Without `--run` a DenseNet-121 is trained for one step first: how
well it was trained changes no time.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from viz import ARCHIVE, photographs


def parse() -> argparse.Namespace:
    shared = Path(os.environ.get("CATSCAN_SHARED_DATA", Path(__file__).parents[3] / "shared/data"))
    parser = argparse.ArgumentParser(prog="cargo xtask bench serve", description=__doc__.split("\n")[0])
    parser.add_argument("--catscan", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help="a run's folder")
    parser.add_argument("--method", default="grad-cam")
    parser.add_argument("--photographs", type=Path, default=shared / ARCHIVE,
                        help="a zip with a folder of .jpg a class")
    parser.add_argument("--pictures", type=int, default=20)
    arguments = parser.parse_args()
    if not arguments.photographs.exists():
        sys.exit(f"{arguments.photographs}: no such file; name a zip of photographs with --photographs")
    return arguments


def trained(catscan: Path, folder: Path) -> Path:
    """One step of the study's DenseNet-121 at 224 px."""
    run = folder / "run"
    words = ["train", "--experiment", "pooling-compare", "--profile", "original", "--arm", "avg",
             "--data", "critters:125", "--max-steps", "1", "--out", str(run)]
    subprocess.run([catscan.resolve(), *words], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return run


def ask(address: str, method: str, picture: bytes) -> float:
    began = time.perf_counter()
    connection = http.client.HTTPConnection(address)
    connection.request("POST", f"/explain?arm=0&method={method}", picture)
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - began
    if answer.status != 200:
        sys.exit(f"{address}: {answer.status}: {json.loads(body)['error']}")
    return seconds


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        photographs(arguments.photographs, arguments.pictures, folder / "pictures")
        run = arguments.run or trained(arguments.catscan, folder)
        line = [arguments.catscan, "serve", run, "--listen", "127.0.0.1:0"]
        page = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        try:
            found = None
            while found is None:
                said = page.stderr.readline()
                if not said:
                    sys.exit("catscan serve ended before it listened")
                found = re.search(r"http://([^/]+)/", said)
            times = []
            for path in sorted((folder / "pictures").iterdir()):
                times.append(ask(found[1], arguments.method, path.read_bytes()))
        finally:
            page.terminate()
            page.wait()
    times.sort()
    middle, most = statistics.median(times), times[int(0.95 * (len(times) - 1))]
    print(f"{arguments.method}, {len(times)} photographs: median {1e3 * middle:.0f} ms, 19 of 20 below "
          f"{1e3 * most:.0f} ms, slowest {1e3 * times[-1]:.0f} ms (goal: 300)")


if __name__ == "__main__":
    main()
