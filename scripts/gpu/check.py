"""What check.sh runs: parity, benches, a bounded run of the study. Writes check.json.

Each part is a process of the program, or of train_cuda.py, with its words kept beside the figures;
a part that fails does not end the others. check.json is tried before the first part and written again
whenever there is more to say, whole each time: whatever ends this, what was measured is in it.
Needs the standard library only.
"""

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
from cuda_goals import told
from whole_file import write_whole

NOT_PASSED, UNUSABLE, NO_DEVICE, GOALS_NOT_MET = 1, 2, 3, 4
# A child that is to end may finish its step and keep it, for so long.
GRACE_S = 20
# What a training says where its steps are no graph (crates/train/src/step.rs).
FELL_BACK = re.compile(r"not as a graph: (.*)")


class Stopped(BaseException):
    """By a signal: Ctrl-C, a lost connection, a scheduler."""


def say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # the terminal is gone; check.json goes on


def stop_on_signals() -> None:
    def stop(number, _frame):
        for each in signals:
            signal.signal(each, signal.SIG_DFL)  # a second one ends at once
        raise Stopped(number)

    # What is ignored stays so, such as SIGHUP under nohup.
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    signals = [each for each in signals if signal.getsignal(each) != signal.SIG_IGN]
    for each in signals:
        signal.signal(each, stop)


def end_group(process: subprocess.Popen) -> None:
    """Ends a child and its own children, which are a group of theirs."""
    for number, seconds in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass


def call(command: list, seconds: int, while_it_runs=lambda: None, **environment) -> dict:
    """Runs a program to its end; what it said, how long it took, and how it ended."""
    began, late = time.monotonic(), ""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as words:
        streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": words}
        try:
            # A group of its own: Ctrl-C comes here only, and ends it from here.
            process = subprocess.Popen(
                [str(word) for word in command], env={**os.environ, **environment}, start_new_session=True, **streams
            )
        except OSError as error:
            return {"exit_code": None, "seconds": 0.0, "out": "", "words": str(error)}
        try:
            while process.poll() is None and not late:
                try:
                    process.wait(1)
                except subprocess.TimeoutExpired:
                    while_it_runs()
                if time.monotonic() - began > seconds:
                    late = f"\nstopped after {seconds} s"
        finally:
            if process.poll() is None:
                end_group(process)
        texts = []
        for file in (out, words):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    code, took = None if late else process.returncode, round(time.monotonic() - began, 1)
    return {"exit_code": code, "seconds": took, "out": texts[0], "words": texts[1] + late}


def card() -> dict | None:
    query = "name,driver_version,memory.total,power.limit"
    said = call(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], 30)
    lines = said["out"].strip().splitlines()
    return dict(zip(query.split(","), map(str.strip, lines[0].split(",")))) if lines else None


def torch_there(folder: Path, wanted: str) -> dict:
    """The version of Python's torch by its version.py, held against the one that the program is built on."""
    try:
        text = (folder / "version.py").read_text()
    except OSError:
        text = ""
    version = re.search(r"__version__\s*=\s*'([^']*)'", text)
    cuda = re.search(r"^cuda\b.*=\s*'([^']*)'", text, re.MULTILINE)
    version = version and version[1]
    fits = version is not None and version.partition("+")[0] == wanted
    return {"folder": str(folder), "version": version, "cuda": cuda and cuda[1], "wanted": wanted, "fits": fits}


def parsed(part: dict) -> dict:
    """The part with what it printed as JSON, if that is what it printed."""
    try:
        return {**part, "out": json.loads(part["out"])}
    except ValueError:
        return part


def judged(part: dict, wrong: list[str]) -> dict:
    """Whether the part passed, and if not, why, in plain words."""
    if part["exit_code"] != 0:
        code = part["exit_code"]
        ended = "did not end by itself" if code is None else f"ended with {code}"
        last = part["words"].strip().splitlines()[-1:] or ["it said nothing"]
        wrong = [f"{ended}: {last[0][-400:]}", *wrong]
    return {**part, "words": part["words"][-4000:], "passed": not wrong, "wrong": wrong}


