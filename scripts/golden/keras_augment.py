"""Writes the golden of Keras' augmentation for crates/data, from Keras' own code.

    pip install keras torch scipy numpy
    KERAS_BACKEND=torch python3 scripts/golden/keras_augment.py

Writes crates/data/tests/golden/keras_augment.json: a picture of a closed formula (repeated in
crates/data/tests/it/keras_augment.rs) after fixed draws of rotation, shear, zoom and flip, on the
scale 0..255, by `apply_affine_transform` and `flip_axis` of keras.src.legacy.preprocessing.image,
which ImageDataGenerator calls.

The older package keras-preprocessing 1.1.2 (TensorFlow 2.0 to 2.8) writes the same matrices in
(row, column) coordinates and turns about a point one pixel further down and right. Its rotations
and zooms have the same distribution; the golden is of the code as it is since.
"""

import json
import platform
from pathlib import Path

import keras
import numpy
import scipy
from keras.src.legacy.preprocessing.image import apply_affine_transform, flip_axis

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


if __name__ == "__main__":
    main()
