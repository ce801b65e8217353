"""FIR filters along one axis of an image as products with band matrices.

On a GPU, depthwise convolutions of cuDNN took 61 % of a step of StyleGAN2 (H100, 64 pixels, bf16: docs/benchmarks.md).
Products with matrices of mostly zeros cost tensor cores next to nothing, and torch differentiates them as often as it
takes.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.system.devices import full_precision

ALIGNED = 8  # columns: cuBLAS reads rows of 16 bytes in bf16


def gathered(x: Tensor, taps: Tensor, axis: int, stride: int, before: int, behind: int) -> Tensor:
    """Correlate (N, C, H, W) along axis 2 or 3 with taps (K,), at every stride-th place, with zeros on both ends."""
    side = x.shape[axis]
    outputs = (side + before + behind - len(taps)) // stride + 1
    return _product(_matrix(taps, _Band(side, outputs, 1, -stride, before)), x, axis)


def spread(x: Tensor, taps: Tensor, axis: int, stride: int, crop: int) -> Tensor:
    """Add each value of (N, C, H, W) times taps (K,) to a longer map, `stride` apart along an axis; crop its ends."""
    side = x.shape[axis]
    outputs = (side - 1) * stride + len(taps) - 2 * crop
    return _product(_matrix(taps, _Band(side, outputs, -stride, 1, crop)), x, axis)


class _Band(NamedTuple):
    """A matrix (outputs, inputs) whose entry (o, i) is the tap at per_input * i + per_output * o + offset."""

    inputs: int
    outputs: int
    per_input: int
    per_output: int
    offset: int


def _matrix(taps: Tensor, band: _Band) -> Tensor:
    """Return the matrix; where there is no tap, it is 0."""
    return F.pad(taps, (0, 1)).take(_places(band, len(taps), taps.device))[:, : band.inputs]


@lru_cache(256)  # so that a step launches nothing for it
def _places(band: _Band, taps: int, device: torch.device) -> Tensor:
    """Return which tap each entry is, and `taps` for none, with columns up to a multiple of ALIGNED."""
    columns = torch.arange(-(-band.inputs // ALIGNED) * ALIGNED, device=device)
    rows = torch.arange(band.outputs, device=device)[:, None]
    place = band.per_input * columns + band.per_output * rows + band.offset
    return torch.where((place >= 0) & (place < taps), place, taps)


def _product(matrix: Tensor, x: Tensor, axis: int) -> Tensor:
    """Multiply each line along the axis by a matrix (H' or W', H or W), in the layout and the precision of x."""
    n, channels, height, width = x.shape
    with full_precision(x.device):
        matrix = matrix.to(x.dtype)
        if not x.is_contiguous(memory_format=torch.channels_last):
            return torch.einsum("oh,nchw->ncow" if axis == 2 else "ow,nchw->ncho", matrix, x)
        pixels = x.permute(0, 2, 3, 1)
        if axis == 2:
            lines = pixels.reshape(n, height, width * channels)
            y = torch.bmm(matrix.expand(n, -1, -1), lines).view(n, -1, width, channels)
        else:
            lines = pixels.reshape(n * height, width, channels)
            y = torch.bmm(matrix.expand(n * height, -1, -1), lines).view(n, height, -1, channels)
        return y.permute(0, 3, 1, 2)
