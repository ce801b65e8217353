"""Make source images from their targets, so that any folder of images can train a model that undoes the change.

Each function maps images (N, C, H, W) in [-1, 1] to as many; with 4 channels, the last is alpha and unchanged.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.system import dist

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
EDGE = 0.35  # difference of luma over two pixels, in [-1, 1], that gives a half-dark line
SHRINK = 4  # lowres: how much smaller the sides are
CELLS = 8  # mosaic: tiles along the shorter side


def _luma(colour: Tensor) -> Tensor:
    if colour.shape[1] == 1:
        return colour
    weight = torch.tensor(LUMA, device=colour.device, dtype=colour.dtype)
    return (colour * weight[:, None, None]).sum(1, keepdim=True)


def gray(colour: Tensor) -> Tensor:
    """Keep only the brightness: the input of a coloriser."""
    return _luma(colour).expand_as(colour)


def edges(colour: Tensor) -> Tensor:
    """Draw dark lines on white where the brightness changes (Sobel operator)."""
    kernel = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]], device=colour.device) / 4
    padded = F.pad(_luma(colour), (1, 1, 1, 1), "replicate")
    slope = F.conv2d(padded, torch.stack([kernel, kernel.T])[:, None])
    line = torch.sigmoid((slope.norm(dim=1, keepdim=True) - EDGE) * 20)
    return (1 - 2 * line).expand_as(colour)


def lowres(colour: Tensor) -> Tensor:
    """Shrink by averaging and enlarge again: the input of super-resolution."""
    size = colour.shape[2:]
    small = F.adaptive_avg_pool2d(colour, (max(1, size[0] // SHRINK), max(1, size[1] // SHRINK)))
    return F.interpolate(small, size=size, mode="bicubic", align_corners=False).clamp(-1, 1)


def mosaic(colour: Tensor) -> Tensor:
    """Replace squares by their mean colour."""
    size = colour.shape[2:]
    cell = max(2, min(size) // CELLS)
    return F.interpolate(F.adaptive_avg_pool2d(colour, (-(-size[0] // cell), -(-size[1] // cell))), size=size)


def mask(colour: Tensor) -> Tensor:
    """Cover a random rectangle, a quarter to a half of each side, with grey; it differs per image and per step."""
    count, _, height, width = colour.shape
    drawn = dist.rows(lambda n: torch.rand(n, 4, 1, device=colour.device), count)
    inside = []
    for start, extent, side in ((drawn[:, 0], drawn[:, 1], height), (drawn[:, 2], drawn[:, 3], width)):
        long = 0.25 + 0.25 * extent
        low = start * (1 - long)
        at = (torch.arange(side, device=colour.device) + 0.5) / side
        inside.append((at >= low) & (at < low + long))  # (N, side)
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return torch.where(hole, torch.zeros_like(colour), colour)


def _keeping_alpha(make: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def made(image: Tensor) -> Tensor:
        return make(image) if image.shape[1] < 4 else torch.cat([make(image[:, :3]), image[:, 3:]], 1)

    return made


MAKERS = {make.__name__: _keeping_alpha(make) for make in (edges, gray, mosaic, lowres, mask)}
