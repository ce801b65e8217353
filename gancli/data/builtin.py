"""The data sets that come with gancli, so that every variant trains on a machine with no network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
    side = _side(preset, wanted)
    f = shapes.factors(preset, shapes.SEED, np.arange(SHAPE_IMAGES))
    sizes = [preset.counts[mode] for mode in preset.modes]
    modes = np.ravel_multi_index([f[mode] for mode in preset.modes], sizes)
    note = f"{SHAPE_IMAGES:,} images drawn, {side}x{side}, {len(np.unique(modes))} modes ({' x '.join(preset.modes)})"
    return Pictures(preset.name, shapes.render(preset, f, side), f["shape"], shapes.SHAPES, (note,))


def _side(preset: shapes.Preset, wanted: Wanted) -> int:
    height, width = wanted.size or (preset.pixels, preset.pixels)
    if height != width or (wanted.channels or preset.channels) != preset.channels:
        raise UserError(f"{preset.name} is square and has {preset.channels} channels: change --size or --channels")
    return height


def _digits(wanted: Wanted) -> Pictures:
    images, labels = arrays.read_npz(DIGITS)
    items: list[Item] = arrays.items_of(images, labels)
    return decode("digits", items, [str(digit) for digit in range(10)], wanted, "digits-1")


# ------------------------------------------------------------------------------------------- two domains

DOMAINS = ("outlined", "solid")  # A and B: the textures that the shapes of each domain have
DOMAIN_IMAGES = 4096  # pictures of each


def has_domains(name: str) -> bool:
    """Tell whether a built-in can be read as two domains: its shapes are outlined in some pictures, solid in others."""
    return name in shapes.PRESETS and set(DOMAINS) <= set(shapes.PRESETS[name].textures)


def domains(name: str, wanted: Wanted, *, matched: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw both domains (N, C, S, S) each; matched: row i of both has the same factors but for the texture."""
    preset = shapes.PRESETS[name]
    side = _side(preset, wanted)
    index = np.arange(DOMAIN_IMAGES)
    a, b = index, index if matched else index + DOMAIN_IMAGES
    first, _ = counterparts(preset, shapes.factors(preset, shapes.SEED, a))
    _, second = counterparts(preset, shapes.factors(preset, shapes.SEED, b))
    return shapes.render(preset, first, side), shapes.render(preset, second, side)


def counterparts(preset: shapes.Preset, f: shapes.Factors) -> tuple[shapes.Factors, shapes.Factors]:
    """The same factors in domain A and in domain B."""
    a, b = (f | {"texture": np.full(len(f["shape"]), preset.textures.index(texture))} for texture in DOMAINS)
    return a, b
