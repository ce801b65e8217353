"""Figures of many images: sizes, shapes, modes, and what training makes of them. Pure functions."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from gancli.data.inspection.facts import Facts
from gancli.data.sources.decode import natural_channels, natural_size
from gancli.images.sizes import Size

MODES = {  # of Pillow, for people
    "1": "black and white", "L": "grey", "LA": "grey with alpha", "La": "grey with alpha", "P": "palette",
    "PA": "palette with alpha", "RGB": "RGB", "RGBA": "RGBA", "CMYK": "CMYK", "F": "float", "I": "32-bit grey",
}  # fmt: skip
RATIOS = (1.0, 5 / 4, 4 / 3, 3 / 2, 16 / 9, 2.0)
RATIO_NAMES = ("square", "5:4", "4:3", "3:2", "16:9", "2:1")
NEAR = 0.03  # part by which a ratio may miss its name


class Made(NamedTuple):
    """What training makes of images when nothing else is asked for."""

    size: Size
    channels: int
    cropped: float  # the part of a typical image that centre-cropping removes
    enlarged: int  # images that are smaller than the size


def made(images: Sequence[Facts]) -> Made:
    """Return what training makes of images without --size and --channels."""
    height, width = size = natural_size(Counter(one.size for one in images))
    channels = natural_channels(one.mode for one in images)
    kept = (_kept(one.size, width / height) for one in images)
    enlarged = sum(one.size[0] < height or one.size[1] < width for one in images)
    return Made(size, channels, 1 - median(kept), enlarged)


def _kept(size: Size, ratio: float) -> float:
    own = size[1] / size[0]
    return min(own / ratio, ratio / own)


def sizes(images: Sequence[Facts]) -> Counter[str]:
    """Count images by size: WIDTHxHEIGHT."""
    return Counter(f"{one.size[1]}x{one.size[0]}" for one in images)


def shapes(images: Sequence[Facts]) -> Counter[str]:
    """Count images by the ratio of their sides, such as `3:2 wide`."""
    return Counter(_shape(one) for one in images)


def _shape(one: Facts) -> str:
    near = min(RATIOS, key=lambda ratio: abs(one.elongation / ratio - 1))
    if abs(one.elongation / near - 1) > NEAR:
        name = "longer than 2:1" if one.elongation > RATIOS[-1] else "other"
    else:
        name = RATIO_NAMES[RATIOS.index(near)]
    return name if name == "square" else f"{name} {'wide' if one.size[1] > one.size[0] else 'tall'}"


def modes(images: Sequence[Facts]) -> Counter[str]:
    """Count images by mode, in words."""
    return Counter(MODES.get(one.mode, "16-bit grey" if one.mode.startswith("I;16") else one.mode) for one in images)


def typical_side(images: Sequence[Facts]) -> int:
    """Return the median of the shorter sides."""
    return int(median(min(one.size) for one in images))
