"""Separate scores of quality and diversity: the share of fakes near real images, and of real images near fakes."""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 1024  # rows whose distances to all others are in memory at a time


def precision_recall(fake: Tensor, real: Tensor, k: int = 3) -> tuple[float, float]:
    """Return improved precision and recall, with balls up to each image's k-th neighbour (Kynkaanniemi et al. 2019).

    Precision: share of fakes inside a ball of a real image; recall: the reverse (arXiv:1904.06991, eq. 1).
    """
    return _inside(fake, real, radii(real, k)), _inside(real, fake, radii(fake, k))


def _inside(points: Tensor, centres: Tensor, radius: Tensor) -> float:
    hits = [(block <= radius).any(1) for block in distances(points, centres)]
    return float(torch.cat(hits).double().mean())


def density_coverage(fake: Tensor, real: Tensor, k: int = 5) -> tuple[float, float]:
    """Return density (real images' balls that contain a fake, over k) and coverage (share of balls with a fake).

    Naeem et al. 2020 (arXiv:2002.09797, eq. 4 and 5). Both are 1 for a perfect model; density can exceed 1.
    """
    radius = radii(real, k)
    inside, covered = 0, torch.zeros(len(real), dtype=torch.bool)
    for block in distances(fake, real):
        hits = block <= radius
        inside += int(hits.sum())
        covered |= hits.any(0)
    return inside / (k * len(fake)), float(covered.double().mean())


def radii(points: Tensor, k: int) -> Tensor:
    """Return the distance (N,) of each point to its k-th neighbour other than itself; k is capped at N - 1."""
    k = min(k, len(points) - 1)
    return torch.cat([block.kthvalue(k + 1).values for block in distances(points, points)])


def distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Yield Euclidean distances of all rows of `a` to all rows of `b` in float64, in blocks of rows."""
    b = b.double()
    for block in a.double().split(BLOCK):
        yield torch.cdist(block, b)
