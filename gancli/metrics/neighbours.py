"""The real images nearest to generated ones: does a model generalise, or memorise its training images?"""

from typing import NamedTuple

import torch
from torch import Tensor

from gancli.metrics.prdc import distances, radii

NEAR = 0.25  # of the median nearest-neighbour distance of real images: below it is a copy (docs/evaluation.md)
NEIGHBOURS = 4


class Nearest(NamedTuple):
    """The nearest real images of each fake: distances and rows (N, k), and the distance below which it is a copy."""

    distance: Tensor
    row: Tensor
    copy: float

    @property
    def copies(self) -> float:
        """Return the share of fakes that are copies of a real image."""
        return float((self.distance[:, 0] < self.copy).double().mean())


def nearest(fake: Tensor, real: Tensor, k: int = NEIGHBOURS) -> Nearest:
    """Find the `k` nearest real images of each fake, in features (N, D) and (M, D)."""
    k = min(k, len(real))
    found = [block.topk(k, largest=False) for block in distances(fake, real)]
    distance, row = (torch.cat(parts) for parts in zip(*found))
    return Nearest(distance, row, NEAR * float(radii(real, 1).median()))
