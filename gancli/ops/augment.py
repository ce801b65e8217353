"""Augmentations of what D sees, which gradients pass: Zhao et al. 2020, "DiffAugment", arXiv:2006.10738.

All differentiate twice, as gradient penalties need. Images are (N, C, H, W) in [-1, 1]; what is outside of them is 0.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gancli.ops.ada import AdaptiveAugmentation
from gancli.system import dist

SHIFT = 0.125  # most of a translation, as a share of the side
CUT = 0.5  # side of the square that is cut out, as a share of the image's


def diffaugment(x: Tensor) -> Tensor:
    """Apply colour, translation and cutout, drawn for each image anew (section 3 and appendix)."""
    return cutout(translation(color(x)))


def color(x: Tensor) -> Tensor:
    """Change brightness by -0.5 to 0.5, saturation by a factor of 0 to 2, and contrast by one of 0.5 to 1.5."""
    brightness, saturation, contrast = _uniform(x, 3).view(-1, 3, 1, 1, 1).unbind(1)
    x = x + (brightness - 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * saturation)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (contrast + 0.5)


def translation(x: Tensor) -> Tensor:
    """Move images by up to SHIFT of their sides, in whole pixels."""
    down, right = ((_uniform(x, 2) * 2 - 1) * SHIFT).unbind(1)
    return _moved(_moved(x, down, 2), right, 3)


def _moved(x: Tensor, share: Tensor, dim: int) -> Tensor:
    """Move each image along a dimension, by a product with a matrix of zeros and ones."""
    side = x.shape[dim]
    at = torch.arange(side, device=x.device)
    taken = at[:, None] == at - (share * side).round().view(-1, 1, 1)  # (N, side, side): of what, by what
    matrix = taken.to(x.dtype)
    return torch.einsum("nchw,nhk->nckw" if dim == 2 else "nchw,nwk->nchk", x, matrix)


def cutout(x: Tensor) -> Tensor:
    """Set a square of CUT of the sides, anywhere and partly outside, to 0."""
    inside = [
        _near(middle, x.shape[dim], x.device).view(len(x), *((-1, 1) if dim == 2 else (1, -1)))
        for dim, middle in zip((2, 3), _uniform(x, 2).unbind(1))
    ]
    return x * ~(inside[0] & inside[1])[:, None]


def _near(middle: Tensor, side: int, device: torch.device) -> Tensor:
    at = torch.arange(side, device=device) + 0.5
    return (at - middle[:, None] * side).abs() <= CUT * side / 2


def _uniform(x: Tensor, numbers: int) -> Tensor:
    """Draw numbers in [0, 1) for each image, (N, numbers)."""
    return dist.rows(lambda n: torch.rand(n, numbers, device=x.device), len(x))


def mirrored(x: Tensor) -> Tensor:
    """Mirror each image or not, by chance."""
    return torch.where(_uniform(x, 1).view(-1, 1, 1, 1) < 0.5, x.flip(3), x)


class Augmentation(nn.Module):
    """Changes of images, to call or to put before a network."""

    def __init__(self, diff: bool, mirror: bool, ada: AdaptiveAugmentation | None = None) -> None:
        super().__init__()
        self.ada = ada
        chosen = ((mirror, mirrored), (diff, diffaugment), (ada is not None, self._adaptive))
        self.changes: list[Callable[[Tensor], Tensor]] = [change for asked, change in chosen if asked]

    def _adaptive(self, x: Tensor) -> Tensor:
        assert self.ada
        return self.ada(x)

    def forward(self, x: Tensor) -> Tensor:
        """Change images (N, C, H, W)."""
        for change in self.changes:
            x = change(x)
        return x

    def before(self, module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Change a network's first input while it trains: a forward pre-hook."""
        return (self(given[0]), *given[1:]) if module.training and self.changes else None
