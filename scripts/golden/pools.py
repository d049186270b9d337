"""Writes the golden of crates/models' poolings from torch, timm and the papers' formulas.

    python3 scripts/golden/pools.py

Writes crates/models/tests/golden/pools.json: for each pooling, at the stem's windows, a
transition's and over the whole map where it can pool so, its output in evaluation, the gradient of
its input and of what it learns. Maps, learned values and the gradient that comes from above are
closed formulas (`closed_form`, as in parity.py), the map signed. Everything is 64-bit.

torch has average, max and (as a sum) Lp pooling, timm BlurPool and the two global pairs. The others
are written below as their papers print them, window by window, without any of the rearrangements
that make a layer fast or safe.
"""

import json
import math
import platform
from pathlib import Path

import numpy
import timm
import torch
from timm.layers import BlurPool2d, SelectAdaptivePool2d
from torch import Tensor, nn
from torch.nn import functional as F

from parity import closed_form

OUT = Path(__file__).resolve().parents[2] / "crates" / "models" / "tests" / "golden" / "pools.json"
SHAPE = [2, 2, 5, 6]  # an odd height: a transition drops the last row
SITES = {"stem": (3, 2, 1), "transition": (2, 2, 0), "global": None}  # size, stride, padding


def values(name: str, shape: list[int]) -> Tensor:
    """Numbers in [-2, 2) that 32 bits hold exactly."""
    numbers = closed_form(name, math.prod(shape)) * 2
    return torch.from_numpy(numbers.astype(numpy.float32)).double().view(shape)


def windows(x: Tensor, site: tuple | None) -> list[list[list[Tensor]]]:
    """Of each place of the pooled map, the window's values of all pictures and channels: entries
    `[N, C]`, padding left out."""
    height, width = x.shape[2:]
    if site is None:
        return [[[x[:, :, i, j] for i in range(height) for j in range(width)]]]
    size, stride, padding = site

    def window(top: int, left: int) -> list[Tensor]:
        return [
            x[:, :, i, j]
            for i in range(max(top, 0), min(top + size, height))
            for j in range(max(left, 0), min(left + size, width))
        ]

    tops = range(-padding, height + padding - size + 1, stride)
    lefts = range(-padding, width + padding - size + 1, stride)
    return [[window(top, left) for left in lefts] for top in tops]


def by_window(rule):
    """The pooling whose every value is `rule` of a window's real values `[R, N, C]`."""

    def pool(x: Tensor, site: tuple | None) -> Tensor:
        places = [[rule(torch.stack(window)) for window in row] for row in windows(x, site)]
        y = torch.stack([torch.stack(row, dim=-1) for row in places], dim=-2)
        return y if site else y.flatten(1)

    return pool


def average(x: Tensor, site: tuple | None) -> Tensor:
    return F.avg_pool2d(x, *site) if site else F.adaptive_avg_pool2d(x, 1).flatten(1)


def maximum(x: Tensor, site: tuple | None) -> Tensor:
    return F.max_pool2d(x, *site) if site else F.adaptive_max_pool2d(x, 1).flatten(1)


def stochastic(window: Tensor) -> Tensor:
    """Zeiler & Fergus 2013, section 3.1, with max(0, x) for x in the probabilities."""
    positive = window.clamp(min=0)
    total = positive.sum(0)
    weighted = (positive * window).sum(0) / torch.where(total > 0, total, 1.0)
    return torch.where(total > 0, weighted, window.mean(0))


def soft(window: Tensor) -> Tensor:
    """Stergiou et al. 2021, equations 1 and 2."""
    return (window.exp() * window).sum(0) / window.exp().sum(0)


def lse(window: Tensor) -> Tensor:
    """Pinheiro & Collobert 2015, section 3.1, with r = 5."""
    return (5 * window).exp().mean(0).log() / 5


def lp(x: Tensor, site: tuple | None) -> Tensor:
    """torch's is the sum, and knows no padding; ours is the mean, and padding is zeros."""
    size, stride, padding = site or (tuple(x.shape[2:]), None, 0)
    x = F.pad(x, [padding] * 4)
    values_in_window = size**2 if site else math.prod(size)
    y = F.lp_pool2d(x, 2, size, stride) * values_in_window**-0.5
    return y if site else y.flatten(1)


def gem(x: Tensor, site: tuple | None, p: Tensor) -> Tensor:
    """Radenovic et al. 2018, equation 3, clamped as in the authors' code."""
    return average(x.clamp(min=1e-6).pow(p), site).pow(1 / p)


def mixed(x: Tensor, site: tuple | None, alpha: Tensor) -> Tensor:
    """Lee et al. 2016, section 3.1, with a = sigmoid(alpha)."""
    a = torch.sigmoid(alpha)
    return a * maximum(x, site) + (1 - a) * average(x, site)


