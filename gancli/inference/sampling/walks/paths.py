"""Interpolation paths through a latent space."""

from collections.abc import Callable

import torch
from torch import Tensor


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Interpolate linearly from a to b (Z,) at times t (T,) in [0, 1]: (T, Z)."""
    return torch.lerp(a, b, t[:, None])


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Interpolate along the arc from a to b (Z,), and linearly between their lengths: (T, Z).

    A straight line would pass through regions where a Gaussian prior has no mass (White 2016, arXiv:1609.04468).
    Parallel or opposite vectors have no unique arc between them; for these the path is a straight line.
    """
    long, short = a.norm(), b.norm()
    cosine = torch.dot(a, b) / (long * short).clamp_min(1e-12)
    if not abs(cosine) < 1 - 1e-6:
        return lerp(a, b, t)
    angle, t = torch.acos(cosine), t[:, None]
    arc = (torch.sin((1 - t) * angle) * a / long + torch.sin(t * angle) * b / short) / torch.sin(angle)
    return arc * torch.lerp(long, short, t)


def walk(stops: Tensor, frames: int, noise_axes: int) -> Tensor:
    """Interpolate through all stops (S, Z) in `frames` even steps (T, Z); the first and last frames are stops.

    The path is an arc in the leading axes, whose prior is Gaussian, and a straight line in all others: on it the labels
    of two classes add up to 1, and codes stay between their ends.
    """
    place = torch.linspace(0, len(stops) - 1, frames)
    leg = place.long().clamp_max(len(stops) - 2)
    parts = stops.tensor_split([noise_axes], 1)
    ways = [_through(part, way, place, leg) for part, way in zip(parts, (slerp, lerp)) if part.shape[1]]
    return torch.cat(ways, 1)


def _through(stops: Tensor, way: Callable[[Tensor, Tensor, Tensor], Tensor], place: Tensor, leg: Tensor) -> Tensor:
    return torch.cat([way(stops[i], stops[i + 1], place[leg == i] - i) for i in range(len(stops) - 1)])
