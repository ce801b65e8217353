"""Ways through a latent space."""

import torch
from torch import Tensor


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Go straight from a to b (Z,) at times t (T,) in [0, 1]: (T, Z)."""
    return torch.lerp(a, b, t[:, None])


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Go along the arc from a to b (Z,), and evenly from the length of one to that of the other: (T, Z).

    A straight line would pass where a Gaussian prior has no mass (White 2016, arXiv:1609.04468). Points in
    one direction, or opposite ones, have no single arc between them; there it is the straight line.
    """
    long, short = a.norm(), b.norm()
    cosine = torch.dot(a, b) / (long * short).clamp_min(1e-12)
    if not abs(cosine) < 1 - 1e-6:
        return lerp(a, b, t)
    angle, t = torch.acos(cosine), t[:, None]
    arc = (torch.sin((1 - t) * angle) * a / long + torch.sin(t * angle) * b / short) / torch.sin(angle)
    return arc * torch.lerp(long, short, t)


def walk(stops: Tensor, frames: int, mode: str) -> Tensor:
    """Go through all stops (S, Z) in `frames` (T, Z) at an even pace, the first and last frame on a stop."""
    step = slerp if mode == "slerp" else lerp
    place = torch.linspace(0, len(stops) - 1, frames)
    leg = place.long().clamp_max(len(stops) - 2)
    return torch.cat([step(stops[i], stops[i + 1], place[leg == i] - i) for i in range(len(stops) - 1)])
