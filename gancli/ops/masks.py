"""Holes in images: where they are, how they are blanked and filled. Masks (N, 1, H, W) are 1 there."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.system import dist

BLOCKS = 5  # of a hole of blocks; they may overlap
SHARE = 0.25  # of the image that a region covers, and the most that blocks can


def centre(image: Tensor) -> Tensor:
    """A rectangle of half the sides in the middle, the same for all (Pathak et al. 2016, section 3.3)."""
    height, width = image.shape[2:]
    mask = image.new_zeros(len(image), 1, height, width)
    mask[:, :, height // 4 : height - height // 4, width // 4 : width - width // 4] = 1
    return mask


def square(image: Tensor) -> Tensor:
    """A rectangle of half the sides, somewhere else in each (Denton et al. 2017, section 4)."""
    corner = dist.rows(lambda n: torch.rand(n, 2, 1, device=image.device), len(image))
    return _rectangles(image, corner, torch.full_like(corner, 0.5)).to(image.dtype)


def blocks(image: Tensor) -> Tensor:
    """Several rectangles that together cover at most a quarter (Pathak et al. 2016, section 3.3)."""
    drawn = dist.rows(lambda n: torch.rand(n, 4, BLOCKS, device=image.device), len(image))
    longest = (SHARE / BLOCKS) ** 0.5
    sides = longest * (0.5 + drawn[:, 2:] / 2)
    return _rectangles(image, drawn[:, :2], sides).to(image.dtype)


def region(image: Tensor) -> Tensor:
    """A quarter of the image in smooth shapes (section 3.3 takes the outlines of objects; these are made of noise)."""
    coarse = dist.rows(lambda n: torch.randn(n, 1, 4, 4, device=image.device), len(image))
    field = F.interpolate(coarse, size=image.shape[2:], mode="bicubic", align_corners=False).flatten(1)
    hidden = max(1, round(SHARE * field.shape[1]))
    bound = field.kthvalue(field.shape[1] - hidden, dim=1, keepdim=True).values
    return (field > bound).to(image.dtype).view(len(image), 1, *image.shape[2:])


def _rectangles(image: Tensor, corner: Tensor, sides: Tensor) -> Tensor:
    """Union of rectangles (N, 1, H, W): places in [0, 1) and sides as shares of the image, both (N, 2, rectangles)."""
    inside = []
    for axis, length in enumerate(image.shape[2:]):
        long = (sides[:, axis] * length).round().clamp_min(1)  # (N, rectangles)
        first = (corner[:, axis] * (length - long + 1)).floor()
        at = torch.arange(length, device=image.device)
        inside.append((at >= first[..., None]) & (at < (first + long)[..., None]))  # (N, rectangles, length)
    return (inside[0][..., :, None] & inside[1][..., None, :]).any(1, keepdim=True)


HOLES: dict[str, Callable[[Tensor], Tensor]] = {hole.__name__: hole for hole in (centre, square, blocks, region)}


def blank(image: Tensor, mask: Tensor) -> Tensor:
    """Give the hole the mean colour of what is left of the image."""
    left = 1 - mask
    seen = torch.where(mask > 0, 0, image)  # not image * left: what is in the hole may be anything
    mean = seen.sum((2, 3), keepdim=True) / left.sum((2, 3), keepdim=True).clamp_min(1)
    return torch.where(mask > 0, mean, image)


def paste(image: Tensor, mask: Tensor, filling: Tensor) -> Tensor:
    """Put a filling into the hole; every other pixel stays to the bit."""
    return torch.where(mask > 0, filling, image)


def widen(mask: Tensor, pixels: int) -> Tensor:
    """Grow the hole by some pixels to all sides."""
    return F.max_pool2d(mask, 2 * pixels + 1, 1, pixels)
