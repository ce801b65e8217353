"""The data sets that come with gancli, so that every variant trains on a machine with no network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gancli.data import arrays, shapes
from gancli.data.pictures import Item, Pictures, Wanted, decode
from gancli.errors import UserError

SHAPE_IMAGES = 16_384  # pictures drawn of a preset: 170 of each of the 96 modes of shapes-easy
DIGITS = Path(__file__).parent / "vendored" / "digits.npz"


def names() -> list[str]:
    """List them."""
    return [*shapes.PRESETS, "digits"]


def open_builtin(name: str, wanted: Wanted) -> Pictures:
    """Make or read a built-in data set."""
    make: Callable[[Wanted], Pictures] = _digits if name == "digits" else lambda w: _shapes(shapes.PRESETS[name], w)
    return make(wanted)


def _shapes(preset: shapes.Preset, wanted: Wanted) -> Pictures:
    height, width = wanted.size or (preset.pixels, preset.pixels)
    if height != width or (wanted.channels or preset.channels) != preset.channels:
        raise UserError(f"{preset.name} is square and has {preset.channels} channels: change --size or --channels")
    f = shapes.factors(preset, shapes.SEED, np.arange(SHAPE_IMAGES))
    sizes = [preset.counts[mode] for mode in preset.modes]
    modes = np.ravel_multi_index([f[mode] for mode in preset.modes], sizes)
    note = (
        f"{SHAPE_IMAGES:,} images drawn, {height}x{width}, {len(np.unique(modes))} modes ({' x '.join(preset.modes)})"
    )
    return Pictures(preset.name, shapes.render(preset, f, height), f["shape"], shapes.SHAPES, (note,))


def _digits(wanted: Wanted) -> Pictures:
    images, labels = arrays.read_npz(DIGITS)
    items: list[Item] = arrays.items_of(images, labels)
    return decode("digits", items, [str(digit) for digit in range(10)], wanted, "digits-1")
