"""Doubling and halving of a map's sides by the bilinear filter [1, 3, 3, 1]; what is outside of a map counts as 0.

Each is the gradient of the other, so both differentiate as often as a penalty needs, and quickly: torch's second
derivative of a convolution by channel goes channel by channel.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from gancli.nets.layers.resampling import resample


def doubled(x: Tensor) -> Tensor:
    """Interpolate: (N, C, H, W) -> (N, C, 2H, 2W)."""
    return _doubled(x) if torch.compiler.is_compiling() else _Doubled.apply(x)  # pyright: ignore[reportReturnType]  apply is untyped


def halved(x: Tensor) -> Tensor:
    """Smooth and take every second pixel: (N, C, 2H, 2W) -> (N, C, H, W)."""
    return _halved(x) if torch.compiler.is_compiling() else _Halved.apply(x)  # pyright: ignore[reportReturnType]


class _Doubled(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        return _doubled(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return halved(gradients[0]) * 4


class _Halved(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        return _halved(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return doubled(gradients[0]) / 4


def _doubled(x: Tensor) -> Tensor:
    around = F.pad(x, (1, 1, 1, 1))  # torch would repeat the edge
    return F.interpolate(around, scale_factor=2.0, mode="bilinear")[:, :, 2:-2, 2:-2]


def _halved(x: Tensor) -> Tensor:
    line = (
        0.5 - (torch.arange(4, device=x.device, dtype=x.dtype) - 1.5).abs() / 4
    )  # [1, 3, 3, 1] / 8, made on the device
    kernel = torch.outer(line, line)
    if resample.in_bands(x):
        return resample.downsample(x, kernel)
    return F.conv2d(x, kernel.expand(x.shape[1], 1, 4, 4), None, 2, 1, 1, x.shape[1])
