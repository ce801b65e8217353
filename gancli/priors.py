"""Distributions of latents other than N(0, I), all in the plane: draws are (n, 2)."""

import math

import torch
from torch import Tensor

PETALS = 10


def mixture(n: int, device: torch.device) -> Tensor:
    """Draw from ten Gaussians in a ring, longer outwards than across (Makhzani et al. 2015, figure 4)."""
    angle = torch.randint(PETALS, (n,), device=device) * (2 * math.pi / PETALS)
    radius, across = torch.randn(2, n, device=device) * torch.tensor([[0.5], [0.15]], device=device)
    return _turned(radius + 2, across, angle)


def swissroll(n: int, device: torch.device) -> Tensor:
    """Draw along a spiral of one and a half turns, evenly by its length (Makhzani et al. 2015, figure 4)."""
    turn = torch.rand(n, device=device).sqrt()  # the length of a spiral grows with the square of its angle
    across, *_ = torch.randn(1, n, device=device) * 0.05
    return _turned(3 * turn + across, torch.zeros_like(turn), 3 * math.pi * turn)


def _turned(outwards: Tensor, across: Tensor, angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([outwards * cos - across * sin, outwards * sin + across * cos], 1)
