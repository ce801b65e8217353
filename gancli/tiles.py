"""Images of any size through a network that wants multiples of something, and those too large for it in tiles.

Letters as in `gancli.gan`; T tiles.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gancli.nets.layers import InstanceNorm2d, Statistics

Network = Callable[[Tensor], Tensor]  # images (N, C, H, W) to images of the same size

SMALLEST = 16  # pixels a side that a network is given at least
OVERLAP = 8  # tiles overlap by this part of their side
PATCHES = 4  # the statistics of a picture are taken of patches this much smaller than a tile


class Tile(NamedTuple):
    """A rectangle of an image."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: Tensor) -> Tensor:
        """Cut it out of images (N, C, H, W)."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]


def apply(network: Network, modules: nn.Module, image: Tensor, multiple: int, largest: int) -> Tensor:
    """Run images (N, C, H, W) of any size through a network, in tiles of `largest` pixels a side if they are larger."""
    height, width = image.shape[2:]
    padded = pad(image, multiple)
    if padded.shape[2] * padded.shape[3] <= largest**2:
        drawn = network(padded)
    else:
        drawn = _tiled(network, modules, padded, multiple, max(largest // multiple, 2) * multiple)
    return drawn[:, :, :height, :width]


def pad(image: Tensor, multiple: int) -> Tensor:
    """Mirror the right and lower edges outwards until both sides are multiples, and not too small."""
    sides = [max(-(-side // multiple) * multiple, -(-SMALLEST // multiple) * multiple) for side in image.shape[2:]]
    for dim, (side, wanted) in enumerate(zip(image.shape[2:], sides), start=2):
        if side != wanted:
            image = image.index_select(dim, _mirrored(side, wanted, image.device))
    return image


def _mirrored(side: int, wanted: int, device: torch.device) -> Tensor:
    """Indices 0 … side - 1 and back again, as often as it takes."""
    period = max(2 * (side - 1), 1)
    index = torch.arange(wanted, device=device) % period
    return torch.where(index < side, index, period - index)


# ------------------------------------------------------------------------------------------------- tiles


def _tiled(network: Network, modules: nn.Module, image: Tensor, multiple: int, largest: int) -> Tensor:
    """Blend tiles that overlap. Their norms use one picture's statistics, or each tile would show."""
    with sharing(modules):
        network(sample(image, multiple, largest))  # what is drawn is not looked at: the norms take note
        total, weights = torch.zeros_like(image), torch.zeros_like(image[:1, :1])
        for tile in cut(image.shape[2], image.shape[3], multiple, largest):
            weight = _ramps(tile, image, largest // OVERLAP)
            tile.of(total).add_(network(tile.of(image)) * weight)
            tile.of(weights).add_(weight)
    return total / weights


def sample(image: Tensor, multiple: int, largest: int) -> Tensor:
    """Cut patches (T, C, h, w) evenly out of an image (1, C, H, W), as many pixels as one tile has.

    At the image's own scale: statistics of an image that was shrunk would miss its fine texture.
    """
    side = max(largest // PATCHES // multiple, -(-SMALLEST // multiple)) * multiple
    height, width = min(side, image.shape[2]), min(side, image.shape[3])
    wanted = max(largest**2 // (height * width), 1)
    rows = min(max(round((wanted * image.shape[2] / image.shape[3]) ** 0.5), 1), wanted)
    places = [
        [round(i * (whole - part) / max(count - 1, 1)) // multiple * multiple for i in range(count)]
        for whole, part, count in ((image.shape[2], height, rows), (image.shape[3], width, wanted // rows))
    ]
    patches = [Tile(top, left, height, width) for top in dict.fromkeys(places[0]) for left in dict.fromkeys(places[1])]
    return torch.cat([patch.of(image) for patch in patches])


def cut(height: int, width: int, multiple: int, largest: int) -> list[Tile]:
    """Cover an image with tiles that overlap; all sizes and places are multiples."""
    step = max((largest - largest // OVERLAP) // multiple * multiple, multiple)
    rows, columns = ([*range(0, max(side - largest, 0), step), max(side - largest, 0)] for side in (height, width))
    return [Tile(top, left, min(largest, height), min(largest, width)) for top in rows for left in columns]


def _ramps(tile: Tile, image: Tensor, overlap: int) -> Tensor:
    """Weights (1, 1, h, w) that fall to 0 towards the sides where another tile follows.

    They are 0 before the side is reached: a network's padding shows in the pixels next to it.
    """
    ramps, margin = [], overlap // 4
    rise = overlap - 2 * margin
    for start, length, side in ((tile.top, tile.height, image.shape[2]), (tile.left, tile.width, image.shape[3])):
        at = torch.arange(length, device=image.device, dtype=image.dtype)
        before = (at + 1 - margin) / rise if start else torch.ones_like(at)
        after = (length - at - margin) / rise if start + length < side else torch.ones_like(at)
        ramps.append(torch.minimum(before, after).clamp(0, 1))
    return (ramps[0][:, None] * ramps[1])[None, None]


@contextmanager
def sharing(modules: nn.Module) -> Iterator[None]:
    """Let all instance norms use, for every batch, the statistics of the first that they see."""
    norms: Sequence[InstanceNorm2d] = [m for m in modules.modules() if isinstance(m, InstanceNorm2d)]
    for norm in norms:
        norm.shared = Statistics()
    try:
        yield
    finally:
        for norm in norms:
            norm.shared = None
