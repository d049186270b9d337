"""Writes the golden of torchvision's transforms for crates/data, from torchvision's own code.

    pip install torch torchvision
    python3 scripts/golden/transforms.py

Writes crates/data/tests/golden/transforms.json: pictures of a closed formula (repeated in
crates/data/tests/it/transforms.rs) through `torchvision.transforms.v2.functional` at fixed
arguments, in 64-bit on the scale 0..1; through the operations of its TrivialAugmentWide; and a batch
through the formulas of its MixUp and CutMix; and pictures of Pillow's through Resize and CenterCrop.
And policies.json beside it: how strong each operation of its TrivialAugmentWide and RandAugment is,
bin by bin, read from their tables.
"""

import json
import platform
from pathlib import Path

import numpy
import torch
import torchvision
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

OUT = Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "golden"
SIDE = 7

# An operation as crates/data names it, with its arguments; torchvision's call beside it.
ONE = [
    ("crop", [2, 1, 5, 6], lambda x, a: F.resized_crop(x, *a, [SIDE, SIDE], antialias=True)),
    ("crop", [0, 4, 7, 1], lambda x, a: F.resized_crop(x, *a, [SIDE, SIDE], antialias=True)),
    ("erase", [3, 2, 3, 4], lambda x, a: F.erase(x, *a, torch.zeros(3, 1, 1))),
    ("brightness", [0.7], lambda x, a: F.adjust_brightness(x, *a)),
    ("brightness", [1.6], lambda x, a: F.adjust_brightness(x, *a)),
    ("contrast", [0.4], lambda x, a: F.adjust_contrast(x, *a)),
    ("contrast", [1.8], lambda x, a: F.adjust_contrast(x, *a)),
    ("saturation", [0.0], lambda x, a: F.adjust_saturation(x, *a)),
    ("saturation", [1.9], lambda x, a: F.adjust_saturation(x, *a)),
    ("hue", [0.31], lambda x, a: F.adjust_hue(x.float(), *a)),
    ("hue", [-0.5], lambda x, a: F.adjust_hue(x.float(), *a)),
]
# Those of the policies, by torchvision's name and magnitude.
POLICY = [
    ("shear_x", "ShearX", 0.66), ("shear_x", "ShearX", -0.3),
    ("shear_y", "ShearY", 0.45), ("shear_y", "ShearY", -0.99),
    ("translate_x", "TranslateX", 3.0), ("translate_x", "TranslateX", -4.0),
    ("translate_y", "TranslateY", 2.0), ("rotate", "Rotate", 31.5), ("rotate", "Rotate", -117.0),
    ("sharpness", "Sharpness", 0.9), ("sharpness", "Sharpness", -0.66),
    ("posterize", "Posterize", 3), ("posterize", "Posterize", 8),
    ("solarize", "Solarize", 0.4), ("autocontrast", "AutoContrast", 0.0),
    ("equalize", "Equalize", 0.0),
]


def picture(seed: int = 0) -> torch.Tensor:
    y, x, c = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), torch.arange(3), indexing="ij")
    value = (x * 17 + y * 29 + c * 61 + x * y * (c + 3) + seed * 41) % 241 + 7
    return (value.to(torch.float64) / 255).permute(2, 0, 1)


def flat(x: torch.Tensor) -> list[float]:
    return [round(v, 7) for v in x.double().reshape(-1).tolist()]


def policies() -> list[dict]:
    policy = v2.TrivialAugmentWide()
    rows = []
    for name, theirs, magnitude in POLICY:
        apply = policy._apply_image_or_video_transform
        want = apply(picture(), theirs, magnitude, interpolation=policy.interpolation,
                     fill=policy._fill)
        ours = 1.0 + magnitude if name == "sharpness" else magnitude
        rows.append({"op": name, "arguments": [ours], "want": flat(want)})
    return rows


def spaces() -> dict:
    """`[signed, magnitudes or null]` by policy and operation, at `size_px` a side."""
    size_px, bins = 224, 31
    tables = {"trivial": v2.TrivialAugmentWide._AUGMENTATION_SPACE,
              "rand": v2.RandAugment._AUGMENTATION_SPACE}
    spaces = {"size_px": size_px}
    for policy, table in tables.items():
        spaces[policy] = {}
        for name, (magnitudes, signed) in table.items():
            values = magnitudes(bins, size_px, size_px)
            # As `_apply_image_or_video_transform` calls its translations.
            used = (lambda v: int(v)) if name.startswith("Translate") else (lambda v: round(v, 6))
            values = None if values is None else [used(float(v)) for v in values]
            spaces[policy][name] = [signed, values]
    return spaces


def mixes() -> dict:
    batch = torch.stack([picture(0), picture(1), picture(2)])
    labels = torch.tensor([0, 1, 2])
    share = 0.3
    mix_up = v2.MixUp(alpha=1.0, num_classes=3)
    mix_up._dist.sample = lambda *_: torch.tensor([share])
    blended, blend_labels = mix_up(batch, labels)
    torch.manual_seed(4)
    cut_mix = v2.CutMix(alpha=1.0, num_classes=3)
    parameters = cut_mix.make_params([batch])
    x1, y1, x2, y2 = parameters["box"]
    assert x2 > x1 and y2 > y1
    parameters |= {"labels": labels, "batch_size": 3}
    cut = cut_mix.transform(batch, parameters)
    return {
        "share": share, "blended": flat(blended), "blend_labels": flat(blend_labels),
        "patch": [y1, x1, y2 - y1, x2 - x1], "cut": flat(cut), "cut_share": parameters["lam_adjusted"],
    }


def middles() -> list[dict]:
    rows = []
    for width, height, short, size, kernel in [
        (40, 30, 16, 12, "bilinear"), (15, 33, 12, 12, "bicubic"), (33, 47, 21, 10, "nearest"),
    ]:
        y, x, c = numpy.meshgrid(range(height), range(width), range(3), indexing="ij")
        busy = ((x * 37 + y * 91 + c * 50 + x * y) % 256).astype(numpy.uint8)
        resize = v2.Resize(short, interpolation=v2.InterpolationMode(kernel))
        want = v2.Compose([resize, v2.CenterCrop(size)])(Image.fromarray(busy, "RGB"))
        rows.append({"width": width, "height": height, "short": short, "size": size,
                     "filter": kernel, "want": want.tobytes().hex()})
    return rows


def main() -> None:
    rows = [{"op": name, "arguments": a, "want": flat(f(picture(), a))} for name, a, f in ONE]
    made_by = {
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "python": platform.python_version(),
    }
    golden = {"made_by": made_by, "side": SIDE, "ops": rows + policies(), "mix": mixes(),
              "middles": middles()}
    (OUT / "transforms.json").write_text(json.dumps(golden) + "\n")
    golden = {"made_by": made_by, **spaces()}
    (OUT / "policies.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