def gated(x: Tensor, site: tuple | None, mask: Tensor) -> Tensor:
    """Lee et al. 2016, section 3.1: one mask, the same for every channel."""
    _, stride, padding = site
    channels = [F.conv2d(x[:, [c]], mask, None, stride, padding) for c in range(x.shape[1])]
    a = torch.sigmoid(torch.cat(channels, dim=1))
    return a * maximum(x, site) + (1 - a) * average(x, site)


def blur(x: Tensor, site: tuple | None) -> Tensor:
    """Zhang 2019: the maximum at every pixel, then timm's blur."""
    size, stride, padding = site
    dense = F.max_pool2d(x, size, 1, padding)
    return BlurPool2d(x.shape[1], filt_size=3, stride=stride).double()(dense)


def s3(x: Tensor, site: tuple | None) -> Tensor:
    """Zhai et al. 2017 in evaluation: the mean of each cell of the dense map, cells at the edge
    being smaller."""
    size, stride, padding = site
    dense = F.max_pool2d(x, size, 1, padding)
    rows = [
        [dense[:, :, i : i + stride, j : j + stride].mean((2, 3)) for j in range(0, w, stride)]
        for w in [dense.shape[3]]
        for i in range(0, dense.shape[2], stride)
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def average_max(x: Tensor, site: tuple | None) -> Tensor:
    if site is None:
        return SelectAdaptivePool2d(pool_type="avgmax", flatten=True)(x)
    return 0.5 * (average(x, site) + maximum(x, site))


def concat(x: Tensor, site: tuple | None) -> Tensor:
    return SelectAdaptivePool2d(pool_type="catavgmax", flatten=True)(x)


# name: the pooling, the sites it serves, the shape of what it learns (of windows of this size)
BOTH, WINDOWS, GLOBAL = list(SITES), ["stem", "transition"], ["global"]
POOLS = {
    "avg": (average, BOTH, {}),
    "max": (maximum, BOTH, {}),
    "stochastic": (by_window(stochastic), BOTH, {}),
    "mixed": (mixed, BOTH, {"alpha": lambda size: [1]}),
    "gated": (gated, WINDOWS, {"mask": lambda size: [1, 1, size, size]}),
    "lp": (lp, BOTH, {}),
    "gem": (gem, BOTH, {"p": lambda size: [1]}),
    "soft": (by_window(soft), BOTH, {}),
    "lse": (by_window(lse), BOTH, {}),
    "blur": (blur, WINDOWS, {}),
    "s3": (s3, WINDOWS, {}),
    "avgmax": (average_max, BOTH, {}),
    "catavgmax": (concat, GLOBAL, {}),
}


def short(tensor: Tensor) -> list[float]:
    """Eight digits."""
    return [float(f"{number:.8g}") for number in tensor.flatten().tolist()]


def golden(name: str, site: str) -> dict:
    pool, _, learned = POOLS[name]
    x = values("map", SHAPE).requires_grad_()
    size = SITES[site][0] if SITES[site] else 0
    # GeM's p must be positive, and any of these may be: 3 + a number in [-2, 2).
    parameters = {
        key: nn.Parameter(values(key, shape(size)) + (3 if key == "p" else 0))
        for key, shape in learned.items()
    }
    y = pool(x, SITES[site], *parameters.values())
    y.backward(values("gradient", list(y.shape)))
    return {
        "pool": name,
        "site": site,
        "shape": list(y.shape),
        "output": short(y),
        "gradient": short(x.grad),
        "learned": {key: short(parameter.grad) for key, parameter in parameters.items()},
    }


def lacks_a_positive_part() -> bool:
    """Whether some window of a transition has no positive value, so that stochastic pooling's rule
    for those is asked for."""
    rows = windows(values("map", SHAPE), SITES["transition"])
    return any((torch.stack(window) <= 0).all(0).any() for row in rows for window in row)


if __name__ == "__main__":
    assert lacks_a_positive_part()
    record = {
        "made_by": {
            "script": "scripts/golden/pools.py",
            "python": platform.python_version(),
            "torch": torch.__version__,
            "timm": timm.__version__,
            "numpy": numpy.__version__,
        },
        "input": SHAPE,
        "poolings": [golden(name, site) for name in POOLS for site in POOLS[name][1]],
    }
    lines = json.dumps(record, separators=(",", ":")).replace('},{"pool"', '},\n{"pool"')
    OUT.write_text(lines + "\n")
    print(f"{OUT.name}: {OUT.stat().st_size} bytes, {len(record['poolings'])} rows")
