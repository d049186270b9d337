"""Writes catscan-viz's committed tables: seven colormaps and one small font.

    python scripts/golden/viz_tables.py

Needs matplotlib and Pillow. The colormaps are matplotlib's (CC0), 256 x RGB bytes each. The font is
DejaVu Sans Mono as matplotlib ships it (Bitstream Vera licence), drawn once as a grey strip of the
95 printable ASCII characters, so that pictures can carry labels without a font library.
"""

import pathlib

import matplotlib
import matplotlib.font_manager
from PIL import Image, ImageDraw, ImageFont

HERE = pathlib.Path(__file__).resolve().parents[2] / "crates/viz/src"
CELL = (10, 20)  # width and height of a character, pixels
FONT_PX = 16

for name in ["viridis", "plasma", "inferno", "magma", "cividis", "turbo"]:
    colours = matplotlib.colormaps[name].resampled(256)
    table = bytes(round(255 * v) for i in range(256) for v in colours(i)[:3])
    (HERE / "colormap" / f"{name}.rgb").write_bytes(table)

path = matplotlib.font_manager.findfont("DejaVu Sans Mono", fallback_to_default=False)
font = ImageFont.truetype(path, FONT_PX)
strip = Image.new("L", (CELL[0] * 95, CELL[1]), 0)
draw = ImageDraw.Draw(strip)
for i in range(95):
    draw.text((CELL[0] * i, 0), chr(32 + i), fill=255, font=font)
strip.save(HERE / "raster" / "font.png", optimize=True)
print("matplotlib", matplotlib.__version__, "advance", font.getlength("M"), font.getbbox("gÅ|"))
