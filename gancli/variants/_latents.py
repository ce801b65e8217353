"""What all have that draw images from z ~ N(0, I), however they are trained."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from gancli import dist
from gancli.data.images import Images
from gancli.gan import GAN
from gancli.hparams import HParams, hparam


@dataclass(frozen=True, kw_only=True)
class SizeHParams(HParams):
    """How large the latent is."""

    z_dim: int = hparam(100, "size of the latent z", min=1)


H = TypeVar("H", bound=SizeHParams)


class FromLatents(GAN[H]):
    """A generator G of latents of size `hp.z_dim`."""

    data = Images
    G: nn.Module

    def prior(self, n: int) -> Tensor:
        """Draw z from N(0, I), (n, Z)."""
        return dist.rows(lambda rows: torch.randn(rows, self.hp.z_dim, device=self.device), n)

    def truncated(self, n: int, truncation: float) -> Tensor:
        """Draw z with every |z| <= truncation: draws beyond it are made again (Brock et al. 2019, section 3.1)."""
        z = self.prior(n)
        while (outside := z.abs() > truncation).any():
            z = torch.where(outside, self.prior(n), z)
        return z

    def generate(self, z: Tensor) -> Tensor:
        """Draw images from latents; in float32, so that they can cross to any network."""
        return self.G(z).float()

    def fakes(self, batch: Any) -> Tensor:
        """As many images as the batch holds."""
        return self.generate(self.prior(len(batch)))
