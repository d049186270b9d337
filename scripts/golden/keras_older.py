"""Writes the golden of Keras' augmentation as it was when shears were radians, from Keras' own code.

    pip install keras torch scipy numpy six pillow
    pip download --no-deps keras==2.0.9
    KERAS_BACKEND=torch python3 scripts/golden/keras_older.py Keras-2.0.9-py2.py3-none-any.whl

Writes crates/data/tests/golden/keras_augment_older.json: the picture of `keras_augment.py` through
`ImageDataGenerator.random_transform` of Keras 2.0.9, the last whose shears are radians, which draws
what it is told to. That Keras writes today's matrices in (row, column) coordinates and turns about a
point one pixel further down and right. Its one file is run out of the wheel, since the package around
it wants a backend of its day. One thing is changed in it: it took the nearest pixel, and is told to
take the bilinear value, as every later Keras and crates/data do, so that places are compared to more
than half a pixel.
"""

import json
import platform
import sys
import types
import zipfile

import numpy
import scipy
from keras_augment import OUT, SIDE, picture

ALL = {"rotation_range": 40, "height_shift_range": 0.25, "width_shift_range": 0.2,
       "shear_range": 0.5, "zoom_range": 0.3, "horizontal_flip": True, "vertical_flip": True}

# What a recipe of then says, and where in each of its ranges the draw lies, 0 to 1.
CASES = [
    ({"shear_range": 0.2}, [1.0]),
    ({"shear_range": 0.2}, [0.2]),
    ({"shear_range": 0.2, "fill_mode": "constant"}, [0.8]),
    ({"rotation_range": 40}, [0.9]),
    ({"zoom_range": 0.2}, [0.1, 0.8]),
    ({"rotation_range": 40, "shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True},
     [0.3, 0.7, 0.2, 0.9, 0.1]),
    ({**ALL, "fill_mode": "reflect"}, [0.8, 0.1, 0.9, 0.05, 0.4, 0.9, 0.2, 0.3]),
    ({**ALL, "fill_mode": "wrap"}, [0.1, 0.7, 0.2, 0.95, 0.8, 0.3, 0.7, 0.3]),
]

# Whose draws they are, in the order in which Keras asks for them.
DRAWN = [("rotation_deg", "rotation_range"), ("move_y_px", "height_shift_range"),
         ("move_x_px", "width_shift_range"), ("shear_rad", "shear_range"), ("zoom_y", "zoom_range"),
         ("zoom_x", "zoom_range"), ("flip", "horizontal_flip"), ("flip_vertical", "vertical_flip")]


class Chance:
    """Stands for `numpy.random`: each draw lies where it is told to, and is written down."""

    def __init__(self, shares: list[float]) -> None:
        self.shares = list(shares)
        self.drawn = []

    def uniform(self, low: float, high: float, size: int | None = None) -> float | list[float]:
        if size is not None:
            return [self.uniform(low, high) for _ in range(size)]
        self.drawn.append(low + (high - low) * self.shares.pop(0))
        return self.drawn[-1]

    def random(self) -> float:
        return self.uniform(0.0, 1.0)


def of_wheel(path: str) -> types.ModuleType:
    """`keras.preprocessing.image`, with stand-ins for what it takes from its package."""
    keras = types.ModuleType("older")
    keras.backend = types.ModuleType("older.backend")
    keras.backend.image_data_format = lambda: "channels_last"
    utils = types.ModuleType("older.utils.data_utils")
    utils.Sequence = object
    sys.modules |= {"older": keras, "older.preprocessing": types.ModuleType("older.preprocessing"),
                    "older.utils": types.ModuleType("older.utils"), utils.__name__: utils}
    source = zipfile.ZipFile(path).read("keras/preprocessing/image.py").decode()
    # The function has another place in SciPy since; of order 0 it takes the nearest pixel.
    for then, now in [("ndi.interpolation.affine_transform", "ndi.affine_transform"),
                      ("order=0", "order=1")]:
        assert source.count(then) == 1
        source = source.replace(then, now)
    image = types.ModuleType("older.preprocessing.image")
    image.__package__ = "older.preprocessing"
    exec(compile(source, path, "exec"), image.__dict__)
    return image


def parameters(recipe: dict, drawn: list[float]) -> dict:
    names = [name for name, of in DRAWN if of in recipe]
    assert len(names) == len(drawn), "Keras asked for as many"
    draws = dict(zip(names, drawn, strict=True))
    for name in names:
        if name.startswith("move"):
            draws[name] *= SIDE
        if name.startswith("flip"):
            draws[name] = draws[name] < 0.5
    return draws


def main() -> None:
    image = of_wheel(sys.argv[1])
    image.np = types.ModuleType("numpy")
    image.np.__dict__.update(numpy.__dict__)
    cases = []
    for recipe, shares in CASES:
        image.np.random = Chance(shares)
        moved = image.ImageDataGenerator(**recipe).random_transform(picture())
        cases.append({
            "fill": recipe.get("fill_mode", "nearest"),
            **parameters(recipe, image.np.random.drawn),
            "want": [round(float(v), 3) for v in moved.reshape(-1)],
        })
    made_by = {"keras": "2.0.9", "scipy": scipy.__version__, "numpy": numpy.__version__,
               "python": platform.python_version()}
    golden = {"made_by": made_by, "side": SIDE, "cases": cases}
    (OUT / "keras_augment_older.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
