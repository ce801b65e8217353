"""SRGAN's generator: Ledig et al. 2017, arXiv:1609.04802, section 2.1.1 and figure 4."""

import torch
from torch import Tensor, nn

from gancli.nets.enlargers.strips import in_strips

REACH = 4  # rows before the doublings that a row of the image depends on, on each side


class Residual(nn.Module):
    """Convolution, batch norm, PReLU, convolution, batch norm, added to what enters."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features)
        self.prelu = nn.PReLU()
        self.conv2, self.bn2 = nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features)

    def forward(self, x: Tensor) -> Tensor:
        """Add to x (N, features, H, W)."""
        return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))


class Doubling(nn.Module):
    """A convolution whose channels become pixels."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv, self.prelu = nn.Conv2d(features, 4 * features, 3, padding=1), nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, H, W) -> (N, features, 2H, 2W)."""
        return self.prelu(nn.functional.pixel_shuffle(self.conv(x), 2))


class SRResNet(nn.Module):
    """Images (N, C, H, W) in [0, 1] -> enlarged ones (N, C, 2^ups H, 2^ups W) in [0, 1]."""

    def __init__(self, channels: int, features: int, blocks: int, ups: int) -> None:
        super().__init__()
        self.scale = 1 << ups
        self.first = nn.Sequential(nn.Conv2d(channels, features, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*(Residual(features) for _ in range(blocks)))
        self.after = nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features))
        self.up = nn.Sequential(*(Doubling(features) for _ in range(ups)))
        self.last = nn.Conv2d(features, channels, 9, padding=4)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge."""
        x = self.first(x)
        return in_strips(self._enlarged, x + self.after(self.body(x)), REACH, self.scale)

    def _enlarged(self, x: Tensor) -> Tensor:
        return (torch.tanh(self.last(self.up(x))) + 1) / 2
