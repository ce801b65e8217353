"""Fully connected networks: small, quick, and blind to which pixels are neighbours."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec

Norm = Callable[[int], nn.Module]


def _stack(sizes: Sequence[int], activation: nn.Module, norm: Norm | None = None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes[:-1]):
        layers += [nn.Linear(before, after), *([norm(after)] if norm else []), activation]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def _pixels(spec: DataSpec) -> int:
    return spec.channels * spec.height * spec.width


class Generator(nn.Module):
    """Latents (N, Z) -> images (N, C, H, W) in [-1, 1], or points anywhere, through hidden layers."""

    def __init__(
        self,
        z_dim: int,
        hidden: Sequence[int],
        spec: DataSpec,
        norm: Norm | None = None,
        end: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.shape = (spec.channels, spec.height, spec.width)
        end = end or (nn.Identity() if spec.points else nn.Tanh())
        self.net = nn.Sequential(_stack([z_dim, *hidden, _pixels(spec)], nn.ReLU(inplace=True), norm), end)

    def forward(self, z: Tensor) -> Tensor:
        """Draw images from latents."""
        return self.net(z).unflatten(1, self.shape)


class Encoder(nn.Module):
    """Images (N, C, H, W) -> codes (N, Z), through hidden layers."""

    def __init__(self, z_dim: int, hidden: Sequence[int], spec: DataSpec, norm: Norm | None = None) -> None:
        super().__init__()
        self.net = _stack([_pixels(spec), *hidden, z_dim], nn.LeakyReLU(0.2, inplace=True), norm)

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


class JointDiscriminator(nn.Module):
    """Judges pairs of an image and its latent: (N, C, H, W) and (N, Z) -> logits (N,).

    They meet in the first layer: a D where they only met in the last, linear one could not tell a pair that
    belongs together from one that does not.
    """

    def __init__(self, z_dim: int, hidden: Sequence[int], spec: DataSpec) -> None:
        super().__init__()
        self.net = _stack([_pixels(spec) + z_dim, *hidden, 1], nn.LeakyReLU(0.2, inplace=True))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Judge pairs."""
        return self.net(torch.cat([x.flatten(1), z], 1)).squeeze(1)
