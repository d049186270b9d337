"""Writes the golden of Keras' augmentation for crates/data, from Keras' own code.

    pip install keras torch scipy numpy
    KERAS_BACKEND=torch python3 scripts/golden/keras_augment.py

Writes crates/data/tests/golden/keras_augment.json: a picture of a closed formula (repeated in
crates/data/tests/it/keras_augment.rs) after fixed draws of rotation, shear, zoom and flip, on the
scale 0..255, by `apply_affine_transform` and `flip_axis` of keras.src.legacy.preprocessing.image,
which ImageDataGenerator calls. And crates/data/tests/golden/keras_augment_more.json: the same
picture through the whole `ImageDataGenerator.apply_transform` with fixed draws of everything it can
do (shifts, both flips, channel shift, brightness) in every fill mode.

Keras composed otherwise when its shears were radians: `keras_older.py` asks that.
"""

import json
import platform
from pathlib import Path

import keras
import numpy
import scipy
from keras.src.legacy.preprocessing.image import (
    ImageDataGenerator,
    apply_affine_transform,
    flip_axis,
)

OUT = Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "golden"
SIDE = 12

# rotation and shear in degrees
CASES = [
    {"rotation": 30.0, "shear": 0.0, "zx": 1.0, "zy": 1.0, "flip": False},
    {"rotation": -40.0, "shear": 0.0, "zx": 1.0, "zy": 1.0, "flip": True},
    {"rotation": 0.0, "shear": 0.2, "zx": 1.0, "zy": 1.0, "flip": False},
    {"rotation": 0.0, "shear": 11.459155902616464, "zx": 1.0, "zy": 1.0, "flip": False},
    {"rotation": 0.0, "shear": 0.0, "zx": 0.8, "zy": 1.2, "flip": False},
    {"rotation": 0.0, "shear": 0.0, "zx": 1.0, "zy": 1.0, "flip": True},
    {"rotation": 17.5, "shear": -0.13, "zx": 1.17, "zy": 0.83, "flip": True},
    {"rotation": -33.0, "shear": 10.0, "zx": 0.9, "zy": 1.05, "flip": False},
]

TURNED = {"theta": 25.0, "shear": -12.0, "zx": 1.3, "zy": 0.8}
# tx, ty in pixels along x and y, as apply_affine_transform takes them; channel shift of 255
MORE = [
    {"fill": "nearest", "tx": 2.5, "ty": -1.25},
    {"fill": "nearest", "theta": 30.0, "tx": 2.0, "ty": -3.5},
    {"fill": "nearest", **TURNED, "tx": -1.5, "ty": 0.75},
    {"fill": "constant", "cval": 128, **TURNED, "tx": 3.0, "ty": 1.0},
    {"fill": "constant", "cval": 0, "tx": 0.5, "ty": 0.0},
    {"fill": "reflect", **TURNED, "tx": 7.0, "ty": -2.25},
    {"fill": "reflect", "zx": 1.8, "zy": 1.6},
    {"fill": "wrap", **TURNED, "tx": 4.0, "ty": -2.25},
    {"fill": "wrap", "tx": 5.5, "ty": -6.75},
    {"fill": "nearest", "flip_vertical": True},
    {"fill": "nearest", **TURNED, "flip_horizontal": True, "flip_vertical": True},
    {"fill": "nearest", "channel_shift_intensity": 40.0},
    {"fill": "nearest", "channel_shift_intensity": -250.5},
    {"fill": "nearest", "brightness": 0.6},
    {"fill": "nearest", "brightness": 1.7},
    {"fill": "reflect", **TURNED, "tx": 1.5, "ty": 2.5, "flip_horizontal": True,
     "channel_shift_intensity": -31.0, "brightness": 1.25},
]


def more() -> list[dict]:
    results = []
    for case in MORE:
        parameters = {key: value for key, value in case.items() if key not in ("fill", "cval")}
        generator = ImageDataGenerator(fill_mode=case["fill"], cval=case.get("cval", 0))
        moved = generator.apply_transform(picture(), parameters)
        digits = 0 if "brightness" in case else 3
        results.append(case | {"want": [round(float(v), digits) for v in moved.reshape(-1)]})
    return results


def picture() -> numpy.ndarray:
    y, x, c = numpy.meshgrid(range(SIDE), range(SIDE), range(3), indexing="ij")
    return ((x * 7 + y * 13 + c * 50 + (x * y) % 11 * 9) % 256).astype(numpy.float64)


def main() -> None:
    results = []
    for case in CASES:
        moved = apply_affine_transform(
            picture(),
            theta=case["rotation"],
            shear=case["shear"],
            zx=case["zx"],
            zy=case["zy"],
            row_axis=0,
            col_axis=1,
            channel_axis=2,
            fill_mode="nearest",
            order=1,
        )
        if case["flip"]:
            moved = flip_axis(moved, 1)
        results.append(case | {"want": [round(float(v), 3) for v in moved.reshape(-1)]})
    made_by = {
        "keras": keras.__version__,
        "scipy": scipy.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    golden = {"made_by": made_by, "side": SIDE, "cases": results}
    (OUT / "keras_augment.json").write_text(json.dumps(golden) + "\n")
    golden = {"made_by": made_by, "side": SIDE, "cases": more()}
    (OUT / "keras_augment_more.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
