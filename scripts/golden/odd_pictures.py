"""Writes the golden of odd pictures for crates/data: turned, transparent, animated, deep, tiny.

    pip install pillow numpy
    python3 scripts/golden/odd_pictures.py

Writes crates/data/tests/golden/odd_pictures.json: small files of kinds that are found in real
folders, with the RGB values that Pillow shows: `ImageOps.exif_transpose` and then
`convert("RGB")` of the first frame.
"""

import io
import json
import platform
from pathlib import Path

import numpy
import PIL
from PIL import Image, ImageOps

OUT = Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "golden"
ORIENTATION = 0x0112


def picture(width: int = 10, height: int = 6) -> Image.Image:
    """Smooth, so that a JPEG of it is nearly itself."""
    y, x, c = numpy.meshgrid(range(height), range(width), range(3), indexing="ij")
    return Image.fromarray((50 + x * 9 + y * 12 + c * 25).astype(numpy.uint8), "RGB")


def colourful(width: int, height: int) -> Image.Image:
    """Whose colours change over a few pixels, so that it shows how half-size chroma is smoothed."""
    y, x = numpy.meshgrid(range(height), range(width), indexing="ij")
    waves = [numpy.sin(x / 2.3 + y / 5.1), numpy.cos(x / 3.7 - y / 2.9), numpy.sin(x / 4.3 + 1)]
    return Image.fromarray((128 + 90 * numpy.stack(waves, -1)).astype(numpy.uint8), "RGB")


def save(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def cut(jpeg: bytes, width: int, height: int) -> bytes:
    """The same blocks, of which fewer pixels are shown: what lies beyond the edge goes on as it was."""
    frame = jpeg.index(b"\xff\xc0")  # marker, length (2), precision (1), height (2), width (2)
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return jpeg[: frame + 5] + size + jpeg[frame + 9 :]


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def seen_through(mode: str) -> Image.Image:
    """With an alpha channel from 0 to 255."""
    image = picture().convert(mode)
    ramp = numpy.linspace(0, 255, 60).astype(numpy.uint8).reshape(6, 10)
    image.putalpha(Image.fromarray(ramp, "L"))
    return image


def palette_with_a_hole() -> bytes:
    image = picture().quantize(16)
    return save(image, "PNG", transparency=3)


def files() -> dict[str, bytes]:
    image = picture()
    jpeg = {"quality": 95, "subsampling": 0}
    other = Image.eval(image, lambda value: 255 - value)
    rows = {f"jpeg orientation {n}": save(image, "JPEG", exif=turned(n), **jpeg)
            for n in range(1, 9)}
    for number, name in ((1, "4:2:2"), (2, "4:2:0")):
        half = {"quality": 90, "subsampling": number}
        whole = save(colourful(32, 16), "JPEG", **half)
        rows |= {f"half chroma {name}, whole blocks": whole,
                 f"half chroma {name}, edge repeated": save(colourful(18, 14), "JPEG", **half),
                 f"half chroma {name}, edge cut": cut(whole, 18, 14)}
    rows |= {
        "jpeg of a pixel": save(picture(1, 1), "JPEG", **jpeg),
        "jpeg one wide": save(picture(1, 9), "JPEG", **jpeg),
        "jpeg progressive cmyk": save(image.convert("CMYK"), "JPEG", progressive=True, quality=95),
        "jpeg with a profile": save(image, "JPEG", icc_profile=b"not one" * 9, **jpeg),
        "png orientation 6": save(image, "PNG", exif=turned(6)),
        "png with alpha": save(seen_through("RGB"), "PNG"),
        "png palette with a hole": palette_with_a_hole(),
        "png of a pixel": save(picture(1, 1), "PNG"),
        "png interlaced animation": save(image, "PNG", save_all=True, append_images=[other]),
        "webp orientation 8": save(image, "WEBP", lossless=True, exif=turned(8).tobytes()),
        "webp with alpha": save(seen_through("RGB"), "WEBP", lossless=True, exact=True),
        "webp animated": save(image, "WEBP", lossless=True, save_all=True, append_images=[other]),
        "gif one colour": save(Image.new("P", (4, 3), 5), "GIF"),
        "bmp one bit": save(image.convert("1"), "BMP"),
        "bmp palette": save(image.quantize(8), "BMP"),
        "tiff orientation 3": save(image, "TIFF", tiffinfo={ORIENTATION: 3}),
        "tiff packed": save(image, "TIFF", compression="tiff_lzw"),
        "tiff grey": save(image.convert("L"), "TIFF"),
        "tiff cmyk": save(image.convert("CMYK"), "TIFF"),
    }
    return rows


def main() -> None:
    rows = []
    for name, data in files().items():
        with Image.open(io.BytesIO(data)) as opened:
            want = ImageOps.exif_transpose(opened).convert("RGB")
        rows.append({"name": name, "file": data.hex(), "width": want.width,
                     "height": want.height, "want": want.tobytes().hex()})
    made_by = {
        "pillow": PIL.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }
    (OUT / "odd_pictures.json").write_text(json.dumps({"made_by": made_by, "files": rows}) + "\n")


if __name__ == "__main__":
    main()
