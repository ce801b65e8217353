"""AnimeGANv2's generator: Chen et al. 2020, "AnimeGAN", ISICA 2019, in the second version of the authors' code.

Layers, sizes and tensor names are those of its PyTorch form (github.com/bryandlee/animegan2-pytorch): 2,143,552
parameters at widths of 32, 64, 128, and 256.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets.layers.norms import LayerNorm2d

SLOPE = 0.2
LAST = 0, 1, 0, 1  # padding before a convolution that halves: on the right and below


def _convolution(
    inputs: int, outputs: int, kernel: int = 3, *, halve: bool = False, depthwise: bool = False
) -> nn.Sequential:
    side = kernel // 2
    return nn.Sequential(
        nn.ReflectionPad2d(LAST if halve else side),
        nn.Conv2d(inputs, outputs, kernel, 2 if halve else 1, groups=inputs if depthwise else 1, bias=depthwise),
        LayerNorm2d(outputs),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


class Inverted(nn.Module):
    """Twice the channels, a depthwise convolution, and back; added to what enters if that has as many channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.adds = inputs == outputs
        self.layers = nn.Sequential(
            _convolution(inputs, 2 * inputs, 1),
            _convolution(2 * inputs, 2 * inputs, depthwise=True),
            nn.Conv2d(2 * inputs, outputs, 1, bias=False),
            LayerNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        return self.layers(x) + x if self.adds else self.layers(x)


class AnimeNet(nn.Module):
    """Images (N, 3, H, W) of any size of at least 8 pixels a side, in [-1, 1], to drawings of the same size.

    `widths` are the channels of the first layer, at half the size, at a quarter, and of the blocks in the middle.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 256), channels: int = 3) -> None:
        super().__init__()
        first, half, quarter, middle = widths
        self.block_a = nn.Sequential(
            _convolution(channels, first, 7), _convolution(first, half, halve=True), _convolution(half, half)
        )
        self.block_b = nn.Sequential(_convolution(half, quarter, halve=True), _convolution(quarter, quarter))
        inner = [Inverted(before, after) for before, after in pairwise([quarter, *[middle] * 4])]
        self.block_c = nn.Sequential(_convolution(quarter, quarter), *inner, _convolution(middle, quarter))
        self.block_d = nn.Sequential(_convolution(quarter, quarter), _convolution(quarter, quarter))
        self.block_e = nn.Sequential(
            _convolution(quarter, half), _convolution(half, half), _convolution(half, first, 7)
        )
        self.out_layer = nn.Sequential(nn.Conv2d(first, channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Translate."""
        half = self.block_a(x)
        h = _resized(self.block_c(self.block_b(half)), half)
        return torch.tanh(self.out_layer(self.block_e(_resized(self.block_d(h), x))))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)
