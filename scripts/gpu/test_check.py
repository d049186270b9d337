"""check.sh and train_cuda.py where there is no card: program, PyTorch and nvidia-smi are stand-ins that
tell times and take none.

    python3 scripts/gpu/test_check.py      # standard library only; about a minute
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
# What a step of each arm takes, in seconds, unless a test says otherwise.
STEP_S = {
    "catscan eager": 0.03, "catscan graph": 0.01, "catscan fp32": 0.02, "pytorch eager": 0.03,
    "pytorch amp": 0.02, "pytorch compile": 0.012, "pytorch compile graphs": 0.011,
}
USUAL = {"step_s": STEP_S, "how": "graph", "used_mb": 20_000, "compile_s": 45.0}

# Both sides: a line a start and an end in the log; the first answer of an arm that compiles took long.
SIDE = """
import json, os, sys, time
stub = json.load(open(os.environ["STUB"]))
log = lambda text: print(text, file=open(os.environ["STUB"] + ".log", "a"))
def serve(arm_of):
    first = True
    for text in iter(sys.stdin.readline, ""):
        request = json.loads(text)
        if request.get("about"):
            if "no_torch" in stub:
                sys.exit("Traceback\\n" + stub["no_torch"])
            print(json.dumps({"torch": "2.11.0+cu130", "networks": "stub", "card": "GPU-1"}), flush=True)
            continue
        arm, repeat = arm_of(request), request["repeat"]
        if first:
            log(arm)
        if arm in stub.get("fails", {}):
            sys.exit(stub["fails"][arm])
        seconds = stub["step_s"][arm]
        if stub.get("in_real_time"):
            time.sleep(seconds * repeat)
        if first and "compile" in arm:
            seconds += stub["compile_s"] / repeat
        first = False
        graph = request.get("graph")
        how = (stub["how"] if graph else "eager: as asked for") if "work" in request else "compiled"
        print(json.dumps({"seconds": [seconds] * repeat, "how": how}), flush=True)
"""
PEER = SIDE + "serve(lambda request: request['arm'])\n"
CATSCAN = f"#!{sys.executable}\n" + SIDE + """
from pathlib import Path
def ours(request):
    return "catscan " + ("eager" if not request["graph"] else {"bf16": "graph"}.get(request["precision"], "fp32"))
if sys.argv[1] == "bench":
    serve(ours)
elif sys.argv[1] == "doctor":
    print(json.dumps({"cuda": {"status": "ready"}}))
elif sys.argv[1] == "parity":
    check = {"model": "resnet50", "precision": "bf16", "what": "logits", "gap": 0.0, "allowed": 1e-4}
    print(json.dumps({"checks": [{**check, "passed": True, "how": stub["how"]}]}))
else:
    run = Path(sys.argv[sys.argv.index("--runs") + 1]) / "study/avg/seed-1"
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text('{"step": 80}\\n')
    (run / "environment.json").write_text('{"device": "cuda:0"}')
    print(stub.get("words", ""), file=sys.stderr)
    print("{}")
"""
NVIDIA_SMI = f"#!{sys.executable}\n" + """
import datetime, json, os, sys, time
used = json.load(open(os.environ["STUB"]))["used_mb"]
words = " ".join(sys.argv)
while "utilization" in words:
    print(datetime.datetime.now().strftime("%Y/%m/%d %H:%M:%S.%f") + ", 97", flush=True)
    time.sleep(0.1)
