"""Fully connected networks: small, quick, and blind to which pixels are neighbours."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gancli.data.spec import DataSpec


def _stack(sizes: Sequence[int], activation: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation]
    return nn.Sequential(*layers[:-1])


class Generator(nn.Module):
    """Latents (N, Z) -> images (N, C, H, W) in [-1, 1], or points anywhere, through hidden layers."""

    def __init__(self, z_dim: int, hidden: Sequence[int], spec: DataSpec, end: nn.Module | None = None) -> None:
        super().__init__()
        self.shape = (spec.channels, spec.height, spec.width)
        pixels = spec.channels * spec.height * spec.width
        end = end or (nn.Identity() if spec.points else nn.Tanh())
        self.net = nn.Sequential(_stack([z_dim, *hidden, pixels], nn.ReLU(inplace=True)), end)

    def forward(self, z: Tensor) -> Tensor:
        """Draw images from latents."""
        return self.net(z).unflatten(1, self.shape)


class Discriminator(nn.Module):
    """Images (N, C, H, W) -> logits (N,), through hidden layers of shrinking width."""

    def __init__(self, hidden: Sequence[int], spec: DataSpec) -> None:
        super().__init__()
        pixels = spec.channels * spec.height * spec.width
        self.net = _stack([pixels, *hidden, 1], nn.LeakyReLU(0.2, inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """Judge images."""
        return self.net(x.flatten(1)).squeeze(1)
