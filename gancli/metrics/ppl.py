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


# in float64, because steps are small; on the CPU, because not every device has it


def on_lines(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return the places t (N,) on straight lines from a to b, (N, ...)."""
    return torch.lerp(_exact(a), _exact(b), _exact(t).view(-1, *[1] * (a.dim() - 1))).to(a)


def on_arcs(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return the places t (N,) on arcs from a to b, (N, Z): lengths change evenly, and so does the direction.

    Parallel vectors have no unique arc between them: theirs is a straight line.
    """
    one, other, at = _exact(a), _exact(b), _exact(t)[:, None]
    long, short = (x.norm(dim=1, keepdim=True).clamp_min(1e-12) for x in (one, other))
    u, v = one / long, other / short
    cosine = (u * v).sum(1, keepdim=True).clamp(-1, 1)
    angle = torch.acos(cosine)
    arc = (torch.sin((1 - at) * angle) * u + torch.sin(at * angle) * v) / torch.sin(angle) * torch.lerp(long, short, at)
    return torch.where((cosine.abs() < 1 - 1e-6).to(a.device), arc.to(a), on_lines(a, b, t))


def _exact(x: Tensor) -> Tensor:
    return x.cpu().double()
