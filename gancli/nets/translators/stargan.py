"""StarGAN's generator: Choi et al. 2018, "StarGAN", arXiv:1711.09020, table 4. Tensors have the authors' names."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gancli.nets.layers.norms import InstanceNorm2d


def _norm(channels: int) -> InstanceNorm2d:
    # the authors' norms keep running statistics, but their code never leaves training mode, so each image uses its own
    return InstanceNorm2d(channels, affine=True)


class Residual(nn.Module):
    """Two convolutions, added to what enters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            _norm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            _norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add to x (N, C, H, W)."""
        return x + self.main(x)


class StarNet(nn.Module):
    """Images (N, C, H, W) in [-1, 1] and attributes (N, A), each 0 or 1, to images that have those attributes.

    Sides are multiples of 4.
    """

    def __init__(self, attributes: int, width: int = 64, blocks: int = 6, channels: int = 3) -> None:
        super().__init__()
        widths = width, 2 * width, 4 * width
        layers: list[nn.Module] = [
            nn.Conv2d(channels + attributes, width, 7, 1, 3, bias=False),
            _norm(width),
            nn.ReLU(inplace=True),
        ]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), _norm(after), nn.ReLU(inplace=True)]
        layers += [Residual(widths[-1]) for _ in range(blocks)]
        for before, after in pairwise(reversed(widths)):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), _norm(after), nn.ReLU(inplace=True)]
        self.main = nn.Sequential(*layers, nn.Conv2d(width, channels, 7, 1, 3, bias=False))

    def forward(self, x: Tensor, attributes: Tensor) -> Tensor:
        """Translate."""
        planes = attributes[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return torch.tanh(self.main(torch.cat([x, planes.to(x.dtype)], 1)))