print(f"{used}, 80000" if "memory.used" in words else "Stand-in, 1.0, 80000 MiB, 700 W")
"""


class Bundle:
    def __init__(self, folder: Path, **stub):
        self.folder, self.stub = folder, folder / "stub.json"
        self.stub.write_text(json.dumps(USUAL | stub))
        for name in ("gpu", "bench"):
            shutil.copytree(SCRIPTS / name, folder / "scripts" / name, ignore=shutil.ignore_patterns("decoders"))
        (folder / "scripts/bench/peer_cuda.py").write_text(PEER)
        (folder / "bundle.json").write_text('{"commit": "0", "torch": "2.11.0"}')
        self.torch("2.11.0+cu130")
        (folder / "bin").mkdir()
        for name, text in (("catscan", CATSCAN), ("bin/nvidia-smi", NVIDIA_SMI)):
            (folder / name).write_text(text)
            (folder / name).chmod(stat.S_IRWXU)
        self.environment = {**os.environ, "STUB": str(self.stub), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}

    def torch(self, version: str):
        (self.folder / "torch").mkdir(exist_ok=True)
        (self.folder / "torch/version.py").write_text(f"__version__ = '{version}'\ncuda = '13.0'\n")

    def start(self, *words, script: str = "gpu/check.py") -> subprocess.Popen:
        own = ["--bundle", self.folder, "--torch", self.folder / "torch", "--quick"]
        if script != "gpu/check.py":
            own = ["--catscan", "./catscan"]
        command = [str(word) for word in [sys.executable, self.folder / "scripts" / script, *own, *words]]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=self.environment, cwd=self.folder, **streams)

    def run(self, *words, **how) -> tuple[int, str]:
        process = self.start(*words, **how)
        out, words = process.communicate(timeout=120)
        return process.returncode, out + words

    def answer(self) -> dict:
        return json.loads((self.folder / "check.json").read_text())

    def starts(self) -> list[str]:
        return Path(f"{self.stub}.log").read_text().split("\n")[:-1]


class Check(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def bundle(self, **stub) -> Bundle:
        return Bundle(self.folder, **stub)

    def test_all_is_well_and_compiling_is_in_no_turn(self):
        bundle = self.bundle(in_real_time=False)
        code, words = bundle.run()
        answer = bundle.answer()
        # Nothing takes time here, so nvidia-smi sees too little: that goal alone is open.
        self.assertEqual(code, 4, words)
        self.assertTrue(answer["passed"] and answer["finished"])
        self.assertIn("met: densenet121, batch 20: catscan graph at least 2.5 × pytorch eager, got 3.00", words)
        self.assertIn("met: densenet121, batch 20: catscan graph at least 1 × pytorch compile or", words)
        self.assertIn("not measured: densenet121, batch 20: catscan graph keeps the card busy 95 %", words)
        for row in answer["bench"]["rows"]:
            self.assertEqual(row["steps"], [round(2.0 / STEP_S[row["arm"]])] * 2, row["arm"])
            self.assertEqual(row["turns"], [STEP_S[row["arm"]]] * 2, row["arm"])
        self.assertEqual(sorted(bundle.starts()), sorted(STEP_S), "each is made once")

    def test_steps_without_a_graph_do_not_pass(self):
        bundle = self.bundle(how="eager: libcatscan_cuda.so: not beside the program")
        code, words = bundle.run()
        self.assertEqual(code, 1)
        reason = "its steps were no CUDA graph but eager: libcatscan_cuda.so: not beside the program"
        self.assertIn(f"resnet50, bf16: {reason}", words)
        for arm in ("catscan graph", "catscan fp32"):
            self.assertIn(f"densenet121, batch 20, {arm}: {reason}", words)
        self.assertNotIn("catscan eager: its", words)
        self.assertTrue(bundle.answer()["original"]["passed"], "the rest is there")

    def test_a_training_that_fell_back_does_not_pass(self):
        told = "warning: steps are asked for kernel by kernel, not as a graph: out of memory"
        code, words = self.bundle(words=told).run()
        self.assertEqual(code, 1)
        self.assertIn("its steps were no CUDA graph: out of memory", words)

    def test_a_goal_that_is_not_met_is_told_and_hides_nothing(self):
        bundle = self.bundle(step_s=STEP_S | {"pytorch eager": 0.02})
        code, words = bundle.run()
        self.assertEqual(code, 4)
        self.assertIn("NOT MET: densenet121, batch 20: catscan graph at least 2.5 × pytorch eager, got 2.00", words)
        self.assertTrue(bundle.answer()["passed"])
        self.assertFalse(bundle.answer()["goals_met"])

    def test_another_torch_is_refused_by_its_version(self):
        bundle = self.bundle()
        bundle.torch("2.10.1+cu128")
        code, words = bundle.run()
        self.assertEqual(code, 2)
        self.assertIn("is 2.10.1+cu128, want 2.11.0", words)

    def test_an_answer_that_cannot_be_written_is_told_before_the_first_part(self):
        bundle = self.bundle()
        code, words = bundle.run("--out", "/proc/nosuch/x.json")
        self.assertEqual(code, 2)
        self.assertIn("/proc/nosuch/x.json: cannot be written", words)
        self.assertNotIn("parity", words)

    def test_without_pytorch_ours_are_measured(self):
        bundle = self.bundle(no_torch="ModuleNotFoundError: No module named 'torch'")
        code, words = bundle.run()
        self.assertEqual(code, 4, words)
        rows = {row["arm"]: row for row in bundle.answer()["bench"]["rows"]}
        self.assertEqual(len(rows["catscan graph"]["turns"]), 2)
        self.assertIn("No module named 'torch'", rows["pytorch amp"]["error"])
        self.assertIn("pytorch eager: PyTorch: ModuleNotFoundError", words)

    def test_an_arm_that_ends_is_told_and_the_others_go_on(self):
        fails = {"pytorch compile": "InductorError: no C compiler", "catscan fp32": "error: cuDNN is missing"}
        bundle = self.bundle(fails=fails)
        code, words = bundle.run()
        self.assertEqual(code, 1)
        self.assertIn("densenet121, batch 20, catscan fp32: error: cuDNN is missing", words)
        self.assertIn("pytorch compile: InductorError: no C compiler", words)
        self.assertIn("× pytorch compile or pytorch compile graphs, got 1.10", words)

    def test_arms_that_crowd_the_card_are_alone_on_it(self):
        bundle = self.bundle(used_mb=70_000)
        rounds = ["--models", "densenet121", "--batches", 256, "--rounds", 3]
        code, words = bundle.run(*rounds, "--json", self.folder / "rows.json", script="bench/train_cuda.py")
        self.assertEqual(code, 0, words)
        rows = json.loads((self.folder / "rows.json").read_text())["rows"]
        self.assertTrue(all(row["alone"] and len(row["turns"]) == 3 for row in rows))
        self.assertEqual(bundle.starts(), ["catscan eager", *STEP_S, *reversed(STEP_S)])

    def test_out_of_memory_is_tried_once_more_alone(self):
        bundle = self.bundle(fails={"pytorch eager": "torch.OutOfMemoryError: CUDA out of memory"})
        code, words = bundle.run()
        rows = {row["arm"]: row for row in bundle.answer()["bench"]["rows"]}
        self.assertEqual(bundle.starts().count("pytorch eager"), 2)
        self.assertIn("out of memory", rows["pytorch eager"]["error"])
        self.assertTrue(rows["catscan graph"]["alone"] and rows["catscan graph"]["turns"])

    def test_busy_is_sampled_for_seconds(self):
        bundle = self.bundle(in_real_time=True)
        words = ["--models", "densenet121", "--batches", 20, "--rounds", 1, "--turn-s", 0.1, "--warm-up", 1]
        words += ["--arms", "catscan graph", "--json", self.folder / "rows.json"]
        code, said = bundle.run(*words, script="bench/train_cuda.py")
        self.assertEqual(code, 0, said)
        busy = "catscan graph keeps the card busy 95 % of the time, got 97.00"
        self.assertIn(f"met: densenet121, batch 20: {busy}", said)

    def test_a_stop_keeps_what_was_measured_and_ends_the_children(self):
        for number in (signal.SIGINT, signal.SIGHUP):
            with self.subTest(number), tempfile.TemporaryDirectory() as folder:
                bundle = Bundle(Path(folder), in_real_time=True, step_s=dict.fromkeys(STEP_S, 0.01))
                process = bundle.start()
                until = time.monotonic() + 60
                while not bundle_rows(bundle) and time.monotonic() < until:
                    time.sleep(0.1)
                process.send_signal(number)
                words = process.communicate(timeout=60)[1]
                self.assertEqual(process.returncode, 128 + number, words)
                self.assertIn(f"stopped by {number.name}; what was measured until then is in {bundle.folder}", words)
                answer = bundle.answer()
                self.assertTrue(answer["parity"]["passed"] and bundle_rows(bundle))
                self.assertFalse(answer["finished"] or answer["passed"])
                left = subprocess.run(["pgrep", "-f", folder], capture_output=True, text=True).stdout
                self.assertEqual(left, "", "no process is left")


def bundle_rows(bundle: Bundle) -> list:
    """Those with a time, in what lies on the disk now; it is whole whenever it is read."""
    if not (bundle.folder / "check.json").exists():
        return []
    return [row for row in bundle.answer().get("bench", {}).get("rows", []) if row["turns"]]


if __name__ == "__main__":
    unittest.main()
