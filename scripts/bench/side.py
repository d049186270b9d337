"""A process that takes timed steps on request: ours (`catscan bench`) or PyTorch's (`peer.py`)."""

import json
import os
import subprocess
import sys
from pathlib import Path

OURS, THEIRS = "catscan", "pytorch"


class Side:
    """One of the two processes: a JSON request a line in, a JSON answer a line out."""

    def __init__(self, command: list[str], threads: int, extra: dict[str, str] = {}, stderr=None):
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, str(threads)), **extra}
        pipe = subprocess.PIPE
        streams = {"stdin": pipe, "stdout": pipe, "stderr": stderr}
        self.process = subprocess.Popen(command, text=True, env=environment, **streams)

    def ask(self, **request) -> dict:
        self.send(request)
        return self.answer()

    def send(self, *requests: dict):
        self.process.stdin.writelines(json.dumps(request) + "\n" for request in requests)
        self.process.stdin.flush()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[0]}: ended before its answer; its words stand above")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start(name: str, catscan: Path, python: Path, threads: int) -> Side:
    theirs = [str(python), str(Path(__file__).parent / "peer.py")]
    return Side([str(catscan), "bench"] if name == OURS else theirs, threads)
