"""U-GAT-IT's generator: Kim et al. 2020, "U-GAT-IT", arXiv:1907.10830, section 3.1. Tensors have the authors' names.

The light form averages over the image before the layers that give the scales; the full one does not, which ties it to
one image size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets.layers.norms import InstanceNorm2d, Sharing, Statistics

EPS = 1e-5
DOWN = 2  # halvings


def _mixed(x: Tensor, rho: Tensor, shared: Statistics | None) -> Tensor:
    """Mix instance and layer norm (eq. 1)."""
    return rho * _normal(x, (2, 3), shared) + (1 - rho) * _normal(x, (1, 2, 3), shared)


def _normal(x: Tensor, axes: tuple[int, ...], shared: Statistics | None) -> Tensor:
    """Normalise over some axes; the authors' variances are unbiased ones."""
    mean, variance = Statistics().of(x, axes, 1) if shared is None else shared.of(x, (0, *axes), 1)
    return (x - mean) * (variance + EPS).rsqrt()


class Mean(Sharing):
    """The mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C), or (1, C) if tiles share it."""
        return x.mean((2, 3)) if self.shared is None else self.shared.of(x)[0].flatten(1)


class AdaLIN(Sharing):
    """Instance and layer norm, mixed by rho, with a scale and a shift that are given (eq. 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.full((1, channels, 1, 1), 0.9))

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Normalise (N, C, H, W); gamma and beta are (N, C)."""
        return _mixed(x, self.rho, self.shared) * gamma[:, :, None, None] + beta[:, :, None, None]


class LIN(Sharing):
    """The same with a scale and a shift of its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        shape = 1, channels, 1, 1
        self.rho, self.gamma = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.ones(shape))
        self.beta = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        return _mixed(x, self.rho, self.shared) * self.gamma + self.beta


class Residual(nn.Module):
    """Two convolutions with instance norm, added to what enters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), InstanceNorm2d(channels)]
        second = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), InstanceNorm2d(channels)]
        self.conv_block = nn.Sequential(*layers, nn.ReLU(inplace=True), *second)

    def forward(self, x: Tensor) -> Tensor:
        """Add to x (N, C, H, W)."""
        return x + self.conv_block(x)


class AdaptiveResidual(nn.Module):
    """Two convolutions with AdaLIN, added to what enters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, channels, 3, bias=False), AdaLIN(channels)
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3, bias=False), AdaLIN(channels)

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Add to x (N, C, H, W)."""
        h = torch.relu(self.norm1(self.conv1(F.pad(x, [1] * 4, "reflect")), gamma, beta))
        return x + self.norm2(self.conv2(F.pad(h, [1] * 4, "reflect")), gamma, beta)


class AttentiveNet(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to images of the same size, whose sides are multiples of 4.

    `places` is the number of pixels of the features if the scales come from all of them; 1 for the light form.
    """

    def __init__(self, width: int = 64, blocks: int = 4, places: int = 1, channels: int = 3) -> None:
        super().__init__()
        self.blocks, inner = blocks, width << DOWN
        self.pool = Mean() if places == 1 else nn.Identity()
        down: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(channels, width, 7, bias=False),
            InstanceNorm2d(width),
            nn.ReLU(),
        ]
        for w in (width << i for i in range(DOWN)):
            down += [nn.ReflectionPad2d(1), nn.Conv2d(w, 2 * w, 3, 2, bias=False), InstanceNorm2d(2 * w), nn.ReLU()]
        self.DownBlock = nn.Sequential(*down, *(Residual(inner) for _ in range(blocks)))
        self.gap_fc, self.gmp_fc = (nn.Linear(inner, 1, bias=False) for _ in "am")
        self.conv1x1 = nn.Conv2d(2 * inner, inner, 1)
        self.FC = nn.Sequential(
            nn.Linear(inner * places, inner, bias=False), nn.ReLU(), nn.Linear(inner, inner, bias=False), nn.ReLU()
        )
        self.gamma, self.beta = (nn.Linear(inner, inner, bias=False) for _ in "gb")
        for i in range(1, blocks + 1):
            self.add_module(f"UpBlock1_{i}", AdaptiveResidual(inner))
        up: list[nn.Module] = []
        for w in (width << i for i in range(DOWN, 0, -1)):
            up += [nn.Upsample(scale_factor=2.0), nn.ReflectionPad2d(1), nn.Conv2d(w, w // 2, 3, bias=False)]
            up += [LIN(w // 2), nn.ReLU()]
        self.UpBlock2 = nn.Sequential(*up, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7, bias=False), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """Translate."""
        x = self.DownBlock(x)
        weighted = [x * fc.weight[:, :, None, None] for fc in (self.gap_fc, self.gmp_fc)]  # attention (section 3.1.1)
        x = torch.relu(self.conv1x1(torch.cat(weighted, 1)))
        h = self.FC(self.pool(x).flatten(1))
        gamma, beta = self.gamma(h), self.beta(h)
        for i in range(1, self.blocks + 1):
            x = self.get_submodule(f"UpBlock1_{i}")(x, gamma, beta)
        return self.UpBlock2(x)
