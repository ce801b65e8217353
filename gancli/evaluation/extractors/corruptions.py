"""Corruptions of images, each of a random strength. The local extractor learns to recognise them.

They resemble the typical faults of generated images: grain, blur, lost contrast, misplaced parts, wrong outlines, and
two images in one.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

TILE = 8  # pixels: the side of the parts that are shuffled
WIDEST = 17  # pixels: the widest blur


def _strength(x: Tensor) -> Tensor:
    return torch.rand(len(x), 1, 1, 1)


def _uniform(x: Tensor) -> Tensor:
    return torch.rand_like(x) * 2 - 1


def _noisy(x: Tensor) -> Tensor:
    return torch.lerp(x, _uniform(x), 0.1 + 0.6 * _strength(x))


def _blurred(x: Tensor) -> Tensor:
    width = 2 * int(torch.randint(2, WIDEST // 2 + 1, ())) + 1
    blurred = F.avg_pool2d(x, width, 1, width // 2, count_include_pad=False)
    return torch.lerp(x, blurred, 0.5 + _strength(x) / 2)


def _flattened(x: Tensor) -> Tensor:
    return torch.lerp(x, x.mean((2, 3), keepdim=True), 0.3 + 0.7 * _strength(x))


def _shuffled(x: Tensor) -> Tensor:
    tiles = F.unfold(x, TILE, stride=TILE)
    return F.fold(tiles[:, :, torch.randperm(tiles.shape[2])], x.shape[2:], TILE, stride=TILE)


def _warped(x: Tensor) -> Tensor:
    shift = _smooth(x, 2) * (0.1 + 0.3 * _strength(x))
    grid = F.affine_grid(torch.eye(2, 3).expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid + shift.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def _merged(x: Tensor) -> Tensor:
    return torch.lerp(x, x.roll(1, 0), (4 * _smooth(x, 1)).sigmoid())


def _smooth(x: Tensor, channels: int) -> Tensor:
    """Return smooth random fields (N, channels, H, W) of about unit size."""
    coarse = torch.randn(len(x), channels, 4, 4)
    return F.interpolate(coarse, x.shape[2:], mode="bicubic", align_corners=False)


KINDS: tuple[Callable[[Tensor], Tensor], ...] = (
    _noisy, _blurred, _flattened, _shuffled, _warped, _merged, _uniform,
)  # fmt: skip


def corrupt(x: Tensor) -> tuple[Tensor, Tensor]:
    """Corrupt images (N, C, H, W) in [-1, 1], each in one way at random; also return the kinds (N,)."""
    kind = torch.randint(len(KINDS), (len(x),))
    spoilt = x.clone()
    for i, corruption in enumerate(KINDS):
        if len(found := torch.nonzero(kind == i).flatten()):
            spoilt[found] = corruption(x[found])
    return spoilt, kind