def parity(catscan: Path, device: str, quick: bool) -> dict:
    """Passes where all numbers agree and, on a card, each network's steps were a CUDA graph."""
    models = "densenet-mini" if device == "cpu" else "densenet121,resnet50" + ("" if quick else ",resnet101")
    part = parsed(call([catscan, "parity", "--device", device, "--models", models], 1200))
    checks = part["out"].get("checks", []) if isinstance(part["out"], dict) else []
    of = lambda check: f"{check['model']}, {check['precision']}"
    wrong = [
        f"{of(check)}: {check['what']} off by {check['gap']}, allowed {check['allowed']}"
        for check in checks if not check["passed"]
    ]
    if device != "cpu":
        hows = {of(check): check.get("how") for check in checks}
        wrong += [f"{of}: its steps were no CUDA graph but {how}" for of, how in hows.items() if how != "graph"]
    if not checks:
        wrong.append("it compared nothing")
    return judged(part, wrong)


def bench(bundle: Path, device: str, quick: bool, folder: Path, tell) -> dict:
    """Passes where each of our arms gave a time as what it is; goals are told apart from that."""
    rows = folder / "bench.json"
    command = [sys.executable, bundle / "scripts/bench/train_cuda.py", "--catscan", bundle / "catscan"]
    command += ["--device", device, "--json", rows]
    if device == "cpu":
        command += ["--models", "resnet50", "--batches", 2, "--size", 32, "--rounds", 1, "--warm-up", 1]
        command += ["--turn-s", 0.1, "--arms", "catscan eager", "catscan graph", "pytorch eager", "pytorch amp"]
    elif quick:
        command += ["--models", "densenet121", "--batches", 20, "--rounds", 2]
    seen = ""

    def measured() -> dict:
        nonlocal seen
        seen = rows.read_text() if rows.exists() else "{}"
        return json.loads(seen)

    def tell_more():
        before = seen
        now = measured()
        if seen != before:
            tell({"unfinished": True, "passed": False, "wrong": ["it is not finished"], **now})

    try:
        part = call(command, 3 * 3600, tell_more)
    except Stopped:
        tell_more()
        raise
    found = measured()
    wrong = list(found.get("not_recorded", []))
    ours = [row for row in found.get("rows", []) if row["arm"].startswith("catscan")]
    wrong += [
        what for row in ours if not row["turns"]
        if (what := f"{row['model']}, batch {row['batch']}, {row['arm']}: {row.get('error', 'no time')}") not in wrong
    ]
    if not ours:
        wrong.append("none of our arms was measured")
    return judged({**part, **found}, wrong)


