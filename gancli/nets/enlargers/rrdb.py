"""ESRGAN's generator of residual-in-residual dense blocks: Wang et al. 2018, arXiv:1809.00219, section 3.1.

With the changes of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833, section 3.3): for scales 1 and 2, pixels are folded
into channels first. At 64 features and 23 blocks it has 16,697,987 parameters. Tensors have BasicSR's names.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets.enlargers.strips import in_strips

SLOPE = 0.2  # of LeakyReLU below 0
RESIDUAL = 0.2  # beta: how much of a block's output is added (section 3.1)
CONVOLUTIONS = 5
REACH = 2  # rows before the doublings that a row of the image depends on, on each side


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the features of all before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for i in range(1, CONVOLUTIONS + 1):
            outputs = features if i == CONVOLUTIONS else growth
            self.add_module(f"conv{i}", nn.Conv2d(features + (i - 1) * growth, outputs, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Add to x (N, features, H, W)."""
        *inner, last = self.children()
        seen = [x]
        for convolution in inner:
            seen.append(F.leaky_relu(convolution(torch.cat(seen, 1)), SLOPE, inplace=True))
        return x + RESIDUAL * last(torch.cat(seen, 1))


class RRDB(nn.Module):
    """Three dense blocks, added to what enters them."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(features, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Add to x (N, features, H, W)."""
        return x + RESIDUAL * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """Images (N, C, H, W) in [0, 1] -> enlarged ones (N, C, scale H, scale W), nominally in [0, 1].

    `fold` pixels a side become channels first: H and W must be multiples of it. Each of `ups` steps doubles the size.
    """

    def __init__(self, channels: int, features: int, growth: int, blocks: int, *, ups: int = 2, fold: int = 1) -> None:
        super().__init__()
        self.fold, self.ups, self.scale = fold, ups, (1 << ups) // fold
        self.conv_first = nn.Conv2d(channels * fold**2, features, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        for i in range(1, ups + 1):
            self.add_module(f"conv_up{i}", nn.Conv2d(features, features, 3, padding=1))
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge."""
        x = self.conv_first(F.pixel_unshuffle(x, self.fold))
        return in_strips(self._enlarged, x + self.conv_body(self.body(x)), REACH, 1 << self.ups)

    def _enlarged(self, x: Tensor) -> Tensor:
        for i in range(1, self.ups + 1):
            up = self.get_submodule(f"conv_up{i}")
            x = F.leaky_relu(up(F.interpolate(x, scale_factor=2.0, mode="nearest")), SLOPE, inplace=True)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), SLOPE, inplace=True))
