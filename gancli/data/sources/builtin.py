"""The built-in data sets, so that every variant can train on a machine without a network."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gancli.data.request import Wanted
from gancli.data.sources import arrays
from gancli.data.sources.decode import Pictures, decode
from gancli.data.synthetic import points, shapes
from gancli.errors import UserError

SHAPE_IMAGES = 16_384  # images of a preset: 170 for each of the 96 modes of shapes-easy
VERSION = 1  # of the code that makes the built-ins: increase it when the data change
DIGITS = Path(__file__).parents[1] / "vendored" / "digits.npz"


def names() -> list[str]:
    """List the names of the built-in data sets."""
    return [*shapes.PRESETS, "digits", "bars-and-stripes", *points.SETS]


def open_builtin(name: str, wanted: Wanted) -> Pictures:
    """Make or read a built-in data set."""
    if name in points.SETS:
        return _points(name, wanted)
    if name == "bars-and-stripes":
        return _bars_and_stripes(wanted)
    make: Callable[[Wanted], Pictures] = _digits if name == "digits" else lambda w: _shapes(shapes.PRESETS[name], w)
    return make(wanted)


def _shapes(preset: shapes.Preset, wanted: Wanted) -> Pictures:
    side = _side(preset, wanted)
    f = shapes.factors(preset, shapes.SEED, np.arange(SHAPE_IMAGES))
    sizes = [preset.counts[mode] for mode in preset.modes]
    modes = np.ravel_multi_index([f[mode] for mode in preset.modes], sizes)
    note = (
        f"{SHAPE_IMAGES:,} generated images, {side}x{side}, {len(np.unique(modes))} modes ({' x '.join(preset.modes)})"
    )
    content = _definition(preset, shapes.SEED, SHAPE_IMAGES, side)
    return Pictures(preset.name, shapes.render(preset, f, side), f["shape"], shapes.SHAPES, content, (note,))


def _definition(*of: object) -> str:
    """Hash what determines synthetic data: cheaper than hashing its content, and the same on every machine."""
    return sha256(repr((VERSION, *of)).encode()).hexdigest()


def _side(preset: shapes.Preset, wanted: Wanted) -> int:
    height, width = wanted.size or (preset.pixels, preset.pixels)
    if height != width or (wanted.channels or preset.channels) != preset.channels:
        raise UserError(f"{preset.name} is square and has {preset.channels} channels: change --size or --channels")
    return height


def _bars_and_stripes(wanted: Wanted) -> Pictures:
    """Make all images whose rows, or whose columns, each have one colour: for 4 x 4 pixels, 30 of 65,536."""
    height, width = wanted.size or (4, 4)
    if max(height, width) > 12 or (wanted.channels or 1) != 1:
        raise UserError("bars-and-stripes is greyscale with at most 12 pixels per side: change --size or --channels")
    rows, columns = (np.indices((2,) * side).reshape(side, -1).T for side in (height, width))
    bars = np.broadcast_to(rows[:, :, None], (len(rows), height, width))
    stripes = np.broadcast_to(columns[1:-1, None, :], (len(columns) - 2, height, width))  # the plain two are bars
    patterns = np.concatenate([bars, stripes])[:, None].astype(np.uint8) * 255
    labels = np.repeat(np.arange(2), [len(bars), len(stripes)])
    note = f"all {len(patterns):,} patterns, {height}x{width}"
    content = _definition("bars-and-stripes", height, width)
    return Pictures("bars-and-stripes", patterns, labels, ("bars", "stripes"), content, (note,))


def _points(name: str, wanted: Wanted) -> Pictures:
    if wanted.size or wanted.channels:
        raise UserError(f"{name} is a set of points: --size and --channels do not apply")
    drawn = points.draw(name)
    content = _definition(name, points.SEED, len(drawn))
    return Pictures(name, drawn, np.full(len(drawn), -1), (), content, (f"{len(drawn):,} points in the plane",))


def _digits(wanted: Wanted) -> Pictures:
    images, labels = arrays.read_npz(DIGITS)
    return decode("digits", arrays.Rows(images, labels), [str(digit) for digit in range(10)], wanted, "digits-1")


# ------------------------------------------------------------------------------------------- two domains

DOMAINS = ("outlined", "solid")  # A and B: the textures that the shapes of each domain have
DOMAIN_IMAGES = 4096  # images per domain


def has_domains(name: str) -> bool:
    """Return whether a built-in can be read as two domains: its shapes are outlined in some images, solid in others."""
    return name in shapes.PRESETS and set(DOMAINS) <= set(shapes.PRESETS[name].textures)


def domains(name: str, wanted: Wanted, *, matched: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Render both domains, (N, C, S, S) each; matched: row i of both has the same factors except the texture."""
    preset = shapes.PRESETS[name]
    side = _side(preset, wanted)
    index = np.arange(DOMAIN_IMAGES)
    a, b = index, index if matched else index + DOMAIN_IMAGES
    first, _ = counterparts(preset, shapes.factors(preset, shapes.SEED, a))
    _, second = counterparts(preset, shapes.factors(preset, shapes.SEED, b))
    return shapes.render(preset, first, side), shapes.render(preset, second, side)


def domains_digest(name: str, wanted: Wanted, *, matched: bool) -> str:
    """Hash what determines the output of `domains`."""
    preset = shapes.PRESETS[name]
    return _definition(preset, shapes.SEED, DOMAIN_IMAGES, _side(preset, wanted), DOMAINS, matched)


def counterparts(preset: shapes.Preset, f: shapes.Factors) -> tuple[shapes.Factors, shapes.Factors]:
    """Return the same factors in domain A and in domain B."""
    a, b = (f | {"texture": np.full(len(f["shape"]), preset.textures.index(texture))} for texture in DOMAINS)
    return a, b
