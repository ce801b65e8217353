"""A GAN with styles whose every answer is known: tests 2026, "Bands", no arXiv id."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.families.noise import NoiseHParams, NoiseToImage

LAYERS = 4


@dataclass(frozen=True, kw_only=True)
class HParams(NoiseHParams):
    """Small."""

    z_dim: int = 6
    width: int = 4
    batch: int = 4
    kimg: float = 0.004
    lr: float = 1e-2


class Bands(nn.Module):
    """w = M z + b; the style of layer l is the l-th of L horizontal bands of the image, linearly."""

    def __init__(self, z_dim: int, spec: DataSpec) -> None:
        super().__init__()
        self.mapping = nn.Linear(z_dim, z_dim)
        self.shape = (spec.channels, spec.height // LAYERS, spec.width)
        pixels = spec.channels * spec.height // LAYERS * spec.width
        self.affine = nn.ModuleList(nn.Linear(z_dim, pixels) for _ in range(LAYERS))
        for affine in self.affine:
            nn.init.normal_(affine.weight, std=0.15)  # pyright: ignore[reportArgumentType]

    def forward(self, w: Tensor) -> Tensor:
        """Draw each band from its style."""
        bands = [affine(w[:, i]).unflatten(1, self.shape) for i, affine in enumerate(self.affine)]
        return torch.cat(bands, 2)


class TinyStyled(NoiseToImage[HParams]):
    """Each style draws a band."""

    hparams = HParams

    def generator(self) -> nn.Module:
        """Build G."""
        return Bands(self.hp.z_dim, self.spec)

    def discriminator(self) -> nn.Module:
        """Build D."""
        size = self.spec.channels * self.spec.height * self.spec.width
        return nn.Sequential(nn.Flatten(), nn.Linear(size, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return nothing: it is small."""
        del spec
        return {}

    @property
    def style_layers(self) -> int:
        """Return L."""
        return LAYERS

    def styles(self, z: Tensor) -> Tensor:
        """Map z to w."""
        return self.G.mapping(z)[:, None].repeat(1, LAYERS, 1)  # pyright: ignore[reportCallIssue]

    def mean_styles(self, z: Tensor) -> Tensor:
        """Return b, the mean of w."""
        return self.styles(torch.zeros_like(z))

    def synthesise(self, w: Tensor) -> Tensor:
        """Draw the bands."""
        return self.G(w).float()

    def generate(self, z: Tensor) -> Tensor:
        """Generate through the styles."""
        return self.synthesise(self.styles(z))
