"""Near-duplicates: copies that were saved again or rescaled, told apart from images that only thumbnail alike.

A perceptual hash (dHash, of the optional package ImageHash) proposes pairs, and their pixels confirm them. A copy
differs a little wherever there are edges; two drawings that share all but a detail differ in that place only.
The limits were measured on emoji and Fashion-MNIST (docs/data.md).
"""

from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gancli.data.request import Report

SIDE, BLOCKS, COLOUR = 16, 8, 4  # pixels, blocks of brightness and blocks of colour along a side
BITS = 64  # of a dHash
MOST_BITS = 10  # that differ between the hashes of a pair worth comparing
MOST_BRIGHT, MOST_COLOUR = 8.0, 10.0  # levels that any block of a copy may differ by
MOST_PEAK = 5.0  # the block that differs most may differ so many times as much as they do on average
ROWS = 256  # of images that are compared with all others at once
PAIRS = 4096  # compared at once

Pixels = NDArray[np.int16]


class Thumbnail(NamedTuple):
    """What is kept of an image to compare it with others."""

    bits: NDArray[np.bool_]  # (64,)
    bright: NDArray[np.uint8]  # (16, 16), the luma
    colour: NDArray[np.uint8]  # (2, 4, 4), the chroma


@cache
def _library() -> ModuleType | None:
    try:
        import imagehash  # pyright: ignore[reportMissingImports]  an optional package
    except ImportError:
        return None
    return imagehash


def available() -> bool:
    """Return whether the package that hashes images is installed."""
    return _library() is not None


def thumbnail_of(image: Image.Image) -> Thumbnail | None:
    """Return what is kept of an RGB image to compare it; None if the package that hashes images is not installed."""
    library = _library()
    if library is None:
        return None
    bits = np.asarray(library.dhash(image).hash).ravel()
    luma, blue, red = image.resize((2 * SIDE, 2 * SIDE), Image.Resampling.LANCZOS).convert("YCbCr").split()
    bright, *colour = (_reduced(band, side) for band, side in ((luma, SIDE), (blue, COLOUR), (red, COLOUR)))
    return Thumbnail(bits, bright, np.stack(colour))


def _reduced(band: Image.Image, side: int) -> NDArray[np.uint8]:
    return np.asarray(band.resize((side, side), Image.Resampling.BOX))


def similar(thumbnails: Sequence[Thumbnail], report: Report | None = None) -> Iterator[tuple[int, int]]:
    """Yield the pairs of near-duplicates, as indices i < j."""
    if not thumbnails:
        return
    bits = np.stack([thumbnail.bits for thumbnail in thumbnails]) * np.float32(2) - 1
    bright = np.stack([thumbnail.bright for thumbnail in thumbnails]).astype(np.int16)
    colour = np.stack([thumbnail.colour for thumbnail in thumbnails]).astype(np.int16)
    blocks = _pooled(bright)
    for start in range(0, len(thumbnails), ROWS):
        # of +1 and -1: the dot product counts equal bits, less the others
        close = bits[start : start + ROWS] @ bits[start:].T >= BITS - 2 * MOST_BITS
        first, second = np.nonzero(np.triu(close, 1))
        for i in range(0, len(first), PAIRS):
            a, b = first[i : i + PAIRS] + start, second[i : i + PAIRS] + start
            quick = _below(blocks[a] - blocks[b], MOST_BRIGHT)  # blocks cannot differ less than their means
            a, b = a[quick], b[quick]
            alike = _copies(bright[a] - bright[b]) & _below(colour[a] - colour[b], MOST_COLOUR)
            yield from zip(a[alike].tolist(), b[alike].tolist())
        if report:
            report(min(start + ROWS, len(thumbnails)), len(thumbnails))


def _copies(difference: Pixels) -> NDArray[np.bool_]:
    """Whether differences of brightness (N, 16, 16) are those of a copy: small, and not all in one place."""
    blocks = _pooled(np.abs(difference)).reshape(len(difference), BLOCKS * BLOCKS)
    worst = blocks.max(1)
    return (worst <= MOST_BRIGHT) & (worst <= MOST_PEAK * (blocks.mean(1) + 0.5))  # half a level is rounding


def _below(difference: NDArray, most: float) -> NDArray[np.bool_]:
    return np.abs(difference).max(tuple(range(1, difference.ndim))) <= most


def _pooled(images: NDArray) -> NDArray[np.float32]:
    """Average (N, 16, 16) over blocks: (N, 8, 8)."""
    side = SIDE // BLOCKS
    return images.reshape(-1, BLOCKS, side, BLOCKS, side).mean((2, 4), dtype=np.float32)
