"""Perceptual path length: how evenly images change along a path through a latent space (Karras et al. 2019, §4.1)."""

import torch
from torch import Tensor

EPSILON = 1e-4  # the step along a path, whose length is 1
TRIMMED = 0.01  # share of the shortest, and of the longest, that are left out, as in the authors' code


def speeds(before: Tensor, after: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Return the squared speeds (N,) on paths, from features (N, D) at places `epsilon` apart on them.

    The authors' distance, LPIPS, is one of squares too.
    """
    return (after.double() - before.double()).square().sum(1) / epsilon**2


def path_length(speeds: Tensor) -> float:
    """Return the mean of squared speeds (N,) without the extremes; raise ValueError if there are none."""
    if not len(speeds):
        raise ValueError("a path length needs at least one path")
    low = torch.quantile(speeds, TRIMMED, interpolation="lower")
    high = torch.quantile(speeds, 1 - TRIMMED, interpolation="higher")
    return float(speeds[(speeds >= low) & (speeds <= high)].mean())
