"""TensorBoard's own writer and reader, to check ours against.

python3 scripts/golden/event_file.py             writes crates/train/tests/golden/tensorboard.json:
                                                  the bytes tensorboard writes for two epochs
python3 scripts/golden/event_file.py --read FILE prints the scalars of an event file as JSON, as
                                                  tensorboard's loader sees them (bad checksums fail)

Needs tensorboard.
"""

import io
import json
import pathlib
import sys

import tensorboard
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

STARTED_S = 1_700_000_000
# Step 300 needs a varint of two bytes.
EPOCHS = [
    {"unix_s": 1_700_000_060.5, "step": 80, "loss": [0.7, 0.65], "accuracy": [0.5, 0.6]},
    {"unix_s": 1_700_000_120.25, "step": 300, "loss": [0.4, 0.45], "accuracy": [0.8, 0.79]},
]
LR, IMAGES_PER_S = 0.001, 41.5


def scalars(epoch):
    yield "loss/train", epoch["loss"][0]
    yield "loss/validation", epoch["loss"][1]
    yield "accuracy/train", epoch["accuracy"][0]
    yield "accuracy/validation", epoch["accuracy"][1]
    yield "lr", LR
    yield "images_per_s", IMAGES_PER_S


def write():
    from tensorboard.summary.writer.record_writer import RecordWriter

    class Kept(io.BytesIO):
        def close(self):
            pass

    kept = Kept()
    writer = RecordWriter(kept)
    writer.write(Event(wall_time=STARTED_S, file_version="brain.Event:2").SerializeToString())
    for epoch in EPOCHS:
        for tag, value in scalars(epoch):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            event = Event(wall_time=epoch["unix_s"], step=epoch["step"], summary=summary)
            writer.write(event.SerializeToString())
    golden = {
        "made_by": f"scripts/golden/event_file.py with tensorboard {tensorboard.__version__}",
        "started_s": STARTED_S,
        "epochs": EPOCHS,
        "lr": LR,
        "images_per_s": IMAGES_PER_S,
        "hex": kept.getvalue().hex(),
    }
    path = pathlib.Path(__file__).parents[2] / "crates/train/tests/golden/tensorboard.json"
    path.write_text(json.dumps(golden, indent=1) + "\n")
    print(path, path.stat().st_size, "bytes")


def read(path):
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found = []
    for event in LegacyEventFileLoader(path).Load():
        for value in event.summary.value:
            found.append([value.tag, event.step, value.simple_value])
    print(json.dumps(found))


if sys.argv[1:2] == ["--read"]:
    read(sys.argv[2])
else:
    write()
