"""Writes the goldens of Pillow's resizing and of odd picture formats for crates/data.

    pip install pillow numpy
    python3 scripts/golden/pillow_pictures.py

Writes crates/data/tests/golden/pillow_resize.json (which source pixel NEAREST takes; pictures of a
closed formula through the convolutions), pillow_grey.json (a picture of a closed formula as "L",
and resized after that) and pillow_formats.json (small files of every kind, with the RGB values that
Pillow reads from them).
"""

import io
import json
import platform
from pathlib import Path

import numpy
import PIL
from PIL import Image

OUT = Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "golden"
MADE_BY = {
    "pillow": PIL.__version__,
    "numpy": numpy.__version__,
    "python": platform.python_version(),
}
NEAREST = [
    (500, 224), (375, 224), (499, 64), (1050, 224), (144, 64), (144, 224),
    (320, 96), (37, 20), (20, 37), (1023, 100), (1, 5), (3, 1), (7, 7),
]
FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def picture(width: int, height: int) -> Image.Image:
    """Smooth, so that a JPEG of it is nearly itself; repeated in crates/data/tests/it/pillow.rs."""
    y, x, c = numpy.meshgrid(range(height), range(width), range(3), indexing="ij")
    return Image.fromarray((60 + x * 4 + y * 3 + c * 20).astype(numpy.uint8), "RGB")


def busy(width: int, height: int) -> Image.Image:
    y, x, c = numpy.meshgrid(range(height), range(width), range(3), indexing="ij")
    return Image.fromarray(((x * 37 + y * 91 + c * 50 + x * y) % 256).astype(numpy.uint8), "RGB")


def sharp(width: int, height: int) -> Image.Image:
    """Black and white, so that the order of a filter's two passes shows."""
    y, x, c = numpy.meshgrid(range(height), range(width), range(3), indexing="ij")
    white = (x * 7 + y * 5 + x * y + c) % 3 == 0
    return Image.fromarray((white * 255).astype(numpy.uint8), "RGB")


# Pillow takes rows first, but for (5, 14) and (16, 21).
CONVOLVED = [
    (busy, 40, 30, 12), (busy, 15, 20, 20), (busy, 5, 14, 8), (busy, 11, 5, 14),
    (sharp, 7, 7, 6), (sharp, 12, 9, 14), (sharp, 23, 22, 21), (sharp, 16, 21, 15),
]


def nearest_sources(width: int, to: int) -> list[int]:
    columns = numpy.arange(width)
    row = numpy.stack([columns % 256, columns // 256, columns * 0], axis=-1)[None]
    image = Image.fromarray(row.astype(numpy.uint8), "RGB")
    small = numpy.asarray(image.resize((to, 1), Image.Resampling.NEAREST)).astype(int)[0]
    return (small[:, 0] + 256 * small[:, 1]).tolist()


def resizing() -> dict:
    nearest = [{"from": f, "to": t, "sources": nearest_sources(f, t)} for f, t in NEAREST]
    convolved = []
    for name, kernel in FILTERS.items():
        for draw, width, height, to in CONVOLVED:
            if draw is sharp and name not in ("bicubic", "lanczos"):
                continue
            want = draw(width, height).resize((to, to), kernel).tobytes().hex()
            convolved.append({"picture": draw.__name__, "filter": name, "width": width,
                              "height": height, "to": to, "want": want})
    return {"made_by": MADE_BY, "nearest": nearest, "convolved": convolved}


def grey() -> dict:
    image = busy(40, 30).convert("L")
    filters = {"nearest": Image.Resampling.NEAREST, **FILTERS}
    small = {name: image.resize((12, 12), kernel).tobytes().hex() for name, kernel in filters.items()}
    return {"made_by": MADE_BY, "width": 40, "height": 30, "want": image.tobytes().hex(),
            "to": 12, "small": small}


def save(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def formats() -> dict:
    image = picture(20, 14)
    turned = Image.Exif()
    turned[0x0112] = 6
    grey_alpha = Image.merge("LA", [image.convert("L"), image.getchannel("R")])
    deep = numpy.asarray(image.convert("L")).astype(numpy.uint16) * 257
    jpeg = {"quality": 95, "subsampling": 0}
    files = {
        "jpeg": save(image, "JPEG", **jpeg),
        "jpeg progressive": save(image, "JPEG", progressive=True, **jpeg),
        "jpeg half chroma": save(image, "JPEG", quality=95, subsampling=2),
        "jpeg grey": save(image.convert("L"), "JPEG", quality=95),
        "jpeg cmyk": save(image.convert("CMYK"), "JPEG", quality=95),
        "jpeg restart intervals": save(image, "JPEG", restart_marker_blocks=1, **jpeg),
        "png palette": save(image.quantize(16), "PNG"),
        "png grey": save(image.convert("L"), "PNG"),
        "png grey and alpha": save(grey_alpha, "PNG"),
        "png one bit": save(image.convert("1"), "PNG"),
        "bmp": save(image, "BMP"),
        "gif": save(image.quantize(32), "GIF"),
        "gif animated": save(
            image.quantize(32), "GIF", save_all=True, append_images=[busy(20, 14).quantize(8)]
        ),
        "webp": save(image, "WEBP", lossless=True),
        "tiff": save(image, "TIFF"),
    }
    rows = []
    for name, data in files.items():
        with Image.open(io.BytesIO(data)) as opened:
            want = opened.convert("RGB")
        rows.append({"name": name, "file": data.hex(), "width": want.width,
                     "height": want.height, "want": want.tobytes().hex()})
    # Pillow clips 16-bit values and leaves the orientation alone; these two are ours to define.
    file = save(Image.fromarray(deep), "PNG")
    want = image.convert("L").convert("RGB")
    rows.append({"name": "png 16 bits", "file": file.hex(), "width": 20, "height": 14,
                 "want": want.tobytes().hex()})
    file = save(image, "JPEG", exif=turned, **jpeg)
    with Image.open(io.BytesIO(file)) as opened:
        want = opened.convert("RGB").transpose(Image.Transpose.ROTATE_270)
    rows.append({"name": "jpeg turned by its exif", "file": file.hex(), "width": want.width,
                 "height": want.height, "want": want.tobytes().hex()})
    return {"made_by": MADE_BY, "files": rows}


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    goldens = {"resize": resizing(), "grey": grey(), "formats": formats()}
    for name, golden in goldens.items():
        (OUT / f"pillow_{name}.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
