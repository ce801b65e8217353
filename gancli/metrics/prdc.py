"""Quality and variety apart: what share of the fakes lies among the reals, and of the reals among the fakes."""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 1024  # rows whose distances to all others are held at a time


def precision_recall(fake: Tensor, real: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall: inside a ball round some image to its k-th neighbour (Kynkaanniemi et al. 2019).

    Precision: the share of fakes inside the balls of reals; recall: the other way round (arXiv:1904.06991, eq. 1).
    """
    return _inside(fake, real, radii(real, k)), _inside(real, fake, radii(fake, k))


def _inside(points: Tensor, centres: Tensor, radius: Tensor) -> float:
    hits = [(block <= radius).any(1) for block in distances(points, centres)]
    return float(torch.cat(hits).double().mean())


def density_coverage(fake: Tensor, real: Tensor, k: int = 5) -> tuple[float, float]:
    """Density: in how many of the reals' balls a fake lies, over k; coverage: the share of balls that hold a fake.

    Naeem et al. 2020 (arXiv:2002.09797, eq. 4 and 5). Both are 1 for a perfect model; density may pass 1.
    """
    radius = radii(real, k)
    inside, covered = 0, torch.zeros(len(real), dtype=torch.bool)
    for block in distances(fake, real):
        hits = block <= radius
        inside += int(hits.sum())
        covered |= hits.any(0)
    return inside / (k * len(fake)), float(covered.double().mean())


def radii(points: Tensor, k: int) -> Tensor:
    """The distance (N,) of each point to its k-th neighbour, itself not counted; k is at most N - 1."""
    k = min(k, len(points) - 1)
    return torch.cat([block.kthvalue(k + 1).values for block in distances(points, points)])


def distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Euclidean distances of all rows of `a` to all of `b`, some rows at a time, in float64."""
    b = b.double()
    for block in a.double().split(BLOCK):
        yield torch.cdist(block, b)
