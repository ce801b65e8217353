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
    """Latents (N, Z) -> images (N, C, H, W) in [-1, 1], through hidden layers of growing width."""

    def __init__(self, z_dim: int, hidden: Sequence[int], spec: DataSpec) -> None:
        super().__init__()
        self.shape = (spec.channels, spec.height, spec.width)
        pixels = spec.channels * spec.height * spec.width
        self.net = nn.Sequential(_stack([z_dim, *hidden, pixels], nn.ReLU(inplace=True)), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """Draw images from latents."""
        return self.net(z).unflatten(1, self.shape)


class Encoder(nn.Module):
    """Images (N, C, H, W) -> codes (N, Z), through hidden layers."""

    def __init__(self, z_dim: int, hidden: Sequence[int], spec: DataSpec) -> None:
        super().__init__()
        pixels = spec.channels * spec.height * spec.width
        self.net = _stack([pixels, *hidden, z_dim], nn.LeakyReLU(0.2, inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """Read codes off images."""
        return self.net(x.flatten(1))


class Discriminator(Encoder):
    """Images (N, C, H, W) -> logits (N,), through hidden layers of shrinking width."""

    def __init__(self, hidden: Sequence[int], spec: DataSpec) -> None:
        super().__init__(1, hidden, spec)

    def forward(self, x: Tensor) -> Tensor:
        """Judge images."""
        return super().forward(x).squeeze(1)


class CodeDiscriminator(nn.Module):
    """Codes (N, Z) -> logits (N,): it never sees an image."""

    def __init__(self, z_dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.net = _stack([z_dim, *hidden, 1], nn.LeakyReLU(0.2, inplace=True))

    def forward(self, z: Tensor) -> Tensor:
        """Judge codes."""
        return self.net(z).squeeze(1)