def original(catscan: Path, device: str, quick: bool, folder: Path) -> dict:
    """The published study's settings, bounded: both arms, one seed, on drawings. Passes where the run
    does, on this device, and does not say that it went on without a graph."""
    steps = 2 if device == "cpu" else 80 if quick else 800
    command = [catscan, "experiment", "pooling-compare", "--profile", "original", "--device", device]
    command += ["--seeds", 1, "--max-steps", steps, "--runs", folder / "runs", "--json", "--no-report"]
    if device == "cpu":
        command += ["--size", 64, "--data", "critters:60"]
    part = parsed(call(command, 3600, CATSCAN_CACHE=str(folder / "cache")))
    wrong = [f"its steps were no CUDA graph: {why}" for why in dict.fromkeys(FELL_BACK.findall(part["words"]))]
    lines = {}
    for metrics in sorted((folder / "runs").glob("*/*/*/metrics.jsonl")):
        name = "/".join(metrics.parts[-3:-1])
        lines[name] = [json.loads(line) for line in metrics.read_text().splitlines()]
        where = json.loads((metrics.parent / "environment.json").read_text())["device"]
        if not where.startswith(device):
            wrong.append(f"{name}: ran on {where}, not on {device}")
    if not lines:
        wrong.append("no arm wrote its metrics")
    return judged({**part, "steps": steps, "metrics": lines}, wrong)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="check.sh")
    parser.add_argument("--bundle", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--torch", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="shorter: one network at batch 20, fewer steps")
    parser.add_argument("--out", type=Path, help="the answer goes here; check.json beside check.sh")
    return parser.parse_args()


def looked_at(bundle: Path, torch: dict) -> dict:
    """The answer before the parts: machine, versions, and what the program says of the card."""
    doctor = parsed(call([bundle / "catscan", "doctor", "--json", "--no-speed"], 300))
    found = doctor["out"] if isinstance(doctor["out"], dict) else {}
    cuda = found.get("cuda", {"status": "unknown", "words": doctor["words"][-400:]})
    processor = platform.processor() or platform.machine()
    machine = {"card": card(), "processor": processor, "torch": torch}
    on_card = cuda.get("status") == "ready"
    return {"machine": machine, "ran_on_a_card": on_card, "cuda": cuda, "doctor": doctor}


def all_parts(answer: dict, bundle: Path, quick: bool, write) -> None:
    catscan, device = bundle / "catscan", "cuda" if answer["ran_on_a_card"] else "cpu"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)

        def tell(part: dict):
            answer["bench"] = part
            write()

        parts = {
            "parity": lambda: parity(catscan, device, quick),
            "bench": lambda: bench(bundle, device, quick, folder, tell),
            "original": lambda: original(catscan, device, quick, folder),
        }
        for name, part in parts.items():
            say(f"{name} ...")
            answer[name] = part()
            write()
            say(f"{name}: {'passed' if answer[name]['passed'] else 'FAILED'}, {answer[name]['seconds']:.0f} s")
            for line in answer[name]["wrong"]:
                say(f"  {line}")
            for line in told(answer[name].get("goals", []), []):
                say(f"  {line}")
    answer["finished"] = True
    answer["passed"] = answer["ran_on_a_card"] and all(answer[name]["passed"] for name in parts)
    answer["goals_met"] = all(goal["met"] for goal in answer["bench"].get("goals", [])) if device == "cuda" else None


def exit_code(answer: dict) -> int:
    if not all(answer[name]["passed"] for name in ("parity", "bench", "original")):
        return NOT_PASSED
    if not answer["ran_on_a_card"]:
        return NO_DEVICE
    return 0 if answer["goals_met"] else GOALS_NOT_MET


def main() -> int:
    arguments = parse()
    bundle, out = arguments.bundle, arguments.out or arguments.bundle / "check.json"
    about = json.loads((bundle / "bundle.json").read_text())
    os.environ.setdefault("CATSCAN_GIT_COMMIT", about["commit"])
    torch = torch_there(arguments.torch, about["torch"])
    if not torch["fits"]:
        has = torch["version"] or "a torch without a version"
        want = f"want {torch['wanted']}, which catscan is built on; PYTHON=... names another"
        say(f"{torch['folder']}: is {has}, {want}")
        return UNUSABLE
    answer = {"passed": False, "finished": False, "quick": arguments.quick, "bundle": about}

    def write() -> bool:
        try:
            write_whole(out, json.dumps(answer, indent=1) + "\n")
            return True
        except OSError as error:
            say(f"{out}: cannot be written ({error.strerror}); make room or name another: --out FILE")
            return False

    if not write():
        return UNUSABLE
    stop_on_signals()
    try:
        answer |= looked_at(bundle, torch)
        write()
        no_card = f"no CUDA device ({answer['cuda']}): the processor's half only"
        say(f"running on {answer['machine']['card']}" if answer["ran_on_a_card"] else no_card)
        all_parts(answer, bundle, arguments.quick, write)
    except Stopped as stopped:
        answer["stopped_by"] = signal.Signals(stopped.args[0]).name
        write()
        say(f"stopped by {answer['stopped_by']}; what was measured until then is in {out}")
        return 128 + stopped.args[0]
    if not write():
        return NOT_PASSED
    say(f"see {out}")
    return exit_code(answer)


if __name__ == "__main__":
    sys.exit(main())
