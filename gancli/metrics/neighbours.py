"""The real images nearest to generated ones: does a model draw, or replay what it was trained on?"""

from typing import NamedTuple

import torch
from torch import Tensor

from gancli.metrics.prdc import distances, radii

NEAR = 0.1  # of the median distance of reals to their nearest: closer than that is a copy
NEIGHBOURS = 4


class Nearest(NamedTuple):
    """The nearest reals of some fakes: distances and rows (N, k), and what distance makes a copy."""

    distance: Tensor
    row: Tensor
    copy: float

    @property
    def copies(self) -> float:
        """The share of fakes that are copies of a real image."""
        return float((self.distance[:, 0] < self.copy).double().mean())


def nearest(fake: Tensor, real: Tensor, k: int = NEIGHBOURS) -> Nearest:
    """Find them in features (N, D) and (M, D)."""
    k = min(k, len(real))
    found = [block.topk(k, largest=False) for block in distances(fake, real)]
    distance, row = (torch.cat(parts) for parts in zip(*found))
    return Nearest(distance, row, NEAR * float(radii(real, 1).median()))
