"""Run images of any size through a network: pad them to the multiple that it needs, and tile large ones.

Memory is bounded: what a network computes of one tile, and one row of tiles of the output, whose finished rows are
handed on. Letters as in `gancli.gan`; T tiles. A network may enlarge: every size of an output is `scale` times that of
the input.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets.layers.norms import Sharing, Statistics

Take = Callable[[Tensor], None]
Network = Callable[[Tensor], Tensor]  # images (N, C, H, W) to images of the same size, or `scale` times as large

SMALLEST = 16  # least pixels per side of a network's input
PROBE = 256  # pixels per side of the patches on which a network's reach is measured
RISE = 16  # tiles are blended over 1/16 of their side
VISIBLE = 1 / 255  # of values in [-1, 1]: half a grey level
PATCHES = 4  # an image's statistics come from patches with 1/4 of a tile's side,
LEAST = 512  # or 1/4 of this: in patches below 128 pixels, edges take too large a share


class Tile(NamedTuple):
    """A rectangle of an image."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: Tensor) -> Tensor:
        """Cut it out of images (N, C, H, W)."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]


def run(
    take: Take, network: Network, modules: nn.Module, image: Tensor, multiple: int, largest: int, scale: int = 1
) -> None:
    """Run images (N, C, H, W) of any size through a network, in tiles of `largest` pixels per side if necessary.

    `take` gets the rows of the output, some at a time, from top to bottom.
    """
    height, width = image.shape[2:]
    padded = pad(image, multiple)
    if padded.shape[2] * padded.shape[3] <= largest**2:
        take(network(padded)[:, :, : height * scale, : width * scale])
        return
    taken = 0

    def cropped(rows: Tensor) -> None:
        nonlocal taken
        wanted = height * scale - taken
        if wanted > 0:
            take(rows[:, :, :wanted, : width * scale])
        taken += rows.shape[2]

    _tiled(cropped, network, modules, padded, multiple, max(largest // multiple, 2) * multiple, scale)


def apply(network: Network, modules: nn.Module, image: Tensor, multiple: int, largest: int, scale: int = 1) -> Tensor:
    """Do the same, and return the whole output."""
    rows: list[Tensor] = []
    run(rows.append, network, modules, image, multiple, largest, scale)
    return torch.cat(rows, 2)


def pad(image: Tensor, multiple: int) -> Tensor:
    """Pad the right and lower edges by reflection until both sides are multiples, and not too small."""
    sides = [max(-(-side // multiple) * multiple, -(-SMALLEST // multiple) * multiple) for side in image.shape[2:]]
    for dim, (side, wanted) in enumerate(zip(image.shape[2:], sides), start=2):
        if side != wanted:
            image = image.index_select(dim, _mirrored(side, wanted, image.device))
    return image


def _mirrored(side: int, wanted: int, device: torch.device) -> Tensor:
    """Return the indices 0 … side - 1 and back again, repeated to the wanted length."""
    period = max(2 * (side - 1), 1)
    index = torch.arange(wanted, device=device) % period
    return torch.where(index < side, index, period - index)


# ------------------------------------------------------------------------------------------------- tiles


class Seam(NamedTuple):
    """The overlap of tiles: `margin` pixels of each are discarded, and `rise` pixels are blended."""

    margin: int
    rise: int

    @property
    def overlap(self) -> int:
        """Return the number of pixels that neighbouring tiles share."""
        return 2 * self.margin + self.rise


def _tiled(
    take: Take, network: Network, modules: nn.Module, image: Tensor, multiple: int, largest: int, scale: int
) -> None:
    """Blend overlapping tiles. All norms use the statistics of the whole image, or tiles would be visible."""
    with sharing(modules) as layers:
        if layers:
            network(sample(image, multiple, largest))  # the output is discarded: the layers record its statistics
        seam = fitted(reach(network, image, multiple, largest, scale), multiple, largest)
        height, width = image.shape[2:]
        places = cut(height, width, multiple, largest, seam.overlap)
        rows = _shares({tile.top: tile.height for tile in places}, height, seam, scale, image)
        columns = _shares({tile.left: tile.width for tile in places}, width, seam, scale, image)
        tops = list(rows)
        band = image.new_zeros(*image.shape[:2], places[0].height * scale, width * scale)  # which starts at `top`
        for top, following in zip(tops, [*tops[1:], height]):
            for tile in places:
                if tile.top == top:
                    part = Tile(0, *(scale * side for side in tile[1:])).of(band)
                    part.addcmul_(network(tile.of(image)), rows[top][:, None] * columns[tile.left])
            finished = (following - top) * scale
            take(band[:, :, :finished])
            band = F.pad(band[:, :, finished:], (0, 0, 0, finished))


def reach(network: Network, image: Tensor, multiple: int, largest: int, scale: int = 1) -> int:
    """Measure how many pixels of a tile the missing context beyond its edge changes in the output.

    Compare patches of the image with their halves; the nominal receptive field would overestimate the reach.
    """
    side = max(min(PROBE, largest) // (2 * multiple), 1) * 2 * multiple
    height, width = (min(side, whole) // multiple * multiple for whole in image.shape[2:])
    downs, rights = (
        [int(room * share) // multiple * multiple for share in (0.25, 0.75)]
        for room in (image.shape[2] - height, image.shape[3] - width)
    )
    probes = torch.cat([Tile(top, left, height, width).of(image) for top in downs for left in rights])
    drawn, found = network(probes), 0
    for dim in (2, 3):
        start = probes.shape[dim] // 2 // multiple * multiple
        rest = probes.shape[dim] - start
        gap = (network(probes.narrow(dim, start, rest)) - drawn.narrow(dim, scale * start, scale * rest)).abs()
        seen = (gap.amax((0, 1, 5 - dim)) > VISIBLE).nonzero()
        found = max(found, int(seen.max()) // scale + 1 if len(seen) else 0)
    return found


def fitted(margin: int, multiple: int, largest: int) -> Seam:
    """Make a seam as wide as a network's reach requires, up to three quarters of a tile."""
    overlap = -(-(2 * margin + largest // RISE) // multiple) * multiple
    overlap = min(overlap, max(largest * 3 // 4 // multiple, 1) * multiple)
    rise = max(min(largest // RISE, overlap), 1)
    return Seam((overlap - rise) // 2, overlap - (overlap - rise) // 2 * 2)


def sample(image: Tensor, multiple: int, largest: int) -> Tensor:
    """Cut evenly spaced patches (T, C, h, w) out of an image (1, C, H, W), about as many pixels as one tile has.

    They keep the image's own scale: a shrunken image would lose the statistics of fine texture.
    """
    largest = max(largest, LEAST)
    side = max(largest // PATCHES // multiple, 1) * multiple
    height, width = min(side, image.shape[2]), min(side, image.shape[3])
    wanted = max(largest**2 // (height * width), 1)
    rows = min(max(round((wanted * image.shape[2] / image.shape[3]) ** 0.5), 1), wanted)
    places = [
        [round(i * (whole - part) / max(count - 1, 1)) // multiple * multiple for i in range(count)]
        for whole, part, count in ((image.shape[2], height, rows), (image.shape[3], width, wanted // rows))
    ]
    patches = [Tile(top, left, height, width) for top in dict.fromkeys(places[0]) for left in dict.fromkeys(places[1])]
    return torch.cat([patch.of(image) for patch in patches])


def cut(height: int, width: int, multiple: int, largest: int, overlap: int) -> list[Tile]:
    """Cover an image with tiles that overlap by at least `overlap`; all sizes and positions are multiples."""
    step = max((largest - overlap) // multiple * multiple, multiple)
    rows, columns = ([*range(0, max(side - largest, 0), step), max(side - largest, 0)] for side in (height, width))
    return [Tile(top, left, min(largest, height), min(largest, width)) for top in rows for left in columns]


def _shares(places: dict[int, int], side: int, seam: Seam, scale: int, like: Tensor) -> dict[int, Tensor]:
    """Return the blending weights along one side of the tiles that start at `places`, with their lengths.

    They fall to 0 within the margin of each end with a neighbour, and add up to 1 at every pixel of the output.
    """
    ramps, (margin, rise) = {}, seam
    sum_of = like.new_zeros(side * scale)
    for start, length in places.items():
        at = (torch.arange(length * scale, device=like.device, dtype=like.dtype) + 0.5) / scale - 0.5
        before = (at + 1 - margin) / rise if start else torch.ones_like(at)
        after = (length - at - margin) / rise if start + length < side else torch.ones_like(at)
        ramps[start] = torch.minimum(before, after).clamp(0, 1)
        sum_of[start * scale : (start + length) * scale] += ramps[start]
    return {start: ramp / sum_of[start * scale : start * scale + len(ramp)] for start, ramp in ramps.items()}


@contextmanager
def sharing(modules: nn.Module) -> Iterator[list[Sharing]]:
    """Let all layers that can share statistics use those of the first batch that they see for every later batch."""
    layers = [m for m in modules.modules() if isinstance(m, Sharing)]
    for layer in layers:
        layer.shared = Statistics()
    try:
        yield layers
    finally:
        for layer in layers:
            layer.shared = None
