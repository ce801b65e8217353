"""Distributions of latents other than N(0, I), in the plane or beginning there."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

PETALS = 10
RADIUS, SPREAD = 2.0, (0.5, 0.15)  # of a petal: how far out its middle is, and its deviations outwards and across


def petals(noise: Tensor, label: Tensor) -> Tensor:
    """Put noise (N, Z) from N(0, I) into a ring of K Gaussians, longer outwards than across: which, says label (N, K).

    Only the first two axes change (Makhzani et al. 2015, figure 4).
    """
    plane, rest = noise.tensor_split([2], 1)
    outwards, across = (axis * deviation for axis, deviation in zip(plane.unbind(1), SPREAD))
    angle = torch.arange(label.shape[1], device=noise.device) * (2 * math.pi / label.shape[1])
    everywhere = _turned(RADIUS + outwards[:, None], across[:, None], angle)  # (N, K, 2)
    return torch.cat([(label[:, :, None] * everywhere).sum(1), rest], 1)


def unpetalled(place: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Find the noise (N, Z) that `petals` would put there, and the log density (N, K) of that for each petal.

    The noise is that of the likeliest petal; the densities lack a constant that all petals share.
    """
    plane, rest = place.tensor_split([2], 1)
    angle = torch.arange(count, device=place.device) * (2 * math.pi / count)
    x, y = plane[:, :, None].unbind(1)
    back = _turned(x, y, -angle)  # (N, K, 2)
    noise = (back - place.new_tensor([RADIUS, 0.0])) / place.new_tensor(SPREAD)
    density = -noise.square().sum(2) / 2
    likeliest = density.argmax(1)[:, None, None].expand(-1, 1, 2)
    return torch.cat([noise.gather(1, likeliest).squeeze(1), rest], 1), density


def mixture(n: int, device: torch.device) -> Tensor:
    """Draw (n, 2) from a ring of ten Gaussians."""
    label = torch.randint(PETALS, (n,), device=device)
    return petals(torch.randn(n, 2, device=device), F.one_hot(label, PETALS).float())


def swissroll(n: int, device: torch.device) -> Tensor:
    """Draw (n, 2) along a spiral of one and a half turns, evenly by its length (Makhzani et al. 2015, figure 4)."""
    turn = torch.rand(n, device=device).sqrt()  # the length of a spiral grows with the square of its angle
    across, *_ = torch.randn(1, n, device=device) * 0.05
    return _turned(3 * turn + across, torch.zeros_like(turn), 3 * math.pi * turn)


def _turned(outwards: Tensor, across: Tensor, angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([outwards * cos - across * sin, outwards * sin + across * cos], -1)
