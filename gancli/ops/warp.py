"""Affine maps of images by interpolation at twice the resolution, which differentiate as often as penalties need.

As in Karras et al. 2020a, appendix B: with a wavelet's filter little blurs or aliases.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from gancli.ops import wavelets


def resampled(x: Tensor, back: Tensor) -> Tensor:
    """Take each pixel of images from where `back` (N, 2, 3) leads; beyond the edges they are mirrored."""
    height, width = x.shape[2:]
    fine = _product(x, wavelets.doubling(height, x.device), wavelets.doubling(width, x.device))
    right, down = (
        (torch.arange(2 * side + 2 * wavelets.MARGIN, device=x.device) - wavelets.MARGIN - wavelets.PHASE - side + 1)
        / 2
        for side in (width, height)
    )
    place = torch.stack([right.expand(len(down), -1), down[:, None].expand(-1, len(right))], -1)  # (h, w, 2)
    old = torch.einsum("nij,hwj->nhwi", back[:, :, :2], place) + back[:, None, None, :, 2]
    offset = wavelets.PHASE - 0.5  # of the doubled image's pixels, from the places that torch takes them for
    across, along = ((2 * old[..., i] + offset) / side for i, side in enumerate((width, height)))
    grid = torch.stack([across, along], -1).to(x.dtype)
    return _product(read(fine, grid), wavelets.halving(height, x.device), wavelets.halving(width, x.device))


def _product(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return rows @ x @ columns^T."""
    return rows.to(x.dtype) @ (x.contiguous() @ columns.T.to(x.dtype))


def read(x: Tensor, grid: Tensor) -> Tensor:
    """F.grid_sample, bilinear and with mirrored edges, that differentiates again; no gradient reaches the grid."""
    return _Read.apply(x, grid)  # pyright: ignore[reportReturnType]  apply is untyped


class _Read(Function):
    """Reading is linear, so its gradient is its transpose, whose gradient is reading."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = x.shape
        return F.grid_sample(x, grid, "bilinear", "reflection", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Written.apply(gradients[0], *ctx.saved_tensors, ctx.shape), None


class _Written(Function):
    """The transpose."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        where = y.new_empty(shape)  # only its size counts
        asked = (True, False)
        return torch.ops.aten.grid_sampler_2d_backward(y.contiguous(), where, grid, 0, 2, False, asked)[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return read(gradients[0], *ctx.saved_tensors), None, None
