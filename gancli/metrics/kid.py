"""Kernel Inception distance: an unbiased distance of feature sets, also for few images (Binkowski et al. 2018)."""

import numpy as np
import torch
from torch import Tensor

SUBSETS, SUBSET, SEED = 100, 1000, 2020  # of torch-fidelity


def kid(
    fake: Tensor, real: Tensor, subsets: int = SUBSETS, size: int = SUBSET, seed: int = SEED
) -> tuple[float, float]:
    """Return mean and deviation over subsets of the unbiased squared MMD, kernel (x.y / D + 1)^3 (arXiv:1801.01401).

    The subsets are torch-fidelity's. If a set is no larger than a subset, subsets of that size would all be the same:
    the value is then that of all its images, as theirs is, and the deviation is that over subsets of half of them; nan
    with fewer than four images. Raise ValueError with fewer than two.
    """
    least = min(len(fake), len(real))
    if least < 2:
        raise ValueError("KID needs at least two real and two generated images")
    values = _of_subsets(fake, real, subsets, min(size, least), seed)
    if least > size:
        return float(values.mean()), float(values.std(correction=0))
    halves = _of_subsets(fake, real, subsets, least // 2, seed) if least >= 4 else torch.tensor([torch.nan])
    return float(values.mean()), float(halves.std(correction=0))


def _of_subsets(fake: Tensor, real: Tensor, subsets: int, size: int, seed: int) -> Tensor:
    rng = np.random.RandomState(seed)
    values = []
    for _ in range(subsets):
        a, b = (x[torch.from_numpy(rng.choice(len(x), size, replace=False))].double() for x in (fake, real))
        values.append(_squared_mmd(a, b))
    return torch.tensor(values, dtype=torch.float64)


def _squared_mmd(a: Tensor, b: Tensor) -> float:
    n = len(a)
    within = [_kernel(x, x).fill_diagonal_(0).sum() / (n * (n - 1)) for x in (a, b)]
    return float(within[0] + within[1] - 2 * _kernel(a, b).mean())


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3
